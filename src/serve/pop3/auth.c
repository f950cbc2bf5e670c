/*
 * USER and PASS, AUTH (RFC 5034), and the way from a right password to the list of messages.
 */
#include "base/error.h"
#include "base/log.h"
#include "serve/pop3/session.h"

/* No login came of it; everything is as before the first command. RFC 5034 s4 */
enum step
pop3_auth_failed(struct pop3_session *s, int err)
{
	sasl_done(&s->sasl);
	login_done(&s->login);
	pop3_box_done(&s->box);
	buf_reset(&s->user);
	pop3_set_state(s, POP3_AUTHORIZATION);
	return pop3_fail(s, err);
}

static enum step
login_ended(struct pop3_session *s)
{
	struct account *account;
	int             r = login_result(&s->login, &account);

	if (r == 0)
		r = pop3_box_open(&s->box, account);
	if (r < 0)
		return pop3_auth_failed(s, r);
	buf_reset(&s->user);
	buf_str(&s->user, login_name(&s->login));
	login_done(&s->login);
	if (s->user.err < 0)
		return pop3_auth_failed(s, s->user.err);
	pop3_set_state(s, POP3_OPENING);
	return STEP_DONE;
}

enum step
pop3_login_woken(struct pop3_session *s)
{
	enum step step = login_woken(&s->login);

	return step == STEP_WAIT ? step : login_ended(s);
}

static enum step
login_begin(struct pop3_session *s, struct str user, struct str password)
{
	enum step step = login_start(&s->login, s->server, s->conn, STR("pop3"), user, password);

	if (step != STEP_WAIT)
		return login_ended(s);
	pop3_set_state(s, POP3_IN_LOGIN);
	return STEP_WAIT;
}

enum step
pop3_pass(struct pop3_session *s, const union pop3_args *a)
{
	return login_begin(s, buf_view(&s->user), a->text);
}

/* --- AUTH --- */

static enum step
advance(struct pop3_session *s, const struct str *response)
{
	struct sasl_reply reply;
	enum step         step;
	int               r = sasl_step(&s->sasl, response, &reply);

	if (r < 0)
		return pop3_auth_failed(s, r);
	if (reply.kind == SASL_CHALLENGE) {
		struct buf *out = conn_output(s->conn);

		buf_str(out, STR("+ ")); /* the blank stays when the challenge is empty */
		buf_str(out, reply.challenge);
		buf_str(out, STR("\r\n"));
		pop3_set_state(s, POP3_IN_AUTH);
		return STEP_DONE;
	}
	step = login_begin(s, reply.user, reply.password);
	sasl_done(&s->sasl);
	return step;
}

/* AUTH alone asks for the names: never in an RFC, but Outlook does. */
static enum step
tell_mechanisms(struct pop3_session *s)
{
	struct buf *out = conn_output(s->conn);

	pop3_ok(s, "mechanisms follow");
	for (size_t i = 0; sasl_mechanism_name(i).n != 0; i++) {
		buf_str(out, sasl_mechanism_name(i));
		buf_str(out, STR("\r\n"));
	}
	buf_str(out, STR(".\r\n"));
	return STEP_DONE;
}

enum step
pop3_auth_begin(struct pop3_session *s, const union pop3_args *a)
{
	int r;

	if (a->auth.mechanism.n == 0)
		return tell_mechanisms(s);
	r = sasl_start(&s->sasl, a->auth.mechanism);
	if (r < 0)
		return pop3_fail(s, r);
	return advance(s, a->auth.has_initial ? &a->auth.initial : NULL);
}

enum step
pop3_auth_line(struct pop3_session *s, struct str line)
{
	return advance(s, &line);
}

/* --- opening --- */

enum step
pop3_open_more(struct pop3_session *s)
{
	bool done = false;
	int  r = pop3_box_load(&s->box, &done);

	if (r < 0) {
		log_event(LOG_ERROR, "pop3-open-failed", LOG_U("session", conn_id(s->conn)),
		    LOG_U("account", account_number(s->box.account)), LOG_ERR(r));
		return pop3_auth_failed(s, r);
	}
	if (!done)
		return STEP_DONE;
	if (s->box.n_damaged != 0)
		log_event(LOG_ERROR, "mailbox-damaged", LOG_U("session", conn_id(s->conn)),
		    LOG_U("account", account_number(s->box.account)),
		    LOG_U("mailbox", s->box.inbox), LOG_U("unreadable", s->box.n_damaged));
	s->n_errors = 0;
	conn_deadline(s->conn, 0);
	conn_timeout(s->conn, s->server->limits.pop3_idle_ms);
	pop3_ok(s, "%u messages (%llu octets)", s->box.n_left,
	    (unsigned long long)s->box.size_left);
	pop3_set_state(s, POP3_TRANSACTION);
	return STEP_DONE;
}
