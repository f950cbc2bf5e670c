/*
 * USER and PASS, AUTH (RFC 5034), and the way from a right password to the list of messages.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "serve/pop3/session.h"

/* No login came of it; everything is as before the first command. RFC 5034 s4. text NULL: the
 * error's own. */
enum step
pop3_auth_failed(struct pop3_session *s, int err, const char *text)
{
	login_done(&s->login);
	pop3_box_done(&s->box);
	pop3_lock_give(&s->lock);
	pass_give(&s->pass);
	buf_reset(&s->user);
	buf_reset(&s->device);
	pop3_set_state(s, POP3_AUTHORIZATION);
	return text != NULL ? pop3_fail_text(s, err, text) : pop3_fail(s, err);
}

/* RFC 2449 s6.5; a login that was refused does not count. */
static int
check_delay(const struct pop3_session *s, struct account *account, const struct actor *actor)
{
	int64_t last_ms, since_ms;
	int     r;

	if (s->server->pop3.login_delay_ms == 0)
		return 0;
	r = device_last_seen(account, actor, &last_ms);
	if (r < 0)
		return r;
	since_ms = clock_real_ms() - last_ms;
	return since_ms >= 0 && since_ms < s->server->pop3.login_delay_ms ? E_LOGIN_DELAY : 0;
}

/* Takes the account over. */
static enum step
open_box(struct pop3_session *s, struct account *account)
{
	const struct actor actor = pop3_actor(s);
	device_id          device;
	const char        *text = NULL;
	int                r = s->user.err < 0 || s->device.err < 0 ? E_NOMEM : 0;

	if (r == 0)
		r = check_delay(s, account, &actor);
	if (r == 0 && s->server->pop3.exclusive &&
	    !pop3_lock_take(&s->lock, account_number(account))) {
		r = E_IN_USE;
		text = "another POP3 session is open on this mailbox";
	}
	if (r == 0)
		r = device_seen(account, &actor, &device);
	if (r == E_LIMIT) {
		r = E_NO_PERMISSION;
		text = "there are too many devices; use one of the names that you have used";
	}
	if (r < 0)
		account_drop(account);
	else
		r = pop3_box_open(&s->box, account, device);
	if (r < 0)
		return pop3_auth_failed(s, r, text);
	pop3_set_state(s, POP3_OPENING);
	return STEP_DONE;
}

static enum step
login_ended(struct pop3_session *s)
{
	struct account *account;
	int             r = login_result(&s->login, &s->pass, &account);

	if (r < 0)
		return pop3_auth_failed(s, r, NULL);
	buf_reset(&s->user);
	buf_str(&s->user, login_name(&s->login));
	buf_reset(&s->device);
	buf_str(&s->device, login_device(&s->login));
	login_done(&s->login);
	return open_box(s, account);
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
		return pop3_auth_failed(s, r, NULL);
	}
	if (!done)
		return STEP_DONE;
	if (s->box.view.n_damaged != 0)
		log_event(LOG_ERROR, "mailbox-damaged", LOG_U("session", conn_id(s->conn)),
		    LOG_U("account", account_number(s->box.account)),
		    LOG_U("mailbox", s->box.view.inbox),
		    LOG_U("unreadable", s->box.view.n_damaged));
	s->n_errors = 0;
	conn_deadline(s->conn, 0);
	conn_timeout(s->conn, s->server->limits.pop3_idle_ms);
	pop3_ok(s, "%u messages (%llu octets)", s->box.n_left,
	    (unsigned long long)s->box.size_left);
	pop3_set_state(s, POP3_TRANSACTION);
	return STEP_DONE;
}
