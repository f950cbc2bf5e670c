/* Checksums and compression of RocksDB's files. */
#define XXH_STATIC_LINKING_ONLY /* states that lie on the stack */
#include <lz4.h>
#include <pthread.h>
#include <xxhash.h>
#include <zstd.h>

#include "base/error.h"
#include "kv/salvage_files.h"

enum { CRC_POLY = 0x82F63B78, SLICES = 8 };
enum { SUM_CRC32C = 1, SUM_XXH32, SUM_XXH64, SUM_XXH3 };
enum { PACK_NONE = 0, PACK_LZ4 = 4, PACK_LZ4HC = 5, PACK_ZSTD = 7, PACK_MAX = 7 };

static uint32_t       crc_table[SLICES][256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void
crc_fill(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = (c & 1) != 0 ? c >> 1 ^ CRC_POLY : c >> 1;
		crc_table[0][i] = c;
	}
	for (int s = 1; s < SLICES; s++)
		for (int i = 0; i < 256; i++)
			crc_table[s][i] = crc_table[s - 1][i] >> 8 ^
			    crc_table[0][crc_table[s - 1][i] & 0xFF];
}

static uint32_t
read32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t
salvage_crc(uint32_t crc, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	pthread_once(&crc_once, crc_fill);
	crc = ~crc;
	for (; n >= SLICES; n -= SLICES, p += SLICES) {
		uint32_t lo = crc ^ read32(p), hi = read32(p + 4);

		crc = crc_table[7][lo & 0xFF] ^ crc_table[6][lo >> 8 & 0xFF] ^
		    crc_table[5][lo >> 16 & 0xFF] ^ crc_table[4][lo >> 24] ^
		    crc_table[3][hi & 0xFF] ^ crc_table[2][hi >> 8 & 0xFF] ^
		    crc_table[1][hi >> 16 & 0xFF] ^ crc_table[0][hi >> 24];
	}
	for (; n > 0; n--, p++)
		crc = crc >> 8 ^ crc_table[0][(crc ^ *p) & 0xFF];
	return ~crc;
}

uint32_t
salvage_crc_mask(uint32_t crc)
{
	return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

bool
salvage_sum_known(unsigned type)
{
	return type >= SUM_CRC32C && type <= SUM_XXH3;
}

/* A checksum under way: of the bytes so far it can be told at any time. */
struct sum {
	unsigned      type;
	uint32_t      crc;
	XXH32_state_t x32;
	XXH64_state_t x64;
	XXH3_state_t  x3;
};

static void
sum_begin(struct sum *s, unsigned type)
{
	s->type = type;
	s->crc = 0;
	XXH32_reset(&s->x32, 0);
	XXH64_reset(&s->x64, 0);
	XXH3_64bits_reset(&s->x3);
}

static void
sum_add(struct sum *s, const char *p, size_t n)
{
	switch (s->type) {
	case SUM_CRC32C:
		s->crc = salvage_crc(s->crc, p, n);
		break;
	case SUM_XXH32:
		XXH32_update(&s->x32, p, n);
		break;
	case SUM_XXH64:
		XXH64_update(&s->x64, p, n);
		break;
	case SUM_XXH3:
		XXH3_64bits_update(&s->x3, p, n);
		break;
	}
}

/* With the byte that follows, which tells the compression. */
static uint32_t
sum_with(const struct sum *s, unsigned char last)
{
	XXH32_state_t x32;
	XXH64_state_t x64;

	switch (s->type) {
	case SUM_CRC32C:
		return salvage_crc_mask(salvage_crc(s->crc, &last, 1));
	case SUM_XXH32:
		x32 = s->x32;
		XXH32_update(&x32, &last, 1);
		return XXH32_digest(&x32);
	case SUM_XXH64:
		x64 = s->x64;
		XXH64_update(&x64, &last, 1);
		return (uint32_t)XXH64_digest(&x64);
	default: /* of XXH3 the last byte comes in by a multiplication */
		return (uint32_t)XXH3_64bits_digest(&s->x3) ^ last * 0x6B9083D9u;
	}
}

bool
salvage_sum_ok(unsigned type, const char *b, size_t n)
{
	struct sum s;

	if (!salvage_sum_known(type))
		return false;
	sum_begin(&s, type);
	sum_add(&s, b, n);
	return sum_with(&s, (unsigned char)b[n]) == read32((const unsigned char *)b + n + 1);
}

size_t
salvage_sum_find(unsigned type, struct str raw)
{
	struct sum s;

	if (!salvage_sum_known(type))
		return 0;
	sum_begin(&s, type);
	for (size_t n = 1; n + SALVAGE_TRAILER <= raw.n; n++) {
		const unsigned char *end = (const unsigned char *)raw.p + n;

		sum_add(&s, raw.p + n - 1, 1);
		if (*end <= PACK_MAX && sum_with(&s, *end) == read32(end + 1))
			return n;
	}
	return 0;
}

/* The length comes first, then the compressed bytes. */
int
salvage_inflate(unsigned compression, struct str in, struct buf *to)
{
	struct unpack u = unpack_of(in);
	uint64_t      n;
	char         *out;
	size_t        got;

	if (compression == PACK_NONE) {
		buf_str(to, in);
		return to->err;
	}
	if (compression != PACK_LZ4 && compression != PACK_LZ4HC && compression != PACK_ZSTD)
		return E_UNSUPPORTED;
	n = unpack_var(&u);
	if (!unpack_ok(&u) || n > SALVAGE_BLOCK_MAX)
		return E_CORRUPT;
	out = buf_room(to, n != 0 ? (size_t)n : 1);
	if (out == NULL)
		return to->err;
	if (compression == PACK_ZSTD) {
		got = ZSTD_decompress(out, (size_t)n, u.left.p, u.left.n);
	} else {
		int k = LZ4_decompress_safe(u.left.p, out, (int)u.left.n, (int)n);

		got = k < 0 ? SIZE_MAX : (size_t)k;
	}
	if (got != n)
		return E_CORRUPT;
	buf_commit(to, got);
	return 0;
}
