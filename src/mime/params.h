/*
 * mime/params.h: the parameters of Content-Type and Content-Disposition. RFC 2045 s5.1, RFC 2231
 *
 * Shape    in the order of the field; the pieces of RFC 2231 (name*0, name*1*) are joined and come
 *          last: as "name", or as "name*" when a piece is encoded, with the value still encoded.
 *          Pieces that do not make a whole stay as they are. Names keep their case.
 * Limits   PARAMS_MAX, or fewer as the caller says; the rest is not looked at.
 * Errors   E_NOMEM latches in text.err. Bad syntax skips to the next ';'.
 * Threads  plain value.
 * Tests    tests/unit/mime/structure.c   fuzz/mime.c
 */
#ifndef MIME_PARAMS_H
#define MIME_PARAMS_H

#include "base/buf.h"

enum { PARAMS_MAX = 128 };

struct param {
	struct str name;
	struct str value;
};

struct params {
	struct param item[PARAMS_MAX];
	uint32_t     n;
	struct buf   text; /* values that are not a slice of the field */
};

/* Reads what follows the first word of the field, from the first ';' on. */
void params_init(struct params *, struct str rest, uint32_t max);
void params_done(struct params *);
/* The value of the first parameter of that name, any case; p == NULL when there is none. */
struct str params_get(const struct params *, struct str name);

#endif
