#include "codec/find.h"

/* Bytes by how often folded text has them, the most frequent first; others are rare. */
static const char FREQUENT[] = " ETAOINSRHLD\r\nCUMFPGWYBV.,-0K12=/>\"<:3XJQZ";

static unsigned
frequency(char c)
{
	const char *at = memchr(FREQUENT, c, sizeof(FREQUENT) - 1);

	return at != NULL ? (unsigned)(FREQUENT + sizeof(FREQUENT) - at) : 0;
}

static bool
is_at(const struct find *f, const char *p)
{
	return memcmp(p, f->needle.p, f->needle.n) == 0;
}

/* From `at` on, in time that is linear whatever the two are (the C library's two-way search). */
static size_t
look_steadily(const struct find *f, struct str text, size_t at)
{
	const char *p = memmem(text.p + at, text.n - at, f->needle.p, f->needle.n);

	return p != NULL ? (size_t)(p - text.p) : text.n;
}

#if defined(__x86_64__)
#include <immintrin.h>

/* So many bytes may be compared in vain, and as many as were passed over. */
enum { IN_VAIN_MAX = 64 << 10 };

/*
 * One step looks at so many places at once: at those of both bytes from place `at` on. The last
 * step is moved back so that it ends with the text: some places are looked at twice.
 */
#define LOOK(step, type, load, set, equal, both, mask)                                           \
	size_t     places = text.n - f->needle.n + 1, in_vain = 0;                               \
	const type one = set(f->needle.p[f->one]), two = set(f->needle.p[f->two]);              \
                                                                                                 \
	if (places < (step))                                                                     \
		return look_steadily(f, text, 0);                                                \
	for (size_t at = 0; at < places; at += (step)) {                                         \
		const char *p;                                                                   \
		uint32_t    agree;                                                               \
                                                                                                 \
		if (at > places - (step))                                                        \
			at = places - (step);                                                    \
		p = text.p + at;                                                                 \
		agree = (uint32_t)mask(both(equal(load((const void *)(p + f->one)), one),        \
		    equal(load((const void *)(p + f->two)), two)));                              \
		for (; agree != 0; agree &= agree - 1) {                                         \
			unsigned i = (unsigned)__builtin_ctz(agree);                             \
                                                                                                 \
			if (is_at(f, p + i))                                                     \
				return at + i;                                                   \
			in_vain += f->needle.n;                                                  \
		}                                                                                \
		if (in_vain > IN_VAIN_MAX + at)                                                  \
			return look_steadily(f, text, at);                                       \
	}                                                                                        \
	return text.n

static size_t
look_sse2(const struct find *f, struct str text)
{
	LOOK(16, __m128i, _mm_loadu_si128, _mm_set1_epi8, _mm_cmpeq_epi8, _mm_and_si128,
	    _mm_movemask_epi8);
}

__attribute__((target("avx2"))) static size_t
look_avx2(const struct find *f, struct str text)
{
	LOOK(32, __m256i, _mm256_loadu_si256, _mm256_set1_epi8, _mm256_cmpeq_epi8,
	    _mm256_and_si256, _mm256_movemask_epi8);
}

static void
choose(struct find *f)
{
	f->run = __builtin_cpu_supports("avx2") ? look_avx2 : look_sse2;
}

#else

static size_t
look_bytes(const struct find *f, struct str text)
{
	return look_steadily(f, text, 0);
}

static void
choose(struct find *f)
{
	f->run = look_bytes;
}

#endif

void
find_init(struct find *f, struct str needle)
{
	unsigned best = 0, next = 0;

	*f = (struct find){ .needle = needle };
	choose(f);
	if (needle.n < 2)
		return;
	for (size_t i = 1; i < needle.n; i++)
		if (frequency(needle.p[i]) < frequency(needle.p[best]))
			best = (unsigned)i;
	next = best == 0 ? 1 : 0;
	for (size_t i = 0; i < needle.n; i++)
		if (i != best && needle.p[i] != needle.p[best] &&
		    frequency(needle.p[i]) < frequency(needle.p[next]))
			next = (unsigned)i;
	f->one = best < next ? best : next;
	f->two = best < next ? next : best;
}

size_t
find_in(const struct find *f, struct str text)
{
	if (f->needle.n == 0)
		return 0;
	if (text.n < f->needle.n)
		return text.n;
	return f->run(f, text);
}

bool
find_has(const struct find *f, struct str text)
{
	return f->needle.n == 0 || find_in(f, text) < text.n;
}
