/* Tests of what moving in reads. The values of the formats are those of Dovecot 2.3.19. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/own.h"
#include "main/uidl_file.h"
#include "main/uidlist.h"

static const struct uidl_facts FACTS = {
	.uid = 3, .uidvalidity = 1795342244, .filename = STR("1700000000.M0P1.host"),
	.guid = STR("a5cf")
};

#define assert_text(b, want)                                                                      \
	do {                                                                                      \
		if (!str_eq(buf_view(b), str_c(want)))                                            \
			fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(buf_view(b)), want);           \
	} while (0)

static void
test_formats(void **state)
{
	static const struct {
		const char *format, *want;
	} CASES[] = {
		{ UIDL_FORMAT_DOVECOT, "000000036b02bfa4" },
		{ "%v.%u", "1795342244.3" },
		{ "%f", "1700000000.M0P1.host" },
		{ "%Mf", "1ddfeb047ad200ddd97a7b5b234da0a7" },
		{ "%MUf", "1DDFEB047AD200DDD97A7B5B234DA0A7" },
		{ "%4Mf", "1ddf" },
		{ "%08Xv%08Xu", "6b02bfa400000003" },
		{ "%5u-%-3v", "3-179" },
		{ "%2.5v", "95342" },
		{ "%-3.2v", "24" },
		{ "%04.6v", "342244" },
		{ "%Lf", "1700000000.m0p1.host" },
		{ "%Rv", "4422435971" },
		{ "%XLUv", "6B02BFA4" },
		{ "%010u", "0000000003" },
		{ "%%x%u%%", "%x3%" },
		{ "%g", "a5cf" },
		{ "%Xf", "0" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		OWN_BUF struct buf got = BUF_INIT(1000);
		size_t             at;
		char               variable;

		assert_int_equal(uidl_format_check(str_c(CASES[i].format), &at), 0);
		assert_int_equal(uidl_format_expand(str_c(CASES[i].format), &FACTS, &got,
		    &variable), 0);
		assert_text(&got, CASES[i].want);
	}
}

static void
test_formats_that_are_none(void **state)
{
	static const struct {
		const char *format;
		size_t      at;
	} CASES[] = { { "", 0 }, { "%", 0 }, { "a%u%", 3 }, { "%{uid}", 0 }, { "%08", 0 },
		{ "%2000u", 0 }, { "%1.2.3u", 0 }, { "ab%Nu", 2 }, { "%w", 0 } };
	struct uidl_facts  none = { 0 };
	OWN_BUF struct buf got = BUF_INIT(1000);
	size_t             at;
	char               variable = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		assert_int_equal(uidl_format_check(str_c(CASES[i].format), &at), E_SYNTAX);
		assert_int_equal(at, CASES[i].at);
	}
	none.uid = 1;
	assert_int_equal(uidl_format_expand(STR("%u%v"), &none, &got, &variable), E_NOT_FOUND);
	assert_int_equal(variable, 'v');
	assert_true(uidl_format_uses(STR("%08Xu.%Mm"), 'm'));
	assert_false(uidl_format_uses(STR("%%m%u"), 'm'));
}

static void
test_md5(void **state)
{
	OWN_BUF struct buf got = BUF_INIT(100);

	(void)state;
	assert_int_equal(uidl_header_md5(STR("Message-ID: <m0@x>\nDate: Tue, 3 Nov 2026 10:11:12 "
	    "+0000\nReceived: from a by b; x\nX-UIDL: q0\nSubject: 0\n\nhi\n"), &got), 0);
	assert_text(&got, "ea45bc9b11e5d625243b6b5e592f7ade");
}

static void
note_line(void *arg, size_t line, const char *why)
{
	struct buf *to = arg;

	(void)why;
	buf_printf(to, "%zu ", line);
}

static void
test_list(void **state)
{
	static const char TEXT[] = "3 V7 N9 Gx\n9 :late\n2 W5 Pu :b\nx\n5 O3 G12 :c:2,S\n4 P :d\n"
	                           "3 :b\n";
	OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
	OWN_BUF struct buf     bad = BUF_INIT(1000);
	struct uidlist         list;

	(void)state;
	assert_int_equal(uidlist_read(str_c(TEXT), &a, note_line, &bad, &list), 0);
	assert_text(&bad, "4 7 ");
	assert_int_equal(list.uidvalidity, 7);
	assert_int_equal(list.n, 4);
	assert_int_equal(list.sorted[0]->uid, 5);
	assert_true(str_eq(list.sorted[0]->name, STR("c")) &&
	    str_eq(list.sorted[0]->guid, STR("12")));
	/* The later line of b counts, all of it. */
	assert_int_equal(list.sorted[1]->uid, 3);
	assert_false(list.sorted[1]->has_uidl);
	assert_true(list.sorted[2]->has_uidl && list.sorted[2]->uidl.n == 0);
	assert_ptr_equal(uidlist_find(&list, STR("late:2,RS")), list.sorted[3]);
	assert_null(uidlist_find(&list, STR("early")));
	uidlist_done(&list);
	assert_int_equal(uidlist_read(STR("2 7 9\n"), &a, note_line, &bad, &list), E_SYNTAX);
	uidlist_done(&list);
}

static void
convert(const char *text, const char *want, const char *want_bad)
{
	OWN_BUF struct buf     got = BUF_INIT(1000), bad = BUF_INIT(1000);
	const struct uidl_file f = { STR("%u.%v"), 7, note_line, &bad };

	assert_true(uidl_file_is_doveadm(str_c(text)));
	assert_int_equal(uidl_file_convert(&f, str_c(text), &got), 0);
	assert_text(&got, want);
	assert_text(&bad, want_bad);
}

static void
test_doveadm(void **state)
{
	(void)state;
	convert("hdr.message-id\tuid\tpop3.uidl\n<a>\t1\t\n\n<b>\t2\tx y\n\t3\t\n<d>\t\t\n"
	        "<e>\t5\tE\r\n",
	    "\n1.7\t<a>\n\n\n\n\nE\t<e>\n", "4 5 6 ");
	convert("uid=1 pop3.uidl= hdr.message-id=<a>\nuid=2 hdr.message-id=<b> uid=9 pop3.uidl=X\n"
	        "hdr.message-id=<c>\n",
	    "1.7\t<a>\nX\t<b>\n\n", "3 ");
	assert_false(uidl_file_is_doveadm(STR("UIDL\t<a@b>\n")));
	assert_false(uidl_file_is_doveadm(STR("")));
	assert_false(uidl_file_is_doveadm(STR("hdr.message-id=\t<a@b>\n")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_formats_that_are_none),
		cmocka_unit_test(test_md5),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_doveadm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
