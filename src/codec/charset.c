#include "codec/charset.h"

#include <errno.h>
#include <iconv.h>

#include "base/error.h"
#include "base/mem.h"
#include "codec/utf8.h"

/* iconv gets its input in blocks of BLOCK bytes wherever chunks end: in some encodings of glibc the
 * result of bad text depends on the cuts. */
enum { NAME_MAX_BYTES = 40, BLOCK = 1024, OUT_STEP = 1024 };

enum method { METHOD_UTF8, METHOD_GUESS, METHOD_1252, METHOD_ICONV };

struct charset {
	enum method method;
	iconv_t     cd;
	size_t      unit;        /* bytes to skip where nothing decodes: 1, 2 or 4 */
	size_t      n_held;
	char        held[BLOCK]; /* an incomplete character, or what iconv is still to get */
};

/* Windows-1252 at 0x80..0x9f; what it leaves open keeps its value, as the WHATWG has it. */
static const uint16_t HIGH_1252[32] = {
	0x20ac, 0x81,   0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
	0x2039, 0x0152, 0x8d,   0x017d, 0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
	0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d,   0x017e, 0x0178,
};

/* Names that iconv does not know, or knows as something narrower than what is sent. */
static const struct {
	struct str name, iconv;
} ALIASES[] = {
	{ STR("ks_c_5601-1987"), STR("CP949") }, { STR("ks_c_5601-1989"), STR("CP949") },
	{ STR("ks_c_5601"), STR("CP949") },      { STR("ksc5601"), STR("CP949") },
	{ STR("ksc_5601"), STR("CP949") },       { STR("korean"), STR("CP949") },
	{ STR("euc-kr"), STR("CP949") },         { STR("windows-949"), STR("CP949") },
	{ STR("shift_jis"), STR("CP932") },      { STR("shift-jis"), STR("CP932") },
	{ STR("sjis"), STR("CP932") },           { STR("ms_kanji"), STR("CP932") },
	{ STR("windows-31j"), STR("CP932") },    { STR("gb2312"), STR("GB18030") },
	{ STR("gb_2312-80"), STR("GB18030") },   { STR("gbk"), STR("GB18030") },
	{ STR("cp936"), STR("GB18030") },        { STR("ms936"), STR("GB18030") },
	{ STR("big5"), STR("BIG5-HKSCS") },      { STR("cp950"), STR("BIG5-HKSCS") },
	{ STR("big-5"), STR("BIG5-HKSCS") },     { STR("iso-8859-8-i"), STR("ISO-8859-8") },
	{ STR("iso-8859-8-e"), STR("ISO-8859-8") }, { STR("iso-8859-6-i"), STR("ISO-8859-6") },
	{ STR("iso-8859-6-e"), STR("ISO-8859-6") }, { STR("iso-8859-9"), STR("CP1254") },
	{ STR("latin5"), STR("CP1254") },        { STR("tis-620"), STR("CP874") },
	{ STR("iso-8859-11"), STR("CP874") },    { STR("windows-874"), STR("CP874") },
	{ STR("unicode-1-1-utf-7"), STR("UTF-7") }, { STR("mac"), STR("MACINTOSH") },
	{ STR("mac-roman"), STR("MACINTOSH") },  { STR("macroman"), STR("MACINTOSH") },
	{ STR("mac-cyrillic"), STR("MAC-CYRILLIC") }, { STR("unicode"), STR("UTF-16") },
	{ STR("iso-10646-ucs-2"), STR("UCS-2BE") },
};

static const struct str GUESSED[] = { STR(""), STR("us-ascii"), STR("ascii"), STR("ansi_x3.4-1968"),
	STR("iso646-us"), STR("646"), STR("unknown-8bit"), STR("unknown"), STR("default"),
	STR("default_charset"), STR("x-unknown"), STR("none"), STR("binary"), STR("8bit"),
	STR("ansi") };
static const struct str LATIN1[] = { STR("iso-8859-1"), STR("iso8859-1"), STR("iso_8859-1"),
	STR("iso-8859-1-windows-3.1-latin-1"), STR("8859-1"), STR("8859_1"), STR("latin1"),
	STR("latin-1"), STR("l1"), STR("windows-1252"), STR("windows1252"), STR("win-1252"),
	STR("cp1252"), STR("cp-1252") };
static const struct str UTF8S[] = { STR("utf-8"), STR("utf8"), STR("utf_8"),
	STR("unicode-1-1-utf-8"), STR("utf-8mb4"), STR("utf8mb4") };
/* Encodings of the machine itself: not for bytes from outside. */
static const struct str REFUSED[] = { STR("internal"), STR("wchar_t"), STR("char") };

static bool
is_one_of(struct str name, const struct str *set, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_ieq(name, set[i]))
			return true;
	return false;
}
#define IS_ONE_OF(name, set) is_one_of((name), (set), ARRAY_LEN(set))

static bool
find_builtin(struct str name, enum method *ret)
{
	if (IS_ONE_OF(name, UTF8S))
		*ret = METHOD_UTF8;
	else if (IS_ONE_OF(name, LATIN1))
		*ret = METHOD_1252;
	else if (IS_ONE_OF(name, GUESSED))
		*ret = METHOD_GUESS;
	else
		return false;
	return true;
}

static iconv_t
open_iconv(struct str name)
{
	char   text[NAME_MAX_BYTES + 1];
	size_t n = 0;

	errno = EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(ALIASES); i++)
		if (str_ieq(name, ALIASES[i].name))
			name = ALIASES[i].iconv;
	if (name.n == 0 || name.n > NAME_MAX_BYTES || IS_ONE_OF(name, REFUSED))
		return (iconv_t)-1;
	for (; n < name.n; n++) {
		char c = name.p[n];

		/* "//IGNORE" and the like are no part of a name. */
		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && memchr("-_.:+()", c, 7) == NULL)
			return (iconv_t)-1;
		text[n] = c;
	}
	text[n] = '\0';
	return iconv_open("UTF-8", text);
}

/* "cp-850" is CP850, "win-1251" and "windows1251" are CP1251. */
static iconv_t
open_code_page(struct str name)
{
	static const struct str PREFIXES[] = { STR("cp-"), STR("cp_"), STR("win-"), STR("windows"),
		STR("windows-"), STR("ibm-"), STR("microsoft-cp") };
	char     text[2 + 5] = "CP";
	uint32_t number;

	for (size_t i = 0; i < ARRAY_LEN(PREFIXES); i++) {
		struct str digits = str_skip(name, PREFIXES[i].n);

		if (!str_istarts(name, PREFIXES[i]) || digits.n > 5 ||
		    str_to_u32(digits, &number) < 0)
			continue;
		memcpy(text + 2, digits.p, digits.n);
		return open_iconv(str_of(text, 2 + digits.n));
	}
	return (iconv_t)-1;
}

static size_t
unit_of(struct str name)
{
	if (str_istarts(name, STR("utf-16")) || str_istarts(name, STR("ucs-2")) ||
	    str_istarts(name, STR("iso-10646-ucs-2")) || str_ieq(name, STR("unicode")))
		return 2;
	return str_istarts(name, STR("utf-32")) || str_istarts(name, STR("ucs-4")) ? 4 : 1;
}

static int
find(struct str name, enum method *ret, iconv_t *ret_cd)
{
	*ret_cd = (iconv_t)-1;
	for (int tries = 0; tries < 2; tries++) {
		if (find_builtin(name, ret))
			return 0;
		*ret = METHOD_ICONV;
		*ret_cd = open_iconv(name);
		if (*ret_cd == (iconv_t)-1)
			*ret_cd = open_code_page(name);
		if (*ret_cd != (iconv_t)-1)
			return 0;
		if (errno == ENOMEM)
			return E_NOMEM;
		if (!str_istarts(name, STR("x-")))
			break;
		name = str_skip(name, 2);
	}
	return E_UNSUPPORTED;
}

static int
make(enum method method, iconv_t cd, struct charset **ret)
{
	struct charset *c = MEM_NEW(struct charset);

	if (c == NULL) {
		if (cd != (iconv_t)-1)
			iconv_close(cd);
		return E_NOMEM;
	}
	c->method = method;
	c->cd = cd;
	*ret = c;
	return 0;
}

int
charset_open(struct str name, struct charset **ret)
{
	enum method method;
	iconv_t     cd;
	int         r;

	name = str_trim(name);
	r = find(name, &method, &cd);
	if (r < 0)
		return r;
	r = make(method, cd, ret);
	if (r == 0)
		(*ret)->unit = unit_of(name);
	return r;
}

int
charset_open_guess(struct charset **ret)
{
	return make(METHOD_GUESS, (iconv_t)-1, ret);
}

void
charset_drop(struct charset *c)
{
	if (c == NULL)
		return;
	if (c->cd != (iconv_t)-1)
		iconv_close(c->cd);
	mem_free(c);
}

static void
put_1252(struct str s, struct buf *to)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		utf8_put(to, c >= 0x80 && c < 0xa0 ? HIGH_1252[c - 0x80] : c);
	}
}

/* UTF-8 with whole characters; the bad ones as the method has it. */
static void
put_utf8(enum method method, struct str s, struct buf *to)
{
	uint32_t bad;

	while (s.n != 0 && to->err == 0) {
		size_t n = utf8_valid_prefix(s);

		buf_str(to, str_head(s, n));
		s = str_skip(s, n);
		if (s.n == 0)
			return;
		n = utf8_next(s, &bad);
		if (method == METHOD_GUESS)
			put_1252(str_head(s, n), to);
		else
			utf8_put(to, UTF8_REPLACEMENT);
		s = str_skip(s, n);
	}
}

static void
feed_utf8(struct charset *c, struct str s, struct buf *to)
{
	size_t partial;

	while (c->n_held != 0 && s.n != 0) {
		struct str held;

		c->held[c->n_held++] = s.p[0];
		s = str_skip(s, 1);
		held = str_of(c->held, c->n_held);
		if (utf8_partial(held) == held.n)
			continue;
		/* Settled: all of it is a character, or its last byte begins something new. */
		partial = utf8_partial(held);
		put_utf8(c->method, str_head(held, held.n - partial), to);
		memmove(c->held, c->held + held.n - partial, partial);
		c->n_held = partial;
	}
	partial = utf8_partial(s);
	put_utf8(c->method, str_head(s, s.n - partial), to);
	if (partial != 0)
		memcpy(c->held, s.p + s.n - partial, partial);
	c->n_held += partial;
}

/* Converts as much of s as it can; the number of bytes left over is what an incomplete character
 * or a bad one holds. *ret_errno as iconv gave it. */
static size_t
run_iconv(struct charset *c, struct str s, struct buf *to, int *ret_errno)
{
	char   utf8[OUT_STEP];
	char  *in = (char *)(uintptr_t)s.p;
	size_t left = s.n;

	do {
		char  *out = utf8;
		size_t room = sizeof(utf8);

		*ret_errno = 0;
		if (iconv(c->cd, &in, &left, &out, &room) == (size_t)-1)
			*ret_errno = errno;
		buf_put(to, utf8, sizeof(utf8) - room);
	} while (*ret_errno == E2BIG && to->err == 0);
	return left;
}

/* Converts s but for an incomplete end: returns how many bytes are left there. */
static size_t
put_iconv(struct charset *c, struct str s, struct buf *to)
{
	while (s.n != 0 && to->err == 0) {
		int    err;
		size_t left = run_iconv(c, s, to, &err);

		s = str_skip(s, s.n - left);
		if (left == 0 || err == EINVAL)
			break;
		utf8_put(to, UTF8_REPLACEMENT);
		s = str_skip(s, c->unit);
	}
	return s.n;
}

static void
convert_held(struct charset *c, struct buf *to)
{
	size_t left = put_iconv(c, str_of(c->held, c->n_held), to);

	if (left == BLOCK) {
		utf8_put(to, UTF8_REPLACEMENT);
		left--;
	}
	memmove(c->held, c->held + c->n_held - left, left);
	c->n_held = left;
}

static void
feed_iconv(struct charset *c, struct str s, struct buf *to)
{
	while (s.n != 0 && to->err == 0) {
		struct str part = str_head(s, BLOCK - c->n_held);

		memcpy(c->held + c->n_held, part.p, part.n);
		c->n_held += part.n;
		s = str_skip(s, part.n);
		if (c->n_held == BLOCK)
			convert_held(c, to);
	}
}

void
charset_feed(struct charset *c, struct str s, struct buf *to)
{
	if (c->method == METHOD_1252)
		put_1252(s, to);
	else if (c->method == METHOD_ICONV)
		feed_iconv(c, s, to);
	else
		feed_utf8(c, s, to);
}

void
charset_end(struct charset *c, struct buf *to)
{
	int err;

	if (c->method == METHOD_ICONV)
		convert_held(c, to);
	if (c->n_held != 0 && c->method == METHOD_GUESS)
		put_1252(str_of(c->held, c->n_held), to);
	else if (c->n_held != 0)
		utf8_put(to, UTF8_REPLACEMENT);
	c->n_held = 0;
	if (c->method != METHOD_ICONV)
		return;
	/* glibc holds a character back in some encodings, to see whether a mark follows. */
	run_iconv(c, STR_NONE, to, &err);
	iconv(c->cd, NULL, NULL, NULL, NULL);
}

int
charset_to_utf8(struct str name, struct str text, struct buf *to)
{
	OWN(charset) c = NULL;
	int          r = charset_open(name, &c);

	if (r < 0)
		return r;
	charset_feed(c, text, to);
	charset_end(c, to);
	return to->err;
}
