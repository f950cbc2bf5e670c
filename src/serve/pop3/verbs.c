#include "base/error.h"
#include "serve/pop3/session.h"

/* What a row asks for beside the state; checked in this order. */
enum need {
	NEED_NOTHING = 0,
	NEED_PRIVATE = 1,  /* a password may be sent here: TLS, or the same host */
	NEED_USER = 2,     /* USER was given */
	NEED_TLS_OFFER = 4 /* STLS: there is a certificate, and TLS is not on */
};

typedef enum step pop3_run_fn(struct pop3_session *, const union pop3_args *);

struct verb {
	struct str     name;
	unsigned       legal; /* pop3_state */
	unsigned       needs;
	pop3_parse_fn *parse;
	pop3_run_fn   *run;
};

static pop3_run_fn run_capa, run_stls, run_user, run_apop, run_utf8, run_lang, run_dele, run_noop,
    run_rset;

#define V(lit) { lit, sizeof(lit) - 1 }
#define AUTHORIZATION POP3_AUTHORIZATION
#define TRANSACTION POP3_TRANSACTION

static const struct verb VERBS[] = {
	/* RFC 2449 s5 */
	{ V("CAPA"), AUTHORIZATION | TRANSACTION, 0, pop3_parse_none, run_capa },
	/* RFC 2595 s4 */
	{ V("STLS"), AUTHORIZATION, NEED_TLS_OFFER, pop3_parse_none, run_stls },
	/* RFC 1939 s7, RFC 5034 s4 */
	{ V("USER"), AUTHORIZATION, NEED_PRIVATE, pop3_parse_name, run_user },
	{ V("PASS"), AUTHORIZATION, NEED_PRIVATE | NEED_USER, pop3_parse_password, pop3_pass },
	{ V("AUTH"), AUTHORIZATION, NEED_PRIVATE, pop3_parse_auth, pop3_auth_begin },
	{ V("APOP"), AUTHORIZATION, 0, pop3_parse_any, run_apop },
	/* RFC 6856 s2, s3 */
	{ V("UTF8"), AUTHORIZATION, 0, pop3_parse_none, run_utf8 },
	{ V("LANG"), AUTHORIZATION | TRANSACTION, 0, pop3_parse_word_or_none, run_lang },
	/* RFC 1939 s5, s7 */
	{ V("STAT"), TRANSACTION, 0, pop3_parse_none, pop3_stat },
	{ V("LIST"), TRANSACTION, 0, pop3_parse_number_or_none, pop3_list },
	{ V("UIDL"), TRANSACTION, 0, pop3_parse_number_or_none, pop3_uidl },
	{ V("RETR"), TRANSACTION, 0, pop3_parse_number, pop3_retr },
	{ V("TOP"), TRANSACTION, 0, pop3_parse_top, pop3_top },
	{ V("DELE"), TRANSACTION, 0, pop3_parse_number, run_dele },
	{ V("NOOP"), TRANSACTION, 0, pop3_parse_any, run_noop },
	{ V("RSET"), TRANSACTION, 0, pop3_parse_none, run_rset },
	/* RFC 1939 s4, s6 */
	{ V("QUIT"), AUTHORIZATION | TRANSACTION, 0, pop3_parse_any, pop3_quit },
};

/* --- the dispatcher --- */

static const struct verb *
find_verb(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(VERBS); i++)
		if (str_ieq(name, VERBS[i].name))
			return &VERBS[i];
	return NULL;
}

static int
check_needs(const struct pop3_session *s, const struct verb *v)
{
	if ((v->needs & NEED_PRIVATE) != 0 && !login_is_private(s->conn))
		return E_AUTH_TOO_WEAK;
	if ((v->needs & NEED_USER) != 0 && s->user.n == 0)
		return E_STATE;
	if ((v->needs & NEED_TLS_OFFER) != 0 && conn_is_tls(s->conn))
		return E_STATE;
	if ((v->needs & NEED_TLS_OFFER) != 0 && !conn_can_tls(s->conn))
		return E_UNKNOWN_COMMAND;
	return 0;
}

enum step
pop3_command(struct pop3_session *s, struct str line)
{
	const struct verb *v;
	struct str         name, args;
	union pop3_args    parsed;
	int                r = pop3_split(line, &name, &args);

	if (r < 0)
		return pop3_fail(s, r);
	v = find_verb(name);
	if (v == NULL)
		return pop3_fail(s, E_UNKNOWN_COMMAND);
	if ((v->legal & s->state) == 0)
		return pop3_fail(s, E_STATE);
	r = check_needs(s, v);
	if (r == 0)
		r = v->parse(args, &parsed);
	return r < 0 ? pop3_fail(s, r) : v->run(s, &parsed);
}

/* --- the small commands --- */

/* RFC 2449 s5: what is told before the login is told after it, too; STLS is not, as RFC 2595 s4
 * names it only where it is allowed, and strangers need not know which version this is (RFC 2449
 * s6.9). RFC 5034 s4: no password mechanism where none may be used. EXPIRE: nothing leaves the
 * Inbox by itself. */
static enum step
run_capa(struct pop3_session *s, const union pop3_args *a)
{
	struct buf *out = conn_output(s->conn);

	(void)a;
	pop3_ok(s, "capabilities follow");
	buf_str(out, STR("TOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"));
	if (login_is_private(s->conn)) {
		buf_str(out, STR("USER\r\nSASL"));
		login_put_mechanisms(s->server, s->conn, STR(" "), STR_NONE, out);
		buf_str(out, STR("\r\n"));
	}
	if (s->state == POP3_AUTHORIZATION && conn_can_tls(s->conn) && !conn_is_tls(s->conn))
		buf_str(out, STR("STLS\r\n"));
	buf_str(out, STR("EXPIRE NEVER\r\nUTF8 USER\r\nLANG\r\n"));
	if (s->server->pop3.login_delay_ms > 0)
		buf_printf(out, "LOGIN-DELAY %lld\r\n",
		    (long long)(s->server->pop3.login_delay_ms + 999) / 1000);
	if (s->state == POP3_TRANSACTION)
		buf_printf(out, "IMPLEMENTATION Postrider %.*s\r\n", STR_ARG(s->server->version));
	buf_str(out, STR(".\r\n"));
	return STEP_DONE;
}

/* RFC 6856 s2.1. Where messages are sent as they are in any case it changes nothing. */
static enum step
run_utf8(struct pop3_session *s, const union pop3_args *a)
{
	(void)a;
	s->utf8 = true;
	pop3_ok(s, "UTF-8 it is");
	return STEP_DONE;
}

/* RFC 6856 s3, RFC 4647 s3.4: ours is found for what begins with it, too. */
static enum step
run_lang(struct pop3_session *s, const union pop3_args *a)
{
	struct str range = str_head(a->text, str_find_byte(a->text, '-'));

	if (a->text.n == 0) {
		pop3_ok(s, "languages follow");
		buf_str(conn_output(s->conn), STR("en English\r\n.\r\n"));
		return STEP_DONE;
	}
	if (!str_ieq(range, STR("en")) && !str_eq(a->text, STR("*")))
		return pop3_fail_text(s, E_UNSUPPORTED, "no such language here");
	pop3_ok(s, "en English");
	return STEP_DONE;
}

/* RFC 2595 s4: what was said before counts no more; pipelined input neither (net does that). */
static enum step
run_stls(struct pop3_session *s, const union pop3_args *a)
{
	(void)a;
	pop3_ok(s, "begin TLS");
	s->utf8 = false;
	buf_reset(&s->user);
	return STEP_TLS;
}

/* RFC 1939 s13: the answer does not tell which names exist. */
static enum step
run_user(struct pop3_session *s, const union pop3_args *a)
{
	buf_reset(&s->user);
	buf_str(&s->user, a->text);
	if (s->user.err < 0) {
		int err = s->user.err == E_NOMEM ? E_NOMEM : E_SYNTAX;

		buf_reset(&s->user);
		return pop3_fail(s, err);
	}
	pop3_ok(s, "send the password");
	return STEP_DONE;
}

/* It would need passwords stored as they are. */
static enum step
run_apop(struct pop3_session *s, const union pop3_args *a)
{
	(void)a;
	return pop3_fail_text(s, E_UNSUPPORTED,
	    "APOP is not offered: it needs passwords kept readable; use AUTH or USER");
}

static enum step
run_dele(struct pop3_session *s, const union pop3_args *a)
{
	struct view_message *m;

	if (pop3_box_find(&s->box, a->number.n, &m) < 0) {
		pop3_err_text(s, E_NOT_FOUND, "no such message");
		return STEP_DONE;
	}
	pop3_box_delete(&s->box, m);
	pop3_ok(s, "marked as deleted");
	return STEP_DONE;
}

static enum step
run_noop(struct pop3_session *s, const union pop3_args *a)
{
	(void)a;
	pop3_ok(s, "nothing done");
	return STEP_DONE;
}

static enum step
run_rset(struct pop3_session *s, const union pop3_args *a)
{
	(void)a;
	pop3_box_reset(&s->box);
	pop3_ok(s, "%u messages (%llu octets)", s->box.n_left,
	    (unsigned long long)s->box.size_left);
	return STEP_DONE;
}
