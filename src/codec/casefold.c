#include "codec/casefold.h"

#include <utf8proc.h>

#include "codec/utf8.h"

enum { DECOMPOSED_MAX = 32, HANGUL_FIRST = 0xac00, HANGUL_LAST = 0xd7a3 };

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

static size_t
put_ascii(struct str s, struct buf *to)
{
	char  *q = buf_room(to, s.n);
	size_t n = 0;

	if (q == NULL)
		return 0;
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
			s = str_skip(s, put_ascii(str_head(s, 256), to));
			continue;
		}
		s = str_skip(s, utf8_next(s, &c));
		put_folded(c, to);
	}
}
