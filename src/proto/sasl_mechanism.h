/*
 * proto/sasl_mechanism.h: a mechanism as the files of SASL see it: one row, one step function.
 */
#ifndef PROTO_SASL_MECHANISM_H
#define PROTO_SASL_MECHANISM_H

#include "proto/sasl.h"

/* Two names, a password and the two NULs of PLAIN; the two messages of a SCRAM client. */
enum { SASL_SECRET_MAX = 6 * SASL_NAME_MAX + SASL_PASSWORD_MAX + 2 };

struct sasl_mechanism {
	struct str name;
	unsigned   needs; /* offers */
	/* `fresh` is the response as bytes; NULL when the client gave no initial response. */
	int      (*step)(struct sasl *, const struct str *fresh, struct sasl_reply *ret);
	enum scram_hash hash;
};

static inline int
sasl_challenge(struct str text, struct sasl_reply *ret)
{
	*ret = (struct sasl_reply){ .kind = SASL_CHALLENGE, .challenge = text };
	return 0;
}

/* sasl_scram.c */
int  sasl_step_scram(struct sasl *, const struct str *fresh, struct sasl_reply *ret);
void sasl_scram_drop(struct sasl_scram *);

#endif
