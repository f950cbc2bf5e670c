/*
 * codec/find.h: where a string first is in a long text, many bytes a step.
 *
 * Way      two bytes of the needle that are rare in text are compared with 16 or 32 places at once
 *          (SSE2, or AVX2 where the processor has it); only where both agree the rest is looked at.
 *          Where that looks in vain too often, and on other processors, the C library searches.
 * Cost     10 to 30 GB a second when little agrees; linear whatever the two are.
 * Owner    the needle is borrowed.
 * Threads  plain value.
 * Tests    tests/unit/codec/find.c
 */
#ifndef CODEC_FIND_H
#define CODEC_FIND_H

#include "base/str.h"

struct find {
	struct str needle;
	size_t     one, two; /* places of the two bytes, one < two; both 0 in one of one byte */
	size_t   (*run)(const struct find *, struct str text);
};

void find_init(struct find *, struct str needle);

/* The offset of the first one; text.n when there is none. An empty needle is at 0, and so in an
 * empty text too. */
size_t find_in(const struct find *, struct str text);
/* Is it there? An empty needle is in every text. */
bool   find_has(const struct find *, struct str text);

#endif
