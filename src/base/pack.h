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

uint8_t    unpack_u8(struct unpack *);
uint16_t   unpack_u16(struct unpack *);
uint32_t   unpack_u32(struct unpack *);
uint64_t   unpack_u64(struct unpack *);
uint32_t   unpack_be32(struct unpack *);
uint64_t   unpack_be64(struct unpack *);
uint64_t   unpack_var(struct unpack *);
struct str unpack_str(struct unpack *); /* points into the input */
struct str unpack_bytes(struct unpack *, size_t n);

/* Everything was there. Bytes left over are allowed: a newer minor version may add fields. */
static inline bool
unpack_ok(const struct unpack *u)
{
	return !u->bad;
}

#endif
