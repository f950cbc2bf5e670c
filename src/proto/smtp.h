/*
 * proto/smtp.h: the command lines of SMTP, LMTP and submission, each parsed once into a struct.
 *
 * Input    a line without its line end. Slices of the result point into it, or into the arena.
 * Accepts  what RFC 5321 s4.1 writes, and what clients send all the same: any case, blanks around
 *          the path and at the end, a path without <>, a source route (dropped, s4.1.1.3), an
 *          underscore in a domain. Addresses may be UTF-8 (RFC 6531 s3.3); whether the transaction
 *          allows it is for the caller.
 * Paths    "local@domain" or "local" (for postmaster). A quoted local part that needs no quotes
 *          comes out without them; one that does keeps them (s4.1.2). Empty for <>.
 * Errors   E_SYNTAX, E_PARAM (unknown or malformed parameter), E_BAD_ADDRESS, E_NOMEM.
 * Limits   the caller's line length bounds everything.
 * Threads  plain values.
 * Tests    tests/unit/proto/smtp.c   fuzz/smtp.c
 */
#ifndef PROTO_SMTP_H
#define PROTO_SMTP_H

#include "base/arena.h"

struct smtp_path {
	struct str address; /* empty: the null path <> */
	bool       is_utf8; /* has a byte over 0x7f */
};

enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };

struct smtp_mail {
	struct smtp_path path;
	bool             has_size;
	uint64_t         size;     /* SIZE=, RFC 1870 s6 */
	enum smtp_body   body;     /* BODY=, RFC 6152 */
	bool             smtputf8; /* RFC 6531 s3.4 */
	bool             has_auth; /* AUTH=, RFC 4954 s5; its value is not used */
};

struct smtp_bdat { /* RFC 3030 s2 */
	uint64_t size;
	bool     last;
};

struct smtp_auth { /* RFC 4954 s4 */
	struct str mechanism;
	bool       has_initial;
	struct str initial;
};

union smtp_args {
	struct str       text;
	struct smtp_mail mail;
	struct smtp_path rcpt;
	struct smtp_bdat bdat;
	struct smtp_auth auth;
};

/* The verb is what stands before the first blank; args are what follows it, without blanks at the
 * end. */
void smtp_split(struct str line, struct str *ret_verb, struct str *ret_args);

/* What a verb's row names to parse its arguments. */
typedef int smtp_parse_fn(struct str args, struct arena *, union smtp_args *ret);
smtp_parse_fn smtp_parse_none; /* nothing may follow: E_SYNTAX */
smtp_parse_fn smtp_parse_any;  /* text: anything, also nothing */
smtp_parse_fn smtp_parse_host; /* text: what a client calls itself; the first word, visible ASCII */
smtp_parse_fn smtp_parse_mail;
smtp_parse_fn smtp_parse_rcpt;
smtp_parse_fn smtp_parse_bdat;
smtp_parse_fn smtp_parse_auth;

#endif
