/* proto/imap: without memory a command fails as a whole, and the next one is understood again.
 * Allocations fail in builds with -Dfaults=true; in others every line just passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/mem.h"
#include "proto/imap_frame.h"
#include "proto/imap_match.h"
#include "proto/imap_write.h"

static const struct {
	const char    *line;
	imap_parse_fn *parse;
} LINES[] = {
	{ "a ID (\"name\" \"x\\\"y\" \"version\" {3+}\r\n1.0)\r\n", imap_parse_id },
	{ "a LOGIN {3+}\r\nabc \"d\\\\e\"\r\n", imap_parse_login },
	{ "a SELECT &AOQ-\r\n", imap_parse_select },
	{ "a CREATE x (USE (\\Sent))\r\n", imap_parse_create },
	{ "a LIST () \"\" (a &AOQ-% c) RETURN (STATUS (MESSAGES))\r\n", imap_parse_list },
	{ "a SEARCH OR (SUBJECT x TEXT \"\\\"\") NOT 1:5,9 KEYWORD k\r\n", imap_parse_search },
	{ "a FETCH 1,2 (BODY[1.2.HEADER.FIELDS (a b c d e f)] BODY[1] BODY[2] BODY[3] BODY[4])\r\n",
	    imap_parse_fetch },
	{ "a STORE 1:* FLAGS (a b c d e f g h i \\Seen)\r\n", imap_parse_store },
	{ "a COPY 1 \"&AOQ-\"\r\n", imap_parse_copy },
};

/* 1: understood. 0: refused for want of memory, and said so. */
static int
try_line(struct imap_frame *f, size_t i)
{
	OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
	struct imap_reader     r;
	struct imap_head       head;
	struct imap_args       args;
	struct str             in = str_c(LINES[i].line);
	size_t                 used;
	int                    err;

	while (in.n > 0) {
		switch (imap_frame_feed(f, in, &used)) {
		case IMAP_FRAME_BAD:
			assert_int_equal(f->err, E_NOMEM);
			break;
		case IMAP_FRAME_COMMAND:
			imap_reader_init(&r, buf_view(&f->text), &a);
			err = imap_read_head(&r, &head);
			if (err == 0)
				err = LINES[i].parse(&r, &args);
			imap_frame_next(f);
			assert_true(err == 0 || (err == E_NOMEM && r.what != NULL));
			return err == 0;
		default:
			break;
		}
		in = str_skip(in, used);
	}
	return 0;
}

static void
test_each_allocation_fails(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(LINES); i++) {
		unsigned long n;

		mem_fault_set(0, 0);
		for (unsigned long nth = 1;; nth++) {
			struct imap_frame f;
			int               ok;

			imap_frame_init(&f, IMAP_FRAME_AFTER_LOGIN);
			mem_fault_set(nth, 0);
			ok = try_line(&f, i);
			n = mem_fault_set(0, 0);
			assert_int_equal(try_line(&f, i), 1);
			imap_frame_done(&f);
			if (n < nth) {
				assert_int_equal(ok, 1);
				break;
			}
			assert_int_equal(ok, 0);
		}
	}
}

static void
test_writers_and_sets(void **state)
{
	(void)state;
	for (unsigned long nth = 1; nth < 20; nth++) {
		OWN_ARENA struct arena   a = ARENA_INIT(1 << 16);
		OWN_BUF struct buf       b = BUF_INIT(1 << 16);
		OWN_RANGES struct ranges closed = { 0 };
		struct imap_pattern      p;
		struct imap_set          set;
		int                      r;

		mem_fault_set(nth, 0);
		imap_put_mailbox(&b, STR("\xc3\xa4"), false);
		assert_true(b.err == E_NOMEM || str_eq(buf_view(&b), STR("&AOQ-")));
		r = imap_pattern_make(STR("a"), STR("*"), '/', &a, &p);
		assert_true(r == E_NOMEM || imap_pattern_match(&p, STR("ab")));
		r = imap_set_parse(STR("9,1:3"), &a, &set);
		if (r == 0)
			r = imap_set_close(&set, 5, &closed);
		assert_true(r == E_NOMEM || ranges_count(&closed) == 4);
		mem_fault_set(0, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_allocation_fails),
		cmocka_unit_test(test_writers_and_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
