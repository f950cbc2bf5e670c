/*
 * serve/login.h: one attempt to log in, for every protocol: cache, job, delay, account.
 *
 *   step = login_start(&s->login, server, conn, STR("imap"), user, password);
 *   if (step == STEP_WAIT) return step;       // run() comes again with WHY_WAKE:
 *   step = login_woken(&s->login);            // STEP_WAIT (there is more to wait for) or STEP_DONE
 *   err = login_result(&s->login, &account);  // after STEP_DONE
 *
 * Owner    the session; login_done clears the password's copy. A session closes only when no login
 *          is under way: it is parked until then.
 * Wake     login_woken is for WHY_WAKE only. A parked session that is run for another reason
 *          (shutdown) returns STEP_WAIT again: the job still holds the struct.
 * Logs     success and failure, with session, peer, protocol and the login name.
 */
#ifndef SERVE_LOGIN_H
#define SERVE_LOGIN_H

#include "serve/server.h"

struct login {
	struct server  *server;
	struct conn    *conn;
	struct str      protocol;
	struct buf      text;     /* login name, then password */
	size_t          login_n;
	enum { LOGIN_HELD, LOGIN_CHECKED, LOGIN_DELAYED } woken_from;
	int             err;
	int64_t         delay_ms; /* the answer has to wait so long */
	uint64_t        account;
};

/* May a password be sent here: TLS, or both ends on one host? */
bool login_is_private(struct conn *);

enum step login_start(struct login *, struct server *, struct conn *, struct str protocol,
    struct str user, struct str password);
enum step login_woken(struct login *);
/* Opens the account: 0, or E_AUTH_FAILED and the like. */
int       login_result(struct login *, struct account **ret);
/* The name as typed. */
struct str login_name(const struct login *);
void      login_done(struct login *);

#endif
