/* Tests of codec/utf8.h: the limits of RFC 3629, replacement, partial ends. */
#include "test.h"

#include "codec/utf8.h"

static void
test_valid(void **state)
{
	static const struct str GOOD[] = { STR(""), STR("plain ascii that is longer than a word"),
		STR("\x7f"), STR("\xc2\x80"), STR("\xdf\xbf"), STR("\xe0\xa0\x80"),
		STR("\xed\x9f\xbf"), STR("\xee\x80\x80"), STR("\xef\xbf\xbf"),
		STR("\xf0\x90\x80\x80"), STR("\xf4\x8f\xbf\xbf"), STR("a\0b") };
	static const struct str BAD[] = { STR("\x80"), STR("\xbf"), STR("\xc0\x80"),
		STR("\xc1\xbf"), STR("\xe0\x9f\xbf"), STR("\xed\xa0\x80"), STR("\xf0\x8f\xbf\xbf"),
		STR("\xf4\x90\x80\x80"), STR("\xf5\x80\x80\x80"), STR("\xff"), STR("\xc2"),
		STR("\xe2\x82"), STR("\xf0\x9f\x92"), STR("\xc2 "), STR("12345678\xe2(\xa1") };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(GOOD); i++)
		assert_true(utf8_valid(GOOD[i]));
	for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
		assert_false(utf8_valid(BAD[i]));
	assert_int_equal(utf8_valid_prefix(STR("ab\xc3\xa4 \xff")), 5);
	assert_true(utf8_is_ascii(STR("0123456789")));
	assert_false(utf8_is_ascii(STR("012345678\x80")));
}

static void
test_sanitize(void **state)
{
	static const struct {
		struct str in, want;
	} CASES[] = {
		{ STR("ok \xc3\xa4"), STR("ok \xc3\xa4") },
		{ STR("\xff\xfe"), STR("\xef\xbf\xbd\xef\xbf\xbd") },
		{ STR("\xe2\x82"), STR("\xef\xbf\xbd") },
		{ STR("\xe2\x82z"), STR("\xef\xbf\xbdz") },
		{ STR("\xed\xa0\x80"), STR("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd") },
		/* Unicode s3.9, table 3-8 */
		{ STR("\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64"),
		    STR("a\ufffd\ufffd\ufffdb\ufffdc\ufffd\ufffdd") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		OWN_BUF struct buf b = BUF_INIT(100);

		utf8_sanitize(CASES[i].in, &b);
		check_str(buf_view(&b), CASES[i].want);
	}
}

static void
test_every_code_point(void **state)
{
	OWN_BUF struct buf b = BUF_INIT(8);

	(void)state;
	for (uint32_t c = 0; c <= 0x110000; c++) {
		bool     real = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
		uint32_t back;

		buf_reset(&b);
		utf8_put(&b, c);
		assert_int_equal(utf8_next(buf_view(&b), &back), b.n);
		assert_int_equal(back, real ? c : UTF8_REPLACEMENT);
		for (size_t cut = 1; cut < b.n; cut++)
			assert_int_equal(utf8_partial(str_head(buf_view(&b), cut)), cut);
		assert_int_equal(utf8_partial(buf_view(&b)), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_sanitize),
		cmocka_unit_test(test_every_code_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
