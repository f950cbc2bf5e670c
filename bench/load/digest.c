/*
 * A fast hash of long texts, in blocks of four lanes: a round of AES each where the processor has
 * it, else multiply and fold. Of this process only, and not for adversaries. Each step of a lane
 * can be undone, so wrong bytes in one block are not lost before the lanes are folded at the end.
 */
#include "base/own.h"
#include "load/corpus.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

enum { BLOCK = DIGEST_BLOCK_BYTES, LANES = BLOCK / 8 };

static const uint64_t FACTOR[LANES] = { 0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9,
	0xd6e8feb86659fd93, 0x9fb21c651e98df25, 0xa0761d6478bd642f, 0xe7037ed1a0b428db,
	0x8ebc6af09c88c6e3 };

void
digest_init(struct digest *d)
{
	d->n = 0;
	memcpy(d->lane, FACTOR, sizeof(d->lane));
}

static inline uint64_t
mix(uint64_t lane, uint64_t word, uint64_t factor)
{
	lane = (lane ^ word) * factor;
	return lane ^ (lane >> 29);
}

static void
multiply_blocks(struct digest *d, const char *p, size_t n_blocks)
{
	uint64_t word[LANES];

	for (; n_blocks > 0; n_blocks--, p += BLOCK) {
		memcpy(word, p, BLOCK);
		for (unsigned i = 0; i < LANES; i++)
			d->lane[i] = mix(d->lane[i], word[i], FACTOR[i]);
	}
}

#ifdef __x86_64__

static inline __attribute__((target("aes"))) __m128i
aes_step(__m128i lane, const char *p, __m128i key)
{
	return _mm_aesenc_si128(_mm_xor_si128(lane, _mm_loadu_si128((const void *)p)), key);
}

static __attribute__((target("aes"))) void
aes_blocks(struct digest *d, const char *p, size_t n_blocks)
{
	__m128i *lane = (void *)d->lane;
	__m128i  a = lane[0], b = lane[1], c = lane[2], e = lane[3];
	__m128i  key = _mm_loadu_si128((const void *)FACTOR);

	for (; n_blocks > 0; n_blocks--, p += BLOCK) {
		a = aes_step(a, p, key);
		b = aes_step(b, p + 16, key);
		c = aes_step(c, p + 32, key);
		e = aes_step(e, p + 48, key);
	}
	lane[0] = a;
	lane[1] = b;
	lane[2] = c;
	lane[3] = e;
}

#endif

/* Returns what is left behind the last whole block. */
static struct str
put_blocks(struct digest *d, struct str s)
{
	size_t n = s.n / BLOCK;

#ifdef __x86_64__
	if (__builtin_cpu_supports("aes"))
		aes_blocks(d, s.p, n);
	else
#endif
		multiply_blocks(d, s.p, n);
	return str_skip(s, n * BLOCK);
}

void
digest_put(struct digest *d, struct str s)
{
	size_t have = d->n % BLOCK, room;

	d->n += s.n;
	if (have > 0) {
		room = BLOCK - have;
		if (s.n < room) {
			memcpy(d->carry + have, s.p, s.n);
			return;
		}
		memcpy(d->carry + have, s.p, room);
		(void)put_blocks(d, str_of(d->carry, BLOCK));
		s = str_skip(s, room);
	}
	s = put_blocks(d, s);
	if (s.n > 0)
		memcpy(d->carry, s.p, s.n);
}

uint64_t
digest_end(const struct digest *d)
{
	struct digest last = *d;
	uint64_t      h = d->n;

	memset(last.carry + d->n % BLOCK, 0, BLOCK - d->n % BLOCK);
	(void)put_blocks(&last, str_of(last.carry, BLOCK));
	for (unsigned i = 0; i < LANES; i++)
		h = mix(h, last.lane[i], FACTOR[LANES - 1 - i]);
	return h;
}

/* --- the body of a message --- */

static void
body_put(struct sink *s, struct str bytes)
{
	struct body_sink *b = CONTAINER_OF(s, struct body_sink, sink);
	static const char END[] = "\r\n\r\n";

	b->n += bytes.n;
	while (b->matched < 4 && bytes.n > 0) {
		size_t cr = b->matched == 0 ? str_find_byte(bytes, '\r') : 0;

		if (cr == bytes.n)
			return;
		if (bytes.p[cr] == END[b->matched])
			b->matched++;
		else
			b->matched = bytes.p[cr] == '\r';
		bytes = str_skip(bytes, cr + 1);
	}
	digest_put(&b->digest, bytes);
}

void
body_sink_init(struct body_sink *b)
{
	b->sink.put = body_put;
	b->n = 0;
	b->matched = 0;
	digest_init(&b->digest);
}
