/* proto/imap_write: the pieces of answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "proto/imap_write.h"

static void
check(struct buf *b, const char *want)
{
	if (!str_eq(buf_view(b), str_c(want)))
		fail_msg("got %.*s, want %s", STR_ARG(buf_view(b)), want);
	assert_int_equal(b->err, 0);
	buf_reset(b);
}

static const struct {
	struct str  s;
	const char *string, *string_utf8, *astring;
} STRINGS[] = {
	{ STR(""), "\"\"", "\"\"", "\"\"" },
	{ STR("a"), "\"a\"", "\"a\"", "a" },
	{ STR("a b"), "\"a b\"", "\"a b\"", "\"a b\"" },
	{ STR("a\"\\b"), "\"a\\\"\\\\b\"", "\"a\\\"\\\\b\"", "\"a\\\"\\\\b\"" },
	{ STR("\""), "\"\\\"\"", "\"\\\"\"", "\"\\\"\"" },
	{ STR("a\r\nb"), "{4}\r\na\r\nb", "{4}\r\na\r\nb", "{4}\r\na\r\nb" },
	{ STR("\xc3\xa4"), "{2}\r\n\xc3\xa4", "\"\xc3\xa4\"", "{2}\r\n\xc3\xa4" },
	{ STR("\xff"), "{1}\r\n\xff", "{1}\r\n\xff", "{1}\r\n\xff" },
	{ STR("nil"), "\"nil\"", "\"nil\"", "\"nil\"" },
	{ STR("a\tb"), "\"a\tb\"", "\"a\tb\"", "\"a\tb\"" },
	{ STR("a]"), "\"a]\"", "\"a]\"", "\"a]\"" },
	{ STR("{1}"), "\"{1}\"", "\"{1}\"", "\"{1}\"" },
};

static void
test_strings(void **state)
{
	OWN_BUF struct buf b = BUF_INIT(65536);
	char               big[2000];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(STRINGS); i++) {
		imap_put_string(&b, STRINGS[i].s, false);
		check(&b, STRINGS[i].string);
		imap_put_string(&b, STRINGS[i].s, true);
		check(&b, STRINGS[i].string_utf8);
		imap_put_astring(&b, STRINGS[i].s, false);
		check(&b, STRINGS[i].astring);
	}
	imap_put_nstring(&b, STR_NONE, false);
	imap_put_nstring(&b, STR(""), false);
	imap_put_literal(&b, STR(""));
	check(&b, "NIL\"\"\"\"");
	memset(big, 'x', sizeof(big));
	imap_put_string(&b, str_of(big, sizeof(big)), false);
	assert_true(str_starts(buf_view(&b), STR("{2000}\r\nxxx")));
	assert_int_equal(b.n, 2008);
	buf_reset(&b);
	imap_put_string(&b, str_of("a\0b", 3), false);
	assert_true(str_eq(buf_view(&b), STR("{3}\r\na\0b")));
}

static void
test_mailboxes(void **state)
{
	OWN_BUF struct buf b = BUF_INIT(65536);
	char               controls[100];

	(void)state;
	imap_put_mailbox(&b, STR("INBOX"), false);
	check(&b, "INBOX");
	imap_put_mailbox(&b, STR("\xc3\xa4/& x"), false);
	check(&b, "\"&AOQ-/&- x\"");
	imap_put_mailbox(&b, STR("\xc3\xa4"), false);
	check(&b, "&AOQ-");
	imap_put_mailbox(&b, STR("\xc3\xa4&"), true);
	check(&b, "\"\xc3\xa4&\"");
	imap_put_mailbox(&b, STR(""), false);
	check(&b, "\"\"");
	memset(controls, 1, sizeof(controls));
	imap_put_mailbox(&b, str_of(controls, sizeof(controls)), false);
	assert_int_equal(b.err, 0);
	buf_reset(&b);
	for (size_t i = 0; i < sizeof(controls); i++)
		controls[i] = i % 2 == 0 ? 'a' : 1;
	imap_put_mailbox(&b, str_of(controls, sizeof(controls)), false);
	assert_int_equal(b.err, 0);
}

static void
test_others(void **state)
{
	OWN_BUF struct buf       b = BUF_INIT(65536);
	OWN_RANGES struct ranges set = { 0 };

	(void)state;
	assert_false(imap_put_system_flags(&b, 0));
	assert_true(imap_put_system_flags(
	    &b, IMAP_FLAG_SEEN | IMAP_FLAG_RECENT | IMAP_FLAG_DELETED));
	check(&b, "\\Seen \\Deleted \\Recent");
	imap_put_set(&b, &set);
	check(&b, "");
	assert_int_equal(ranges_add(&set, 1, 3), 0);
	assert_int_equal(ranges_add(&set, 5, 5), 0);
	assert_int_equal(ranges_add(&set, 7, UINT32_MAX), 0);
	imap_put_set(&b, &set);
	check(&b, "1:3,5,7:4294967295");
	imap_put_date_time(&b, 837596665000, -420);
	check(&b, "\"17-Jul-1996 02:44:25 -0700\"");
	imap_put_date_time(&b, 0, 0);
	check(&b, "\" 1-Jan-1970 00:00:00 +0000\"");
	imap_put_text(&b, STR("bad \r\n* OK \xc3\xa4 \"x\""));
	check(&b, "bad ??* OK ?? \"x\"");
}

/* A field's name that needs a literal, or is long, still names the item. */
static void
test_item_names(void **state)
{
	OWN_BUF struct buf     b = BUF_INIT(65536);
	char                   name[100] = { 0 };
	struct str             fields[] = { STR("a\r\nb"), STR("x"), str_of(name, sizeof(name)) };
	uint32_t               path[] = { 1, 22 };
	struct imap_fetch_item item = {
		.kind = IMAP_FETCH_SECTION,
		.section = { .text = IMAP_SECTION_FIELDS, .path = path, .n_path = 2,
		    .fields = fields, .n_fields = 3 },
	};

	(void)state;
	memset(name, 'y', sizeof(name));
	imap_put_item_name(&b, &item);
	assert_true(str_starts(buf_view(&b), STR("BODY[1.22.HEADER.FIELDS ({4}\r\nA\r\nB X yyyy")));
	assert_true(str_ends(buf_view(&b), STR("yyy)]")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_mailboxes),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_item_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
