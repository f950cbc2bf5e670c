/* Tests of codec/casefold.h: RFC 5051. */
#include "test.h"

#include "codec/casefold.h"
#include "codec/utf8.h"

static void
check(struct str in, struct str want)
{
	OWN_BUF struct buf b = BUF_INIT(1000);

	casefold(in, &b);
	check_str(buf_view(&b), want);
}

static void
test_fold(void **state)
{
	(void)state;
	check(STR("Hello, World 123"), STR("HELLO, WORLD 123"));
	check(STR("\u00e4\u00c4"), STR("A\u0308A\u0308"));
	check(STR("a\u0308"), STR("A\u0308"));
	check(STR("\u03c3\u03c2\u03a3"), STR("\u03a3\u03a3\u03a3"));
	check(STR("\u0436"), STR("\u0416"));
	check(STR("\ufb01"), STR("fi"));       /* the ligature has no titlecase of its own */
	check(STR("\uff21\uff41"), STR("AA")); /* fullwidth letters */
	check(STR("\u01c6"), STR("Dz\u030c")); /* titlecase, then decomposed */
	check(STR("\ud55c"), STR("\ud55c"));   /* Hangul stays whole */
	check(STR("\u00df\u1e9e"), STR("\u1e9e\u1e9e"));
	check(STR("a\xff"), STR("A\ufffd"));
	check(STR(""), STR(""));
}

static void
test_every_character_is_stable(void **state)
{
	(void)state;
	for (uint32_t c = 1; c < 0x20000; c++) {
		OWN_BUF struct buf u = BUF_INIT(200), f = BUF_INIT(200);

		utf8_put(&u, c);
		casefold(buf_view(&u), &f);
		assert_int_equal(f.err, 0);
		assert_true(f.n != 0);
		assert_true(utf8_valid(buf_view(&f)));
	}
}

/* Eight at a time and one at a time give the same. */
static void
test_ascii(void **state)
{
	char text[40], want[40];

	(void)state;
	for (unsigned c = 0; c < 128; c++) {
		for (size_t n = 1; n <= sizeof(text); n++) {
			memset(text, 'q', n);
			memset(want, 'Q', n);
			text[n - 1] = text[n / 2] = (char)c;
			want[n - 1] = want[n / 2] = ascii_upper((char)c);
			check(str_of(text, n), str_of(want, n));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fold),
		cmocka_unit_test(test_ascii),
		cmocka_unit_test(test_every_character_is_stable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
