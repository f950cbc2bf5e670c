/* Reading steps on bytes that come in pieces. */
#include "load/feed.h"

#include "base/error.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

int
feed_peek_slow(struct feed *f)
{
	int r;

	if (f->p == f->end) {
		r = f->more(f);
		if (r < 0)
			return r;
	}
	return (unsigned char)*f->p;
}

int
feed_expect(struct feed *f, char c)
{
	int got = feed_peek(f);

	if (got < 0)
		return got;
	if (got != (unsigned char)c)
		return E_SYNTAX;
	f->p++;
	return 0;
}

int
feed_crlf(struct feed *f)
{
	int r = feed_expect(f, '\r');

	return r < 0 ? r : feed_expect(f, '\n');
}

int
feed_u64(struct feed *f, uint64_t *ret)
{
	uint64_t v = 0;
	int      n, c;

	for (n = 0;; n++) {
		c = feed_peek(f);
		if (c < 0)
			return c;
		if (!ascii_is_digit((char)c))
			break;
		if (n == 19)
			return E_SYNTAX;
		v = v * 10 + (uint64_t)(c - '0');
		f->p++;
	}
	if (n == 0)
		return E_SYNTAX;
	*ret = v;
	return 0;
}

int
feed_line(struct feed *f, struct str *ret)
{
	size_t      looked = 0, n;
	const char *lf;
	int         r;

	for (;;) {
		n = (size_t)(f->end - f->p);
		lf = n > looked ? memchr(f->p + looked, '\n', n - looked) : NULL;
		if (lf != NULL)
			break;
		looked = n;
		r = f->more(f);
		if (r < 0)
			return r;
	}
	if (lf == f->p || lf[-1] != '\r')
		return E_SYNTAX; /* a bare LF is no line end in any of the protocols */
	*ret = str_of(f->p, (size_t)(lf - 1 - f->p));
	f->p = lf + 1;
	return 0;
}

/* In long texts by blocks: memmem takes ten times as long for two bytes. */
const char *
feed_find_pair(struct str s, char first, char second)
{
	size_t at = 0;

#ifdef __SSE2__
	const __m128i a = _mm_set1_epi8(first), b = _mm_set1_epi8(second);
	unsigned      hits;

	for (; s.n - at > sizeof(__m128i); at += sizeof(__m128i)) {
		__m128i one = _mm_loadu_si128((const void *)(s.p + at));
		__m128i next = _mm_loadu_si128((const void *)(s.p + at + 1));

		hits = (unsigned)_mm_movemask_epi8(
		    _mm_and_si128(_mm_cmpeq_epi8(one, a), _mm_cmpeq_epi8(next, b)));
		if (hits != 0)
			return s.p + at + (unsigned)__builtin_ctz(hits);
	}
#endif
	for (; at + 1 < s.n; at++)
		if (s.p[at] == first && s.p[at + 1] == second)
			return s.p + at;
	return NULL;
}

int
feed_bytes(struct feed *f, uint64_t n, struct sink *sink)
{
	size_t got;
	int    r;

	while (n > 0) {
		if (f->p == f->end) {
			r = f->more(f);
			if (r < 0)
				return r;
		}
		got = (size_t)(f->end - f->p);
		if (got > n)
			got = (size_t)n;
		if (sink != NULL)
			sink->put(sink, str_of(f->p, got));
		f->p += got;
		n -= got;
	}
	return 0;
}
