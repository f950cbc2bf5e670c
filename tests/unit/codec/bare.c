/* Tests of codec/bare.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/bare.h"

static void
test_cases(void **state)
{
	(void)state;
	assert_int_equal(bare_lf_count(STR_NONE, 'x'), 0);
	assert_int_equal(bare_lf_count(STR("\n"), '\r'), 0);
	assert_int_equal(bare_lf_count(STR("\n"), '\n'), 1);
	assert_int_equal(bare_lf_count(STR("\n\n\r\n\r"), 0), 2);
}

/* At every place, in texts of every length around a step, beside a loop that cannot be wrong. */
static void
test_like_a_loop(void **state)
{
	static const char bytes[] = "\n\r\nx.";
	char              text[400];
	uint32_t          seed = 1;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		size_t n = round % sizeof(text), want = 0;
		char   before = bytes[round % 5], last = before;

		for (size_t i = 0; i < n; i++) {
			seed = seed * 1664525 + 1013904223;
			text[i] = seed >> 30 == 0 || round % 3 == 0 ? bytes[(seed >> 16) % 5] : 'x';
			want += text[i] == '\n' && last != '\r';
			last = text[i];
		}
		assert_int_equal(bare_lf_count(str_of(text, n), before), want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_like_a_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
