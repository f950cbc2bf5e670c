/* Tests of codec/mutf7.h: the examples of RFC 3501 s5.1.3, and what it forbids. */
#include "test.h"

#include "codec/mutf7.h"

static void
test_pairs(void **state)
{
	static const struct {
		struct str wire, utf8;
	} CASES[] = {
		{ STR("INBOX"), STR("INBOX") },
		{ STR("~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
		    STR("~peter/mail/\u53f0\u5317/\u65e5\u672c\u8a9e") },
		{ STR("&U,BTF2XlZyyKng-"), STR("\u53f0\u5317\u65e5\u672c\u8a9e") },
		{ STR("Tom &- Jerry"), STR("Tom & Jerry") },
		{ STR("Entw&APw-rfe"), STR("Entw\u00fcrfe") },
		{ STR("&2D3cxg-"), STR("\U0001f4c6") },
		{ STR("&AOQ-&-&AOQ-"), STR("\u00e4&\u00e4") },
		{ STR("&AAk-"), STR("\t") },
		{ STR("&AH8-"), STR("\x7f") },
		{ STR(""), STR("") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		OWN_BUF struct buf a = BUF_INIT(100), b = BUF_INIT(100);

		assert_int_equal(mutf7_to_utf8(CASES[i].wire, &a), 0);
		check_str(buf_view(&a), CASES[i].utf8);
		mutf7_from_utf8(CASES[i].utf8, &b);
		check_str(buf_view(&b), CASES[i].wire);
	}
}

static void
test_refused(void **state)
{
	static const struct str BAD[] = {
		STR("&Jjo!"),                /* no shift back */
		STR("&Jjo"),                 /* ends shifted */
		STR("&U,BTFw-&ZeVnLIqe-"),   /* superfluous shift */
		STR("&AGE-"),                /* 'a' stands for itself */
		STR("&ACY-"),                /* '&' has its own form */
		STR("&"), STR("a&"),
		STR("&AOR-"),                /* stray bits */
		STR("&AOQA-"),               /* a whole stray sextet */
		STR("&A-"), STR("&2D0-"),    /* half a unit, half a pair */
		STR("&3MY-"), STR("&2D0AOQ-"),
		STR("&AO/-"),                /* '/' is not in this alphabet */
		STR("&AO=-"),
		STR("\303\244"), STR("a\tb"), STR("a\0b"), STR("\x7f"),
	};
	OWN_BUF struct buf b = BUF_INIT(100);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
		assert_int_equal(mutf7_to_utf8(BAD[i], &b), E_SYNTAX);
		assert_int_equal(b.n, 0);
	}
}

static void
test_every_character_there_and_back(void **state)
{
	(void)state;
	for (uint32_t c = 1; c < 0x30000; c += c < 0x900 ? 1 : 251) {
		OWN_BUF struct buf u = BUF_INIT(100), w = BUF_INIT(100), back = BUF_INIT(100);

		if (c >= 0xd800 && c < 0xe000)
			continue;
		buf_byte(&u, 'x');
		for (int i = 0; i < 3; i++) {
			char     bytes[4];
			unsigned n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
			uint32_t v = c;

			for (unsigned k = n - 1; k > 0; k--, v >>= 6)
				bytes[k] = (char)(0x80 | (v & 0x3f));
			bytes[0] = (char)(n == 1 ? v : (0xf00u >> n & 0xff) | v);
			buf_put(&u, bytes, n);
		}
		mutf7_from_utf8(buf_view(&u), &w);
		assert_int_equal(mutf7_to_utf8(buf_view(&w), &back), 0);
		check_str(buf_view(&back), buf_view(&u));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_every_character_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
