/*
 * mime/wire.h: strings as IMAP sends them. RFC 9051 s4.3, RFC 3501 s4.3
 *
 * Shape    quoted when it holds 7-bit text without line ends, at most WIRE_QUOTED_MAX bytes; else a
 *          literal. The empty string is "", never {0}. A NUL, which IMAP cannot carry, is sent as
 *          U+FFFD.
 * Threads  plain values.
 */
#ifndef MIME_WIRE_H
#define MIME_WIRE_H

#include "base/buf.h"

enum { WIRE_QUOTED_MAX = 1000 };

void wire_string(struct buf *to, struct str);
/* Text for people: outer blanks go, inner runs of blanks and line ends become one space. */
void wire_text(struct buf *to, struct str);
/* A field's value: leading blanks and line ends go, a bare CR becomes a space. */
void wire_unfolded(struct buf *to, struct str value);
void wire_nil(struct buf *to);

#endif
