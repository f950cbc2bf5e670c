/* COPY, MOVE, EXPUNGE and UID EXPUNGE. RFC 3501 s6.4.3, s6.4.7, RFC 6851, RFC 4315 */
#include "base/error.h"
#include "serve/imap/uids.h"
#include "serve/imap/verbs.h"

static void
copied_done(struct copied *c)
{
	ranges_done(&c->from);
	ranges_done(&c->to);
}

/* "COPYUID 38505 304,319:320 3956:3958", RFC 4315 s3 */
static void
put_copyuid(struct buf *out, const struct copied *done)
{
	buf_str(out, STR("[COPYUID "));
	buf_u64(out, done->uidvalidity);
	buf_byte(out, ' ');
	imap_put_set(out, &done->from);
	buf_byte(out, ' ');
	imap_put_set(out, &done->to);
	buf_byte(out, ']');
}

/*
 * What both begin with: the UIDs and the destination. By message numbers, a message that somebody
 * else expunged fails the whole (RFC 2180 s4.4.1); by UID it is passed over.
 */
static int
resolve(struct imap_session *s, struct imap_command *c, struct ranges *uids, mailbox_id *to)
{
	OWN_RANGES struct ranges lost = { 0 };
	int                      r = imap_set_uids(s, &c->args.copy.set, c->uid, uids);

	if (r == 0)
		r = mailbox_find(s->account, c->args.copy.mailbox, to);
	if (r == E_NO_MAILBOX)
		r = E_TRY_CREATE;
	if (r == 0)
		r = view_collect(s->view);
	if (r == 0 && !c->uid)
		r = ranges_and(uids, &s->view->gone, &lost);
	return r == 0 && lost.n != 0 ? E_MESSAGE_GONE : r;
}

static enum step
answer_copied(struct imap_session *s, const struct copied *done)
{
	OWN_BUF struct buf code = BUF_INIT(IMAP_COMMAND_ARENA_MAX / 4);

	if (done->from.n == 0)
		return imap_ok(s, "No messages found.");
	put_copyuid(&code, done);
	if (code.err < 0)
		return imap_ok(s, "Copy completed.");
	return imap_ok(s, "%.*s Copy completed.", STR_ARG(buf_view(&code)));
}

enum step
imap_run_copy(struct imap_session *s, struct imap_command *c)
{
	OWN_RANGES struct ranges uids = { 0 };
	struct actor             actor = imap_actor(s);
	struct copied            done = { 0 };
	mailbox_id               to;
	enum step                step;
	int                      r = resolve(s, c, &uids, &to);

	if (r == 0 && uids.n != 0)
		r = message_copy(s->account, s->view->mailbox, &uids, to, &actor, &done);
	if (r < 0)
		return imap_fail(s, r == E_NO_MAILBOX ? E_TRY_CREATE : r);
	step = answer_copied(s, &done);
	copied_done(&done);
	return step;
}

/* The EXPUNGEs follow as news, after COPYUID as RFC 6851 s4.3 wants it. */
enum step
imap_run_move(struct imap_session *s, struct imap_command *c)
{
	OWN_RANGES struct ranges uids = { 0 };
	struct buf              *out = conn_output(s->conn);
	struct actor             actor = imap_actor(s);
	struct copied            done = { 0 };
	uint32_t                 at = 0;
	mailbox_id               to;
	int                      r = resolve(s, c, &uids, &to);

	while (r == 0 && uids.n != 0) {
		r = message_move(s->account, s->view->mailbox, &uids, at, to, &actor, &done, &at);
		if (at == 0)
			break;
	}
	if (done.from.n != 0) {
		buf_str(out, STR("* OK "));
		put_copyuid(out, &done);
		buf_str(out, STR(" Moved.\r\n"));
	}
	copied_done(&done);
	if (r < 0)
		return imap_fail(s, r == E_NO_MAILBOX ? E_TRY_CREATE : r);
	return imap_ok(s, uids.n != 0 ? "Move completed." : "No messages found.");
}

static enum step
answer_expunged(struct imap_session *s)
{
	struct mailbox_status status;

	/* RFC 7162 s3.2.10 asks for it of QRESYNC; clients of CONDSTORE gain by it too. */
	if (s->condstore && mailbox_status(s->account, s->view->mailbox, &status) == 0 &&
	    status.highest_modseq <= account_modseq(s->account))
		return imap_ok(s, "[HIGHESTMODSEQ %llu] Expunge completed.",
		    (unsigned long long)status.highest_modseq);
	return imap_ok(s, "Expunge completed.");
}

enum step
imap_run_expunge(struct imap_session *s, struct imap_command *c)
{
	OWN_RANGES struct ranges uids = { 0 };
	struct actor             actor = imap_actor(s);
	uint32_t                 from = 0;
	int                      r = 0;

	if (c->uid)
		r = imap_set_uids(s, &c->args.set, true, &uids);
	while (r == 0 && (!c->uid || uids.n != 0)) {
		r = message_expunge(s->account, s->view->mailbox, c->uid ? &uids : NULL, false,
		    from, &actor, NULL, &from);
		if (from == 0)
			break;
	}
	return r < 0 ? imap_fail(s, r) : answer_expunged(s);
}
