/* Tests of mime/header.h: fields, unfolding, encoded words, HEADER.FIELDS. */
#include "test.h"

#include "codec/utf8.h"
#include "mime/header.h"

static const struct str SECTION = STR(
    "From mbox Mon Jan  1 00:00:00 2024\r\n"
    "Subject: one\r\n"
    "\ttwo\r\n"
    "X-Long : a\r\n"
    " b\n"
    "no field at all\r\n"
    " and more of it\r\n"
    ": no name\r\n"
    "To:x@y\r\n"
    "subject: again\r\n"
    "\r\n"
    "To: body@not.header\r\n");

static void
test_next(void **state)
{
	static const struct {
		struct str name, value;
	} WANT[] = {
		{ STR(""), STR("From mbox Mon Jan  1 00:00:00 2024") },
		{ STR("Subject"), STR(" one\r\n\ttwo") },
		{ STR("X-Long"), STR(" a\r\n b") },
		{ STR(""), STR("no field at all\r\n and more of it") },
		{ STR(""), STR(": no name") },
		{ STR("To"), STR("x@y") },
		{ STR("subject"), STR(" again") },
	};
	struct str          s = SECTION;
	struct header_field f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(WANT); i++) {
		assert_true(header_next(&s, &f));
		check_str(f.name, WANT[i].name);
		check_str(f.value, WANT[i].value);
	}
	assert_false(header_next(&s, &f));
	check_str(s, STR("\r\nTo: body@not.header\r\n"));
}

static void
test_odd_sections(void **state)
{
	struct header_field f;
	struct str          s = STR("\n");

	(void)state;
	assert_false(header_next(&s, &f));
	s = STR_NONE;
	assert_false(header_next(&s, &f));
	s = STR(" begins folded\r\nA: b");
	assert_true(header_next(&s, &f));
	assert_int_equal(f.name.n, 0);
	assert_true(header_next(&s, &f));
	check_str(f.name, STR("A"));
	check_str(f.raw, STR("A: b"));
	s = STR("\rA: b\r\n");
	assert_true(header_next(&s, &f));
	assert_int_equal(f.name.n, 0);
	s = STR("A b: c\r\n\xc3\xa4: d\r\nE\0F: g\r\n");
	while (header_next(&s, &f))
		assert_int_equal(f.name.n, 0);
}

static void
test_find_and_unfold(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
	struct header_field    f;
	struct str             text;

	(void)state;
	assert_true(header_find(SECTION, STR("SUBJECT"), &f));
	assert_int_equal(header_unfold(f.value, &a, &text), 0);
	check_str(text, STR("one\ttwo"));
	assert_false(header_find(SECTION, STR("Cc"), &f));
	assert_int_equal(header_unfold(STR(" \r\n "), &a, &text), 0);
	assert_int_equal(text.n, 0);
}

static void
test_fields(void **state)
{
	static const struct str NAMES[] = { STR("SUBJECT"), STR("to") };
	OWN_BUF struct buf      b = BUF_INIT(1000);

	(void)state;
	header_fields(SECTION, NAMES, 2, false, &b);
	check_str(buf_view(&b), STR("Subject: one\r\n\ttwo\r\nTo:x@y\r\nsubject: again\r\n\r\n"));
	buf_reset(&b);
	header_fields(SECTION, NAMES, 2, true, &b);
	check_str(buf_view(&b), STR("From mbox Mon Jan  1 00:00:00 2024\r\nX-Long : a\r\n b\n"
				    "no field at all\r\n and more of it\r\n: no name\r\n\r\n"));
	/* RFC 9051 s6.4.5.1: a message with no body and no empty line. */
	buf_reset(&b);
	header_fields(STR("To: a\r\nCc: b"), NAMES, 2, false, &b);
	check_str(buf_view(&b), STR("To: a\r\n"));
	buf_reset(&b);
	header_fields(STR("\r\n"), NAMES, 2, false, &b);
	check_str(buf_view(&b), STR("\r\n"));
}

static void
test_decode(void **state)
{
	static const struct {
		struct str in, want;
	} CASES[] = {
		{ STR(" plain text\r\n"), STR("plain text") },
		{ STR("a\r\n b"), STR("a b") },
		/* RFC 2047 s8 */
		{ STR("=?ISO-8859-1?Q?a?="), STR("a") },
		{ STR("=?ISO-8859-1?Q?a?= b"), STR("a b") },
		{ STR("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?="), STR("ab") },
		{ STR("=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?="), STR("ab") },
		{ STR("=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?="), STR("ab") },
		{ STR("=?ISO-8859-1?Q?a_b?="), STR("a b") },
		{ STR("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?="), STR("a b") },
		{ STR("=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>"),
		    STR("Keith Moore <moore@cs.utk.edu>") },
		{ STR("=?ISO-8859-1?Q?Andr=E9?= Pirard"), STR("Andr\u00e9 Pirard") },
		{ STR("=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n"
		      " =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?="),
		    STR("If you can read this you understand the example.") },
		{ STR("=?iso-8859-8?b?7eXs+SDv4SDp7Oj08A==?="),
		    STR("\u05dd\u05d5\u05dc\u05e9 \u05df\u05d1 "
			"\u05d9\u05dc\u05d8\u05e4\u05e0") },
		/* RFC 2231 s5 */
		{ STR("=?US-ASCII*EN?Q?Keith_Moore?="), STR("Keith Moore") },
		/* A character cut in two, by both encodings. */
		{ STR("=?utf-8?Q?=C3?= =?UTF-8?Q?=A4?="), STR("\u00e4") },
		{ STR("=?utf-8?B?w6TD?=\r\n =?utf-8?B?pA==?="), STR("\u00e4\u00e4") },
		{ STR("=?utf-8?B?w6TD?= =?utf-8?Q?=A4?="), STR("\u00e4\u00e4") },
		/* Broken words and near misses. */
		{ STR("=?utf-8?Q?with blanks?= x"), STR("with blanks x") },
		{ STR("x=?utf-8?q?=C3=A4?=y"), STR("x\u00e4y") },
		{ STR("\"=?utf-8?q?=C3=A4?=\""), STR("\"\u00e4\"") },
		{ STR("=?utf-8?q?unfinished"), STR("=?utf-8?q?unfinished") },
		{ STR("=?utf-8?x?a?="), STR("=?utf-8?x?a?=") },
		{ STR("=?"
		      "?q?a?="),
		    STR("=?"
			"?q?a?=") },
		{ STR("=?utf-8?q"), STR("=?utf-8?q") },
		{ STR("=?=?=?="), STR("=?=?=?=") },
		{ STR("=?utf-8?q?"
		      "?="),
		    STR("") },
		{ STR("=?utf-8?q?a=ZZb=4?="), STR("a=ZZb=4") },
		{ STR("=?nonsense?q?a=41?= =?nonsense?q?b?="),
		    STR("=?nonsense?q?a=41?= =?nonsense?q?b?=") },
		{ STR("=?utf-8?q?a?= =?utf-8?x?b?="), STR("a =?utf-8?x?b?=") },
		{ STR("=?utf-8?q?a?= =?nonsense?q?b?="), STR("a =?nonsense?q?b?=") },
		{ STR("=?utf-8?b?not base64 at all!?="),
		    STR("\x9e\x8bm\xab\xb2\x8a\xeej\xd6\xa5") },
		/* Line ends in disguise. */
		{ STR("=?utf-8?q?a=0D=0AX:_b=00?="), STR("a  X: b ") },
		/* 8-bit bytes as they come. */
		{ STR("na\xc3\xafve"), STR("na\u00efve") },
		{ STR("na\xefve"), STR("na\u00efve") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
		struct str             text;

		assert_int_equal(header_decode(CASES[i].in, &a, &text), 0);
		assert_true(utf8_valid(text));
		if (utf8_valid(CASES[i].want))
			check_str(text, CASES[i].want);
	}
}

/* Many words, and starts of words that never end: linear, and within memory. */
static void
test_decode_attacks(void **state)
{
	static const struct str PIECES[] = { STR("=?"), STR("=?a?q?"), STR("=?utf-8?q?a?="),
		STR("=?x?q?a?= "), STR("=?utf-8?b?w6Q=?= "), STR("?="), STR("=?utf-8?q?"),
		STR(" \r\n "), STR("=?utf-8?q?a?= =?latin1?q?b?= ") };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(PIECES); i++) {
		OWN_ARENA struct arena a = ARENA_INIT(64 << 20);
		OWN_BUF struct buf     b = BUF_INIT(2 << 20);
		struct str             text;

		while (b.n < 1 << 20)
			buf_str(&b, PIECES[i]);
		assert_int_equal(header_decode(buf_view(&b), &a, &text), 0);
		assert_true(utf8_valid(text));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_odd_sections),
		cmocka_unit_test(test_find_and_unfold),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_decode_attacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
