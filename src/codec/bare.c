#include "codec/bare.h"

/* One of the processor's vectors, as gcc and clang spell it. */
typedef signed char lanes __attribute__((vector_size(16)));
enum { LANES = sizeof(lanes), BLOCK = 4 * LANES };

/* Of one byte, or of each lane. */
#define IS_BARE(before, c) (((c) == '\n') & ((before) != '\r'))

/* p[-1] is there. */
static inline lanes
bare(const char *p)
{
	lanes before, c;

	memcpy(&before, p - 1, LANES);
	memcpy(&c, p, LANES);
	return IS_BARE(before, c);
}

static inline bool
any_bare(const char *p)
{
	const lanes any = bare(p) | bare(p + LANES) | bare(p + 2 * LANES) | bare(p + 3 * LANES);
	uint64_t    half[2];

	memcpy(half, &any, sizeof(half));
	return (half[0] | half[1]) != 0;
}

static size_t
count(const char *p, size_t n)
{
	size_t found = 0;

	for (const char *end = p + n; p < end; p++)
		found += (size_t)IS_BARE(p[-1], *p);
	return found;
}

size_t
bare_lf_count(struct str text, char before)
{
	size_t found, at = 1;

	if (text.n == 0)
		return 0;
	found = (size_t)IS_BARE(before, text.p[0]);
	for (; text.n - at >= BLOCK; at += BLOCK)
		if (any_bare(text.p + at))
			found += count(text.p + at, BLOCK);
	return found + count(text.p + at, text.n - at);
}
