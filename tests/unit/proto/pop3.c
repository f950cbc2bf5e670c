/* Tests of proto/pop3.h: command lines, byte-stuffing at every split, lines for TOP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/own.h"
#include "proto/pop3.h"

#define assert_str(s, lit)                                                                       \
	do {                                                                                     \
		struct str got_ = (s), want_ = STR(lit);                                         \
		if (!str_eq(got_, want_))                                                        \
			fail_msg("got \"%.*s\", want \"%s\"", STR_ARG(got_), lit);               \
	} while (0)

static void
test_split(void **state)
{
	struct str verb, args;

	(void)state;
	assert_int_equal(pop3_split(STR("RETR 1"), &verb, &args), 0);
	assert_str(verb, "RETR");
	assert_str(args, "1");
	assert_int_equal(pop3_split(STR("PASS  two words "), &verb, &args), 0);
	assert_str(args, " two words ");
	assert_int_equal(pop3_split(STR("QUIT"), &verb, &args), 0);
	assert_str(verb, "QUIT");
	assert_str(args, "");
	assert_int_equal(pop3_split(STR_NONE, &verb, &args), 0);
	assert_int_equal(verb.n, 0);
	assert_int_equal(pop3_split(STR("USER a\0b"), &verb, &args), E_SYNTAX);
	assert_int_equal(pop3_split(STR("USER\ta"), &verb, &args), E_SYNTAX);
	assert_int_equal(pop3_split(STR("USER a\rQUIT"), &verb, &args), E_SYNTAX);
	assert_int_equal(pop3_split(STR("USER \x7f"), &verb, &args), E_SYNTAX);
	assert_int_equal(pop3_split(STR("USER j\xc3\xb6rg"), &verb, &args), 0);
}

static void
test_arguments(void **state)
{
	union pop3_args a;

	(void)state;
	assert_int_equal(pop3_parse_none(STR("  "), &a), 0);
	assert_int_equal(pop3_parse_none(STR("x"), &a), E_SYNTAX);
	assert_int_equal(pop3_parse_name(STR(" ann@x.org "), &a), 0);
	assert_str(a.text, "ann@x.org");
	assert_int_equal(pop3_parse_name(STR(" "), &a), E_SYNTAX);
	assert_int_equal(pop3_parse_name(STR("b\xfc@x"), &a), E_SYNTAX);
	assert_int_equal(pop3_parse_password(STR("b\xfc"), &a), E_SYNTAX);
	assert_int_equal(pop3_parse_word_or_none(STR(" en "), &a), 0);
	assert_true(str_eq(a.text, STR("en")));
	assert_int_equal(pop3_parse_word_or_none(STR(" "), &a), 0);
	assert_int_equal(a.text.n, 0);
	assert_int_equal(pop3_parse_word_or_none(STR("en de"), &a), E_SYNTAX);
	assert_int_equal(pop3_parse_password(STR(" a b "), &a), 0);
	assert_str(a.text, " a b ");
	assert_int_equal(pop3_parse_password(STR_NONE, &a), E_SYNTAX);

	assert_int_equal(pop3_parse_number(STR("17 "), &a), 0);
	assert_int_equal(a.number.n, 17);
	assert_int_equal(pop3_parse_number(STR("0"), &a), 0);
	assert_int_equal(a.number.n, 0);
	assert_int_equal(pop3_parse_number(STR("99999999999999999999999"), &a), 0);
	assert_true(a.number.n == UINT32_MAX);
	assert_int_equal(pop3_parse_number(STR("4294967296"), &a), 0);
	assert_true(a.number.n == UINT32_MAX);
	assert_int_equal(pop3_parse_number(STR(""), &a), E_SYNTAX);
	assert_int_equal(pop3_parse_number(STR("-1"), &a), E_SYNTAX);
	assert_int_equal(pop3_parse_number(STR("+1"), &a), E_SYNTAX);
	assert_int_equal(pop3_parse_number(STR("1 2"), &a), E_SYNTAX);
	assert_int_equal(pop3_parse_number(STR("1x"), &a), E_SYNTAX);
	assert_int_equal(pop3_parse_number_or_none(STR(" "), &a), 0);
	assert_false(a.number.given);
	assert_int_equal(pop3_parse_number_or_none(STR("3"), &a), 0);
	assert_true(a.number.given);

	assert_int_equal(pop3_parse_top(STR("3 0"), &a), 0);
	assert_int_equal(a.top.n, 3);
	assert_true(a.top.lines == 0);
	assert_int_equal(pop3_parse_top(STR("3  99999999999999999999"), &a), 0);
	assert_true(a.top.lines == UINT64_MAX);
	assert_int_equal(pop3_parse_top(STR("3"), &a), E_SYNTAX);
	assert_int_equal(pop3_parse_top(STR("3 -1"), &a), E_SYNTAX);
	assert_int_equal(pop3_parse_top(STR("3 1 1"), &a), E_SYNTAX);

	assert_int_equal(pop3_parse_auth(STR(""), &a), 0);
	assert_int_equal(a.auth.mechanism.n, 0);
	assert_int_equal(pop3_parse_auth(STR("PLAIN"), &a), 0);
	assert_str(a.auth.mechanism, "PLAIN");
	assert_false(a.auth.has_initial);
	assert_int_equal(pop3_parse_auth(STR("PLAIN ="), &a), 0);
	assert_true(a.auth.has_initial);
	assert_str(a.auth.initial, "=");
	assert_int_equal(pop3_parse_auth(STR("PLAIN a b"), &a), E_SYNTAX);
}

/* The whole answer for a message that comes in two or three pieces. */
static void
stuff(struct str in, size_t cut1, size_t cut2, struct buf *to)
{
	struct pop3_stuff s = { 0 };

	buf_reset(to);
	pop3_stuff_put(&s, str_head(in, cut1), to);
	pop3_stuff_put(&s, str_of(in.p + cut1, cut2 - cut1), to);
	pop3_stuff_put(&s, str_skip(in, cut2), to);
	pop3_stuff_end(&s, to);
	assert_int_equal(to->err, 0);
}

/* What a client that knows CRLF only makes of an answer. */
static void
unstuff(struct str wire, struct buf *to)
{
	buf_reset(to);
	for (;;) {
		size_t     n = str_find(wire, STR("\r\n"));
		struct str line = str_head(wire, n);

		assert_true(n < wire.n);
		wire = str_skip(wire, n + 2);
		if (str_eq(line, STR(".")))
			break;
		buf_str(to, str_skip(line, line.n > 0 && line.p[0] == '.' ? 1 : 0));
		buf_str(to, STR("\r\n"));
	}
	assert_int_equal(wire.n, 0);
}

static const struct {
	struct str in, wire;
} STUFFED[] = {
#define V(a, b) { { a, sizeof(a) - 1 }, { b, sizeof(b) - 1 } }
	V("", ".\r\n"),
	V("a", "a\r\n.\r\n"),
	V("a\r\n", "a\r\n.\r\n"),
	V("\r\n", "\r\n.\r\n"),
	V(".", "..\r\n.\r\n"),
	V(".\r\n", "..\r\n.\r\n"),
	V("..\r\n.a\r\n", "...\r\n..a\r\n.\r\n"),
	V("a.\r\n.\r\nb\r\n", "a.\r\n..\r\nb\r\n.\r\n"),
	V("a\r\n\r\n.\r\n", "a\r\n\r\n..\r\n.\r\n"),
	V("a\nb\n", "a\r\nb\r\n.\r\n"),
	V("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
	V("\n\n", "\r\n\r\n.\r\n"),
	V("a\rb\r\n", "a\rb\r\n.\r\n"),
	V("a\r.\r\n", "a\r.\r\n.\r\n"),
	V("a\r", "a\r\r\n.\r\n"),
	V("a\r\r\n", "a\r\r\n.\r\n"),
	V("\r", "\r\r\n.\r\n"),
	V("a\0b\xff\r\n", "a\x80" "b\xff\r\n.\r\n"), V("\0", "\x80\r\n.\r\n"),
	V("\0.\n\0\r\n.\0", "\x80.\r\n\x80\r\n..\x80\r\n.\r\n"),
#undef V
};

static void
test_stuffing(void **state)
{
	OWN_BUF struct buf b = BUF_INIT(65536);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(STUFFED); i++)
		for (size_t one = 0; one <= STUFFED[i].in.n; one++)
			for (size_t two = one; two <= STUFFED[i].in.n; two++) {
				stuff(STUFFED[i].in, one, two, &b);
				if (!str_eq(buf_view(&b), STUFFED[i].wire))
					fail_msg("case %zu cut at %zu and %zu", i, one, two);
			}
}

/* A special byte at any place of a text that is longer than what is looked at together. */
static void
test_stuffing_in_long_lines(void **state)
{
	enum { N = 200 };
	OWN_BUF struct buf got = BUF_INIT(4 * N), want = BUF_INIT(4 * N);
	struct pop3_stuff  s;
	char               in[N];

	(void)state;
	for (size_t at = 0; at + 2 < N; at++) {
		memset(in, '.', sizeof(in));
		in[0] = 'a';
		memcpy(in + at, "\r\n.", 3);
		s = (struct pop3_stuff){ 0 };
		assert_int_equal(pop3_stuff_plain(&s, str_of(in, N)), at + 2);
		stuff(str_of(in, N), at / 2, at, &got);
		buf_reset(&want);
		buf_put(&want, in, at + 2);
		buf_byte(&want, '.');
		buf_put(&want, in + at + 2, N - at - 2);
		buf_str(&want, STR("\r\n.\r\n"));
		assert_true(str_eq(buf_view(&got), buf_view(&want)));
		in[at] = '\n';
		in[at + 1] = 'b';
		s = (struct pop3_stuff){ 0 };
		assert_int_equal(pop3_stuff_plain(&s, str_of(in, N)), at);
	}
}

/* Any text of CRLF lines comes back as it was, and so do its octets. */
static void
test_stuffing_is_undone(void **state)
{
	static const char *const parts[] = { ".", "..", "\r\n", "a", "\r\n.\r\n", "x\ry", ".\r\n" };
	OWN_BUF struct buf       in = BUF_INIT(65536), wire = BUF_INIT(65536);
	OWN_BUF struct buf       back = BUF_INIT(65536);
	unsigned                 seed = 1;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		size_t one, two;

		buf_reset(&in);
		for (int i = 0; i < 12; i++) {
			seed = seed * 1103515245u + 12345u;
			buf_str(&in, str_c(parts[(seed >> 16) % ARRAY_LEN(parts)]));
		}
		buf_str(&in, STR("\r\n"));
		one = (seed >> 8) % in.n;
		two = one + (seed >> 4) % (in.n - one);
		stuff(buf_view(&in), one, two, &wire);
		unstuff(buf_view(&wire), &back);
		assert_true(str_eq(buf_view(&in), buf_view(&back)));
	}
}

static void
test_lines(void **state)
{
	struct str in = STR("one\r\ntwo\nthree");

	(void)state;
	for (size_t cut = 0; cut <= in.n; cut++) {
		static const size_t want[] = { 0, 5, 9, 14, 14 };

		for (uint64_t n = 0; n < ARRAY_LEN(want); n++) {
			uint64_t left = n;
			size_t   got = pop3_take_lines(str_head(in, cut), &left);

			if (got == cut)
				got += pop3_take_lines(str_skip(in, cut), &left);
			assert_int_equal(got, want[n]);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_stuffing),
		cmocka_unit_test(test_stuffing_in_long_lines),
		cmocka_unit_test(test_stuffing_is_undone),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
