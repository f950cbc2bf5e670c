#include "codec/lz.h"

#include <lz4.h>

#include "base/error.h"

int
lz_pack(struct str s, struct buf *to)
{
	char *room;
	int   bound, n;

	if (s.n > LZ_MAX)
		return E_LIMIT;
	bound = LZ4_compressBound((int)s.n);
	room = buf_room(to, (size_t)bound);
	if (room == NULL)
		return to->err;
	n = LZ4_compress_default(s.n != 0 ? s.p : "", room, (int)s.n, bound);
	if (n <= 0)
		return E_NOMEM;
	buf_commit(to, (size_t)n);
	return 0;
}

int
lz_unpack(struct str packed, size_t n, struct buf *to)
{
	char *room;

	if (n > LZ_MAX || packed.n > LZ_MAX || packed.n == 0)
		return E_CORRUPT;
	room = buf_room(to, n + 1); /* one more, so that there is a place to point at */
	if (room == NULL)
		return to->err;
	if (LZ4_decompress_safe(packed.p, room, (int)packed.n, (int)n) != (int)n)
		return E_CORRUPT;
	buf_commit(to, n);
	return 0;
}
