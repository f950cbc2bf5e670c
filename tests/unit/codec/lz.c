/* Tests of codec/lz.h: there and back, and blocks that are none. */
#include "test.h"

#include "base/error.h"
#include "codec/lz.h"

static void
there_and_back(struct str s)
{
	OWN_BUF struct buf packed = BUF_INIT(1 << 20), plain = BUF_INIT(1 << 20);

	assert_int_equal(lz_pack(s, &packed), 0);
	buf_str(&plain, STR("before"));
	assert_int_equal(lz_unpack(buf_view(&packed), s.n, &plain), 0);
	assert_true(str_eq(str_skip(buf_view(&plain), 6), s));
	assert_int_equal(lz_unpack(buf_view(&packed), s.n + 1, &plain), E_CORRUPT);
	if (s.n != 0)
		assert_int_equal(lz_unpack(buf_view(&packed), s.n - 1, &plain), E_CORRUPT);
	assert_int_equal(plain.n, 6 + s.n);
}

static void
test_there_and_back(void **state)
{
	char text[50000];

	(void)state;
	there_and_back(STR(""));
	there_and_back(STR("x"));
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i % 251 * (i / 997));
	there_and_back(str_of(text, sizeof(text)));
	memset(text, 'a', sizeof(text));
	there_and_back(str_of(text, sizeof(text)));
}

static void
test_damaged(void **state)
{
	OWN_BUF struct buf packed = BUF_INIT(1 << 20), plain = BUF_INIT(1 << 20);
	char               text[5000];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i % 7 * (i / 100));
	assert_int_equal(lz_pack(str_of(text, sizeof(text)), &packed), 0);
	for (size_t n = 0; n < packed.n; n++)
		assert_int_equal(
		    lz_unpack(str_of(packed.p, n), sizeof(text), &plain), E_CORRUPT);
	for (size_t i = 0; i < packed.n; i++) {
		buf_reset(&plain);
		packed.p[i] = (char)~packed.p[i];
		(void)lz_unpack(buf_view(&packed), sizeof(text), &plain);
		packed.p[i] = (char)~packed.p[i];
	}
	assert_int_equal(lz_unpack(STR("x"), (size_t)LZ_MAX + 1, &plain), E_CORRUPT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
