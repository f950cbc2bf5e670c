/* Tests of main/when: times as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/error.h"
#include "main/when.h"

#define NOW  1795334400000ll /* 2026-11-22 08:00:00 */
#define HOUR 3600000ll

static void
test_times(void **state)
{
	static const struct {
		const char *text;
		int64_t     ms; /* -1: refused */
	} CASES[] = {
		{ "2h", NOW - 2 * HOUR }, { "3d", NOW - 72 * HOUR }, { "90m", NOW - 3 * HOUR / 2 },
		{ "45s", NOW - 45000 }, { "2w", NOW - 336 * HOUR }, { "0h", NOW },
		{ " 2h\n", NOW - 2 * HOUR }, { "99999999999999999d", 0 },
		{ "18446744073709551615w", 0 }, { "2026-11-22", NOW - 8 * HOUR },
		{ "2026-11-22 08:00", NOW }, { "2026-11-22 08:00:15", NOW + 15000 },
		{ "2026-11-22T08:00:15Z", NOW + 15000 }, { "2026-11-22T08:00", NOW },
		{ "2026-11-22 09:00 +0100", NOW }, { "2026-11-22T09:00:00+01:00", NOW },
		{ "Sun, 22 Nov 2026 08:00:00 +0000", NOW }, { "", -1 }, { "h", -1 }, { "2x", -1 },
		{ "soon", -1 }, { "-2h", -1 }, { "2026-13-01", -1 }, { "2026-02-30", -1 },
		{ "Z", -1 }, { "2026-11-22T", NOW - 8 * HOUR }, { "2026-11-22T25:00", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		int64_t ms = -1;
		int     r = when_parse(str_c(CASES[i].text), NOW, &ms);

		if (ms != CASES[i].ms || (r < 0) != (CASES[i].ms == -1))
			fail_msg("\"%s\": %d, %lld and not %lld", CASES[i].text, r, (long long)ms,
			    (long long)CASES[i].ms);
	}
}

static void
test_text(void **state)
{
	char    text[WHEN_TEXT_MAX];
	int64_t ms;

	(void)state;
	assert_string_equal(when_text(0, text), "never");
	assert_string_equal(when_text(NOW + 15999, text), "2026-11-22 08:00:15");
	assert_int_equal(when_parse(str_c(text), NOW, &ms), 0);
	assert_true(ms == NOW + 15000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
