#include "mime/lex.h"

enum { ATOM = 1, TOKEN = 2, BLANK = 4 };

#define A (ATOM | TOKEN)

/* RFC 5322 s3.2.3 (atext), RFC 2045 s5.1 (token), RFC 6532 s3.2 (8-bit bytes). */
static const uint8_t CLASS[256] = {
	['\t'] = BLANK, ['\n'] = BLANK, ['\r'] = BLANK, [' '] = BLANK,
	['!'] = A, ['#'] = A, ['$'] = A, ['%'] = A, ['&'] = A, ['\''] = A, ['*'] = A, ['+'] = A,
	['-'] = A, ['.'] = TOKEN, ['/'] = ATOM, ['='] = ATOM, ['?'] = ATOM, ['^'] = A, ['_'] = A,
	['`'] = A, ['{'] = A, ['|'] = A, ['}'] = A, ['~'] = A,
	['0' ... '9'] = A, ['A' ... 'Z'] = A, ['a' ... 'z'] = A, [0x80 ... 0xff] = A,
};

static inline bool
is(char c, uint8_t class)
{
	return (CLASS[(unsigned char)c] & class) != 0;
}

static struct str
take_class(struct str *s, uint8_t class)
{
	size_t     n = 0;
	struct str word;

	while (n < s->n && is(s->p[n], class))
		n++;
	word = str_head(*s, n);
	*s = str_skip(*s, n);
	return word;
}

/* *s begins with '('. */
static bool
take_comment(struct str *s, struct str *ret)
{
	size_t depth = 0;

	for (size_t i = 0; i < s->n; i++) {
		char c = s->p[i];

		if (c == '\\') {
			i++;
		} else if (c == '(') {
			depth++;
		} else if (c == ')' && --depth == 0) {
			*ret = str_of(s->p + 1, i - 1);
			*s = str_skip(*s, i + 1);
			return true;
		}
	}
	*s = str_skip(*s, s->n);
	return false;
}

bool
lex_cfws(struct str *s, struct str *ret_comment)
{
	struct str comment = STR_NONE;

	for (;;) {
		take_class(s, BLANK);
		if (!lex_peek(*s, '('))
			return true;
		if (!take_comment(s, &comment))
			return false;
		if (ret_comment != NULL)
			*ret_comment = comment;
	}
}

struct str
lex_atom(struct str *s)
{
	return take_class(s, ATOM);
}

struct str
lex_dot_atom(struct str *s)
{
	size_t     n = 0;
	struct str word;

	while (n < s->n && (is(s->p[n], ATOM) || s->p[n] == '.'))
		n++;
	word = str_head(*s, n);
	*s = str_skip(*s, n);
	return word;
}

struct str
lex_token(struct str *s)
{
	return take_class(s, TOKEN);
}

static bool
take_until(struct str *s, char end, struct str *ret)
{
	for (size_t i = 1; i < s->n; i++) {
		if (s->p[i] == '\\') {
			i++;
		} else if (s->p[i] == end) {
			*ret = str_of(s->p + 1, i - 1);
			*s = str_skip(*s, i + 1);
			return true;
		}
	}
	*s = str_skip(*s, s->n);
	return false;
}

bool
lex_quoted(struct str *s, struct str *ret)
{
	return take_until(s, '"', ret);
}

bool
lex_literal(struct str *s, struct str *ret)
{
	struct str inside;
	const char *start = s->p;

	if (!take_until(s, ']', &inside))
		return false;
	*ret = str_of(start, inside.n + 2);
	return true;
}

void
lex_put_unquoted(struct str raw, struct buf *to)
{
	while (raw.n != 0) {
		size_t n = 0;

		while (n < raw.n && raw.p[n] != '\\' && raw.p[n] != '\r' && raw.p[n] != '\n')
			n++;
		buf_str(to, str_head(raw, n));
		raw = str_skip(raw, n);
		if (raw.n > 1 && raw.p[0] == '\\') {
			buf_byte(to, raw.p[1]);
			raw = str_skip(raw, 2);
		} else {
			raw = str_skip(raw, 1);
		}
	}
}
