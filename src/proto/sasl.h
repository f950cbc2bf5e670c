/*
 * proto/sasl.h: the server's side of SASL, for every protocol: responses in, challenges or
 * credentials out. Pure: it checks no password. RFC 4422, RFC 4616 (PLAIN), LOGIN.
 *
 *   err = sasl_start(&s, mechanism);                 once, by name
 *   err = sasl_step(&s, initial_or_NULL, &reply);    then once per response:
 *     SASL_CHALLENGE     send reply.challenge ("334 ", "+ ") and read a line
 *     SASL_CREDENTIALS   reply.user and reply.password are what to check
 *   sasl_done(&s);                                   clears the secrets
 *
 * Wire     responses and challenges are base64 as they stand in the line, without line end. "=" is
 *          an initial response of no bytes (RFC 4954 s4, RFC 4959 s3, RFC 5034 s4). "*" as a later
 *          response cancels.
 * Errors   E_AUTH_MECHANISM (name unknown), E_AUTH_CANCELLED, E_SYNTAX (bad base64, or not what the
 *          mechanism asks for), E_AUTH_FAILED (an empty name or password, or another
 *          authorization identity than the name), E_LIMIT (response too long), E_NOMEM. After an
 *          error the exchange is over: sasl_done.
 * Limits   SASL_LINE_MAX bytes of base64 in a line; SASL_NAME_MAX, SASL_PASSWORD_MAX bytes.
 * Owner    reply points into the struct, until sasl_done; copies of secrets are cleared there.
 * More     a mechanism is a row with a step function: one that needs stored keys or a token adds
 *          its kind of reply.
 * Tests    tests/unit/proto/sasl.c
 */
#ifndef PROTO_SASL_H
#define PROTO_SASL_H

#include "base/buf.h"

enum { SASL_LINE_MAX = 12288, SASL_NAME_MAX = 512, SASL_PASSWORD_MAX = 1024 };

enum sasl_kind { SASL_CHALLENGE, SASL_CREDENTIALS };

struct sasl_reply {
	enum sasl_kind kind;
	struct str     challenge; /* base64, may be empty */
	struct str     user;      /* may hold any bytes but NUL; not empty */
	struct str     password;
};

struct sasl_mechanism;
struct sasl {
	const struct sasl_mechanism *mechanism; /* NULL: no exchange is under way */
	bool                         asked;     /* the first step was made */
	unsigned                     turn;      /* responses so far */
	struct buf                   secret;    /* decoded responses, one after the other */
	size_t                       name_n;    /* LOGIN: the first of them */
};

/* The i-th mechanism's name, best first; empty past the last. For CAPABILITY, EHLO, CAPA. */
struct str sasl_mechanism_name(size_t i);

int  sasl_start(struct sasl *, struct str mechanism);
/* response: NULL on the first call when the client gave no initial one. */
int  sasl_step(struct sasl *, const struct str *response, struct sasl_reply *ret);
/* Also for a struct of zeros; twice does no harm. */
void sasl_done(struct sasl *);

#endif
