#include "codec/mutf7.h"

#include "base/error.h"
#include "codec/utf8.h"

static const char ALPHABET[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static bool
is_printable(uint32_t c)
{
	return c >= 0x20 && c <= 0x7e;
}

static int
sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == ',' ? 63 : -1;
}

/* One UTF-16 unit; *high holds the first half of a pair. */
static int
put_unit(uint32_t unit, uint32_t *high, struct buf *to)
{
	if (*high != 0) {
		if (unit < 0xdc00 || unit > 0xdfff)
			return E_SYNTAX;
		utf8_put(to, 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00));
		*high = 0;
		return 0;
	}
	if (is_printable(unit) || (unit >= 0xdc00 && unit <= 0xdfff))
		return E_SYNTAX;
	if (unit >= 0xd800 && unit <= 0xdbff)
		*high = unit;
	else
		utf8_put(to, unit);
	return 0;
}

/* What stands between '&' and '-'. */
static int
decode_shifted(struct str run, struct buf *to)
{
	uint32_t bits = 0, high = 0;
	unsigned n = 0;

	for (size_t i = 0; i < run.n; i++) {
		int v = sextet(run.p[i]);

		if (v < 0)
			return E_SYNTAX;
		bits = (bits << 6 | (uint32_t)v) & 0xffffff;
		n += 6;
		if (n < 16)
			continue;
		n -= 16;
		if (put_unit(bits >> n & 0xffff, &high, to) < 0)
			return E_SYNTAX;
	}
	return n >= 6 || (bits & ((1u << n) - 1)) != 0 || high != 0 ? E_SYNTAX : 0;
}

static int
decode(struct str s, struct buf *to)
{
	while (s.n != 0) {
		struct str run;

		if (s.p[0] != '&') {
			if (!is_printable((unsigned char)s.p[0]))
				return E_SYNTAX;
			buf_byte(to, s.p[0]);
			s = str_skip(s, 1);
			continue;
		}
		s = str_skip(s, 1);
		run = str_head(s, str_find_byte(s, '-'));
		if (run.n == s.n)
			return E_SYNTAX;
		s = str_skip(s, run.n + 1);
		if (run.n == 0)
			buf_byte(to, '&');
		else if (decode_shifted(run, to) < 0)
			return E_SYNTAX;
		else if (s.n > 1 && s.p[0] == '&' && s.p[1] != '-')
			return E_SYNTAX;
	}
	return to->err;
}

int
mutf7_to_utf8(struct str name, struct buf *to)
{
	size_t start = to->n;
	int    r = decode(name, to);

	if (r < 0)
		to->n = start;
	return r;
}

struct shift {
	uint32_t bits;
	unsigned n;
	bool     open;
};

static void
shift_put(struct shift *sh, uint32_t unit, struct buf *to)
{
	if (!sh->open)
		buf_byte(to, '&');
	sh->open = true;
	sh->bits = sh->bits << 16 | unit;
	sh->n += 16;
	while (sh->n >= 6) {
		sh->n -= 6;
		buf_byte(to, ALPHABET[sh->bits >> sh->n & 63]);
	}
}

static void
shift_close(struct shift *sh, struct buf *to)
{
	if (!sh->open)
		return;
	if (sh->n != 0)
		buf_byte(to, ALPHABET[sh->bits << (6 - sh->n) & 63]);
	buf_byte(to, '-');
	*sh = (struct shift){ 0 };
}

void
mutf7_from_utf8(struct str s, struct buf *to)
{
	struct shift sh = { 0 };
	uint32_t     c;

	for (; s.n != 0; ) {
		s = str_skip(s, utf8_next(s, &c));
		if (is_printable(c)) {
			shift_close(&sh, to);
			buf_byte(to, (char)c);
			if (c == '&')
				buf_byte(to, '-');
		} else if (c < 0x10000) {
			shift_put(&sh, c, to);
		} else {
			shift_put(&sh, 0xd800 + ((c - 0x10000) >> 10), to);
			shift_put(&sh, 0xdc00 + ((c - 0x10000) & 0x3ff), to);
		}
	}
	shift_close(&sh, to);
}
