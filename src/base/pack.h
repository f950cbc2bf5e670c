/*
 * base/pack.h: fixed-width integers and sized strings, to bytes and back. Values of the store
 * are little-endian; keys are big-endian so that they sort as numbers do.
 *
 * Errors   the writer latches in its buf; the reader latches `bad` and gives zeros from then on:
 *          check unpack_ok once at the end.
 */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include "base/buf.h"

void pack_u8(struct buf *, uint8_t);
void pack_u16(struct buf *, uint16_t);
void pack_u32(struct buf *, uint32_t);
void pack_u64(struct buf *, uint64_t);
void pack_be32(struct buf *, uint32_t);
void pack_be64(struct buf *, uint64_t);
void pack_var(struct buf *, uint64_t);   /* 7 bits a byte, low first */
void pack_str(struct buf *, struct str); /* pack_var(n), then n bytes */

struct unpack {
	struct str left;
	bool       bad;
};

static inline struct unpack
unpack_of(struct str s)
{
	return (struct unpack){ s, false };
}

static inline struct str
unpack_bytes(struct unpack *u, size_t n) /* points into the input */
{
	struct str s;

	if (u->bad || n > u->left.n) {
		u->bad = true;
		return STR_NONE;
	}
	s = str_of(u->left.p, n);
	u->left = str_skip(u->left, n);
	return s;
}

static inline uint64_t
unpack_le(struct unpack *u, size_t width)
{
	struct str s = unpack_bytes(u, width);
	uint64_t   v = 0;

	for (size_t i = s.n; i > 0; i--)
		v = v << 8 | (unsigned char)s.p[i - 1];
	return v;
}

static inline uint8_t
unpack_u8(struct unpack *u)
{
	return (uint8_t)unpack_le(u, 1);
}

static inline uint16_t
unpack_u16(struct unpack *u)
{
	return (uint16_t)unpack_le(u, 2);
}

static inline uint32_t
unpack_u32(struct unpack *u)
{
	return (uint32_t)unpack_le(u, 4);
}

static inline uint64_t
unpack_u64(struct unpack *u)
{
	return unpack_le(u, 8);
}

uint32_t unpack_be32(struct unpack *u);
uint64_t unpack_be64(struct unpack *u);
uint64_t unpack_var_long(struct unpack *u);

static inline uint64_t
unpack_var(struct unpack *u)
{
	unsigned char first;

	if (u->bad || u->left.n == 0 || (first = (unsigned char)u->left.p[0]) >= 0x80)
		return unpack_var_long(u);
	u->left = str_skip(u->left, 1);
	return first;
}

static inline struct str
unpack_str(struct unpack *u) /* points into the input */
{
	uint64_t n = unpack_var(u);

	if (n > u->left.n) {
		u->bad = true;
		return STR_NONE;
	}
	return unpack_bytes(u, (size_t)n);
}

/* Everything was there. Bytes left over are allowed: a newer minor version may add fields. */
static inline bool
unpack_ok(const struct unpack *u)
{
	return !u->bad;
}

#endif
