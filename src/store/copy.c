/* COPY and MOVE within an account. RFC 9051 s6.4.7, RFC 6851 s3 */
#include "base/error.h"
#include "store/ledger.h"
#include "store/pick.h"
#include "store/text_rows.h"
#include "store/thread.h"

enum { COPY_BYTES = 16 << 20 }; /* of one commit; a larger copy takes several */

struct transfer {
	struct account      *a;
	mailbox_id           from, to;
	const struct ranges *uids;
	const struct actor  *actor;
	bool                 is_move;
	uint32_t             at;  /* where to go on, 0: all is done */
	/* The last UID at the start: copies into the same mailbox are not copied again. */
	uint32_t             end;
	struct copied        done;
};

static void
copied_done(struct copied *c)
{
	ranges_done(&c->from);
	ranges_done(&c->to);
}

static int
open_boxes(const struct transfer *t, struct mailbox **from, struct mailbox **to)
{
	int r = account_ready(t->a);

	if (r == 0)
		r = account_box(t->a, t->from, from);
	if (r == 0)
		r = account_box(t->a, t->to, to);
	return r < 0 ? r : index_need(t->a, *from);
}

/* Is there room for all of it? Only a copy needs any. */
static int
check_room(const struct transfer *t, struct mailbox *from)
{
	OWN_PICK struct pick p = {
		.a = t->a, .box = from, .in = INDEX_ALL(from), .uids = t->uids, .at = t->at,
		.end = t->end
	};
	struct message m;
	uint64_t       size = 0, n = 0;
	int            r;

	if (t->is_move || (t->a->rec.quota.storage_max == 0 && t->a->rec.quota.count_max == 0))
		return 0;
	while ((r = pick_next(&p, &m)) > 0) {
		size += m.size;
		n++;
	}
	return r < 0 || n == 0 ? r : account_room(t->a, size, n);
}

static int
copy_one(struct edit *e, struct edit_box *to, struct message *m, struct str facts)
{
	struct facts_record rec;
	int                 r = facts_record_unpack(facts, &rec);

	if (r < 0)
		return r;
	m->email = e->rec.next_email++;
	kv_ref(&e->batch, &m->blob, e->a->id, m->email);
	if (rec.has_msgid)
		thread_keep(e, &rec.msgid, m->thread, m->email);
	edit_use_more(e, m);
	m->save_ms = e->now_ms;
	edit_message_add(e, to, m, facts);
	return 0;
}

static int
transfer_one(struct edit *e, const struct transfer *t, struct message *m, struct copied *done)
{
	OWN_BUF struct buf facts = BUF_INIT(KV_VALUE_MAX);
	uint32_t           old_uid = m->uid;
	struct edit_box   *to = &e->boxes[e->n_boxes - 1]; /* perhaps boxes[0], too */
	int                r;

	if (t->is_move) {
		r = edit_message_move(e, &e->boxes[0], to, m);
	} else {
		r = message_fetch_facts(t->a, t->from, m->uid, &facts);
		if (r == 0)
			r = copy_one(e, to, m, buf_view(&facts));
	}
	if (r == 0)
		r = ranges_add(&done->from, old_uid, old_uid);
	return r < 0 ? r : ranges_add(&done->to, m->uid, m->uid);
}

static bool
is_removal(const struct transfer *t)
{
	const struct mailbox *to = account_box_any(t->a, t->to);

	return t->is_move && t->from != t->to && (to->rec.special_use & USE_TRASH) != 0;
}

/* Builds one commit. A copy goes on for COPY_BYTES, a move stops so that others get their turn. */
static int
fill_part(struct edit *e, const struct transfer *t, struct pick *p, struct copied *done,
    uint32_t *ret_next)
{
	size_t         bytes_max = t->is_move ? EDIT_BYTES : COPY_BYTES;
	struct message m;
	uint64_t       bytes = 0;
	unsigned       n = 0;
	int            r = 0;

	while (e->batch.ops.n < bytes_max && (!t->is_move || n < EDIT_MESSAGES) &&
	    (r = pick_next(p, &m)) > 0) {
		r = transfer_one(e, t, &m, done);
		if (r < 0)
			break;
		bytes += m.size;
		n++;
	}
	if (r < 0)
		return r;
	*ret_next = pick_rest(p);
	r = n == 0 ? 0 : edit_commit(e, EDIT_DURABLE);
	if (r == 0 && is_removal(t))
		ledger_removed(e->a, e->actor, n, bytes);
	return r;
}

/* One commit; what it did joins t->done. */
static int
transfer_part(struct transfer *t)
{
	OWN_EDIT struct edit                                e = { 0 };
	OWN_PICK struct pick                                p = { 0 };
	__attribute__((cleanup(copied_done))) struct copied done = { 0 };
	struct copied                                       old;
	struct mailbox                                     *from, *to;
	uint32_t                                            next;
	int                                                 r;

	ACCOUNT_SCOPE(t->a);
	r = open_boxes(t, &from, &to);
	if (r < 0)
		return r;
	if (t->end == 0) {
		t->end = from->rec.uidnext - 1;
		r = check_room(t, from);
	}
	if (r == 0 && (ranges_copy(&t->done.from, &done.from) < 0 ||
	                  ranges_copy(&t->done.to, &done.to) < 0))
		r = E_NOMEM;
	if (r < 0)
		return r;
	done.uidvalidity = to->rec.uidvalidity;
	edit_begin(&e, t->a, t->actor);
	e.way = t->is_move ? CHANGE_BY_MOVE : CHANGE_BY_COPY;
	if (t->is_move)
		edit_box(&e, from);
	edit_box(&e, to);
	p = (struct pick){ .a = t->a, .box = from, .in = INDEX_ALL(from), .uids = t->uids,
		.at = t->at, .end = t->end };
	r = fill_part(&e, t, &p, &done, &next);
	if (r < 0)
		return r;
	t->at = next;
	old = t->done;
	t->done = done;
	done = old;
	return 0;
}

/* --- copy --- */

static int
undo_one(struct edit *e, struct edit_box *slot, const struct message *m)
{
	OWN_BUF struct buf  facts = BUF_INIT(KV_VALUE_MAX);
	struct key          place = key_place(m->email);
	struct facts_record rec;
	int                 r;

	r = message_fetch_facts(e->a, slot->box->id, m->uid, &facts);
	if (r == 0)
		r = facts_record_unpack(buf_view(&facts), &rec);
	if (r < 0)
		return r;
	if (rec.has_msgid)
		thread_leave(e, &rec.msgid, m->email);
	r = text_remove_one(e->a, m->email);
	if (r < 0)
		return r;
	kv_unref(&e->batch, &m->blob, e->a->id, m->email);
	edit_del(e, &place);
	edit_use_less(e, m);
	edit_message_remove(e, slot, m);
	return 0;
}

/* Removes copies that were made, a part of them; nobody was told of them yet. */
static int
undo_part(struct transfer *t, uint32_t *at)
{
	OWN_EDIT struct edit e = { 0 };
	OWN_PICK struct pick p = { .a = t->a, .uids = &t->done.to, .at = *at };
	struct edit_box     *slot;
	struct message       m;
	uint32_t             next;
	int                  r;

	ACCOUNT_SCOPE(t->a);
	r = account_ready(t->a);
	if (r == 0)
		r = account_box(t->a, t->to, &p.box);
	if (r == 0)
		r = index_need(t->a, p.box);
	if (r < 0)
		return r;
	p.in = INDEX_ALL(p.box);
	edit_begin(&e, t->a, t->actor);
	slot = edit_box(&e, p.box);
	while (!edit_is_full(&e) && (r = pick_next(&p, &m)) > 0) {
		r = undo_one(&e, slot, &m);
		if (r < 0)
			return r;
	}
	next = pick_rest(&p);
	if (r == 0)
		r = edit_commit(&e, EDIT_DURABLE);
	if (r < 0)
		return r;
	*at = next;
	return 0;
}

static void
undo(struct transfer *t)
{
	uint32_t at = 1;

	while (at != 0 && t->done.to.n != 0)
		if (undo_part(t, &at) < 0)
			return;
}

int
message_copy(struct account *a, mailbox_id from, const struct ranges *uids, mailbox_id to,
    const struct actor *actor, struct copied *ret)
{
	struct transfer t = {
		.a = a, .from = from, .to = to, .uids = uids, .actor = actor, .at = 1
	};
	int             r = 0;

	while (r == 0 && t.at != 0)
		r = transfer_part(&t);
	if (r < 0) {
		undo(&t);
		copied_done(&t.done);
		return r;
	}
	copied_done(ret);
	*ret = t.done;
	return 0;
}

/* --- move --- */

int
message_move(struct account *a, mailbox_id from, const struct ranges *uids, uint32_t at,
    mailbox_id to, const struct actor *actor, struct copied *ret, uint32_t *ret_next)
{
	struct transfer t = {
		.a = a, .from = from, .to = to, .uids = uids, .actor = actor, .is_move = true,
		.at = at != 0 ? at : 1, .done = *ret
	};
	int             r;

	/* Within one mailbox the end is only known here: all of it in one call. */
	do
		r = transfer_part(&t);
	while (r == 0 && from == to && t.at != 0);
	*ret = t.done;
	if (r < 0)
		return r;
	*ret_next = t.at;
	return 0;
}
