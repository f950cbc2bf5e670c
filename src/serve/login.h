/*
 * serve/login.h: one attempt to log in, for every protocol: the SASL exchange, cache, job, delay,
 * account.
 *
 *   login_begin(&s->login, server, conn, STR("imap"));
 *   step = login_start(&s->login, user, password);        // LOGIN, USER and PASS
 *   err = login_sasl_start(&s->login, mechanism);         // or AUTHENTICATE, AUTH:
 *   step = login_sasl(&s->login, response_or_NULL);       //   once per response
 *   on STEP_WAIT: return it; run() comes again with WHY_WAKE:
 *       step = login_woken(&s->login);
 *   on STEP_NEED: send login_challenge(&s->login) and read a line for login_sasl
 *   on STEP_DONE: err = login_result(&s->login, &s->pass, &account);
 *   before each step from then on: if (pass_ended(&s->pass) != 0), say so, STEP_CLOSE
 *   at the end: pass_give(&s->pass);
 *
 * Owner    the session; login_done clears the password's copy. A session closes only when no login
 *          is under way: it is parked until then.
 * Wake     login_woken is for WHY_WAKE only. A parked session that is run for another reason
 *          (shutdown) returns STEP_WAIT again: the job still holds the struct.
 * Time     a proof of SCRAM costs little to check, so a wrong one waits for LOGIN_WRONG_PROOF_MS at
 *          least: its time does not tell whether the name exists.
 * Pass     the session is poked (WHY_POKE) when it has to end: its password was taken back or
 *          changed, its account disabled or removed. See auth/pass.h.
 * Logs     success and failure, with session, peer, protocol, the login name and the device.
 */
#ifndef SERVE_LOGIN_H
#define SERVE_LOGIN_H

#include "proto/sasl.h"
#include "serve/server.h"

enum { LOGIN_WRONG_PROOF_MS = 100 };

struct login {
	struct server  *server;
	struct conn    *conn;
	struct str      protocol;
	struct sasl     sasl;
	struct str      challenge;
	struct buf      text;     /* login name, then password */
	size_t          login_n;
	bool            waiting;  /* login_woken is next */
	enum { LOGIN_HELD, LOGIN_PROOF_HELD, LOGIN_CHECKED, LOGIN_DELAYED } woken_from;
	int             err;
	int64_t         delay_ms; /* the answer has to wait so long */
	struct auth_who who;      /* after success: the account, and the device's name */
};

/* May a password be sent here: TLS, or both ends on one host? */
bool login_is_private(struct conn *);
/* Puts the names of the mechanisms that are offered on this connection, best first, each with
 * `before` in front of it and `after` behind it. */
void login_put_mechanisms(const struct server *, struct conn *, struct str before,
     struct str after, struct buf *out);

void      login_begin(struct login *, struct server *, struct conn *, struct str protocol);
enum step login_start(struct login *, struct str user, struct str password);
/* E_AUTH_MECHANISM */
int       login_sasl_start(struct login *, struct str mechanism);
/* NULL: the first call, and the client gave no initial response. */
enum step login_sasl(struct login *, const struct str *response);
enum step login_woken(struct login *);

/* The last step was STEP_WAIT. */
bool       login_is_waiting(const struct login *);
struct str login_challenge(const struct login *); /* base64, may be empty */
/* Opens the account, and gives the session its pass: 0, or why there was no login: E_AUTH_FAILED
 * and the like, and what is wrong with a response, as proto/sasl.h says. */
int        login_result(struct login *, struct pass *, struct account **ret);
/* The name as typed, and the device's: the app password's, else the tag, else nothing. */
struct str login_name(const struct login *);
struct str login_device(const struct login *);
void       login_done(struct login *);

/* --- the end of a session whose pass has ended --- */

/* What is told to the user; and the code of RFC 5530 for IMAP. */
const char *login_ended_text(const struct pass *);
const char *login_ended_code(const struct pass *);
/* The line in the log. */
void        login_log_ended(struct conn *, struct str protocol, struct str login,
    const struct pass *);

#endif
