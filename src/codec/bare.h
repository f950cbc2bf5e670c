/*
 * codec/bare.h: line ends without their CR, many bytes a step.
 *
 * Cost     one pass over the bytes, 64 a step where there are none.
 * Threads  plain values.
 * Tests    tests/unit/codec/bare.c
 */
#ifndef CODEC_BARE_H
#define CODEC_BARE_H

#include "base/str.h"

/* How many LF of the text have no CR before them; `before` is the byte in front of the text. */
size_t bare_lf_count(struct str text, char before);

#endif
