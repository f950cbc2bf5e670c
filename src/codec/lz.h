/*
 * codec/lz.h: quick compression of what is derived and read often (LZ4, one block).
 *
 * Cost     some 500 MB a second to pack, some 3 GB a second to unpack.
 * Limits   LZ_MAX bytes of plain text.
 * Errors   lz_pack: E_LIMIT, E_NOMEM (of `to`). lz_unpack: E_CORRUPT for whatever is not a block of
 *          exactly n bytes, E_NOMEM; bad input is never read or written past its end.
 * Threads  plain values.
 * Tests    tests/unit/codec/lz.c
 */
#ifndef CODEC_LZ_H
#define CODEC_LZ_H

#include "base/buf.h"

enum { LZ_MAX = 64 << 20 };

/* Appends the packed form of s. */
int lz_pack(struct str s, struct buf *to);
/* Appends the n bytes that were packed. */
int lz_unpack(struct str packed, size_t n, struct buf *to);

#endif
