#include "base/clock.h"
#include "base/error.h"
#include "store/carry_put.h"
#include "store/ingest.h"
#include "store/left.h"

/* Room for the records of one message beside its bytes, so that the batch grows once. */
enum { RECORDS_ROOM = 2048 };

/* Keywords that the account does not have cannot be set. */
void
flags_clip(const struct account *a, struct flags *flags)
{
	unsigned n = atomic_load_explicit(&a->n_keywords, memory_order_relaxed);

	flags->system &= FLAG_SYSTEM_ALL;
	for (unsigned i = 0; i < ARRAY_LEN(flags->keywords); i++) {
		if (n <= i * 64)
			flags->keywords[i] = 0;
		else if (n - i * 64 < 64)
			flags->keywords[i] &= ((uint64_t)1 << (n - i * 64)) - 1;
	}
}

static struct message
message_of(const struct edit *e, const struct ingest *in, const struct append_options *opt)
{
	struct message m = {
		.flags = opt->flags,
		.internal_ms = opt->internal_ms != 0 ? opt->internal_ms : e->now_ms,
		.internal_zone_min = opt->internal_zone_min,
		.save_ms = e->now_ms,
		.email = e->rec.next_email,
		.blob = in->blob,
		.size = in->size,
		.header_n = in->header_n,
		.blob_header_n = (uint32_t)in->header.n,
		.wire_more = ingest_wire_more(in),
	};

	flags_clip(e->a, &m.flags);
	return m;
}

static int
append(struct edit *e, struct mailbox *box, struct ingest *in, const struct append_options *opt,
    int *ret_uidl_err)
{
	struct edit_box *slot = edit_box(e, box);
	struct message   m = message_of(e, in, opt);
	int              r;

	r = thread_join(e, &in->links, m.email, &m.thread);
	if (r < 0)
		return r;
	if (opt->carried != NULL)
		r = carry_put(e, box, &m, opt, ret_uidl_err);
	if (r < 0)
		return r;
	e->rec.next_email++;
	buf_room(&e->batch.ops,
	    RECORDS_ROOM + in->facts.n + (in->written ? 0 : in->header.n + in->piece.n));
	ingest_put(in, &e->batch);
	kv_ref(&e->batch, &in->blob, e->a->id, m.email);
	edit_message_add(e, slot, &m, buf_view(&in->facts));
	edit_use_more(e, &m);
	r = edit_commit(e, EDIT_DURABLE);
	if (opt->carried != NULL)
		carry_committed(e->a, opt, r);
	return r;
}

static int
append_to(struct account *a, mailbox_id id, struct ingest *in, const struct append_options *opt,
    const struct actor *actor, struct appended *ret)
{
	OWN_EDIT struct edit e = { 0 };
	struct mailbox      *box;
	int                  r, uidl_err = 0;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r == 0)
		r = ingest_ready(in);
	if (r == 0)
		r = account_box(a, id, &box);
	if (r == 0 && !opt->ignore_quota)
		r = account_room(a, in->size, 1);
	if (r == E_OVER_QUOTA_TEMP)
		r = left_make_room(a, in->size, true);
	if (r < 0)
		return r;
	edit_begin(&e, a, actor);
	r = append(&e, box, in, opt, &uidl_err);
	if (r < 0)
		return r;
	*ret = (struct appended){
		.uid = box->rec.uidnext - 1,
		.uidvalidity = box->rec.uidvalidity,
		.email = e.rec.next_email - 1,
		.modseq = e.modseq,
		.ticket = e.ticket,
		.uidl_err = uidl_err,
	};
	return 0;
}

/* The message was put into the mailbox, but its bytes may be lost. */
static void
withdraw(struct store *store, account_id account, mailbox_id id, uint32_t uid)
{
	OWN_RANGES struct ranges uids = { 0 };
	OWN(account)             a = NULL;
	uint32_t                 next;

	if (ranges_add(&uids, uid, uid) == 0 && account_open(store, account, &a) == 0)
		message_expunge(a, id, &uids, true, 0, &ACTOR_NOBODY, NULL, &next);
}

int
message_append(struct account *a, mailbox_id id, struct ingest *in,
    const struct append_options *opt, const struct actor *actor, struct appended *ret)
{
	bool            was_written = in->written;
	struct appended done;
	int             r;

	r = append_to(a, id, in, opt, actor, &done);
	if (r < 0)
		return r;
	/* The engine may have been reopened between the check and the commit: a blob that was
	 * written before that may be gone. */
	if (was_written && ingest_ready(in) < 0) {
		withdraw(a->store, a->id, id, done.uid);
		return E_CONFLICT;
	}
	in->written = true;
	*ret = done;
	return 0;
}
