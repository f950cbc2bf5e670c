#include "codec/utf8.h"

/* Bytes of a sequence by its first byte, and the range of its second (RFC 3629 s4). */
static size_t
lead(unsigned char c, unsigned char *ret_lo, unsigned char *ret_hi)
{
	*ret_lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	*ret_hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	return c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* How many bytes of s fit one character; *ret_need is its full length, 0 for no lead byte. */
static size_t
match(struct str s, size_t *ret_need)
{
	unsigned char lo, hi;
	size_t        need = lead((unsigned char)s.p[0], &lo, &hi);
	size_t        n = 1;

	*ret_need = need;
	for (; n < need && n < s.n; n++) {
		unsigned char c = (unsigned char)s.p[n];

		if (c < lo || c > hi)
			break;
		lo = 0x80;
		hi = 0xbf;
	}
	return n;
}

static size_t
ascii_run(const char *p, size_t n)
{
	size_t   i = 0;
	uint64_t word;

	for (; i + 8 <= n; i += 8) {
		memcpy(&word, p + i, 8);
		if ((word & 0x8080808080808080u) != 0)
			break;
	}
	while (i < n && (unsigned char)p[i] < 0x80)
		i++;
	return i;
}

bool
utf8_is_ascii(struct str s)
{
	return ascii_run(s.p, s.n) == s.n;
}

size_t
utf8_valid_prefix(struct str s)
{
	size_t at = 0, need;

	while (at < s.n) {
		at += ascii_run(s.p + at, s.n - at);
		if (at == s.n || match(str_skip(s, at), &need) != need)
			break;
		at += need;
	}
	return at;
}

bool
utf8_valid(struct str s)
{
	return utf8_valid_prefix(s) == s.n;
}

size_t
utf8_next(struct str s, uint32_t *ret)
{
	static const unsigned char FIRST_BITS[5] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	size_t                     need, n = match(s, &need);
	uint32_t                   v;

	if (n != need) {
		*ret = UTF8_REPLACEMENT;
		return n;
	}
	v = (unsigned char)s.p[0] & FIRST_BITS[n];
	for (size_t i = 1; i < n; i++)
		v = v << 6 | ((unsigned char)s.p[i] & 0x3f);
	*ret = v;
	return n;
}

void
utf8_put(struct buf *to, uint32_t v)
{
	char   bytes[4];
	size_t n;

	if (v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		v = UTF8_REPLACEMENT;
	if (v < 0x80) {
		buf_byte(to, (char)v);
		return;
	}
	n = v < 0x800 ? 2 : v < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--, v >>= 6)
		bytes[i] = (char)(0x80 | (v & 0x3f));
	bytes[0] = (char)((0xf00u >> n & 0xff) | v);
	buf_put(to, bytes, n);
}

void
utf8_sanitize(struct str s, struct buf *to)
{
	uint32_t bad;

	for (;;) {
		size_t good = utf8_valid_prefix(s);

		buf_str(to, str_head(s, good));
		s = str_skip(s, good);
		if (s.n == 0 || to->err < 0)
			return;
		s = str_skip(s, utf8_next(s, &bad));
		utf8_put(to, UTF8_REPLACEMENT);
	}
}

size_t
utf8_partial(struct str s)
{
	for (size_t n = 1; n <= 3 && n <= s.n; n++) {
		struct str tail = str_skip(s, s.n - n);
		size_t     need;

		if (((unsigned char)tail.p[0] & 0xc0) == 0x80)
			continue;
		return match(tail, &need) == n && need > n ? n : 0;
	}
	return 0;
}
