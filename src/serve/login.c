#include "serve/login.h"

#include <sodium.h>

#include "base/error.h"
#include "base/log.h"
#include "codec/base64.h"

enum { KEYS_ARENA_MAX = 256 << 10, NONCE_BYTES = 18 };

static struct auth_try
try_of(const struct login *l)
{
	struct str all = buf_view(&l->text);

	return (struct auth_try){
		.login = str_head(all, l->login_n),
		.password = str_skip(all, l->login_n),
		.peer = conn_peer(l->conn),
		.protocol = l->protocol,
	};
}

bool
login_is_private(struct conn *c)
{
	return conn_is_tls(c) || conn_is_local(c);
}

static unsigned
offers_of(const struct server *server, struct conn *c)
{
	unsigned offers = 0;

	if (!login_is_private(c))
		return 0;
	offers = SASL_PASSWORD;
	if (auth_scram(server->auth) != AUTH_SCRAM_OFF)
		offers |= SASL_SCRAM | (conn_is_tls(c) ? SASL_BINDING : 0);
	return offers;
}

void
login_put_mechanisms(const struct server *server, struct conn *c, struct str before,
    struct str after, struct buf *out)
{
	struct str name;
	size_t     i = 0;

	while ((name = sasl_mechanism_next(&i, offers_of(server, c))).n != 0) {
		buf_str(out, before);
		buf_str(out, name);
		buf_str(out, after);
	}
}

struct str
login_name(const struct login *l)
{
	return str_head(buf_view(&l->text), l->login_n);
}

struct str
login_device(const struct login *l)
{
	return auth_device(&l->who);
}

bool
login_is_waiting(const struct login *l)
{
	return l->waiting;
}

struct str
login_challenge(const struct login *l)
{
	return l->challenge;
}

static void
forget_password(struct login *l)
{
	if (l->text.n > l->login_n)
		sodium_memzero(l->text.p + l->login_n, l->text.n - l->login_n);
	l->text.n = l->login_n;
}

static enum step
finish(struct login *l)
{
	enum log_level level = l->err == 0 ? LOG_INFO : LOG_WARN;

	forget_password(l);
	if (l->err == 0)
		log_event(level, "login", LOG_U("session", conn_id(l->conn)),
		    LOG_S("protocol", l->protocol), LOG_S("peer", conn_peer(l->conn)),
		    LOG_S("login", login_name(l)), LOG_U("account", l->who.account),
		    LOG_S("device", auth_device(&l->who)), LOG_S("tls", conn_tls_version(l->conn)));
	else
		log_event(level, "login-failed", LOG_U("session", conn_id(l->conn)),
		    LOG_S("protocol", l->protocol), LOG_S("peer", conn_peer(l->conn)),
		    LOG_S("login", login_name(l)), LOG_S("tls", conn_tls_version(l->conn)),
		    LOG_ERR(l->err));
	return STEP_DONE;
}

/* On a job thread. The session may run again, and be gone, as soon as conn_wake was called. */
static void
check_job(void *arg)
{
	struct login   *l = arg;
	struct auth_try t = try_of(l);

	/* Guesses that wait for a thread do not hold up the end of the server. */
	l->err = net_stopping(conn_net(l->conn)) ? E_AUTH_TEMP :
						   auth_check(l->server->auth, &t, &l->who);
	l->delay_ms = l->err == E_AUTH_FAILED ? auth_delay_ms(l->server->auth, &t) : 0;
	conn_wake(l->conn);
}

static int
keep_text(struct login *l, struct str user, struct str password)
{
	/* In one allocation: growing would leave a copy of the password behind. */
	buf_done(&l->text);
	buf_init(&l->text, user.n + password.n + 1);
	if (buf_room(&l->text, user.n + password.n + 1) == NULL)
		return l->text.err;
	buf_str(&l->text, user);
	buf_str(&l->text, password);
	l->login_n = user.n;
	return 0;
}

/* Gives the work to a job thread; the answer comes with the next wake-up. */
static enum step
check(struct login *l)
{
	l->woken_from = LOGIN_CHECKED;
	l->waiting = true; /* before the job: it may be woken at once */
	if (net_job(conn_net(l->conn), check_job, l) == 0)
		return STEP_WAIT;
	l->waiting = false;
	l->err = E_AUTH_TEMP;
	return finish(l);
}

void
login_begin(struct login *l, struct server *server, struct conn *c, struct str protocol)
{
	login_done(l);
	*l = (struct login){ .server = server, .conn = c, .protocol = protocol };
}

/* Parks; login_woken goes on. */
static enum step
wait_for(struct login *l, int64_t ms)
{
	l->waiting = true;
	conn_wake_after(l->conn, ms);
	return STEP_WAIT;
}

enum step
login_start(struct login *l, struct str user, struct str password)
{
	struct auth_try t;
	int64_t         hold_ms;

	l->err = keep_text(l, user, password);
	if (l->err < 0)
		return finish(l);
	t = try_of(l);
	l->err = auth_check_cached(l->server->auth, &t, &l->who);
	if (l->err != E_NOT_FOUND)
		return finish(l);
	hold_ms = auth_hold_ms(l->server->auth, &t);
	if (hold_ms <= 0)
		return check(l);
	l->woken_from = LOGIN_HELD;
	return wait_for(l, hold_ms);
}

/* --- SASL --- */

int
login_sasl_start(struct login *l, struct str mechanism)
{
	return sasl_start(&l->sasl, mechanism, offers_of(l->server, l->conn));
}

/* Over before there was anything to check; nothing is counted. A channel that is not the one that
 * the client sees is worth a line in the log. */
static enum step
give_up(struct login *l, int err)
{
	l->err = err;
	return err == E_AUTH_FAILED ? finish(l) : STEP_DONE;
}

/* SCRAM's first message came. */
static int
give_salt(struct login *l, struct sasl_reply *reply)
{
	OWN_BUF struct buf nonce = BUF_INIT(64), binding = BUF_INIT(NET_BINDING_MAX);
	unsigned char      raw[NONCE_BYTES];
	struct scram_salt  salt;
	struct sasl_salt   given = { .salt = &salt };
	int                r = keep_text(l, reply->user, STR_NONE);

	if (r == 0 && reply->binding.n != 0)
		r = conn_tls_binding(l->conn, reply->binding, &binding);
	if (r == E_UNSUPPORTED)
		return E_AUTH_MECHANISM;
	if (r == 0)
		r = auth_scram_salt(l->server->auth, reply->user, &salt);
	if (r < 0)
		return r;
	randombytes_buf(raw, sizeof(raw));
	base64_encode(str_of((char *)raw, sizeof(raw)), &nonce);
	if (nonce.err < 0)
		return nonce.err;
	given.nonce = buf_view(&nonce);
	given.binding = buf_view(&binding);
	return sasl_give_salt(&l->sasl, &given, reply);
}

/* The proof came. 0, and what comes of it is noted; or an error of the exchange. */
static int
give_keys(struct login *l, struct sasl_reply *reply)
{
	OWN_ARENA struct arena arena = ARENA_INIT(KEYS_ARENA_MAX);
	struct auth_try        t = try_of(l);
	struct auth_keys       keys;
	size_t                 which;
	int                    r;

	r = auth_scram_keys(l->server->auth, &t, reply->hash, &arena, &keys);
	if (r == 0)
		r = sasl_give_keys(&l->sasl, keys.keys, keys.n, &which, reply);
	if (r == 0)
		l->err = auth_scram_right(l->server->auth, &t, &keys, which, &l->who);
	return r;
}

static enum step
wrong_proof(struct login *l)
{
	struct auth_try t = try_of(l);
	int64_t         delay_ms;

	auth_scram_wrong(l->server->auth, &t);
	delay_ms = auth_delay_ms(l->server->auth, &t);
	l->err = E_AUTH_FAILED;
	l->woken_from = LOGIN_DELAYED;
	return wait_for(l, delay_ms > LOGIN_WRONG_PROOF_MS ? delay_ms : LOGIN_WRONG_PROOF_MS);
}

static enum step
challenge(struct login *l, struct str text)
{
	l->challenge = text;
	return STEP_NEED;
}

static enum step
try_proof(struct login *l)
{
	struct sasl_reply reply = { .kind = SASL_WANT_KEYS, .hash = sasl_hash(&l->sasl) };
	int               r = give_keys(l, &reply);

	if (r == E_AUTH_FAILED)
		return wrong_proof(l);
	return r < 0 ? give_up(l, r) : challenge(l, reply.challenge);
}

/* Who has failed often waits before his proof is looked at. */
static enum step
take_proof(struct login *l)
{
	struct auth_try t = try_of(l);
	int64_t         hold_ms = auth_hold_ms(l->server->auth, &t);

	if (hold_ms <= 0)
		return try_proof(l);
	l->woken_from = LOGIN_PROOF_HELD;
	return wait_for(l, hold_ms);
}

enum step
login_sasl(struct login *l, const struct str *response)
{
	struct sasl_reply reply;
	int               r = sasl_step(&l->sasl, response, &reply);

	if (r == 0 && reply.kind == SASL_WANT_SALT)
		r = give_salt(l, &reply);
	if (r < 0)
		return give_up(l, r);
	switch (reply.kind) {
	case SASL_CREDENTIALS:
		return login_start(l, reply.user, reply.password);
	case SASL_WANT_KEYS:
		return take_proof(l);
	case SASL_PROVED:
		return finish(l);
	case SASL_CHALLENGE:
	case SASL_WANT_SALT:
		break;
	}
	return challenge(l, reply.challenge);
}

enum step
login_woken(struct login *l)
{
	l->waiting = false;
	if (l->woken_from == LOGIN_HELD)
		return check(l);
	if (l->woken_from == LOGIN_PROOF_HELD)
		return try_proof(l);
	if (l->woken_from == LOGIN_DELAYED || l->delay_ms <= 0)
		return finish(l);
	l->woken_from = LOGIN_DELAYED;
	return wait_for(l, l->delay_ms);
}

static void
tell_session(void *conn)
{
	conn_poke(conn);
}

int
login_result(struct login *l, struct pass *pass, struct account **ret)
{
	const struct auth_told told = { tell_session, l->conn };
	int                    r;

	if (l->err < 0)
		return l->err;
	r = account_open(l->server->store, l->who.account, ret);
	if (r < 0) {
		log_event(LOG_ERROR, "login-failed", LOG_U("session", conn_id(l->conn)),
		    LOG_S("login", login_name(l)), LOG_U("account", l->who.account), LOG_ERR(r));
		/* Removed this moment: the next try will be told so. */
		return E_AUTH_TEMP;
	}
	r = auth_pass_take(l->server->auth, &l->who, l->protocol, &told, pass);
	if (r == 0)
		return 0;
	account_drop(TAKE(*ret));
	l->err = r;
	finish(l);
	return r;
}

/* --- taken back --- */

/* RFC 5530 s3: what the user should do about it. */
static const struct {
	int         why;
	const char *code, *text;
} ENDS[] = {
	{ E_AUTH_FAILED, "EXPIRED", "this password was taken back or changed" },
	{ E_AUTH_PROTOCOL, "NOPERM", "this app password is no longer for this protocol" },
	{ E_AUTH_DISABLED, "CONTACTADMIN", "this account was disabled" },
	{ E_NOT_FOUND, "CONTACTADMIN", "this account was removed" },
};

static size_t
end_of(const struct pass *p)
{
	int    why = pass_ended(p);
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(ENDS) && ENDS[i].why != why)
		i++;
	return i;
}

const char *
login_ended_text(const struct pass *p)
{
	return ENDS[end_of(p)].text;
}

const char *
login_ended_code(const struct pass *p)
{
	return ENDS[end_of(p)].code;
}

void
login_log_ended(struct conn *c, struct str protocol, struct str login, const struct pass *p)
{
	log_event(LOG_WARN, "login-ended", LOG_U("session", conn_id(c)),
	    LOG_S("protocol", protocol), LOG_S("peer", conn_peer(c)), LOG_S("login", login),
	    LOG_U("account", p->account), LOG_C("reason", login_ended_text(p)));
}

void
login_done(struct login *l)
{
	if (l->text.p != NULL)
		forget_password(l);
	buf_done(&l->text);
	sasl_done(&l->sasl);
	*l = (struct login){ 0 };
}
