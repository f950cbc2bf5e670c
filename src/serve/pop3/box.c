#include "serve/pop3/box.h"

#include "base/error.h"
#include "base/mem.h"

int
pop3_box_open(struct pop3_box *b, struct account *account)
{
	struct mailbox_status status;
	int                   r;

	*b = (struct pop3_box){ .account = account, .modseq = account_modseq(account) };
	r = mailbox_find(account, STR("INBOX"), &b->inbox);
	if (r == 0)
		r = mailbox_status(account, b->inbox, &status);
	if (r < 0) {
		pop3_box_done(b);
		return r;
	}
	b->uid_at = 1;
	b->uid_end = status.uidnext;
	return 0;
}

void
pop3_box_done(struct pop3_box *b)
{
	if (b->account != NULL)
		account_drop(b->account);
	mem_free(b->e);
	ranges_done(&b->present);
	ranges_done(&b->gone);
	ranges_done(&b->seen);
	*b = (struct pop3_box){ 0 };
}

static int
add(struct pop3_box *b, const struct message *m)
{
	if (b->n == b->cap) {
		uint32_t           cap = b->cap < 64 ? 64 : b->cap + b->cap / 2;
		struct pop3_entry *grown = mem_realloc(b->e, cap * sizeof(*grown));

		if (grown == NULL)
			return E_NOMEM;
		b->e = grown;
		b->cap = cap;
	}
	b->e[b->n++] = (struct pop3_entry){
		.email = m->email,
		.size = m->size,
		.blob = m->blob,
		.header_n = m->header_n,
		.blob_header_n = m->blob_header_n,
		.uid = m->uid,
		.was_seen = (m->flags.system & FLAG_SEEN) != 0,
	};
	b->n_left++;
	b->size_left += m->size;
	return 0;
}

int
pop3_box_load(struct pop3_box *b, bool *ret_done)
{
	OWN(message_iter) it = NULL;
	struct message    m;
	int               r;

	if (b->uid_at >= b->uid_end) {
		*ret_done = true;
		return 0;
	}
	r = message_scan(b->account, b->inbox, b->uid_at, b->uid_end - 1, SCAN_RECORDS, &it);
	if (r < 0)
		return r;
	r = 1;
	for (unsigned i = 0; r == 1 && i < POP3_LOAD_PART && b->n < POP3_MESSAGES_MAX; i++) {
		r = message_iter_next(it, &m, NULL);
		if (r == 1 && add(b, &m) < 0)
			r = E_NOMEM;
		if (r == 1 || r == E_CORRUPT)
			b->uid_at = m.uid + 1;
		if (r == E_CORRUPT) { /* it is left out, and stays */
			b->n_damaged++;
			r = 1;
		}
	}
	if (r < 0)
		return r;
	*ret_done = r == 0 || b->n >= POP3_MESSAGES_MAX;
	return 0;
}

int
pop3_box_find(struct pop3_box *b, uint32_t number, struct pop3_entry **ret)
{
	if (number == 0 || number > b->n || b->e[number - 1].deleted)
		return E_NOT_FOUND;
	*ret = &b->e[number - 1];
	return 0;
}

/* --- what is still there --- */

static int
look_again(struct pop3_box *b)
{
	struct mailbox_status status;
	struct ranges         uids;
	uint32_t              recent_from;
	int                   r;

	r = mailbox_view(
	    b->account, b->inbox, false, &status, &uids, &recent_from, &b->modseq);
	if (r < 0)
		return r;
	ranges_done(&b->present);
	b->present = uids;
	b->looked = true;
	return 0;
}

int
pop3_box_message(struct pop3_box *b, const struct pop3_entry *e, struct message *ret)
{
	int r = 0;

	if (b->modseq != account_modseq(b->account))
		r = look_again(b);
	if (r < 0)
		return r;
	if (b->looked && !ranges_has(&b->present, e->uid))
		return E_MESSAGE_GONE;
	*ret = (struct message){
		.uid = e->uid,
		.email = e->email,
		.blob = e->blob,
		.size = e->size,
		.header_n = e->header_n,
		.blob_header_n = e->blob_header_n,
	};
	return 0;
}

void
pop3_box_delete(struct pop3_box *b, struct pop3_entry *e)
{
	e->deleted = true;
	b->n_left--;
	b->size_left -= e->size;
}

void
pop3_box_reset(struct pop3_box *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		if (!b->e[i].deleted)
			continue;
		b->e[i].deleted = false;
		b->n_left++;
		b->size_left += b->e[i].size;
	}
}

/* --- update --- */

static int
plan(struct pop3_box *b)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < b->n; i++) {
		uint32_t uid = b->e[i].uid;

		if (b->e[i].deleted)
			r = ranges_add(&b->gone, uid, uid);
		else if (b->e[i].fetched && !b->e[i].was_seen)
			r = ranges_add(&b->seen, uid, uid);
	}
	if (r < 0)
		return r;
	b->gone_at = ranges_min(&b->gone);
	b->seen_at = ranges_min(&b->seen);
	b->begun = true;
	return 0;
}

int
pop3_box_update(struct pop3_box *b, const struct actor *actor, bool *ret_done)
{
	static const struct flag_change seen = { FLAGS_ADD, .flags = { .system = FLAG_SEEN } };
	int                             r = b->begun ? 0 : plan(b);

	if (r == 0 && b->gone_at != 0)
		r = message_expunge(b->account, b->inbox, &b->gone, true, b->gone_at, actor, NULL,
		    &b->gone_at);
	else if (r == 0 && b->seen_at != 0)
		r = message_change_flags(b->account, b->inbox, &b->seen, b->seen_at, &seen, actor,
		    NULL, &b->seen_at);
	if (r < 0)
		return r;
	*ret_done = b->gone_at == 0 && b->seen_at == 0;
	return 0;
}
