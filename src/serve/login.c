#include "serve/login.h"

#include <sodium.h>

#include "base/error.h"
#include "base/log.h"

static struct auth_try
try_of(const struct login *l)
{
	struct str all = buf_view(&l->text);

	return (struct auth_try){
		.login = str_head(all, l->login_n),
		.password = str_skip(all, l->login_n),
		.peer = conn_peer(l->conn),
	};
}

bool
login_is_private(struct conn *c)
{
	return conn_is_tls(c) || conn_is_local(c);
}

struct str
login_name(const struct login *l)
{
	return str_head(buf_view(&l->text), l->login_n);
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
		    LOG_S("login", login_name(l)), LOG_U("account", l->account),
		    LOG_S("tls", conn_tls_version(l->conn)));
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

	l->err = auth_check(l->server->auth, &t, &l->account);
	l->delay_ms = l->err == E_AUTH_FAILED ? auth_delay_ms(l->server->auth, &t) : 0;
	conn_wake(l->conn);
}

static int
keep_text(struct login *l, struct str user, struct str password)
{
	/* In one allocation: growing would leave a copy of the password behind. */
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
	if (net_job(conn_net(l->conn), check_job, l) == 0)
		return STEP_WAIT;
	l->err = E_AUTH_TEMP;
	return finish(l);
}

enum step
login_start(struct login *l, struct server *server, struct conn *c, struct str protocol,
    struct str user, struct str password)
{
	struct auth_try t;
	int64_t         hold_ms;

	*l = (struct login){ .server = server, .conn = c, .protocol = protocol };
	l->err = keep_text(l, user, password);
	if (l->err < 0)
		return finish(l);
	t = try_of(l);
	l->err = auth_check_cached(server->auth, &t, &l->account);
	if (l->err == 0)
		return finish(l);
	hold_ms = auth_hold_ms(server->auth, &t);
	if (hold_ms <= 0)
		return check(l);
	l->woken_from = LOGIN_HELD;
	conn_wake_after(c, hold_ms);
	return STEP_WAIT;
}

enum step
login_woken(struct login *l)
{
	if (l->woken_from == LOGIN_HELD)
		return check(l);
	if (l->woken_from == LOGIN_DELAYED || l->delay_ms <= 0)
		return finish(l);
	l->woken_from = LOGIN_DELAYED;
	conn_wake_after(l->conn, l->delay_ms);
	return STEP_WAIT;
}

int
login_result(struct login *l, struct account **ret)
{
	int r;

	if (l->err < 0)
		return l->err;
	r = account_open(l->server->store, l->account, ret);
	if (r < 0)
		log_event(LOG_ERROR, "login-failed", LOG_U("session", conn_id(l->conn)),
		    LOG_S("login", login_name(l)), LOG_U("account", l->account), LOG_ERR(r));
	/* Removed this moment: the next try will be told so. */
	return r < 0 ? E_AUTH_TEMP : 0;
}

void
login_done(struct login *l)
{
	if (l->text.p != NULL)
		forget_password(l);
	buf_done(&l->text);
	*l = (struct login){ 0 };
}
