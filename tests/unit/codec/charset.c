/* Tests of codec/charset.h: names, substitution, chunks. */
#include "test.h"

#include "codec/charset.h"
#include "codec/utf8.h"

static void
check_in_steps(struct str name, struct str in, struct str want, size_t most)
{
	for (size_t step = 1; step <= most; step++) {
		OWN_BUF struct buf b = BUF_INIT(50000);
		OWN(charset)       c = NULL;

		assert_int_equal(charset_open(name, &c), 0);
		for (size_t at = 0; at < in.n; at += step)
			charset_feed(c, str_head(str_skip(in, at), step), &b);
		charset_end(c, &b);
		check_str(buf_view(&b), want);
	}
}

static void
check(struct str name, struct str in, struct str want)
{
	check_in_steps(name, in, want, in.n + 1);
}

static void
test_names(void **state)
{
	static const struct {
		struct str name, in, want;
	} CASES[] = {
		{ STR("utf-8"), STR("\xc3\xa4\xe2\x82\xac"), STR("\u00e4\u20ac") },
		{ STR("UTF8"), STR("a"), STR("a") },
		{ STR("ISO-8859-1"), STR("\xe4\x80"), STR("\u00e4\u20ac") },
		{ STR(" latin1 "), STR("\xe4"), STR("\u00e4") },
		{ STR("iso-8859-15"), STR("\xa4"), STR("\u20ac") },
		{ STR("koi8-r"), STR("\xf0\xd2"), STR("\u041f\u0440") },
		{ STR("windows-1251"), STR("\xcf"), STR("\u041f") },
		{ STR("x-cp1251"), STR("\xcf"), STR("\u041f") },
		{ STR("win-1251"), STR("\xcf"), STR("\u041f") },
		{ STR("windows1251"), STR("\xcf"), STR("\u041f") },
		{ STR("cp-850"), STR("\x84"), STR("\u00e4") },
		{ STR("ks_c_5601-1987"), STR("\xc7\xd1\x8c\x63"), STR("\ud55c\ub620") },
		{ STR("x-sjis"), STR("\x93\xfa\x87\x40"), STR("\u65e5\u2460") },
		{ STR("Shift_JIS"), STR("\x93\xfa"), STR("\u65e5") },
		{ STR("iso-2022-jp"), STR("a\x1b$BF|\x1b(Bb"), STR("a\u65e5b") },
		{ STR("euc-jp"), STR("\xc6\xfc"), STR("\u65e5") },
		{ STR("gb2312"), STR("\xc8\xd5\x81\x40"), STR("\u65e5\u4e02") },
		{ STR("x-gbk"), STR("\xc8\xd5"), STR("\u65e5") },
		{ STR("big5"), STR("\xa4\xe9"), STR("\u65e5") },
		{ STR("utf-7"), STR("+ZeU-x"), STR("\u65e5x") },
		{ STR("utf-16"), STR("\xfe\xff\x65\xe5"), STR("\u65e5") },
		{ STR("utf-16le"), STR("\xe5\x65\x3d\xd8\xc6\xdc"), STR("\u65e5\U0001f4c6") },
		{ STR("tis-620"), STR("\xa1"), STR("\u0e01") },
		{ STR("iso-8859-8-i"), STR("\xe0"), STR("\u05d0") },
		{ STR("cp1258"), STR("a\xec"), STR("\u00e1") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
		check(CASES[i].name, CASES[i].in, CASES[i].want);
}

static void
test_bad_bytes_become_replacements(void **state)
{
	(void)state;
	check(STR("utf-8"), STR("a\xff\xe2\x82z\xc3"), STR("a\ufffd\ufffdz\ufffd"));
	check(STR("shift_jis"), STR("a\x81"), STR("a\ufffd"));
	check(STR("euc-jp"), STR("\xc6\x20x\xff"), STR("\ufffd x\ufffd"));
	check(STR("utf-16be"), STR("\xd8\x3d\x00\x61\x65"), STR("\ufffda\ufffd"));
	check(STR("iso-2022-jp"), STR("\x1b$B"), STR(""));
}

static void
test_guess(void **state)
{
	(void)state;
	check(STR(""), STR("\xc3\xa4\xe4\x80"), STR("\u00e4\u00e4\u20ac"));
	check(STR("us-ascii"), STR("na\xefve"), STR("na\u00efve"));
	check(STR("unknown-8bit"), STR("\xe2\x82\xac\xe2\x82"), STR("\u20ac\u00e2\u201a"));
}

static void
test_unknown_names(void **state)
{
	static const struct str BAD[] = { STR("nonsense"), STR("utf-8//IGNORE"), STR("utf-16,x"),
		STR("internal"), STR("WCHAR_T"), STR("a\0b"), STR("../../x"), STR("cp-"),
		STR("cp-99999999"),
		STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
		STR("\xff") };
	struct charset *c = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
		if (charset_open(BAD[i], &c) != E_UNSUPPORTED)
			fail_msg("taken: %.*s", STR_ARG(BAD[i]));
	assert_null(c);
}

/* Text that looks like UTF-7, with halves of pairs and stray bits, longer than a block. */
static void
test_bad_utf7_in_chunks(void **state)
{
	static const char  LETTERS[] = "+++--B6U2AU3A,a /=";
	OWN_BUF struct buf m = BUF_INIT(5000), whole = BUF_INIT(50000);
	uint32_t           x = 3;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		x = x * 1664525 + 1013904223;
		buf_byte(&m, LETTERS[x / 65536 % (sizeof(LETTERS) - 1)]);
	}
	assert_int_equal(charset_to_utf8(STR("utf-7"), buf_view(&m), &whole), 0);
	check_in_steps(STR("utf-7"), buf_view(&m), buf_view(&whole), 40);
}

static void
test_any_bytes_give_utf8(void **state)
{
	static const struct str NAMES[] = { STR(""), STR("utf-8"), STR("windows-1252"),
		STR("gb18030"), STR("iso-2022-jp"), STR("iso-2022-kr"), STR("iso-2022-cn"),
		STR("hz"), STR("utf-7"), STR("utf-16"), STR("utf-32"), STR("big5"), STR("euc-tw"),
		STR("shift_jis"), STR("cp1255"), STR("tcvn"), STR("johab") };
	char     noise[700];
	uint32_t x = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(noise); i++) {
		x = x * 1664525 + 1013904223;
		noise[i] = (char)(x >> (i % 3 == 0 ? 24 : 20));
		if (i % 17 == 0)
			noise[i] = "\x1b$~+\x0e"[x % 5];
	}
	for (size_t k = 0; k < ARRAY_LEN(NAMES); k++) {
		OWN_BUF struct buf whole = BUF_INIT(10000);

		if (charset_to_utf8(NAMES[k], str_of(noise, sizeof(noise)), &whole) ==
		    E_UNSUPPORTED)
			continue;
		assert_true(utf8_valid(buf_view(&whole)));
		check_in_steps(NAMES[k], str_of(noise, sizeof(noise)), buf_view(&whole), 8);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bad_bytes_become_replacements),
		cmocka_unit_test(test_guess),
		cmocka_unit_test(test_unknown_names),
		cmocka_unit_test(test_bad_utf7_in_chunks),
		cmocka_unit_test(test_any_bytes_give_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
