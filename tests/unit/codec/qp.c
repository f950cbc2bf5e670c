/* Tests of codec/qp.h: RFC 2045 s6.7, broken escapes, chunks. */
#include "test.h"

#include "codec/qp.h"

static void
decode(struct str in, size_t step, struct buf *to)
{
	struct qp_decoder d = { .n = 0 };

	for (size_t at = 0; at < in.n; at += step)
		qp_decoder_feed(&d, str_head(str_skip(in, at), step), to);
	qp_decoder_end(&d, to);
}

static void
test_decode(void **state)
{
	static const struct {
		struct str in, want;
	} CASES[] = {
		{ STR("a=3Db"), STR("a=b") },
		{ STR("=c3=A4"), STR("\xc3\xa4") },
		{ STR("soft=\r\nbreak"), STR("softbreak") },
		{ STR("soft=  \t\r\nbreak=\nx"), STR("softbreakx") },
		{ STR("blanks \t \r\nb \n"), STR("blanks\r\nb\n") },
		{ STR("a b\tc"), STR("a b\tc") },
		{ STR("end  "), STR("end") },
		{ STR("end="), STR("end") },
		{ STR("end=A"), STR("end=A") },
		{ STR("=4"), STR("=4") },
		{ STR("=4\r\n=G1=1G=="), STR("=4\r\n=G1=1G=") },
		{ STR("= 41"), STR("= 41") },
		{ STR("=\rx \rx"), STR("=\rx \rx") },
		{ STR("=\r=41"), STR("=\rA") },
		{ STR("a\0b\377"), STR("a\0b\377") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
		for (size_t step = 1; step < 16; step++) {
			OWN_BUF struct buf b = BUF_INIT(100);

			decode(CASES[i].in, step, &b);
			check_str(buf_view(&b), CASES[i].want);
		}
}

static void
test_long_blanks_are_bounded(void **state)
{
	char blanks[1000];

	(void)state;
	memset(blanks, ' ', sizeof(blanks));
	for (size_t step = 1; step < 1000; step += 111) {
		OWN_BUF struct buf b = BUF_INIT(2000);

		decode(str_of(blanks, sizeof(blanks)), step, &b);
		assert_int_equal(b.n, 1000 / QP_HELD * QP_HELD);
	}
}

static void
test_encode(void **state)
{
	OWN_BUF struct buf b = BUF_INIT(1000), back = BUF_INIT(1000);
	char               text[200];

	(void)state;
	qp_encode(STR("a=b\r\nblank \r\n\xc3\xa4\n\rx\ty"), &b);
	check_str(buf_view(&b), STR("a=3Db\r\nblank=20\r\n=C3=A4=0A=0Dx\ty"));
	buf_reset(&b);
	memset(text, 'x', sizeof(text));
	text[74] = '=';
	qp_encode(str_of(text, sizeof(text)), &b);
	for (size_t at = 0, end; at < b.n; at = end + 2) {
		end = at + str_find(str_skip(buf_view(&b), at), STR("\r\n"));
		assert_true(end - at <= 76);
	}
	decode(buf_view(&b), 9, &back);
	check_str(buf_view(&back), str_of(text, sizeof(text)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_long_blanks_are_bounded),
		cmocka_unit_test(test_encode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
