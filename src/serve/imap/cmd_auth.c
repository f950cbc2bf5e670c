/* LOGIN, AUTHENTICATE, STARTTLS, LOGOUT. RFC 3501 s6.1.3, s6.2, RFC 4959 (SASL-IR) */
#include <strings.h>

#include "base/error.h"
#include "base/mem.h"
#include "proto/sasl.h"
#include "serve/imap/verbs.h"
#include "serve/login.h"

struct auth_job {
	struct sasl  sasl;
	struct login login;
	bool         checking; /* login_start was called */
};

static void
auth_job_drop(void *job)
{
	struct auth_job *j = job;

	sasl_done(&j->sasl);
	login_done(&j->login);
}

static struct auth_job *
auth_job_new(struct imap_session *s, struct imap_command *c)
{
	struct auth_job *j = ARENA_NEW(&s->arena, struct auth_job);

	if (j != NULL) {
		c->job = j;
		c->drop = auth_job_drop;
	}
	return j;
}

static void
forget_text(struct imap_session *s)
{
	if (s->frame.text.p != NULL)
		explicit_bzero(s->frame.text.p, s->frame.text.cap);
	imap_frame_next(&s->frame);
}

static int
keep_login_name(struct imap_session *s, struct str name)
{
	char *p = mem_alloc(name.n + 1);

	if (p == NULL)
		return E_NOMEM;
	memcpy(p, name.p, name.n);
	s->login = str_of(p, name.n);
	return 0;
}

/* The capabilities go with the answer: some clients take them from nowhere else. */
static enum step
welcome(struct imap_session *s)
{
	OWN_BUF struct buf caps = BUF_INIT(4096);

	imap_put_capabilities(s, &caps);
	return imap_ok(s, "[CAPABILITY %.*s] Logged in.", STR_ARG(buf_view(&caps)));
}

static enum step
logged_in(struct imap_session *s, struct login *l)
{
	int r = login_result(l, &s->account);

	if (r == 0)
		r = keep_login_name(s, login_name(l));
	if (r < 0) {
		if (s->account != NULL)
			account_drop(TAKE(s->account));
		s->errors++;
		return imap_fail(s, r);
	}
	forget_text(s);
	imap_frame_limits_set(&s->frame, IMAP_FRAME_AFTER_LOGIN);
	conn_deadline(s->conn, 0);
	conn_timeout(s->conn, s->server->limits.imap_idle_ms);
	s->errors = 0;
	imap_state_set(s, IMAP_AUTH);
	return welcome(s);
}

static enum step
check_password(struct imap_session *s, struct auth_job *j, struct str user, struct str password)
{
	enum step step;

	j->checking = true;
	step = login_start(&j->login, s->server, s->conn, STR("imap"), user, password);
	return step == STEP_WAIT ? step : logged_in(s, &j->login);
}

static enum step
woken(struct imap_session *s, struct auth_job *j)
{
	enum step step = login_woken(&j->login);

	return step == STEP_WAIT ? step : logged_in(s, &j->login);
}

enum step
imap_run_login(struct imap_session *s, struct imap_command *c)
{
	struct auth_job *j = c->job;

	if (j != NULL)
		return woken(s, j);
	j = auth_job_new(s, c);
	if (j == NULL)
		return imap_fail(s, E_NOMEM);
	return check_password(s, j, c->args.login.user, c->args.login.password);
}

/* One response to the mechanism; on a challenge, it is sent and the next line is waited for. */
static enum step
sasl_turn(struct imap_session *s, struct auth_job *j, const struct str *response)
{
	struct buf       *out = conn_output(s->conn);
	struct sasl_reply reply;
	int               r = sasl_step(&j->sasl, response, &reply);

	if (r < 0) {
		s->errors++;
		return imap_fail(s, r);
	}
	if (reply.kind == SASL_CREDENTIALS)
		return check_password(s, j, reply.user, reply.password);
	buf_str(out, STR("+ "));
	buf_str(out, reply.challenge);
	buf_str(out, STR("\r\n"));
	forget_text(s);
	imap_frame_expect_line(&s->frame);
	return STEP_NEED;
}

static enum step
start_sasl(struct imap_session *s, struct imap_command *c)
{
	struct auth_job *j = auth_job_new(s, c);
	struct str       initial = c->args.authenticate.initial;
	int              r;

	if (j == NULL)
		return imap_fail(s, E_NOMEM);
	r = sasl_start(&j->sasl, c->args.authenticate.mechanism);
	if (r < 0)
		return imap_fail(s, r);
	if (initial.n == 0)
		initial = STR("=");
	return sasl_turn(s, j, c->args.authenticate.has_initial ? &initial : NULL);
}

enum step
imap_run_authenticate(struct imap_session *s, struct imap_command *c)
{
	struct auth_job *j = c->job;
	struct str       line;
	enum step        step;

	if (j != NULL && j->checking)
		return woken(s, j);
	step = j == NULL ? start_sasl(s, c) : STEP_NEED;
	while (step == STEP_NEED) {
		step = imap_read_line(s, &line);
		if (step != STEP_DONE)
			return step;
		step = sasl_turn(s, c->job, &line);
	}
	return step;
}

enum step
imap_run_starttls(struct imap_session *s, struct imap_command *c)
{
	if (conn_is_tls(s->conn))
		return imap_bad(s, "TLS is on already.");
	if (!conn_can_tls(s->conn))
		return imap_bad(s, "TLS is not offered here.");
	c->then = STEP_TLS;
	return imap_ok(s, "Begin TLS negotiation now.");
}

enum step
imap_run_logout(struct imap_session *s, struct imap_command *c)
{
	imap_untagged(s, "BYE Logging out.");
	c->then = STEP_CLOSE;
	return imap_ok(s, "Logout completed.");
}
