/*
 * codec/charset.h: text of any charset to UTF-8, chunk by chunk.
 *
 * Names    any case, with the aliases that mail uses ("ks_c_5601-1987", "x-sjis", "cp-850").
 *          ISO-8859-1 is read as windows-1252, GB2312 as GB18030, as other readers of mail do.
 * Guess    no name, "us-ascii", "unknown-8bit" and the like: UTF-8, and bytes that are not UTF-8 as
 *          windows-1252.
 * Output   always valid UTF-8, whole characters only; what does not decode is U+FFFD. It may come
 *          up to 1 KiB later than its input; charset_end gives the rest.
 *          The result does not depend on where chunks end.
 * Errors   charset_open: E_UNSUPPORTED for an unknown name, E_NOMEM. Feeding latches in `to`.
 * Threads  one owner at a time.
 * Tests    tests/unit/codec/charset.c   fuzz/codec.c
 */
#ifndef CODEC_CHARSET_H
#define CODEC_CHARSET_H

#include "base/buf.h"
#include "base/own.h"

struct charset;

int  charset_open(struct str name, struct charset **ret);
/* The guessing decoder of an empty name: no charset is unknown to it. */
int  charset_open_guess(struct charset **ret);
void charset_feed(struct charset *, struct str, struct buf *to);
/* Puts U+FFFD for an incomplete end; the decoder can start anew. */
void charset_end(struct charset *, struct buf *to);
void charset_drop(struct charset *);
OWN_DEFINE(charset)

/* All of it at once. 0, E_UNSUPPORTED, E_NOMEM or to->err. */
int charset_to_utf8(struct str name, struct str text, struct buf *to);

#endif
