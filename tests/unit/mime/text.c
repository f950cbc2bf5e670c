/* Tests of mime/text.h: transfer encodings and charsets, in chunks. */
#include "test.h"

#include "mime/text.h"

static void
check(enum mime_encoding encoding, struct str charset, struct str in, struct str want)
{
	for (size_t step = 1; step <= in.n; step++) {
		OWN_BUF struct buf b = BUF_INIT(1000);
		OWN(text_decoder)  d = NULL;

		assert_int_equal(text_decoder_new(encoding, charset, &d), 0);
		for (size_t at = 0; at < in.n; at += step)
			assert_int_equal(
			    text_decoder_feed(d, str_head(str_skip(in, at), step), &b), 0);
		assert_int_equal(text_decoder_end(d, &b), 0);
		check_str(buf_view(&b), want);
	}
}

static void
test_text(void **state)
{
	(void)state;
	check(ENCODING_7BIT, STR(""), STR("plain\r\n"), STR("plain\r\n"));
	check(ENCODING_8BIT, STR("ISO-8859-1"), STR("\xe4=41"), STR("\u00e4=41"));
	check(ENCODING_QP, STR("iso-8859-1"), STR("=E4 =\r\nx \r\n"), STR("\u00e4 x\r\n"));
	check(ENCODING_BASE64, STR("utf-8"), STR("w6TD\r\npGE="), STR("\u00e4\u00e4a"));
	check(ENCODING_BASE64, STR("utf-16le"), STR("5QBBAA"), STR("\u00e5A"));
	check(ENCODING_QP, STR("utf-8"), STR("=C3=A4=C3"), STR("\u00e4\ufffd"));
	check(ENCODING_QP, STR("nonsense"), STR("=C3=A4=E4"), STR("\u00e4\u00e4"));
	check(ENCODING_UNKNOWN, STR("utf-8"), STR("begin 644 x"), STR("begin 644 x"));
	check(ENCODING_QP, STR("iso-2022-jp"), STR("=1B$BF|=1B(B"), STR("\u65e5"));
}

static void
test_transfer(void **state)
{
	OWN_BUF struct buf b = BUF_INIT(100);

	(void)state;
	assert_int_equal(text_decode_transfer(ENCODING_BASE64, STR("AP8=\r\n"), &b), 0);
	check_str(buf_view(&b), STR("\0\xff"));
	buf_reset(&b);
	assert_int_equal(text_decode_transfer(ENCODING_QP, STR("=00=FF"), &b), 0);
	check_str(buf_view(&b), STR("\0\xff"));
	buf_reset(&b);
	assert_int_equal(text_decode_transfer(ENCODING_BINARY, STR("=00"), &b), 0);
	check_str(buf_view(&b), STR("=00"));
}

static void
test_bounded(void **state)
{
	OWN_BUF struct buf b = BUF_INIT(1000);
	OWN(text_decoder)  d = NULL;
	char               zeros[5000];

	(void)state;
	memset(zeros, 'A', sizeof(zeros));
	assert_int_equal(text_decoder_new(ENCODING_BASE64, STR("utf-8"), &d), 0);
	assert_int_equal(text_decoder_feed(d, str_of(zeros, sizeof(zeros)), &b), E_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_transfer),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
