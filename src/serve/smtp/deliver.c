/*
 * The end of a message: it goes into every account, is waited for until it is on disk, and
 * answered.
 *
 * SMTP and submission have one reply for all recipients (RFC 5321 s4.2.5, s6.1), and there is no
 * bounce to tell of a part that failed. So all accounts are asked for room first, and nothing is
 * written when one has none; the reply is that account's, and since RCPT asks the same question the
 * next try is answered recipient by recipient. Once written, quota no longer stops it. What can
 * still fail is the storage itself: then all is answered with 4xx, and those who have it already
 * may get it twice; twice is better than never.
 *
 * LMTP answers each recipient by itself (RFC 2033 s4.2), in RCPT order.
 */
#include "base/error.h"
#include "base/log.h"
#include "serve/smtp/session.h"

static int
check_all_rooms(struct smtp_session *s)
{
	struct smtp_tx *tx = &s->tx;
	uint64_t        size = ingest_size(tx->ingest);

	for (uint32_t i = 0; i < tx->n_targets; i++) {
		struct smtp_target *t = &tx->targets[i];
		int                 r = t->any_size ? 0 : account_quota_check(t->account, size);

		if (r < 0)
			return r;
		t->any_size = true;
	}
	return 0;
}

static void
append_one(struct smtp_session *s, struct smtp_target *t)
{
	struct append_options opt = { .ignore_quota = t->any_size };
	struct actor          actor = {
		.protocol = s->kind->actor,
		.session = conn_id(s->conn),
		.peer = conn_peer(s->conn),
		.login = buf_view(&s->login_as),
		.device = buf_view(&s->device),
	};
	mailbox_id inbox;

	t->err = mailbox_find(t->account, STR("INBOX"), &inbox);
	if (t->err == 0)
		t->err = message_append(t->account, inbox, s->tx.ingest, &opt, &actor, &t->done);
	/* Removed between RCPT and now. */
	if (t->err == E_NOT_FOUND)
		t->err = E_NO_USER;
}

static void
append_all(struct smtp_session *s)
{
	struct smtp_tx *tx = &s->tx;

	for (uint32_t i = 0; i < tx->n_targets; i++) {
		append_one(s, &tx->targets[i]);
		if (tx->targets[i].err == 0 && tx->targets[i].done.ticket > tx->ticket)
			tx->ticket = tx->targets[i].done.ticket;
	}
}

/* The outcome for one recipient; for an alias the worst of its accounts, a 4xx before a 5xx: the
 * next try will tell. An account that is gone meanwhile is no failure where others got it. */
static int
outcome(const struct smtp_tx *tx, const uint32_t *targets, uint32_t n)
{
	uint32_t gone = 0;
	int      r = 0;

	for (uint32_t i = 0; i < n; i++) {
		int err = tx->targets[targets != NULL ? targets[i] : i].err;

		gone += err == E_NO_USER;
		if (err < 0 && err != E_NO_USER && (r == 0 || error_row(err)->smtp_code < 500))
			r = err;
	}
	return r == 0 && gone == n ? E_NO_USER : r;
}

/* --- log and reply --- */

static void
log_target(struct smtp_session *s, const struct smtp_target *t)
{
	if (t->err == 0)
		log_event(LOG_INFO, "delivered", LOG_U("session", conn_id(s->conn)),
		    LOG_S("protocol", s->kind->name), LOG_S("id", s->tx.id),
		    LOG_S("from", s->tx.sender), LOG_S("to", t->address), LOG_U("account", t->id),
		    LOG_U("size", ingest_size(s->tx.ingest)), LOG_U("email", t->done.email),
		    LOG_U("uid", t->done.uid));
	else
		log_event(LOG_WARN, "not-delivered", LOG_U("session", conn_id(s->conn)),
		    LOG_S("protocol", s->kind->name), LOG_S("id", s->tx.id),
		    LOG_S("from", s->tx.sender), LOG_S("to", t->address), LOG_U("account", t->id),
		    LOG_ERR(t->err));
}

static void
log_refused(struct smtp_session *s, int err)
{
	log_event(LOG_INFO, "rejected", LOG_U("session", conn_id(s->conn)),
	    LOG_S("protocol", s->kind->name), LOG_S("peer", conn_peer(s->conn)),
	    LOG_S("id", s->tx.id), LOG_S("from", s->tx.sender), LOG_S("to", s->tx.rcpts[0].address),
	    LOG_U("recipients", s->tx.n_rcpts), LOG_U("size", s->tx.got), LOG_ERR(err));
}

static void
reply_one(struct smtp_session *s, int err, struct str address)
{
	struct buf             *out = conn_output(s->conn);
	const struct error_row *row = error_row(err);
	bool                    with_address = s->kind->reply_each && address.n <= 256;

	/* 421 would mean that the connection is given up. */
	buf_u64(out, (uint64_t)(row->smtp_code == 421 ? 451 : row->smtp_code));
	buf_byte(out, ' ');
	buf_str(out, str_c(row->smtp_enhanced));
	buf_str(out, with_address ? STR(" <") : STR(" "));
	if (with_address) {
		buf_str(out, address);
		buf_str(out, STR("> "));
	}
	if (err < 0)
		buf_str(out, str_c(row->text));
	else {
		buf_str(out, STR("delivered as "));
		buf_str(out, s->tx.id);
	}
	buf_str(out, STR("\r\n"));
}

/* The message as a whole is refused. */
static void
reply_refused(struct smtp_session *s, int err)
{
	uint32_t n = s->kind->reply_each ? s->tx.n_rcpts : 1;

	log_refused(s, err);
	for (uint32_t i = 0; i < n; i++)
		reply_one(s, err, s->tx.rcpts[i].address);
}

/* True when somebody got it. */
static bool
reply_outcome(struct smtp_session *s)
{
	struct smtp_tx *tx = &s->tx;
	bool            any = false;

	for (uint32_t i = 0; i < tx->n_targets; i++)
		log_target(s, &tx->targets[i]);
	if (!s->kind->reply_each) {
		int r = outcome(tx, NULL, tx->n_targets);

		reply_one(s, r, STR_NONE);
		return r == 0;
	}
	for (uint32_t i = 0; i < tx->n_rcpts; i++) {
		int r = outcome(tx, tx->rcpts[i].targets, tx->rcpts[i].n_targets);

		reply_one(s, r, tx->rcpts[i].address);
		any |= r == 0;
	}
	return any;
}

static int
end_message(struct smtp_session *s)
{
	struct smtp_tx *tx = &s->tx;
	int             r = tx->err;

	if (r == 0)
		r = smtp_header_end(&tx->header);
	if (r == 0)
		r = ingest_end(tx->ingest);
	if (r == 0 && !s->kind->reply_each && tx->n_targets > 1)
		r = check_all_rooms(s);
	return r;
}

static enum step
end_transaction(struct smtp_session *s, bool accepted)
{
	smtp_tx_reset(s);
	smtp_set_state(s, SMTP_READY);
	if (!accepted)
		return smtp_count_refused(s);
	s->n_commands = s->n_errors = s->n_refused = 0;
	return STEP_DONE;
}

/* The session may run again on another thread as soon as this was called. */
static void
wake(struct kv_waiter *w)
{
	conn_wake(CONTAINER_OF(w, struct smtp_session, waiter)->conn);
}

/* One wait for all accounts. The worker goes on to other connections meanwhile, so that theirs may
 * share the sync. */
enum step
smtp_deliver_woken(struct smtp_session *s)
{
	struct smtp_tx *tx = &s->tx;
	int             r;

	s->waiter.wake = wake;
	smtp_set_state(s, SMTP_IN_SYNC);
	r = store_wait_or_wake(s->server->store, tx->ticket, &s->waiter);
	if (r > 0)
		return STEP_WAIT;
	for (uint32_t i = 0; i < tx->n_targets; i++)
		if (tx->targets[i].err == 0)
			tx->targets[i].err = r;
	return end_transaction(s, reply_outcome(s));
}

enum step
smtp_deliver(struct smtp_session *s)
{
	int r = end_message(s);

	if (r < 0) {
		reply_refused(s, r);
		return end_transaction(s, false);
	}
	append_all(s);
	return smtp_deliver_woken(s);
}
