/*
 * AUTH on submission, RFC 4954: the SASL exchange, then the login.
 */
#include "base/error.h"
#include "base/log.h"
#include "serve/smtp/session.h"
#include "store/device.h"

/* The exchange is over without a login. */
enum step
smtp_auth_failed(struct smtp_session *s, int err)
{
	login_done(&s->login);
	pass_give(&s->pass);
	smtp_set_state(s, SMTP_READY);
	/* RFC 4954 s4: a response over the limit. */
	if (err == E_LIMIT || err == E_LINE_TOO_LONG)
		return smtp_fail_text(s, 500, "5.5.6", "authentication line too long");
	return smtp_fail(s, err);
}

/* The ledger of devices; a login does not fail for it. */
static void
note_device(struct smtp_session *s, struct account *account)
{
	const struct actor actor = {
		.protocol = s->kind->actor,
		.session = conn_id(s->conn),
		.peer = conn_peer(s->conn),
		.login = buf_view(&s->login_as),
		.device = buf_view(&s->device),
	};
	device_id id;
	int       r = device_seen(account, &actor, &id);

	if (r < 0)
		log_event(LOG_WARN, "device-not-noted", LOG_U("session", conn_id(s->conn)),
		    LOG_U("account", s->account), LOG_ERR(r));
}

static enum step
login_done_with(struct smtp_session *s)
{
	OWN(account) account = NULL;
	int          r = login_result(&s->login, &s->pass, &account);

	if (r < 0)
		return smtp_auth_failed(s, r);
	buf_reset(&s->login_as);
	buf_str(&s->login_as, login_name(&s->login));
	buf_str(&s->device, login_device(&s->login));
	if (s->login_as.err < 0 || s->device.err < 0)
		return smtp_auth_failed(s, E_NOMEM);
	s->account = account_number(account);
	s->logged_in = true;
	note_device(s, account);
	login_done(&s->login);
	smtp_set_state(s, SMTP_READY);
	smtp_reply(s, 235, "2.7.0", "welcome");
	return STEP_DONE;
}

/* What comes after a step of the login. */
static enum step
go_on(struct smtp_session *s, enum step step)
{
	struct buf *out = conn_output(s->conn);

	if (step == STEP_DONE)
		return login_done_with(s);
	if (step == STEP_WAIT) {
		smtp_set_state(s, SMTP_IN_LOGIN);
		return STEP_WAIT;
	}
	buf_str(out, STR("334 ")); /* the blank stays when the challenge is empty */
	buf_str(out, login_challenge(&s->login));
	buf_str(out, STR("\r\n"));
	smtp_set_state(s, SMTP_IN_AUTH);
	return STEP_DONE;
}

enum step
smtp_auth_woken(struct smtp_session *s)
{
	return go_on(s, login_woken(&s->login));
}

enum step
smtp_auth_begin(struct smtp_session *s, const union smtp_args *a)
{
	int r;

	login_begin(&s->login, s->server, s->conn, s->kind->name);
	r = login_sasl_start(&s->login, a->auth.mechanism);
	if (r < 0)
		return smtp_fail(s, r);
	return go_on(s, login_sasl(&s->login, a->auth.has_initial ? &a->auth.initial : NULL));
}

enum step
smtp_auth_line(struct smtp_session *s, struct str line)
{
	return go_on(s, login_sasl(&s->login, &line));
}
