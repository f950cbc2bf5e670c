/*
 * One POP3 session: its states, and what is read in each. RFC 1939 s3
 *
 *                         PASS, AUTH               right             all read
 *   --> AUTHORIZATION ----------------> IN_LOGIN --------> OPENING ----------> TRANSACTION
 *        ^   ^   |  AUTH          all     | wrong             | failed            |
 *        |   |   '------> IN_AUTH --------^                   |                   |
 *        |   |               | refused    |                   |                   |
 *        |   '---------------+------------+-------------------'                   |
 *        '- STLS                                                                  |
 *                                                                                 |
 *                   all sent                             all sent                 |
 *   TRANSACTION <------------- IN_LIST       TRANSACTION <----------- IN_MESSAGE  |
 *                               ^                                       ^         |
 *                    LIST, UIDL |                             RETR, TOP |         |
 *                               +---------------------------------------+---------+
 *                                                                                 | QUIT
 *                                                                              UPDATE --> closed
 *
 * AUTHORIZATION  user holds what USER said; box is not open.
 * IN_AUTH        a line of the SASL exchange is read.
 * IN_LOGIN       parked: a password is being checked; nothing is read.
 * OPENING        the list of messages is read, part by part. box is open from here on.
 * TRANSACTION    box is complete. Nothing is changed in the account.
 * IN_LIST, IN_MESSAGE   an answer is on its way out; listing or sending says how far it is.
 * UPDATE         only QUIT leads here, and only the end leads out: what was fetched is noted,
 *                messages marked as deleted are removed by the device's policy, part by part. A
 *                connection that ends otherwise removes nothing; what it fetched is noted, too.
 */
#include "serve/pop3/pop3.h"

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "serve/pop3/session.h"

/* Where a shutdown may end it. */
enum { BOUNDARIES = POP3_AUTHORIZATION | POP3_IN_AUTH | POP3_TRANSACTION };

static const char *
state_name(enum pop3_state state)
{
	switch (state) {
	case POP3_AUTHORIZATION:
		return "authorization";
	case POP3_TRANSACTION:
		return "transaction";
	case POP3_IN_AUTH:
		return "in-auth";
	case POP3_IN_LOGIN:
		return "in-login";
	case POP3_OPENING:
		return "opening";
	case POP3_IN_LIST:
		return "in-list";
	case POP3_IN_MESSAGE:
		return "in-message";
	case POP3_UPDATE:
		return "update";
	}
	return "?";
}

void
pop3_set_state(struct pop3_session *s, enum pop3_state state)
{
	if (s->state == state)
		return;
	log_event(LOG_DEBUG, "state", LOG_U("session", conn_id(s->conn)),
	    LOG_C("from", state_name(s->state)), LOG_C("to", state_name(state)));
	s->state = state;
	conn_at_boundary(s->conn, (state & BOUNDARIES) != 0);
}

struct actor
pop3_actor(const struct pop3_session *s)
{
	return (struct actor){
		.protocol = ACTOR_POP3,
		.session = conn_id(s->conn),
		.peer = conn_peer(s->conn),
		.login = buf_view(&s->user),
		.device = buf_view(&s->device),
	};
}

/* --- reading lines --- */

static void
consume(struct pop3_session *s, size_t n)
{
	conn_consume(s->conn, n);
	s->line_seen = 0;
}

/* 1 and the line without its end, *ret_n bytes with it; 0 when it is not whole yet;
 * E_LINE_TOO_LONG: it is consumed. */
static int
next_line(struct pop3_session *s, struct str *ret, size_t *ret_n)
{
	struct str in = conn_input(s->conn);
	size_t     max = s->state == POP3_IN_AUTH ? SASL_LINE_MAX + 2 : POP3_LINE_MAX;
	size_t     n = s->line_seen + str_find_byte(str_skip(in, s->line_seen), '\n');

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
	*ret = str_head(in, n > 0 && in.p[n - 1] == '\r' ? n - 1 : n);
	*ret_n = n + 1;
	return 1;
}

static enum step
read_line(struct pop3_session *s)
{
	struct str line;
	size_t     n;
	enum step  step;
	int        r = next_line(s, &line, &n);

	if (r == 0)
		return STEP_NEED;
	if (s->state == POP3_IN_AUTH)
		step = r < 0 ? pop3_auth_failed(s, r, NULL) : pop3_auth_line(s, line);
	else
		step = r < 0 ? pop3_fail(s, r) : pop3_command(s, line);
	if (r > 0)
		consume(s, n);
	return step;
}

/* --- one step after the other --- */

static enum step
take_step(struct pop3_session *s)
{
	switch (s->state) {
	case POP3_IN_LOGIN:
		return STEP_WAIT;
	case POP3_OPENING:
		return pop3_open_more(s);
	case POP3_IN_LIST:
		return pop3_list_more(s);
	case POP3_IN_MESSAGE:
		return pop3_message_more(s);
	case POP3_UPDATE:
		return pop3_update_more(s);
	default:
		return conn_output_full(s->conn) ? STEP_MORE : read_line(s);
	}
}

static void
tell_taken_back(struct pop3_session *s)
{
	pop3_err_text(s, E_AUTH_FAILED, login_ended_text(&s->pass));
}

/* Whoever is here may not be any more: nothing is removed. The client reads this as the answer to
 * its next command; half-way through a list or a message no line can be told from those. */
static enum step
end_taken_back(struct pop3_session *s)
{
	login_log_ended(s->conn, STR("pop3"), buf_view(&s->user), &s->pass);
	if ((s->state & (POP3_IN_LIST | POP3_IN_MESSAGE)) == 0)
		tell_taken_back(s);
	return STEP_CLOSE;
}

static enum step
go_on(struct pop3_session *s)
{
	enum step step;

	do {
		/* A QUIT that came before is carried out: half of it would be worse. */
		if (pass_ended(&s->pass) != 0 && s->state != POP3_UPDATE)
			return end_taken_back(s);
		if ((s->pending & WHY_SHUTDOWN) != 0 && (s->state & BOUNDARIES) != 0) {
			pop3_err(s, E_SHUTDOWN);
			return STEP_CLOSE;
		}
		step = take_step(s);
		/* These may take many steps: let other sessions have their turn. */
		if ((s->state & (POP3_OPENING | POP3_UPDATE)) != 0)
			return step;
	} while (step == STEP_DONE);
	if (step == STEP_NEED && (s->pending & WHY_EOF) != 0)
		return STEP_CLOSE;
	return step;
}

static enum step
pop3_run(void *session, unsigned why)
{
	struct pop3_session *s = session;
	enum step            step = STEP_DONE;

	s->pending |= why & (WHY_EOF | WHY_SHUTDOWN);
	if ((why & WHY_OPEN) != 0)
		pop3_ok(s, "%.*s Postrider POP3 ready", STR_ARG(s->server->hostname));
	if (s->state == POP3_IN_LOGIN) {
		if ((why & WHY_WAKE) == 0)
			return STEP_WAIT;
		step = pop3_login_woken(s);
	} else if ((why & WHY_TIMEOUT) != 0) {
		return STEP_CLOSE; /* RFC 1939 s3: without a reply */
	}
	return step == STEP_DONE ? go_on(s) : step;
}

/* --- the session type --- */

static void
on_durable(struct kv_waiter *w)
{
	conn_may_send(CONTAINER_OF(w, struct pop3_session, waiter)->conn);
}

static int
pop3_before_send(void *session)
{
	struct pop3_session *s = session;

	if (s->box.account == NULL)
		return 0;
	s->waiter.wake = on_durable;
	return account_barrier_or_wake(s->box.account, &s->waiter);
}

/* RFC 3206 s4: instead of the replies that were held back. */
static void
pop3_not_durable(void *session)
{
	struct pop3_session *s = session;

	if (pass_ended(&s->pass) != 0) {
		tell_taken_back(s);
		return;
	}
	if (account_barrier(s->box.account) == E_NOT_FOUND) {
		pop3_err_text(s, E_NO_PERMISSION, "this account was removed");
		return;
	}
	log_event(LOG_WARN, "pop3-not-durable", LOG_U("session", conn_id(s->conn)),
	    LOG_S("login", buf_view(&s->user)));
	buf_str(conn_output(s->conn),
	    STR("-ERR [SYS/TEMP] The changes could not be written; please try again later.\r\n"));
}

static void
pop3_close(void *session)
{
	struct pop3_session *s = session;

	if (s->box.account != NULL)
		log_event(LOG_INFO, "pop3-close", LOG_U("session", conn_id(s->conn)),
		    LOG_S("peer", conn_peer(s->conn)), LOG_S("login", buf_view(&s->user)),
		    LOG_U("messages", s->box.view.n), LOG_U("retr", s->n_retr),
		    LOG_U("top", s->n_top), LOG_U("bytes", s->sent_bytes),
		    LOG_U("deleted", s->n_removed));
	pop3_note_fetched(s);
	pop3_listing_done(s);
	pop3_box_done(&s->box);
	pop3_lock_give(&s->lock);
	pass_give(&s->pass);
	login_done(&s->login);
	buf_done(&s->device);
	buf_done(&s->user);
	mem_free(s);
}

static int
pop3_open(void *server, struct conn *c, void **ret)
{
	struct pop3_session *s = MEM_NEW(struct pop3_session);

	if (s == NULL)
		return E_NOMEM;
	s->server = server;
	s->conn = c;
	s->state = POP3_AUTHORIZATION;
	buf_init(&s->user, SASL_NAME_MAX);
	buf_init(&s->device, APP_NAME_MAX);
	conn_timeout(c, s->server->limits.login_idle_ms);
	conn_deadline(c, s->server->limits.pop3_idle_ms);
	conn_at_boundary(c, true);
	*ret = s;
	return 0;
}

const struct session_type POP3_SESSION = {
	.name = "pop3",
	.open = pop3_open,
	.run = pop3_run,
	.before_send = pop3_before_send,
	.not_durable = pop3_not_durable,
	.close = pop3_close,
};
