#include "base/error.h"
#include "serve/smtp/session.h"

/* What a row asks for beside the state; checked in this order. */
enum need {
	NEED_NOTHING = 0,
	NEED_OFFER = 1,   /* AUTH: this kind of listener has it */
	NEED_LOGIN = 2,   /* where logins are offered, one was made */
	NEED_PRIVATE = 4, /* TLS, or the same host */
	NEED_NO_LOGIN = 8,
	NEED_TLS_OFFER = 16, /* STARTTLS: there is a certificate, and TLS is not on */
};

enum { ANY = SMTP_GREET | SMTP_READY | SMTP_MAIL | SMTP_RCPT | SMTP_BDAT };

typedef enum step smtp_run_fn(struct smtp_session *, const union smtp_args *);

struct verb {
	struct str     name;
	unsigned       legal; /* smtp_state */
	unsigned       kinds;
	unsigned       needs;
	smtp_parse_fn *parse;
	smtp_run_fn   *run;
	/* BDAT brings bytes that have to be skipped when it is refused; NULL: just a reply. */
	enum step    (*refuse)(struct smtp_session *, const union smtp_args *, int err);
};

static smtp_run_fn run_ehlo, run_helo, run_starttls, run_rset, run_noop, run_vrfy, run_expn,
    run_help, run_quit, run_http;

#define V(lit) { lit, sizeof(lit) - 1 }

/* RFC 5321 s4.1.1 (verbs), s4.1.4 (order); RFC 2033 s4.1 (LHLO); RFC 3030 s2 (BDAT); RFC 3207 s4
 * (STARTTLS); RFC 4954 s4 (AUTH); RFC 6409 s4.3 (MAIL needs a login). */
static const struct verb VERBS[] = {
	{ V("MAIL"), SMTP_READY, KIND_ALL, NEED_LOGIN, smtp_parse_mail, smtp_mail_begin, NULL },
	{ V("RCPT"), SMTP_MAIL | SMTP_RCPT, KIND_ALL, 0, smtp_parse_rcpt, smtp_rcpt_add, NULL },
	{ V("DATA"), SMTP_RCPT, KIND_ALL, 0, smtp_parse_none, smtp_data_begin, NULL },
	{ V("BDAT"), SMTP_RCPT | SMTP_BDAT, KIND_ALL, 0, smtp_parse_bdat, smtp_chunk_begin,
	    smtp_chunk_refuse },
	{ V("RSET"), ANY, KIND_ALL, 0, smtp_parse_none, run_rset, NULL },
	{ V("EHLO"), ANY, KIND_MX | KIND_SUBMISSION, 0, smtp_parse_host, run_ehlo, NULL },
	{ V("HELO"), ANY, KIND_MX | KIND_SUBMISSION, 0, smtp_parse_host, run_helo, NULL },
	{ V("LHLO"), ANY, KIND_LMTP, 0, smtp_parse_host, run_ehlo, NULL },
	{ V("STARTTLS"), SMTP_GREET | SMTP_READY, KIND_ALL, NEED_TLS_OFFER, smtp_parse_none,
	    run_starttls, NULL },
	{ V("AUTH"), SMTP_READY, KIND_ALL, NEED_OFFER | NEED_PRIVATE | NEED_NO_LOGIN,
	    smtp_parse_auth, smtp_auth_begin, NULL },
	{ V("NOOP"), ANY, KIND_ALL, 0, smtp_parse_any, run_noop, NULL },
	{ V("VRFY"), ANY, KIND_ALL, 0, smtp_parse_any, run_vrfy, NULL },
	{ V("EXPN"), ANY, KIND_ALL, 0, smtp_parse_any, run_expn, NULL },
	{ V("HELP"), ANY, KIND_ALL, 0, smtp_parse_any, run_help, NULL },
	{ V("QUIT"), ANY, KIND_ALL, 0, smtp_parse_none, run_quit, NULL },
	/* A browser that was led here: a web page must not be able to talk SMTP through it. */
	{ V("GET"), ANY, KIND_ALL, 0, smtp_parse_any, run_http, NULL },
	{ V("HEAD"), ANY, KIND_ALL, 0, smtp_parse_any, run_http, NULL },
	{ V("POST"), ANY, KIND_ALL, 0, smtp_parse_any, run_http, NULL },
	{ V("PUT"), ANY, KIND_ALL, 0, smtp_parse_any, run_http, NULL },
	{ V("OPTIONS"), ANY, KIND_ALL, 0, smtp_parse_any, run_http, NULL },
	{ V("CONNECT"), ANY, KIND_ALL, 0, smtp_parse_any, run_http, NULL },
};

/* --- the dispatcher --- */

static const struct verb *
find_verb(const struct smtp_session *s, struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(VERBS); i++)
		if (str_ieq(name, VERBS[i].name))
			return (VERBS[i].kinds & s->kind->bit) != 0 ? &VERBS[i] : NULL;
	return NULL;
}

static int
check_state(const struct smtp_session *s, const struct verb *v)
{
	if ((v->legal & s->state) != 0)
		return 0;
	/* RFC 5321 s3.3 lets DATA without a recipient be 554 or 503, RFC 2033 s4.2 wants 503. */
	if (s->state == SMTP_MAIL && (v->legal & SMTP_RCPT) != 0 && !s->kind->reply_each)
		return E_NO_RCPT;
	return E_STATE;
}

static int
check_needs(const struct smtp_session *s, const struct verb *v)
{
	bool is_private = login_is_private(s->conn);

	if ((v->needs & NEED_OFFER) != 0 && !s->kind->auth)
		return E_STATE;
	if ((v->needs & NEED_LOGIN) != 0 && s->kind->auth && !s->logged_in)
		return is_private ? E_NEED_AUTH : E_NEED_TLS;
	if ((v->needs & NEED_PRIVATE) != 0 && !is_private)
		return E_AUTH_TOO_WEAK;
	if ((v->needs & NEED_NO_LOGIN) != 0 && s->logged_in)
		return E_STATE;
	if ((v->needs & NEED_TLS_OFFER) != 0 && conn_is_tls(s->conn))
		return E_STATE;
	if ((v->needs & NEED_TLS_OFFER) != 0 && !conn_can_tls(s->conn))
		return E_UNKNOWN_COMMAND;
	return 0;
}

/* RFC 5321 s4.1.2: control bytes are in no command. */
static bool
is_clean(struct str line)
{
	for (size_t i = 0; i < line.n; i++)
		if (((unsigned char)line.p[i] < ' ' && line.p[i] != '\t') || line.p[i] == 0x7f)
			return false;
	return true;
}

enum step
smtp_command(struct smtp_session *s, struct str line)
{
	const struct verb *v;
	struct str         name, args;
	union smtp_args    parsed;
	int                r, allowed;

	if (++s->n_commands > SMTP_COMMANDS_MAX)
		return smtp_bye(s, E_TOO_MANY_ERRORS);
	if (!is_clean(line))
		return smtp_fail(s, E_SYNTAX);
	smtp_split(line, &name, &args);
	v = find_verb(s, name);
	if (v == NULL)
		return smtp_fail(s, E_UNKNOWN_COMMAND);
	allowed = check_needs(s, v);
	if (allowed == 0)
		allowed = check_state(s, v);
	if (allowed < 0 && v->refuse == NULL)
		return smtp_fail(s, allowed);
	r = v->parse(args, &s->command, &parsed);
	if (r < 0)
		return smtp_fail(s, r);
	return allowed < 0 ? v->refuse(s, &parsed, allowed) : v->run(s, &parsed);
}

/* --- the small commands --- */

/* RFC 5321 s4.1.4: as RSET. */
static int
greet_back(struct smtp_session *s, struct str host, bool extended)
{
	if (host.n > SMTP_HOST_MAX)
		return E_SYNTAX;
	buf_reset(&s->host);
	buf_str(&s->host, host);
	if (s->host.err < 0)
		return s->host.err;
	s->extended = extended;
	smtp_tx_reset(s);
	smtp_set_state(s, SMTP_READY);
	return 0;
}

static void
put_auth_line(struct smtp_session *s, struct buf *out)
{
	if (!s->kind->auth || s->logged_in || !login_is_private(s->conn))
		return;
	buf_str(out, STR("250-AUTH"));
	login_put_mechanisms(s->server, s->conn, STR(" "), STR_NONE, out);
	buf_str(out, STR("\r\n"));
}

static enum step
run_ehlo(struct smtp_session *s, const union smtp_args *a)
{
	struct buf *out = conn_output(s->conn);
	int         r = greet_back(s, a->text, true);

	if (r < 0)
		return smtp_fail(s, r);
	buf_printf(out, "250-%.*s\r\n", STR_ARG(s->server->hostname));
	buf_str(out, STR("250-PIPELINING\r\n"));
	buf_printf(out, "250-SIZE %llu\r\n", (unsigned long long)s->server->limits.message_max);
	buf_str(out, STR("250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n"));
	if (conn_can_tls(s->conn) && !conn_is_tls(s->conn))
		buf_str(out, STR("250-STARTTLS\r\n"));
	put_auth_line(s, out);
	buf_str(out, STR("250-HELP\r\n250 ENHANCEDSTATUSCODES\r\n"));
	return STEP_DONE;
}

static enum step
run_helo(struct smtp_session *s, const union smtp_args *a)
{
	int r = greet_back(s, a->text, false);

	if (r < 0)
		return smtp_fail(s, r);
	buf_printf(conn_output(s->conn), "250 %.*s\r\n", STR_ARG(s->server->hostname));
	return STEP_DONE;
}

/* RFC 3207 s4.2: everything learnt so far is forgotten, pipelined input too (net does that). */
static enum step
run_starttls(struct smtp_session *s, const union smtp_args *a)
{
	(void)a;
	smtp_reply(s, 220, "2.0.0", "go ahead");
	smtp_tx_reset(s);
	buf_reset(&s->host);
	s->extended = false;
	s->logged_in = false;
	smtp_set_state(s, SMTP_GREET);
	return STEP_TLS;
}

static enum step
run_rset(struct smtp_session *s, const union smtp_args *a)
{
	(void)a;
	smtp_tx_reset(s);
	if (s->state != SMTP_GREET)
		smtp_set_state(s, SMTP_READY);
	smtp_reply(s, 250, "2.0.0", "ok");
	return STEP_DONE;
}

static enum step
run_noop(struct smtp_session *s, const union smtp_args *a)
{
	(void)a;
	smtp_reply(s, 250, "2.0.0", "ok");
	return STEP_DONE;
}

/* RFC 5321 s7.3: neither yes nor no. */
static enum step
run_vrfy(struct smtp_session *s, const union smtp_args *a)
{
	(void)a;
	smtp_reply(s, 252, "2.5.2", "addresses are not verified here, try to send");
	return STEP_DONE;
}

static enum step
run_expn(struct smtp_session *s, const union smtp_args *a)
{
	(void)a;
	return smtp_fail_text(s, 502, "5.5.1", "lists are not shown here");
}

static enum step
run_help(struct smtp_session *s, const union smtp_args *a)
{
	struct buf *out = conn_output(s->conn);

	(void)a;
	buf_str(out, STR("214-2.0.0 Commands:"));
	for (size_t i = 0; i < ARRAY_LEN(VERBS); i++)
		if ((VERBS[i].kinds & s->kind->bit) != 0 && VERBS[i].run != run_http) {
			buf_byte(out, ' ');
			buf_str(out, VERBS[i].name);
		}
	buf_str(out, STR("\r\n214 2.0.0 see RFC 5321\r\n"));
	return STEP_DONE;
}

static enum step
run_quit(struct smtp_session *s, const union smtp_args *a)
{
	(void)a;
	smtp_reply(s, 221, "2.0.0", "bye");
	return STEP_CLOSE;
}

static enum step
run_http(struct smtp_session *s, const union smtp_args *a)
{
	(void)a;
	smtp_reply(s, 421, "4.7.0", "this is not a web server");
	return STEP_CLOSE;
}
