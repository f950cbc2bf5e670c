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
	buf_reset(&s->device);
	buf_str(&s->device, login_device(&s->login));
	login_done(&s->login);
	if (s->user.err < 0 || s->device.err < 0)
		return pop3_auth_failed(s, E_NOMEM);
	pop3_set_state(s, POP3_OPENING);
	return STEP_DONE;
}

/* What comes after a step of the login. */
static enum step
go_on(struct pop3_session *s, enum step step)
{
	struct buf *out = conn_output(s->conn);

	if (step == STEP_DONE)
		return login_ended(s);
	if (step == STEP_WAIT) {
		pop3_set_state(s, POP3_IN_LOGIN);
		return STEP_WAIT;
	}
	buf_str(out, STR("+ ")); /* the blank stays when the challenge is empty */
	buf_str(out, login_challenge(&s->login));
	buf_str(out, STR("\r\n"));
	pop3_set_state(s, POP3_IN_AUTH);
	return STEP_DONE;
}

enum step
pop3_login_woken(struct pop3_session *s)
{
	return go_on(s, login_woken(&s->login));
}

enum step
pop3_pass(struct pop3_session *s, const union pop3_args *a)
{
	login_begin(&s->login, s->server, s->conn, STR("pop3"));
	return go_on(s, login_start(&s->login, buf_view(&s->user), a->text));
}

/* --- AUTH --- */

/* AUTH alone asks for the names: never in an RFC, but Outlook does. */
static enum step
tell_mechanisms(struct pop3_session *s)
{
	struct buf *out = conn_output(s->conn);

	pop3_ok(s, "mechanisms follow");
	login_put_mechanisms(s->server, s->conn, STR_NONE, STR("\r\n"), out);
	buf_str(out, STR(".\r\n"));
	return STEP_DONE;
}

enum step
pop3_auth_begin(struct pop3_session *s, const union pop3_args *a)
{
	int r;

	if (a->auth.mechanism.n == 0)
		return tell_mechanisms(s);
	login_begin(&s->login, s->server, s->conn, STR("pop3"));
	r = login_sasl_start(&s->login, a->auth.mechanism);
	if (r < 0)
		return pop3_fail(s, r);
	return go_on(s, login_sasl(&s->login, a->auth.has_initial ? &a->auth.initial : NULL));
}

enum step
pop3_auth_line(struct pop3_session *s, struct str line)
{
	return go_on(s, login_sasl(&s->login, &line));
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
