/* proto/imap_set: sequence sets, as parsed and closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "proto/imap_set.h"
#include "proto/imap_write.h"

static const struct {
	const char *text;
	uint32_t    star;
	const char *closed; /* NULL: E_SYNTAX */
} SETS[] = {
	{ "1", 9, "1" },
	{ "*", 9, "9" },
	{ "*", 0, "" },
	{ "1:*", 9, "1:9" },
	{ "*:1", 9, "1:9" },
	{ "1:*", 0, "" },
	{ "559:*", 9, "9:559" },
	{ "*:*", 9, "9" },
	{ "4:2", 9, "2:4" },
	{ "2,4:7,9,12:*", 15, "2,4:7,9,12:15" },
	{ "*:4,5:7", 10, "4:10" },
	{ "9,7,5,3,1", 9, "1,3,5,7,9" },
	{ "5,5,5:5,4:6", 9, "4:6" },
	{ "1:3,4,5:9", 9, "1:9" },
	{ "3:5,1:9,4", 9, "1:9" },
	{ "4294967295", 9, "4294967295" },
	{ "4294967294:*", UINT32_MAX, "4294967294:4294967295" },
	{ "007", 9, "7" },
	{ "", 9, NULL },
	{ "0", 9, NULL },
	{ "1:0", 9, NULL },
	{ "4294967296", 9, NULL },
	{ "99999999999999999999999", 9, NULL },
	{ "1,", 9, NULL },
	{ ",1", 9, NULL },
	{ "1,,2", 9, NULL },
	{ "1:", 9, NULL },
	{ ":1", 9, NULL },
	{ "1:2:3", 9, NULL },
	{ "1 2", 9, NULL },
	{ "-1", 9, NULL },
	{ "+1", 9, NULL },
	{ "**", 9, NULL },
	{ "1x", 9, NULL },
	{ "$,1", 9, NULL },
	{ "1,$", 9, NULL },
};

static void
test_parse_and_close(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(SETS); i++) {
		OWN_ARENA struct arena   a = ARENA_INIT(65536);
		OWN_BUF struct buf       got = BUF_INIT(65536);
		OWN_RANGES struct ranges closed = { 0 };
		struct imap_set          set;
		int                      err = imap_set_parse(str_c(SETS[i].text), &a, &set);

		if (err != (SETS[i].closed != NULL ? 0 : E_SYNTAX))
			fail_msg("%s: error %d", SETS[i].text, err);
		if (err < 0)
			continue;
		assert_int_equal(imap_set_close(&set, SETS[i].star, &closed), 0);
		imap_put_set(&got, &closed);
		if (!str_eq(buf_view(&got), str_c(SETS[i].closed)))
			fail_msg("%s: %.*s", SETS[i].text, STR_ARG(buf_view(&got)));
	}
}

static void
test_what_is_asked_of_a_set(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT(65536);
	struct imap_set        set;

	(void)state;
	assert_int_equal(imap_set_parse(STR("3:7,5,*"), &a, &set), 0);
	assert_int_equal(imap_set_max(&set), 7);
	assert_true(imap_set_has_star(&set));
	assert_int_equal(imap_set_parse(STR("*"), &a, &set), 0);
	assert_int_equal(imap_set_max(&set), 0);
	assert_int_equal(imap_set_parse(STR("9:1"), &a, &set), 0);
	assert_int_equal(imap_set_max(&set), 9);
	assert_false(imap_set_has_star(&set));
	assert_int_equal(imap_set_parse(STR("$"), &a, &set), 0);
	assert_true(set.saved);
	assert_int_equal(set.n, 0);
}

/* The worst order of the greatest set: descending, nothing to merge. */
static void
test_the_greatest_set(void **state)
{
	OWN_ARENA struct arena   a = ARENA_INIT(4 << 20);
	OWN_BUF struct buf       text = BUF_INIT(4 << 20);
	OWN_RANGES struct ranges closed = { 0 };
	struct imap_set          set;

	(void)state;
	for (uint32_t i = IMAP_SET_MAX; i > 0; i--)
		buf_printf(&text, "%u,", i * 2);
	text.n--;
	assert_int_equal(imap_set_parse(buf_view(&text), &a, &set), 0);
	assert_int_equal(set.n, IMAP_SET_MAX);
	assert_int_equal(imap_set_close(&set, 1, &closed), 0);
	assert_int_equal(closed.n, IMAP_SET_MAX);
	buf_str(&text, STR(",1"));
	assert_int_equal(imap_set_parse(buf_view(&text), &a, &set), E_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_and_close),
		cmocka_unit_test(test_what_is_asked_of_a_set),
		cmocka_unit_test(test_the_greatest_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
