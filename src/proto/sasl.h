/*
 * proto/sasl.h: the server's side of SASL, for every protocol: responses in, challenges,
 * credentials or a proof out. Pure: it checks no password and reads no storage. RFC 4422,
 * RFC 4616 (PLAIN), LOGIN, RFC 5802 and RFC 7677 (SCRAM, with and without channel binding).
 *
 *   err = sasl_start(&s, mechanism, offers);         once, by name
 *   err = sasl_step(&s, initial_or_NULL, &reply);    then once per response:
 *     SASL_CHALLENGE     send reply.challenge ("334 ", "+ ") and read a line
 *     SASL_CREDENTIALS   reply.user and reply.password are what to check
 *     SASL_WANT_SALT     sasl_give_salt(&s, ...): those of reply.user, and the data of the channel
 *                        binding named reply.binding (unless empty). It gives the next reply.
 *     SASL_WANT_KEYS     sasl_give_keys(&s, ...): all that reply.user may have proved to know. It
 *                        gives the next reply, and which of them it was.
 *     SASL_PROVED        reply.user is who he says he is
 *   sasl_done(&s);                                   clears the secrets
 *
 * Wire     responses and challenges are base64 as they stand in the line, without line end. "=" is
 *          an initial response of no bytes (RFC 4954 s4, RFC 4959 s3, RFC 5034 s4). "*" as a later
 *          response cancels. The server's last word of SCRAM goes as a challenge that an empty
 *          response answers: none of the three protocols carries data with its success.
 * Errors   E_AUTH_MECHANISM (name unknown, or not offered), E_AUTH_CANCELLED, E_SYNTAX (bad base64,
 *          or not what the mechanism asks for), E_AUTH_FAILED (an empty name or password, another
 *          authorization identity than the name, a wrong proof or channel binding, or a client that
 *          was made believe that no channel binding is offered), E_LIMIT (response too long),
 *          E_NOMEM. After an error the exchange is over: sasl_done.
 * Limits   SASL_LINE_MAX bytes of base64 in a line; SASL_NAME_MAX, SASL_PASSWORD_MAX,
 *          SASL_NONCE_MAX, SASL_BINDING_MAX bytes.
 * Owner    reply points into the struct, until the next call; copies of secrets are cleared in
 *          sasl_done.
 * Tests    tests/unit/proto/sasl.c, tests/unit/proto/scram.c   fuzz/sasl.c
 */
#ifndef PROTO_SASL_H
#define PROTO_SASL_H

#include "base/buf.h"
#include "proto/scram.h"

enum {
	SASL_LINE_MAX = 12288,
	SASL_NAME_MAX = 512,
	SASL_PASSWORD_MAX = 1024,
	SASL_NONCE_MAX = 256,
	SASL_BINDING_MAX = 64
};

/* What is offered on a connection; a set of bits. */
enum sasl_offer {
	SASL_PASSWORD = 1, /* mechanisms that show the password */
	SASL_SCRAM = 2,
	SASL_BINDING = 4   /* those that bind to the TLS channel */
};

enum sasl_kind {
	SASL_CHALLENGE, SASL_CREDENTIALS, SASL_WANT_SALT, SASL_WANT_KEYS, SASL_PROVED
};

struct sasl_reply {
	enum sasl_kind  kind;
	struct str      challenge; /* base64, may be empty */
	struct str      user;      /* may hold any bytes but NUL; not empty */
	struct str      password;
	enum scram_hash hash;
	struct str      binding;   /* "tls-exporter"; empty: none */
};

/* What the caller answers to SASL_WANT_SALT. */
struct sasl_salt {
	const struct scram_salt *salt;
	struct str               nonce;   /* random, printable, without a comma; new each time */
	struct str               binding; /* the channel's data; empty when none was named */
};

struct sasl_mechanism;
struct sasl_scram;
struct sasl {
	const struct sasl_mechanism *mechanism; /* NULL: no exchange is under way */
	unsigned                     offers;
	bool                         asked;  /* the first step was made */
	unsigned                     turn;   /* responses so far */
	struct buf                   secret; /* decoded responses, one after the other */
	size_t                       name_n; /* LOGIN: the first of them */
	struct sasl_scram           *scram;  /* what SCRAM keeps, or NULL */
};

/* The name of the first mechanism at or behind *i that is offered, and *i behind it: best first.
 * Empty past the last. For CAPABILITY, EHLO, CAPA. */
struct str sasl_mechanism_next(size_t *i, unsigned offers);

int  sasl_start(struct sasl *, struct str mechanism, unsigned offers);
/* response: NULL on the first call when the client gave no initial one. */
int  sasl_step(struct sasl *, const struct str *response, struct sasl_reply *ret);
int  sasl_give_salt(struct sasl *, const struct sasl_salt *, struct sasl_reply *ret);
/* Tries all n keys, however early one fits. *ret_which: the index of that. */
int  sasl_give_keys(struct sasl *, const struct scram_keys *, size_t n, size_t *ret_which,
     struct sasl_reply *ret);
/* Of the exchange that wants keys. */
enum scram_hash sasl_hash(const struct sasl *);
/* Also for a struct of zeros; twice does no harm. */
void sasl_done(struct sasl *);

#endif
