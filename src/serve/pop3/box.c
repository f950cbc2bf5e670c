#include "serve/pop3/box.h"

#include "base/error.h"
#include "base/mem.h"

int
pop3_box_open(struct pop3_box *b, struct account *account)
{
	struct mailbox_status status;
	int                   r;

	*b = (struct pop3_box){ .account = account };
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
	mem_free(b->ahead.m);
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
	b->e[b->n++] = (struct pop3_entry){ .email = m->email, .size = m->size, .uid = m->uid };
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

/* --- records --- */

/* Reads the records from this one on, up to POP3_AHEAD. */
static int
read_ahead(struct pop3_box *b, uint32_t uid)
{
	OWN(message_iter)  it = NULL;
	struct pop3_ahead *w = &b->ahead;
	int                r;

	w->n = w->at = 0;
	if (w->m == NULL)
		w->m = mem_alloc(POP3_AHEAD * sizeof(*w->m));
	if (w->m == NULL)
		return E_NOMEM;
	w->modseq = account_modseq(b->account);
	r = message_scan(b->account, b->inbox, uid, b->uid_end - 1, SCAN_RECORDS, &it);
	if (r < 0)
		return r;
	r = 1;
	while (r == 1 && w->n < POP3_AHEAD) {
		r = message_iter_next(it, &w->m[w->n], NULL);
		w->n += r == 1;
		r = r == E_CORRUPT ? 1 : r;
	}
	return r < 0 ? r : 0;
}

/* 0 when it was read ahead and is still true. */
static int
take_ahead(struct pop3_box *b, uint32_t uid, struct message *ret)
{
	struct pop3_ahead *w = &b->ahead;

	if (w->modseq != account_modseq(b->account))
		w->n = 0;
	while (w->at < w->n && w->m[w->at].uid < uid)
		w->at++;
	if (w->at >= w->n || w->m[w->at].uid != uid)
		return E_NOT_FOUND;
	*ret = w->m[w->at];
	return 0;
}

int
pop3_box_message(struct pop3_box *b, const struct pop3_entry *e, struct message *ret)
{
	bool     is_next = e > b->e && b->ahead.last == e[-1].uid;
	uint32_t uid = e->uid;
	int      r;

	b->ahead.last = uid;
	if (!is_next)
		return message_get(b->account, b->inbox, uid, ret);
	if (take_ahead(b, uid, ret) == 0)
		return 0;
	r = read_ahead(b, uid);
	if (r < 0)
		return r;
	return take_ahead(b, uid, ret) == 0 ? 0 : message_get(b->account, b->inbox, uid, ret);
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
		else if (b->e[i].fetched)
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
