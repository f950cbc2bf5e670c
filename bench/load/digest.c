/* A fast hash of long texts: four lanes of multiply and fold. Not for adversaries. */
#include "base/own.h"
#include "load/corpus.h"

enum { BLOCK = 32 };

static const uint64_t FACTOR[4] = { 0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9,
	0xd6e8feb86659fd93 };

void
digest_init(struct digest *d)
{
	*d = (struct digest){ .lane = { 1, 2, 3, 4 } };
}

static inline uint64_t
mix(uint64_t lane, uint64_t word, uint64_t factor)
{
	lane = (lane ^ word) * factor;
	return lane ^ (lane >> 29);
}

static void
digest_block(struct digest *d, const char *p)
{
	uint64_t word[4];

	memcpy(word, p, BLOCK);
	for (unsigned i = 0; i < 4; i++)
		d->lane[i] = mix(d->lane[i], word[i], FACTOR[i]);
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
		digest_block(d, d->carry);
		s = str_skip(s, room);
	}
	for (; s.n >= BLOCK; s = str_skip(s, BLOCK))
		digest_block(d, s.p);
	if (s.n > 0)
		memcpy(d->carry, s.p, s.n);
}

uint64_t
digest_end(const struct digest *d)
{
	struct digest last = *d;
	uint64_t      h = d->n;

	memset(last.carry + d->n % BLOCK, 0, BLOCK - d->n % BLOCK);
	digest_block(&last, last.carry);
	for (unsigned i = 0; i < 4; i++)
		h = mix(h, last.lane[i], FACTOR[3 - i]);
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
	*b = (struct body_sink){ .sink = { body_put } };
	digest_init(&b->digest);
}
