/*
 * Fuzzes proto/pop3.h. The first two bytes say where the rest is cut. The rest is read as command
 * lines, and as a message that must come back out of its answer.
 */

#include "fuzz.h"

#include "base/own.h"
#include "codec/bare.h"
#include "proto/pop3.h"

static pop3_parse_fn *const PARSERS[] = { pop3_parse_none, pop3_parse_any, pop3_parse_name,
	pop3_parse_password, pop3_parse_auth, pop3_parse_number, pop3_parse_number_or_none,
	pop3_parse_top, pop3_parse_word_or_none };

static void
is_inside(struct str part, struct str whole)
{
	hold(part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n));
}

static void
parse_lines(struct str in)
{
	while (in.n > 0) {
		struct str      line = str_cut(&in, '\n'), verb, args;
		union pop3_args a;

		if (pop3_split(line, &verb, &args) < 0)
			continue;
		is_inside(verb, line);
		is_inside(args, line);
		for (size_t i = 0; i < ARRAY_LEN(PARSERS); i++)
			(void)PARSERS[i](args, &a);
		if (pop3_parse_auth(args, &a) == 0) {
			is_inside(a.auth.mechanism, line);
			is_inside(a.auth.initial, line);
		}
	}
}

/* The same text with CRLF wherever a line ends, and at its end, and without NUL. */
static void
canonical(struct str in, struct buf *to)
{
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '\n' && (i == 0 || in.p[i - 1] != '\r'))
			buf_byte(to, '\r');
		buf_byte(to, in.p[i] != '\0' ? in.p[i] : '\x80');
	}
	if (in.n > 0 && in.p[in.n - 1] != '\n')
		buf_str(to, STR("\r\n"));
}

static void
unstuff(struct str wire, struct buf *to)
{
	for (;;) {
		size_t     n = str_find(wire, STR("\r\n"));
		struct str line = str_head(wire, n);

		hold(n < wire.n);
		wire = str_skip(wire, n + 2);
		if (str_eq(line, STR(".")))
			break;
		buf_str(to, str_skip(line, line.n > 0 && line.p[0] == '.' ? 1 : 0));
		buf_str(to, STR("\r\n"));
	}
	hold(wire.n == 0);
}

static void
send_message(struct str in, size_t one, size_t two)
{
	OWN_BUF struct buf wire = BUF_INIT(4 << 20), back = BUF_INIT(4 << 20);
	OWN_BUF struct buf want = BUF_INIT(4 << 20);
	struct pop3_stuff  s = { 0 };

	pop3_stuff_put(&s, str_head(in, one), &wire);
	pop3_stuff_put(&s, str_of(in.p + one, two - one), &wire);
	pop3_stuff_put(&s, str_skip(in, two), &wire);
	pop3_stuff_end(&s, &wire);
	unstuff(buf_view(&wire), &back);
	canonical(in, &want);
	hold(str_eq(buf_view(&back), buf_view(&want)));
	/* The size that LIST tells. */
	hold(want.n == in.n + bare_lf_count(in, '\n') +
	    (in.n > 0 && in.p[in.n - 1] != '\n' ? 2 : 0));
}

static void
take_lines(struct str in, size_t cut, uint64_t lines)
{
	uint64_t left = lines, whole_left = lines;
	size_t   whole = pop3_take_lines(in, &whole_left);
	size_t   got = pop3_take_lines(str_head(in, cut), &left);

	if (got == cut)
		got += pop3_take_lines(str_skip(in, cut), &left);
	hold(got == whole && left == whole_left);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in;
	size_t     one, two;

	if (size < 3 || size > 1 << 20)
		return 0;
	in = str_of((const char *)data + 2, size - 2);
	one = data[0] % (in.n + 1);
	two = one + data[1] % (in.n - one + 1);
	parse_lines(in);
	send_message(in, one, two);
	take_lines(in, one, data[1]);
	return 0;
}
