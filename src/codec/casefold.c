#include "codec/casefold.h"

#include <utf8proc.h>

#include "codec/utf8.h"

enum { ASCII_STEP = 1024, DECOMPOSED_MAX = 32, HANGUL_FIRST = 0xac00, HANGUL_LAST = 0xd7a3 };

static void
put_folded(uint32_t c, struct buf *to)
{
	utf8proc_int32_t  parts[DECOMPOSED_MAX];
	utf8proc_int32_t  title = utf8proc_totitle((utf8proc_int32_t)c);
	utf8proc_ssize_t  n;

	if (title >= HANGUL_FIRST && title <= HANGUL_LAST) {
		utf8_put(to, (uint32_t)title);
		return;
	}
	n = utf8proc_decompose_char(title, parts, DECOMPOSED_MAX,
	    UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, NULL);
	if (n < 0 || n > DECOMPOSED_MAX) {
		utf8_put(to, (uint32_t)title);
		return;
	}
	for (utf8proc_ssize_t i = 0; i < n; i++)
		utf8_put(to, (uint32_t)parts[i]);
}

/* Eight bytes that are all ASCII, each in its own lane: small letters lose the bit that makes them
 * small. */
static uint64_t
upper8(uint64_t v)
{
	const uint64_t ones = UINT64_MAX / 255;
	uint64_t       from_a = v + (0x80 - 'a') * ones;
	uint64_t       above_z = v + (0x80 - 'z' - 1) * ones;

	return v - ((from_a & ~above_z & 0x80 * ones) >> 2);
}

static size_t
put_ascii(struct str s, struct buf *to)
{
	char    *q = buf_room(to, s.n);
	size_t   n = 0;
	uint64_t v;

	if (q == NULL)
		return 0;
	for (; s.n - n >= sizeof(v); n += sizeof(v)) {
		memcpy(&v, s.p + n, sizeof(v));
		if ((v & UINT64_MAX / 255 * 0x80) != 0)
			break;
		v = upper8(v);
		memcpy(q + n, &v, sizeof(v));
	}
	for (; n < s.n && (unsigned char)s.p[n] < 0x80; n++)
		q[n] = ascii_upper(s.p[n]);
	buf_commit(to, n);
	return n;
}

void
casefold(struct str s, struct buf *to)
{
	while (s.n != 0 && to->err == 0) {
		uint32_t c;

		if ((unsigned char)s.p[0] < 0x80) {
			s = str_skip(s, put_ascii(str_head(s, ASCII_STEP), to));
			continue;
		}
		s = str_skip(s, utf8_next(s, &c));
		put_folded(c, to);
	}
}
