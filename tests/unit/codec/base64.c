/* Tests of codec/base64.h: the vectors of RFC 4648 s10, strictness, chunks. */
#include "test.h"

#include "codec/base64.h"

static void
test_rfc4648_vectors(void **state)
{
	static const struct str PLAIN[] = { STR(""), STR("f"), STR("fo"), STR("foo"), STR("foob"),
		STR("fooba"), STR("foobar") };
	static const struct str CODED[] = { STR(""), STR("Zg=="), STR("Zm8="), STR("Zm9v"),
		STR("Zm9vYg=="), STR("Zm9vYmE="), STR("Zm9vYmFy") };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(PLAIN); i++) {
		OWN_BUF struct buf b = BUF_INIT(100), c = BUF_INIT(100);

		base64_encode(PLAIN[i], &b);
		check_str(buf_view(&b), CODED[i]);
		assert_int_equal(base64_decode(CODED[i], &c), 0);
		check_str(buf_view(&c), PLAIN[i]);
	}
}

static void
test_all_bytes_there_and_back(void **state)
{
	char all[256];

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (char)(i * 167 + 13);
	for (size_t n = 0; n <= 256; n++) {
		OWN_BUF struct buf b = BUF_INIT(1000), c = BUF_INIT(1000);

		base64_encode(str_of(all, n), &b);
		assert_int_equal(base64_decode(buf_view(&b), &c), 0);
		check_str(buf_view(&c), str_of(all, n));
	}
}

static void
test_strict_refuses(void **state)
{
	static const struct str BAD[] = { STR("Zg"), STR("Zg="), STR("Zg==\n"), STR("Zh=="),
		STR("Zm9="), STR("Z==="), STR("===="), STR("=Zm8"), STR("Zm=8"), STR("Zg==Zg=="),
		STR("Zm-v"), STR(" Zm9v"), STR("Zm9v\0\0\0\0"), STR("*") };
	OWN_BUF struct buf b = BUF_INIT(100);

	(void)state;
	buf_str(&b, STR("before"));
	for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
		assert_int_equal(base64_decode(BAD[i], &b), E_SYNTAX);
		check_str(buf_view(&b), STR("before"));
	}
}

static void
test_full_buffer_is_an_error(void **state)
{
	OWN_BUF struct buf b = BUF_INIT(5);

	(void)state;
	assert_int_equal(base64_decode(STR("Zm9vYmFy"), &b), E_LIMIT);
}

static void
lenient(struct str in, size_t step, struct buf *to)
{
	struct base64_decoder d = { 0 };

	for (size_t at = 0; at < in.n; at += step)
		base64_decoder_feed(&d, str_head(str_skip(in, at), step), to);
	base64_decoder_end(&d, to);
}

static void
test_lenient_in_chunks(void **state)
{
	static const struct {
		struct str in, want;
	} CASES[] = {
		{ STR("Zm9v\r\nYmFy\r\n"), STR("foobar") },
		{ STR("Zm9vYmE"), STR("fooba") },
		{ STR("Zg==Zm8=Zm9v"), STR("ffofoo") },
		{ STR("Z m*9-v!\0\377YmFy"), STR("foobar") },
		{ STR("===="), STR("") },
		{ STR("Z"), STR("") },
		{ STR("Z=Zm9v"), STR("foo") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
		for (size_t step = 1; step <= 14; step++) {
			OWN_BUF struct buf b = BUF_INIT(100);

			lenient(CASES[i].in, step, &b);
			check_str(buf_view(&b), CASES[i].want);
		}
}

static void
test_lines(void **state)
{
	OWN_BUF struct buf b = BUF_INIT(1000), c = BUF_INIT(1000);
	char               zero[58] = { 0 };

	(void)state;
	base64_encode_lines(str_of(zero, 58), &b);
	assert_int_equal(b.n, 76 + 2 + 4 + 2);
	assert_memory_equal(b.p + 76, "\r\nAA==\r\n", 8);
	lenient(buf_view(&b), 7, &c);
	assert_int_equal(c.n, 58);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc4648_vectors),
		cmocka_unit_test(test_all_bytes_there_and_back),
		cmocka_unit_test(test_strict_refuses),
		cmocka_unit_test(test_full_buffer_is_an_error),
		cmocka_unit_test(test_lenient_in_chunks),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
