/* proto/smtp_data: dots, ends and bare line ends, with the input cut at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/own.h"
#include "proto/smtp_data.h"

static const struct {
	struct str wire;
	struct str message; /* when not bare */
	size_t     left;    /* bytes after the end */
	bool       bare;
	bool       ended;
} CASES[] = {
#define WIRE(w) { w, sizeof(w) - 1 }
	{ WIRE(".\r\n"), WIRE(""), 0, false, true },
	{ WIRE("a\r\n.\r\n"), WIRE("a\r\n"), 0, false, true },
	{ WIRE("a\r\n.\r\nQUIT\r\n"), WIRE("a\r\n"), 6, false, true },
	{ WIRE("..\r\n.\r\n"), WIRE(".\r\n"), 0, false, true },
	{ WIRE("..a\r\n...\r\n.b\r\n.\r\n"), WIRE(".a\r\n..\r\nb\r\n"), 0, false, true },
	{ WIRE("a.\r\nb\r\n.\r\n"), WIRE("a.\r\nb\r\n"), 0, false, true },
	{ WIRE("\r\n\r\n.\r\n"), WIRE("\r\n\r\n"), 0, false, true },
	{ WIRE("a\0b\r\n.\r\n"), WIRE("a\0b\r\n"), 0, false, true },
	{ WIRE("a\r\n."), WIRE("a\r\n"), 0, false, false },
	{ WIRE("a\r\n.\r"), WIRE("a\r\n"), 0, false, false },
	{ WIRE("a\r"), WIRE("a\r"), 0, false, false },
	/* ways to smuggle that have worked elsewhere: none may end the data */
	{ WIRE("a\n.\nRSET\r\n.\r\n"), WIRE(""), 0, true, true },
	{ WIRE("a\n.\r\nRSET\r\n.\r\n"), WIRE(""), 0, true, true },
	{ WIRE("a\r.\rRSET\r\n.\r\n"), WIRE(""), 0, true, true },
	{ WIRE("a\r.\r\nRSET\r\n.\r\n"), WIRE(""), 0, true, true },
	{ WIRE("a\r\n.\nRSET\r\n.\r\n"), WIRE(""), 0, true, true },
	{ WIRE("a\r\n.\rRSET\r\n.\r\n"), WIRE(""), 0, true, true },
	{ WIRE("a\r\n.\r\r\nRSET\r\n.\r\n"), WIRE(""), 0, true, true },
	{ WIRE("a\r\r\n.\r\nRSET\r\n"), WIRE(""), 6, true, true },
	{ WIRE("\n.\r\n.\r\n"), WIRE(""), 0, true, true },
	{ WIRE("a\r\n\n.\r\nx\r\n.\r\n"), WIRE(""), 0, true, true },
#undef WIRE
};

/* Feeds up to the end of data; appends the message, returns how many bytes are left over. */
static size_t
feed(struct smtp_data *d, struct str chunk, struct buf *to)
{
	while (chunk.n > 0 && d->at != SMTP_DATA_END)
		buf_str(to, smtp_data_next(d, &chunk));
	return chunk.n;
}

static void
check(size_t i, size_t step)
{
	OWN_BUF struct buf got = BUF_INIT(4096);
	struct smtp_data   d = { 0 };
	size_t             left = 0;

	for (size_t off = 0; off < CASES[i].wire.n; off += step) {
		if (d.at == SMTP_DATA_END)
			left += str_head(str_skip(CASES[i].wire, off), step).n;
		else
			left += feed(&d, str_head(str_skip(CASES[i].wire, off), step), &got);
	}
	if ((d.at == SMTP_DATA_END) != CASES[i].ended || d.bare != CASES[i].bare ||
	    left != CASES[i].left)
		fail_msg("case %zu, step %zu: ended %d, bare %d, left %zu", i, step,
		    d.at == SMTP_DATA_END, d.bare, left);
	if (!CASES[i].bare)
		assert_true(str_eq(buf_view(&got), CASES[i].message));
}

static void
test_all_steps(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
		for (size_t step = 1; step <= CASES[i].wire.n; step++)
			check(i, step);
}

static void
test_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
		for (size_t cut = 0; cut <= CASES[i].wire.n; cut++) {
			OWN_BUF struct buf got = BUF_INIT(4096);
			struct smtp_data   d = { 0 };
			size_t             left = feed(&d, str_head(CASES[i].wire, cut), &got);

			if (d.at == SMTP_DATA_END)
				left += CASES[i].wire.n - cut;
			else
				left += feed(&d, str_skip(CASES[i].wire, cut), &got);
			assert_int_equal(left, CASES[i].left);
			assert_int_equal(d.bare, CASES[i].bare);
		}
}

static void
test_scan(void **state)
{
	struct smtp_data d = { 0 };

	(void)state;
	smtp_data_scan(&d, STR("a\r\n.\r\nb\r"));
	assert_false(d.bare);
	assert_int_equal(d.at, SMTP_DATA_TEXT_CR);
	smtp_data_scan(&d, STR("\n"));
	assert_false(d.bare);
	assert_int_equal(d.at, SMTP_DATA_LINE);
	smtp_data_scan(&d, STR("\n"));
	assert_true(d.bare);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_steps),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
