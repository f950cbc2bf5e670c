/* Tests of codec/date.h: the examples of RFC 5322 and RFC 9051, near misses, limits. */
#include "test.h"

#include "codec/date.h"

static void
test_rfc5322(void **state)
{
	static const struct {
		struct str in;
		int64_t    s;
		int        zone;
	} CASES[] = {
		{ STR("Fri, 21 Nov 1997 09:55:06 -0600"), 880127706, -360 },
		{ STR(" Tue, 1 Jul 2003 10:52:37 +0200\r\n"), 1057049557, 120 },
		{ STR("Thu, 13 Feb 1969 23:32:54 -0330"), -27723426, -210 },
		{ STR("Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n"
		      "               -0330 (Newfoundland Time)"), -27723480, -210 },
		{ STR("21 Nov 97 09:55:06 GMT"), 880106106, 0 },
		{ STR("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600"), 880127706, -360 },
		{ STR("1 Jan 70 00:00 +0000"), 0, 0 },
		{ STR("1 Jan 49 00:00 Z"), 2493072000, 0 },
		{ STR("1 Jan 100 00:00 GMT"), 946684800, 0 },
		{ STR("Fri, 21 Nov 1997 09:55:06 EST"), 880124106, -300 },
		{ STR("Fri, 21 Nov 1997 09:55:06 A"), 880106106, 0 },
		{ STR("Fri, 21 Nov 1997 09:55:06 MEZ"), 880106106, 0 },
		{ STR("Fri, 21 Nov 1997 09:55:06"), 880106106, 0 },
		{ STR("Fri Nov 21 09:55:06 1997"), 880106106, 0 },
		{ STR("Fri Nov 21 09:55:06 PST 1997"), 880134906, -480 },
		{ STR("Friday, 21-November-1997 09:55:06 +00:30"), 880104306, 30 },
		{ STR("1997-11-21T09:55:06.123Z"), 880106106, 0 },
		{ STR("Fri, 21 Nov 1997"), 880070400, 0 },
		{ STR("(x(y\\))z) 21 Nov 1997 (a) 09:55:06 (b) +0000 (c"), 880106106, 0 },
		{ STR("31 Dec 2016 23:59:60 +0000"), 1483228800, 0 },
		{ STR("29 Feb 2000 00:00:00 +0000"), 951782400, 0 },
	};
	int64_t ms;
	int     zone;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		if (date_parse_rfc5322(CASES[i].in, &ms, &zone) < 0)
			fail_msg("refused: %.*s", STR_ARG(CASES[i].in));
		assert_int_equal(ms, CASES[i].s * 1000);
		assert_int_equal(zone, CASES[i].zone);
	}
}

static void
test_rfc5322_refused(void **state)
{
	static const struct str BAD[] = { STR(""), STR("now"), STR("(21 Nov 1997"),
		STR("32 Nov 1997"), STR("29 Feb 1900 00:00 GMT"), STR("21 Nov"),
		STR("21 Foo 1997 00:00:00 GMT"), STR("21 Nov 1997 24:00:00 GMT"),
		STR("21 Nov 1997 10:60:00 GMT"), STR("0 Nov 1997"),
		STR("21 Nov 99999 00:00:00 GMT"), STR("12345"), STR("\0") };
	int64_t ms = 7;
	int     zone = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
		assert_int_equal(date_parse_rfc5322(BAD[i], &ms, &zone), E_SYNTAX);
	assert_int_equal(ms, 7);
	assert_int_equal(zone, 7);
}

static void
test_imap(void **state)
{
	static const struct str BAD[] = { STR(""), STR("17-Jul-1996 02:44:25"),
		STR("17-Jul-96 02:44:25 +0000"), STR("17-Jul-1996 2:44:25 +0000"),
		STR("17-Jul-1996 02:44:25 +00000"), STR("17-Jul-1996 02:44:25 +0060"),
		STR("17-Jul-1996 02:44:25 0000"), STR("31-Jun-1996 02:44:25 +0000"),
		STR("17 Jul 1996 02:44:25 +0000"), STR("17-Jul-1996 02:44:25 +2400"),
		STR("-Jul-1996 02:44:25 +0000"), STR("17-Jul-1996 25:44:25 +0000") };
	OWN_BUF struct buf b = BUF_INIT(100);
	int64_t            ms;
	int                zone;

	(void)state;
	assert_int_equal(date_parse_imap(STR("17-Jul-1996 02:44:25 -0700"), &ms, &zone), 0);
	assert_int_equal(ms, 837596665000);
	assert_int_equal(zone, -420);
	date_put_imap(&b, ms, zone);
	check_str(buf_view(&b), STR("17-Jul-1996 02:44:25 -0700"));
	assert_int_equal(date_parse_imap(STR(" 1-jan-2026 12:00:00 +0130"), &ms, &zone), 0);
	assert_int_equal(zone, 90);
	buf_reset(&b);
	date_put_imap(&b, ms + 999, zone);
	check_str(buf_view(&b), STR(" 1-Jan-2026 12:00:00 +0130"));
	assert_int_equal(date_parse_imap(STR("1-Jan-2026 12:00:00 +0130"), &ms, &zone), 0);
	for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
		assert_int_equal(date_parse_imap(BAD[i], &ms, &zone), E_SYNTAX);
}

static void
test_imap_day(void **state)
{
	int32_t day;

	(void)state;
	assert_int_equal(date_parse_imap_day(STR("1-Feb-1994"), &day), 0);
	assert_int_equal(day, 8797);
	assert_int_equal(date_parse_imap_day(STR("01-FEB-1994"), &day), 0);
	assert_int_equal(date_parse_imap_day(STR("31-Dec-1969"), &day), 0);
	assert_int_equal(day, -1);
	assert_int_equal(date_parse_imap_day(STR("30-Feb-1994"), &day), E_SYNTAX);
	assert_int_equal(date_parse_imap_day(STR("1-Feb-94"), &day), E_SYNTAX);
	assert_int_equal(date_parse_imap_day(STR("\"1-Feb-1994\""), &day), E_SYNTAX);
	assert_int_equal(date_day(-1, 0), -1);
	assert_int_equal(date_day(0, 60), 0);
	assert_int_equal(date_day(0, -60), -1);
}

static void
test_put_rfc5322(void **state)
{
	OWN_BUF struct buf b = BUF_INIT(1000);

	(void)state;
	date_put_rfc5322(&b, 880127706000, -360);
	check_str(buf_view(&b), STR("Fri, 21 Nov 1997 09:55:06 -0600"));
	buf_reset(&b);
	date_put_rfc5322(&b, -27723426000, -210);
	check_str(buf_view(&b), STR("Thu, 13 Feb 1969 23:32:54 -0330"));
	buf_reset(&b);
	date_put_rfc5322(&b, INT64_MAX, 0);
	check_str(buf_view(&b), STR("Fri, 31 Dec 9999 23:59:59 +0000"));
	buf_reset(&b);
	date_put_rfc5322(&b, INT64_MIN, 99999);
	check_str(buf_view(&b), STR("Mon, 1 Jan 0001 00:00:00 +2359"));
}

/* Every day of 800 years, in some zone: there and back, and days follow one another. */
static void
test_there_and_back(void **state)
{
	(void)state;
	for (int64_t day = -146097; day < 146097; day++) {
		OWN_BUF struct buf b = BUF_INIT(100);
		int64_t ms = day * 86400000 + (day * 7919 % 86400 + 86400) % 86400 * 1000, back;
		int                zone = (int)(day % 1400), zone_back;

		date_put_imap(&b, ms, zone);
		assert_int_equal(b.n, 26);
		assert_int_equal(date_parse_imap(buf_view(&b), &back, &zone_back), 0);
		assert_int_equal(back, ms);
		assert_int_equal(zone_back, zone);
		buf_reset(&b);
		date_put_rfc5322(&b, ms, zone);
		assert_int_equal(date_parse_rfc5322(buf_view(&b), &back, &zone_back), 0);
		assert_int_equal(back, ms);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc5322),
		cmocka_unit_test(test_rfc5322_refused),
		cmocka_unit_test(test_imap),
		cmocka_unit_test(test_imap_day),
		cmocka_unit_test(test_put_rfc5322),
		cmocka_unit_test(test_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
