/*
 * One SMTP session: its states, and what is read in each.
 *
 *             EHLO            MAIL           RCPT            DATA             CRLF.CRLF
 *   --> GREET -----> READY ---------> MAIL --------> RCPT ---------> IN_DATA -----------> READY
 *         ^           | ^               .-- RCPT --^ | |
 *         | STARTTLS  | | RSET, EHLO    '------------' | BDAT        last byte of LAST
 *         '-----------+ '--- from MAIL, RCPT, BDAT     +-------> IN_CHUNK -------------> READY
 *                     |                                ^            |
 *                AUTH |                                | BDAT       | last byte
 *                     v                                '---- BDAT <-'
 *                  IN_AUTH -- responses --> IN_LOGIN --> READY
 *                     '------ refused ------------------> READY
 *
 * GREET    nothing is known of the client.
 * READY    host is set; tx is empty.
 * MAIL     tx.sender is set, tx.n_rcpts == 0. RSET and EHLO lead to READY from here on.
 * RCPT     tx.n_rcpts > 0, every target's account is open.
 * BDAT     as RCPT, and tx.ingest is open or tx.err says why not.
 * IN_DATA, IN_CHUNK   bytes of a message are read, no lines.
 * IN_AUTH  a line of the SASL exchange is read.
 * IN_LOGIN parked: a password is being checked; nothing is read.
 * IN_SYNC  between IN_DATA or IN_CHUNK and READY; parked while another's sync is waited for.
 */
#include "serve/smtp/smtp.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "serve/smtp/session.h"

#define S(lit) { lit, sizeof(lit) - 1 }

static const struct smtp_kind MX = {
	.bit = KIND_MX,
	.name = S("smtp"),
	.hello = S("ESMTP"),
	.with = S("ESMTP"),
	.with_utf8 = S("UTF8SMTP"),
	.actor = ACTOR_SMTP,
};
static const struct smtp_kind LMTP = {
	.bit = KIND_LMTP,
	.name = S("lmtp"),
	.hello = S("LMTP"),
	.with = S("LMTP"),
	.with_utf8 = S("UTF8LMTP"),
	.actor = ACTOR_LMTP,
	.reply_each = true,
	.trusts_peer = true,
};
static const struct smtp_kind SUBMISSION = {
	.bit = KIND_SUBMISSION,
	.name = S("submission"),
	.hello = S("ESMTP"),
	.with = S("ESMTP"),
	.with_utf8 = S("UTF8SMTP"),
	.actor = ACTOR_SUBMISSION,
	.auth = true,
	.edits = true,
};

static const char *
state_name(enum smtp_state state)
{
	switch (state) {
	case SMTP_GREET:
		return "greet";
	case SMTP_READY:
		return "ready";
	case SMTP_MAIL:
		return "mail";
	case SMTP_RCPT:
		return "rcpt";
	case SMTP_BDAT:
		return "bdat";
	case SMTP_IN_DATA:
		return "in-data";
	case SMTP_IN_CHUNK:
		return "in-chunk";
	case SMTP_IN_AUTH:
		return "in-auth";
	case SMTP_IN_LOGIN:
		return "in-login";
	case SMTP_IN_SYNC:
		return "in-sync";
	}
	return "?";
}

void
smtp_set_state(struct smtp_session *s, enum smtp_state state)
{
	if (s->state == state)
		return;
	log_event(LOG_DEBUG, "state", LOG_U("session", conn_id(s->conn)),
	    LOG_C("from", state_name(s->state)), LOG_C("to", state_name(state)));
	s->state = state;
	s->since_ms = clock_mono_ms();
	conn_at_boundary(s->conn, (state & (SMTP_GREET | SMTP_READY)) != 0);
}

void
smtp_tx_reset(struct smtp_session *s)
{
	struct smtp_tx *tx = &s->tx;

	if (tx->ingest != NULL)
		ingest_drop(tx->ingest);
	for (uint32_t i = 0; i < tx->n_targets; i++)
		account_drop(tx->targets[i].account);
	arena_done(&tx->arena);
	*tx = (struct smtp_tx){ .arena = ARENA_INIT(SMTP_TX_ARENA_MAX) };
}

/* --- reading lines --- */

/* AUTH may carry an initial response, RFC 4954 s4. */
static size_t
line_max(const struct smtp_session *s, struct str in)
{
	bool is_auth = s->state == SMTP_IN_AUTH || str_istarts(in, STR("AUTH "));

	return is_auth ? SASL_LINE_MAX + 64 : SMTP_LINE_MAX;
}

static void
consume(struct smtp_session *s, size_t n)
{
	conn_consume(s->conn, n);
	s->line_seen = 0;
}

/* 1 and the line without its CRLF, *ret_n bytes with it; 0 when it is not whole yet;
 * E_LINE_TOO_LONG, or E_SYNTAX for a line that does not end in CRLF: these are consumed. */
static int
next_line(struct smtp_session *s, struct str *ret, size_t *ret_n)
{
	struct str in = conn_input(s->conn);
	size_t     max = line_max(s, in), n;

	if (in.n == 0)
		return 0;
	n = s->line_seen + str_find_byte(str_skip(in, s->line_seen), '\n');
	s->line_seen = n;
	if (n == in.n) {
		if (n > max) {
			consume(s, n);
			s->line_skip = true;
		}
		return 0;
	}
	if (s->line_skip || n + 1 > max) {
		consume(s, n + 1);
		s->line_skip = false;
		return E_LINE_TOO_LONG;
	}
	/* RFC 5321 s2.3.8: no other sequence ends a line. */
	if (n == 0 || in.p[n - 1] != '\r') {
		consume(s, n + 1);
		return E_SYNTAX;
	}
	*ret = str_head(in, n - 1);
	*ret_n = n + 1;
	return 1;
}

static enum step
read_line(struct smtp_session *s)
{
	struct str line;
	size_t     n;
	enum step  step;
	int        r = next_line(s, &line, &n);

	if (r == 0)
		return STEP_NEED;
	if (r < 0 && s->state == SMTP_IN_AUTH)
		step = smtp_auth_failed(s, r);
	else if (r < 0)
		step = smtp_fail(s, r);
	else if (s->state == SMTP_IN_AUTH)
		step = smtp_auth_line(s, line);
	else
		step = smtp_command(s, line);
	if (r > 0)
		consume(s, n);
	arena_reset(&s->command);
	s->since_ms = clock_mono_ms();
	return step;
}

static enum step
read_input(struct smtp_session *s)
{
	if (conn_output_full(s->conn))
		return STEP_MORE;
	switch (s->state) {
	case SMTP_IN_DATA:
		return smtp_data_read(s);
	case SMTP_IN_CHUNK:
		return smtp_chunk_read(s);
	case SMTP_IN_LOGIN:
	case SMTP_IN_SYNC:
		return STEP_WAIT;
	default:
		return read_line(s);
	}
}

/* --- time --- */

/* The idle time of the connection does not stop somebody who sends a byte now and then. */
static bool
is_too_slow(const struct smtp_session *s)
{
	int64_t now = clock_mono_ms();
	int64_t over;

	if (s->kind->auth && !s->logged_in && now - s->opened_ms > s->server->limits.smtp_idle_ms)
		return true;
	if ((s->state & (SMTP_IN_DATA | SMTP_IN_CHUNK)) == 0)
		return now - s->since_ms > s->server->limits.smtp_idle_ms + 1000;
	over = now - s->tx.begun_ms - SMTP_DATA_GRACE_MS;
	return over > 0 && s->tx.got / SMTP_DATA_MIN_RATE < (uint64_t)over / 1000;
}

static void
set_timeout(struct smtp_session *s)
{
	const struct server_limits *l = &s->server->limits;

	conn_timeout(s->conn, s->kind->auth && !s->logged_in ? l->login_idle_ms : l->smtp_idle_ms);
}

/* --- the session --- */

static enum step
greet(struct smtp_session *s)
{
	buf_printf(conn_output(s->conn), "220 %.*s %.*s Postrider\r\n",
	    STR_ARG(s->server->hostname), STR_ARG(s->kind->hello));
	return STEP_DONE;
}

/* Whoever is here may not be any more; what they were sending is thrown away. RFC 5321 s3.8 */
static enum step
end_taken_back(struct smtp_session *s)
{
	login_log_ended(s->conn, s->kind->name, buf_view(&s->login_as), &s->pass);
	smtp_reply(s, 421, "4.7.0", login_ended_text(&s->pass));
	return STEP_CLOSE;
}

static enum step
go_on(struct smtp_session *s)
{
	enum step step;

	do {
		bool at_boundary = (s->state & (SMTP_GREET | SMTP_READY)) != 0;

		/* What waits for the disk is accepted, and its answer comes first. */
		if (pass_ended(&s->pass) != 0 && s->state != SMTP_IN_SYNC)
			return end_taken_back(s);
		if ((s->pending & WHY_SHUTDOWN) != 0 && at_boundary)
			return smtp_bye(s, E_SHUTDOWN);
		step = read_input(s);
	} while (step == STEP_DONE);
	if ((s->state & (SMTP_GREET | SMTP_READY)) != 0)
		arena_done(&s->command); /* somebody who waits costs no arena */
	if (step == STEP_NEED && (s->pending & WHY_EOF) != 0)
		return STEP_CLOSE;
	return step;
}

static enum step
smtp_run(void *session, unsigned why)
{
	struct smtp_session *s = session;
	enum step            step = STEP_DONE;

	s->pending |= why & (WHY_EOF | WHY_SHUTDOWN);
	if (why & WHY_OPEN)
		step = greet(s);
	if (s->state == SMTP_IN_LOGIN || s->state == SMTP_IN_SYNC) {
		if ((why & WHY_WAKE) == 0)
			return STEP_WAIT;
		step = s->state == SMTP_IN_LOGIN ? smtp_auth_woken(s) : smtp_deliver_woken(s);
		set_timeout(s);
	} else if ((why & WHY_TIMEOUT) || is_too_slow(s)) {
		return smtp_bye(s, E_TIMEOUT);
	}
	return step == STEP_DONE ? go_on(s) : step;
}

static void
smtp_close(void *session)
{
	struct smtp_session *s = session;

	smtp_tx_reset(s);
	arena_done(&s->command);
	pass_give(&s->pass);
	login_done(&s->login);
	buf_done(&s->host);
	buf_done(&s->login_as);
	buf_done(&s->device);
	mem_free(s);
}

static int
open_kind(const struct smtp_kind *kind, void *server, struct conn *c, void **ret)
{
	struct smtp_session *s = MEM_NEW(struct smtp_session);

	if (s == NULL)
		return E_NOMEM;
	s->kind = kind;
	s->server = server;
	s->conn = c;
	s->state = SMTP_GREET;
	s->host = BUF_INIT(SMTP_HOST_MAX);
	s->login_as = BUF_INIT(SASL_NAME_MAX);
	s->device = BUF_INIT(APP_NAME_MAX);
	s->command = ARENA_INIT(SMTP_COMMAND_ARENA_MAX);
	s->tx.arena = ARENA_INIT(SMTP_TX_ARENA_MAX);
	s->opened_ms = s->since_ms = clock_mono_ms();
	set_timeout(s);
	conn_at_boundary(c, true);
	*ret = s;
	return 0;
}

static int
open_mx(void *server, struct conn *c, void **ret)
{
	return open_kind(&MX, server, c, ret);
}

static int
open_lmtp(void *server, struct conn *c, void **ret)
{
	return open_kind(&LMTP, server, c, ret);
}

static int
open_submission(void *server, struct conn *c, void **ret)
{
	return open_kind(&SUBMISSION, server, c, ret);
}

/* No before_send: a failed sync has to become a 451, so the end of a message waits before it
 * composes the reply, and no other reply rests on what is not on disk. */
const struct session_type SMTP_SESSION = {
	.name = "smtp", .open = open_mx, .run = smtp_run, .close = smtp_close
};
const struct session_type LMTP_SESSION = {
	.name = "lmtp", .open = open_lmtp, .run = smtp_run, .close = smtp_close
};
const struct session_type SUBMISSION_SESSION = {
	.name = "submission", .open = open_submission, .run = smtp_run, .close = smtp_close
};
