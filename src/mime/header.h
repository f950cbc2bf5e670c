/*
 * mime/header.h: the fields of a header section: finding, choosing, unfolding.
 *
 * Shape    a header section is the bytes up to and with the empty line (which may be missing).
 *          A field is its name, ':', and its raw value with folds and the final line end.
 * Cost     one pass, no allocation.
 * Source   RFC 5322 s2.2
 */
#ifndef MIME_HEADER_H
#define MIME_HEADER_H

#include "base/arena.h"
#include "base/buf.h"

struct header_field {
	struct str name;  /* "Subject"; empty for a line that is no field */
	struct str value; /* raw, after the colon, without the final line end */
	struct str raw;   /* the whole field with its line ends */
};

/* Takes the next field off *section; false at the empty line or the end. */
bool header_next(struct str *section, struct header_field *ret);
/* The first field of that name (any case). */
bool header_find(struct str section, struct str name, struct header_field *ret);
/* Unfolded: line ends removed, outer blanks trimmed. */
int  header_unfold(struct str value, struct arena *, struct str *ret);
/* RFC 2047 words decoded to UTF-8, unfolded. Unknown charsets and bad words stay as they are. */
int  header_decode(struct str value, struct arena *, struct str *ret);
/* BODY[HEADER.FIELDS (...)] and its .NOT form (RFC 9051 s6.4.5.1): the chosen fields as they are,
 * then the empty line, unless the section has none (a message without a body). Lines that are no
 * fields belong to the .NOT form. */
void header_fields(struct str section, const struct str *names, size_t n, bool not, struct buf *to);

#endif
