/*
 * codec/utf8.h: UTF-8 as RFC 3629 allows it: no surrogates, no overlong forms, up to U+10FFFF.
 *
 * Threads  plain values.
 * Tests    tests/unit/codec/utf8.c
 */
#ifndef CODEC_UTF8_H
#define CODEC_UTF8_H

#include "base/buf.h"

enum { UTF8_REPLACEMENT = 0xfffd };

bool   utf8_valid(struct str);
bool   utf8_is_ascii(struct str); /* no byte over 0x7f */
/* The length of the valid start of s; s.n when all of it is. */
size_t utf8_valid_prefix(struct str s);
/* The first code point of s (s.n > 0) and its length. A bad start gives U+FFFD and the length of
 * the longest part that no valid character begins with (Unicode s3.9, "maximal subpart"). */
size_t utf8_next(struct str s, uint32_t *ret);
/* A surrogate or a value over U+10FFFF is put as U+FFFD. */
void   utf8_put(struct buf *to, uint32_t code_point);
/* Copies s with each bad part as one U+FFFD. */
void   utf8_sanitize(struct str s, struct buf *to);
/* How many bytes at the end of s may be the beginning of a character that is not complete: 0..3. */
size_t utf8_partial(struct str s);

#endif
