#include "proto/pop3.h"

#include "base/error.h"
#include "codec/utf8.h"

/* --- commands --- */

static struct str
skip_blanks(struct str s)
{
	while (s.n > 0 && s.p[0] == ' ')
		s = str_skip(s, 1);
	return s;
}

static struct str
trim_blanks(struct str s)
{
	s = skip_blanks(s);
	while (s.n > 0 && s.p[s.n - 1] == ' ')
		s.n--;
	return s;
}

/* Takes the next word off; empty when there is none. */
static struct str
cut_word(struct str *s)
{
	struct str word;

	*s = skip_blanks(*s);
	word = str_head(*s, str_find_byte(*s, ' '));
	*s = skip_blanks(str_skip(*s, word.n));
	return word;
}

int
pop3_split(struct str line, struct str *ret_verb, struct str *ret_args)
{
	size_t blank = str_find_byte(line, ' ');

	for (size_t i = 0; i < line.n; i++)
		if ((unsigned char)line.p[i] < ' ' || line.p[i] == 0x7f)
			return E_SYNTAX;
	*ret_verb = str_head(line, blank);
	*ret_args = str_skip(line, blank + 1);
	return 0;
}

int
pop3_parse_none(struct str args, union pop3_args *ret)
{
	*ret = (union pop3_args){ 0 };
	return trim_blanks(args).n == 0 ? 0 : E_SYNTAX;
}

int
pop3_parse_any(struct str args, union pop3_args *ret)
{
	ret->text = args;
	return 0;
}

int
pop3_parse_name(struct str args, union pop3_args *ret)
{
	struct str name = trim_blanks(args);

	if (name.n == 0 || !utf8_valid(name))
		return E_SYNTAX;
	ret->text = name;
	return 0;
}

/* RFC 1939 s7 (PASS): there is one argument, so that blanks may be part of it. */
int
pop3_parse_password(struct str args, union pop3_args *ret)
{
	if (args.n == 0 || !utf8_valid(args))
		return E_SYNTAX;
	ret->text = args;
	return 0;
}

int
pop3_parse_word_or_none(struct str args, union pop3_args *ret)
{
	struct str word = cut_word(&args);

	if (args.n != 0)
		return E_SYNTAX;
	ret->text = word;
	return 0;
}

int
pop3_parse_auth(struct str args, union pop3_args *ret)
{
	struct pop3_auth a = { .mechanism = cut_word(&args) };

	a.initial = cut_word(&args);
	a.has_initial = a.initial.n != 0;
	if (args.n != 0)
		return E_SYNTAX;
	ret->auth = a;
	return 0;
}

/* Digits only; what does not fit is `max`. */
static int
read_number(struct str s, uint64_t max, uint64_t *ret)
{
	uint64_t v;

	if (s.n == 0)
		return E_SYNTAX;
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_digit(s.p[i]))
			return E_SYNTAX;
	if (str_to_u64(s, &v) < 0 || v > max)
		v = max;
	*ret = v;
	return 0;
}

int
pop3_parse_number_or_none(struct str args, union pop3_args *ret)
{
	struct str word = cut_word(&args);
	uint64_t   n = 0;

	if (args.n != 0 || (word.n != 0 && read_number(word, UINT32_MAX, &n) < 0))
		return E_SYNTAX;
	ret->number = (struct pop3_number){ .given = word.n != 0, .n = (uint32_t)n };
	return 0;
}

int
pop3_parse_number(struct str args, union pop3_args *ret)
{
	union pop3_args got;
	int             r = pop3_parse_number_or_none(args, &got);

	if (r < 0 || !got.number.given)
		return E_SYNTAX;
	*ret = got;
	return 0;
}

int
pop3_parse_top(struct str args, union pop3_args *ret)
{
	struct str one = cut_word(&args), two = cut_word(&args);
	uint64_t   n, lines;

	if (args.n != 0 || read_number(one, UINT32_MAX, &n) < 0 ||
	    read_number(two, UINT64_MAX, &lines) < 0)
		return E_SYNTAX;
	ret->top = (struct pop3_top){ .n = (uint32_t)n, .lines = lines };
	return 0;
}

/* --- a message on the wire --- */

/* Bytes that are looked at together: one of the processor's vectors, as gcc and clang spell it. */
typedef signed char lanes __attribute__((vector_size(16)));
enum { LANES = sizeof(lanes), BLOCK = 4 * LANES };

/* A bare LF, a dot that begins a line, or NUL; of one byte, or of each lane. */
#define IS_SPECIAL(before, c)                                                                    \
	((((c) == '\n') & ((before) != '\r')) | (((c) == '.') & ((before) == '\n')) |            \
	    ((c) == '\0'))

/* p[-1] is there. */
static inline lanes
specials(const char *p)
{
	lanes before, c;

	memcpy(&before, p - 1, LANES);
	memcpy(&c, p, LANES);
	return IS_SPECIAL(before, c);
}

/* Is one of p[0] to p[BLOCK - 1] special? */
static inline bool
any_special(const char *p)
{
	const lanes any = specials(p) | specials(p + LANES) | specials(p + 2 * LANES) |
	                  specials(p + 3 * LANES);
	uint64_t    half[2];

	memcpy(half, &any, sizeof(half));
	return (half[0] | half[1]) != 0;
}

/* The first byte from `at` on (at least 1) that does not go as it is, or n. */
static size_t
find_special(const char *p, size_t at, size_t n)
{
	while (n - at >= BLOCK && !any_special(p + at))
		at += BLOCK;
	while (at < n && !IS_SPECIAL(p[at - 1], p[at]))
		at++;
	return at;
}

size_t
pop3_stuff_plain(struct pop3_stuff *s, struct str piece)
{
	const char before = !s->in_line ? '\n' : s->after_cr ? '\r' : ' ';
	size_t     n;

	if (piece.n == 0 || IS_SPECIAL(before, piece.p[0]))
		return 0;
	n = find_special(piece.p, 1, piece.n);
	s->in_line = piece.p[n - 1] != '\n';
	s->after_cr = piece.p[n - 1] == '\r';
	return n;
}

void
pop3_stuff_put(struct pop3_stuff *s, struct str piece, struct buf *to)
{
	for (;;) {
		size_t n = pop3_stuff_plain(s, piece);

		buf_put(to, piece.p, n);
		piece = str_skip(piece, n);
		if (piece.n == 0)
			return;
		*s = (struct pop3_stuff){ .in_line = piece.p[0] != '\n' };
		buf_str(to, piece.p[0] == '\n'  ? STR("\r\n")
		            : piece.p[0] == '.' ? STR("..")
		                                : STR("\x80"));
		piece = str_skip(piece, 1);
	}
}

void
pop3_stuff_end(struct pop3_stuff *s, struct buf *to)
{
	buf_str(to, s->in_line ? STR("\r\n.\r\n") : STR(".\r\n"));
	*s = (struct pop3_stuff){ 0 };
}

size_t
pop3_take_lines(struct str piece, uint64_t *lines)
{
	size_t at = 0;

	while (*lines > 0 && at < piece.n) {
		size_t lf = at + str_find_byte(str_skip(piece, at), '\n');

		if (lf == piece.n)
			return piece.n;
		--*lines;
		at = lf + 1;
	}
	return at;
}
