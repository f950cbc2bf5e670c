/* LOGIN, AUTHENTICATE, STARTTLS, LOGOUT. RFC 3501 s6.1.3, s6.2, RFC 4959 (SASL-IR) */
#include <strings.h>

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "serve/imap/verbs.h"
#include "serve/login.h"

enum { WELCOME_ROOM = 384 }; /* so that it does not grow step by step */

/* The login is the job of its command. */
static void
login_job_drop(void *job)
{
	login_done(job);
}

static struct login *
login_job_new(struct imap_session *s, struct imap_command *c)
{
	struct login *l = ARENA_NEW(&s->arena, struct login);

	if (l != NULL) {
		c->job = l;
		c->drop = login_job_drop;
		login_begin(l, s->server, s->conn, STR("imap"));
	}
	return l;
}

static void
forget_text(struct imap_session *s)
{
	if (s->frame.text.p != NULL)
		explicit_bzero(s->frame.text.p, s->frame.text.cap);
	imap_frame_next(&s->frame);
}

static int
keep_names(struct imap_session *s, struct str name, struct str device)
{
	char *p = mem_alloc(name.n + device.n + 1);

	if (p == NULL)
		return E_NOMEM;
	memcpy(p, name.p, name.n);
	if (device.n != 0)
		memcpy(p + name.n, device.p, device.n);
	s->login = str_of(p, name.n);
	s->device = str_of(p + name.n, device.n);
	return 0;
}

/* The ledger of devices; a login does not fail for it. */
static void
note_device(struct imap_session *s)
{
	struct actor actor = imap_actor(s);
	int          r = device_seen(s->account, &actor, &s->device_id);

	if (r == 0 && s->client != NULL)
		r = device_client(s->account, s->device_id, str_c(s->client));
	if (r < 0)
		log_event(LOG_WARN, "device-not-noted", LOG_U("session", conn_id(s->conn)),
		    LOG_U("account", account_number(s->account)), LOG_ERR(r));
	mem_free(TAKE(s->client));
}

/* The capabilities go with the answer: some clients take them from nowhere else. */
static enum step
welcome(struct imap_session *s)
{
	OWN_BUF struct buf text = BUF_INIT(4096);

	buf_room(&text, WELCOME_ROOM);
	buf_str(&text, STR("[CAPABILITY "));
	imap_put_capabilities(s, &text);
	buf_str(&text, STR("] Logged in."));
	return text.err < 0 ? imap_fail(s, text.err) : imap_ok_str(s, buf_view(&text));
}

static enum step
logged_in(struct imap_session *s, struct login *l)
{
	int r = login_result(l, &s->pass, &s->account);

	if (r == 0)
		r = keep_names(s, login_name(l), login_device(l));
	if (r < 0) {
		pass_give(&s->pass);
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
	note_device(s);
	imap_state_set(s, IMAP_AUTH);
	return welcome(s);
}

/* What comes after a step of the login. On a challenge, it is sent and the next line is waited
 * for. */
static enum step
go_on(struct imap_session *s, struct login *l, enum step step)
{
	struct buf *out = conn_output(s->conn);

	if (step == STEP_WAIT)
		return step;
	if (step != STEP_NEED)
		return logged_in(s, l);
	buf_str(out, STR("+ "));
	buf_str(out, login_challenge(l));
	buf_str(out, STR("\r\n"));
	forget_text(s);
	imap_frame_expect_line(&s->frame);
	return STEP_NEED;
}

enum step
imap_run_login(struct imap_session *s, struct imap_command *c)
{
	struct login *l = c->job;

	if (l != NULL)
		return go_on(s, l, login_woken(l));
	l = login_job_new(s, c);
	if (l == NULL)
		return imap_fail(s, E_NOMEM);
	return go_on(s, l, login_start(l, c->args.login.user, c->args.login.password));
}

static enum step
start_sasl(struct imap_session *s, struct imap_command *c)
{
	struct login *l = login_job_new(s, c);
	struct str    initial = c->args.authenticate.initial;
	int           r;

	if (l == NULL)
		return imap_fail(s, E_NOMEM);
	r = login_sasl_start(l, c->args.authenticate.mechanism);
	if (r < 0)
		return imap_fail(s, r);
	if (initial.n == 0)
		initial = STR("=");
	return go_on(s, l, login_sasl(l, c->args.authenticate.has_initial ? &initial : NULL));
}

enum step
imap_run_authenticate(struct imap_session *s, struct imap_command *c)
{
	struct login *l = c->job;
	struct str    line;
	enum step     step;

	if (l != NULL && login_is_waiting(l))
		step = go_on(s, l, login_woken(l));
	else
		step = l == NULL ? start_sasl(s, c) : STEP_NEED;
	while (step == STEP_NEED) {
		step = imap_read_line(s, &line);
		if (step != STEP_DONE)
			return step;
		step = go_on(s, c->job, login_sasl(c->job, &line));
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
	conn_peer_ends(s->conn);
	c->then = STEP_CLOSE;
	return imap_ok(s, "Logout completed.");
}
