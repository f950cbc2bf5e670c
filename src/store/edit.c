#include "store/edit.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/pack.h"
#include "store/left.h"

const struct actor ACTOR_NOBODY = { .protocol = ACTOR_SYSTEM };

void
edit_begin(struct edit *e, struct account *a, const struct actor *actor)
{
	*e = (struct edit){ .a = a, .actor = actor, .now_ms = clock_real_ms(), .rec = a->rec };
	e->modseq = atomic_load_explicit(&a->modseq, memory_order_relaxed) + 1 + a->gap;
	kv_batch_init(&e->batch);
	buf_init(&e->value, KV_VALUE_MAX);
	buf_init(&e->log, KV_VALUE_MAX);
}

void
edit_done(struct edit *e)
{
	for (size_t i = 0; i < e->n_boxes; i++)
		index_delta_done(&e->boxes[i].delta);
	kv_batch_done(&e->batch);
	buf_done(&e->value);
	buf_done(&e->log);
}

void
edit_fail(struct edit *e, int err)
{
	if (err < 0 && e->err == 0)
		e->err = err;
}

bool
edit_is_full(const struct edit *e)
{
	return e->batch.ops.n >= EDIT_BYTES;
}

struct edit_box *
edit_box(struct edit *e, struct mailbox *box)
{
	struct edit_box *slot;

	for (size_t i = 0; i < e->n_boxes; i++)
		if (e->boxes[i].box == box)
			return &e->boxes[i];
	slot = &e->boxes[e->n_boxes++];
	*slot = (struct edit_box){ .box = box, .rec = box->rec };
	return slot;
}

struct buf *
edit_value(struct edit *e)
{
	buf_reset(&e->value);
	return &e->value;
}

void
edit_put(struct edit *e, const struct key *key)
{
	edit_fail(e, e->value.err);
	kv_put(&e->batch, key_str(key), buf_view(&e->value));
}

void
edit_del(struct edit *e, const struct key *key)
{
	kv_del(&e->batch, key_str(key));
}

void
edit_put_mailbox(struct edit *e, mailbox_id id, const struct mailbox_record *rec)
{
	struct key key = key_mailbox(id);

	mailbox_record_pack(rec, edit_value(e));
	edit_put(e, &key);
}

uint32_t
edit_uidvalidity(struct edit *e)
{
	uint32_t now_s = (uint32_t)(e->now_ms / 1000);
	uint32_t next = e->rec.last_uidvalidity + 1;

	e->rec.last_uidvalidity = now_s > next ? now_s : next;
	return e->rec.last_uidvalidity;
}

/* --- the change log --- */

static bool
same_kind(const struct change *a, const struct change *b)
{
	return a->kind == b->kind && a->way == b->way && a->mailbox == b->mailbox &&
	    a->set == b->set && a->cleared == b->cleared;
}

static bool
follows(const struct change *c, const struct change *last)
{
	return c->email != 0 && c->email == last->email + last->n && last->n != UINT32_MAX &&
	    c->uid_lo == (last->uid_lo != 0 ? last->uid_lo + last->n : 0);
}

static void
flush_item(struct edit *e, struct change *item)
{
	if (item->kind != 0)
		log_item_pack(item, &e->log);
	item->kind = 0;
}

/* The item that may go on with such a change, or the place of a new one. */
static struct change *
open_item(struct edit *e, const struct change *c)
{
	for (size_t i = 0; i < ARRAY_LEN(e->last); i++)
		if (e->last[i].kind != 0 && same_kind(c, &e->last[i]))
			return &e->last[i];
	/* The one that was begun first makes room. */
	flush_item(e, &e->last[0]);
	e->last[0] = e->last[1];
	e->last[1].kind = 0;
	return &e->last[1];
}

void
edit_log(struct edit *e, const struct change *c)
{
	struct change *item = open_item(e, c);

	if (item->kind != 0 && follows(c, item)) {
		item->n++;
		return;
	}
	flush_item(e, item);
	*item = *c;
	item->n = 1;
}

void
edit_log_mailbox(struct edit *e, mailbox_id id)
{
	const struct change c = { .kind = CHANGE_MAILBOX, .mailbox = id };

	edit_log(e, &c);
}

/* Of a message in the mailbox of the slot; `before`: its flags, when they change. */
static void
log_message(struct edit *e, enum change_kind kind, const struct edit_box *slot,
    const struct message *m, const struct flags *before)
{
	struct change c = {
		.kind = kind,
		.way = kind != CHANGE_FLAGS ? e->way : CHANGE_PLAIN,
		.mailbox = slot->box->id,
		.uid_lo = m->uid,
		.email = m->email,
	};

	if (before != NULL) {
		c.set = m->flags.system & ~before->system;
		c.cleared = before->system & ~m->flags.system;
	}
	edit_log(e, &c);
}

static void
put_log(struct edit *e)
{
	struct key        key = key_log(e->modseq);
	struct log_record rec = {
		.when_ms = e->now_ms,
		.protocol = e->actor->protocol,
		.session = e->actor->session,
		.peer = str_head(e->actor->peer, ACTOR_STRING_MAX),
		.login = str_head(e->actor->login, ACTOR_STRING_MAX),
		.device = str_head(e->actor->device, ACTOR_STRING_MAX),
	};

	for (size_t i = 0; i < ARRAY_LEN(e->last); i++)
		flush_item(e, &e->last[i]);
	edit_fail(e, e->log.err);
	if (e->log.n == 0)
		return;
	rec.items = buf_view(&e->log);
	log_record_pack(&rec, edit_value(e));
	edit_put(e, &key);
}

/* --- messages --- */

/* Counts a message in (n = 1) or out (n = -1). */
static void
count(struct mailbox_record *rec, const struct message *m, unsigned state, int n)
{
	rec->messages += (uint32_t)n;
	rec->size += n > 0 ? m->size : -m->size;
	if ((state & IS_UNSEEN) != 0)
		rec->unseen += (uint32_t)n;
	if ((state & IS_DELETED) != 0)
		rec->deleted += (uint32_t)n;
	if (m->uid >= rec->recent_from)
		rec->recent += (uint32_t)n;
}

static void
note(struct edit *e, struct edit_box *slot, const struct message *m, unsigned before,
    unsigned after)
{
	if (before != 0)
		count(&slot->rec, m, before, -1);
	if (after != 0)
		count(&slot->rec, m, after, 1);
	slot->rec.highest_modseq = e->modseq;
	/* One that is read later sees this commit in kv. */
	if (!slot->box->index.loaded)
		return;
	edit_fail(e, index_delta_put(&slot->delta, m->uid, before, after));
	if (after != 0)
		index_delta_row(&slot->delta, &slot->box->index, m);
}

static void
put_message(struct edit *e, const struct edit_box *slot, const struct message *m)
{
	struct key key = key_message(slot->box->id, m->uid);

	message_record_pack(m, edit_value(e));
	edit_put(e, &key);
}

static void
put_place(struct edit *e, const struct edit_box *slot, const struct message *m)
{
	struct key          key = key_place(m->email);
	struct place_record place = { .mailbox = slot->box->id, .uid = m->uid };

	place_record_pack(&place, edit_value(e));
	edit_put(e, &key);
}

void
edit_message_add(struct edit *e, struct edit_box *slot, struct message *m, struct str facts)
{
	struct key key;

	if (slot->rec.uidnext == UINT32_MAX) {
		edit_fail(e, E_LIMIT);
		return;
	}
	m->uid = slot->rec.uidnext++;
	m->modseq = e->modseq;
	key = key_facts(slot->box->id, m->uid);
	put_message(e, slot, m);
	kv_put(&e->batch, key_str(&key), facts);
	put_place(e, slot, m);
	note(e, slot, m, 0, flags_state(&m->flags));
	log_message(e, CHANGE_APPEND, slot, m, NULL);
}

void
edit_message_flags(struct edit *e, struct edit_box *slot, struct message *m,
    const struct flags *flags)
{
	const struct flags before = m->flags;

	m->flags = *flags;
	m->modseq = e->modseq;
	put_message(e, slot, m);
	note(e, slot, m, flags_state(&before), flags_state(flags));
	log_message(e, CHANGE_FLAGS, slot, m, &before);
}

void
edit_message_remove(struct edit *e, struct edit_box *slot, const struct message *m)
{
	struct key message = key_message(slot->box->id, m->uid);
	struct key facts = key_facts(slot->box->id, m->uid);

	edit_del(e, &message);
	edit_del(e, &facts);
	note(e, slot, m, flags_state(&m->flags), 0);
	log_message(e, CHANGE_EXPUNGE, slot, m, NULL);
}

int
edit_message_move(struct edit *e, struct edit_box *from, struct edit_box *to, struct message *m)
{
	OWN_BUF struct buf facts = BUF_INIT(KV_VALUE_MAX);
	int                r = message_fetch_facts(e->a, from->box->id, m->uid, &facts);

	if (r < 0)
		return r;
	edit_message_remove(e, from, m);
	m->save_ms = e->now_ms;
	edit_message_add(e, to, m, buf_view(&facts));
	if (left_is_inbox(e->a, to->box))
		left_forget(e, m->email);
	return 0;
}

void
edit_use_more(struct edit *e, const struct message *m)
{
	e->rec.usage.storage += m->size;
	e->rec.usage.count++;
}

void
edit_use_less(struct edit *e, const struct message *m)
{
	e->rec.usage.storage -= m->size;
	e->rec.usage.count--;
}

/* --- the commit --- */

/* A change of flags leaves it as it was. */
static bool
same_account(const struct account_record *a, const struct account_record *b)
{
	return a->state == b->state && a->next_mailbox == b->next_mailbox &&
	    a->next_email == b->next_email && a->last_uidvalidity == b->last_uidvalidity &&
	    a->quota.storage_max == b->quota.storage_max &&
	    a->quota.count_max == b->quota.count_max &&
	    a->usage.storage == b->usage.storage && a->usage.count == b->usage.count &&
	    a->log_floor == b->log_floor && a->n_dying == b->n_dying;
}

static void
put_records(struct edit *e)
{
	struct key key = key_account();

	for (size_t i = 0; i < e->n_boxes; i++)
		edit_put_mailbox(e, e->boxes[i].box->id, &e->boxes[i].rec);
	put_log(e);
	if (same_account(&e->rec, &e->a->rec))
		return;
	account_record_pack(&e->rec, edit_value(e));
	edit_put(e, &key);
}

static void
apply(struct edit *e, enum edit_wait wait, kv_ticket ticket)
{
	struct account *a = e->a;

	a->rec = e->rec;
	a->gap = 0;
	for (size_t i = 0; i < e->n_boxes; i++) {
		e->boxes[i].box->rec = e->boxes[i].rec;
		index_apply(&e->boxes[i].box->index, &e->boxes[i].delta);
	}
	recent_put(a->recent, e->modseq, buf_view(&e->log));
	e->ticket = ticket;
	/* The ticket first: who sees the change waits for it. */
	if (wait == EDIT_DURABLE)
		atomic_store_explicit(&a->ticket, ticket, memory_order_release);
	else
		atomic_store_explicit(&a->store->lazy, ticket, memory_order_relaxed);
	atomic_store_explicit(&a->modseq, e->modseq, memory_order_release);
	account_notify(a);
}

int
edit_commit(struct edit *e, enum edit_wait wait)
{
	struct account *a = e->a;
	kv_ticket       ticket;
	int             r;

	put_records(e);
	if (e->err < 0)
		return e->err;
	r = kv_commit(a->store->kv, account_part(a),
	    atomic_load_explicit(&a->modseq, memory_order_relaxed), e->modseq, &e->batch, &ticket);
	if (r == E_CONFLICT)
		account_forget(a);
	if (r < 0)
		return r;
	apply(e, wait, ticket);
	return 0;
}
