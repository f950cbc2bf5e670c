/*
 * codec/casefold.h: text to the form in which search compares it: i;unicode-casemap.
 * RFC 5051 s2: each character by its simple titlecase mapping, then fully decomposed (compatibility
 * forms too), without reordering; Hangul syllables stay whole. One more pair than the RFC has:
 * small and capital sharp s are equal.
 *
 * Each character folds by itself, so a text may be folded in pieces that end between characters,
 * and a folded needle is found in a folded text by its bytes.
 *
 * Threads  plain values.
 * Tests    tests/unit/codec/casefold.c
 */
#ifndef CODEC_CASEFOLD_H
#define CODEC_CASEFOLD_H

#include "base/buf.h"

/* utf8 is valid UTF-8; a bad byte becomes U+FFFD. */
void casefold(struct str utf8, struct buf *to);

#endif
