#include "base/pack.h"

static void
put_le(struct buf *b, uint64_t v, size_t width)
{
	unsigned char bytes[8];

	for (size_t i = 0; i < width; i++)
		bytes[i] = (unsigned char)(v >> (8 * i));
	buf_put(b, bytes, width);
}

static void
put_be(struct buf *b, uint64_t v, size_t width)
{
	unsigned char bytes[8];

	for (size_t i = 0; i < width; i++)
		bytes[i] = (unsigned char)(v >> (8 * (width - 1 - i)));
	buf_put(b, bytes, width);
}

void
pack_u8(struct buf *b, uint8_t v)
{
	buf_byte(b, (char)v);
}

void
pack_u16(struct buf *b, uint16_t v)
{
	put_le(b, v, 2);
}

void
pack_u32(struct buf *b, uint32_t v)
{
	put_le(b, v, 4);
}

void
pack_u64(struct buf *b, uint64_t v)
{
	put_le(b, v, 8);
}

void
pack_be32(struct buf *b, uint32_t v)
{
	put_be(b, v, 4);
}

void
pack_be64(struct buf *b, uint64_t v)
{
	put_be(b, v, 8);
}

void
pack_var(struct buf *b, uint64_t v)
{
	while (v >= 0x80) {
		buf_byte(b, (char)(v | 0x80));
		v >>= 7;
	}
	buf_byte(b, (char)v);
}

void
pack_str(struct buf *b, struct str s)
{
	pack_var(b, s.n);
	buf_str(b, s);
}

static uint64_t
get_be(struct unpack *u, size_t width)
{
	struct str s = unpack_bytes(u, width);
	uint64_t   v = 0;

	for (size_t i = 0; i < s.n; i++)
		v = v << 8 | (unsigned char)s.p[i];
	return v;
}

uint32_t
unpack_be32(struct unpack *u)
{
	return (uint32_t)get_be(u, 4);
}

uint64_t
unpack_be64(struct unpack *u)
{
	return get_be(u, 8);
}

uint64_t
unpack_var_long(struct unpack *u)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = unpack_u8(u);

		v |= (uint64_t)(byte & 0x7f) << shift;
		if ((byte & 0x80) == 0)
			return u->bad ? 0 : v;
	}
	u->bad = true;
	return 0;
}
