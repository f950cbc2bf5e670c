/* proto/smtp_header: what submission takes out and puts in, with the input cut at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/own.h"
#include "proto/smtp_header.h"

static const struct smtp_header_edit SUBMISSION = {
	.drop_bcc = true,
	.date = { "Date: D\r\n", 9 },
	.message_id = { "Message-ID: M\r\n", 15 },
};
static const struct smtp_header_edit RELAY = { 0 };

static const struct {
	const char *in;
	const char *out;
} EDITS[] = {
	{ "", "Date: D\r\nMessage-ID: M\r\n" },
	{ "\r\nbody\r\n", "Date: D\r\nMessage-ID: M\r\n\r\nbody\r\n" },
	{ "From: a\r\n\r\nBcc: b\r\n", "From: a\r\nDate: D\r\nMessage-ID: M\r\n\r\nBcc: b\r\n" },
	{ "Date: x\r\nmessage-id: y\r\n\r\n", "Date: x\r\nmessage-id: y\r\n\r\n" },
	{ "Bcc: b\r\nDate: x\r\nMessage-ID: y\r\n\r\nz", "Date: x\r\nMessage-ID: y\r\n\r\nz" },
	{ "Date: x\r\nBCC: b,\r\n c,\r\n\td\r\nMessage-ID : y\r\nResent-Bcc: e\r\n\r\nz",
	    "Date: x\r\nMessage-ID : y\r\n\r\nz" },
	{ "Date: x\r\nMessage-ID: y\r\nbcc   : b\r\n c\r\n\r\n",
	    "Date: x\r\nMessage-ID: y\r\n\r\n" },
	{ "Date: x\r\nMessage-ID: y\r\nBcc                                         : b\r\n\r\n",
	    "Date: x\r\nMessage-ID: y\r\n\r\n" },
	{ "Date: x\r\nMessage-ID: y\r\nBccx: b\r\nBc: b\r\nX-Bcc: b\r\n\r\n",
	    "Date: x\r\nMessage-ID: y\r\nBccx: b\r\nBc: b\r\nX-Bcc: b\r\n\r\n" },
	{ "Bcc\r\nno field\r\nDate: x\r\nMessage-ID: y\r\n\r\n",
	    "Bcc\r\nno field\r\nDate: x\r\nMessage-ID: y\r\n\r\n" },
	{ "X: a\r\n Date: folded\r\n Bcc: folded\r\n\r\n",
	    "X: a\r\n Date: folded\r\n Bcc: folded\r\nDate: D\r\nMessage-ID: M\r\n\r\n" },
	{ " Bcc: odd start\r\nDate: x\r\nMessage-ID: y\r\n\r\n",
	    " Bcc: odd start\r\nDate: x\r\nMessage-ID: y\r\n\r\n" },
	{ "X-A-Field-Name-That-Is-Longer-Than-Any: 1\r\nDate: x\r\nMessage-ID: y\r\n\r\n",
	    "X-A-Field-Name-That-Is-Longer-Than-Any: 1\r\nDate: x\r\nMessage-ID: y\r\n\r\n" },
	{ "Subject: open", "Subject: open\r\nDate: D\r\nMessage-ID: M\r\n" },
	{ "Subj", "Subj\r\nDate: D\r\nMessage-ID: M\r\n" },
	{ "Bcc: open", "Date: D\r\nMessage-ID: M\r\n" },
	{ "Date: x\nBcc: y\nMessage-ID: z\n\nb", "Date: x\nMessage-ID: z\n\nb" },
};

static int
keep(void *arg, struct str s)
{
	buf_str(arg, s);
	return 0;
}

static void
check(const char *in, const char *out, size_t cut, size_t step)
{
	OWN_BUF struct buf got = BUF_INIT(4096);
	struct smtp_header h;
	struct str         all = str_c(in);

	smtp_header_init(&h, &SUBMISSION, keep, &got);
	assert_int_equal(smtp_header_feed(&h, str_head(all, cut)), 0);
	for (size_t off = cut; off < all.n; off += step)
		assert_int_equal(smtp_header_feed(&h, str_head(str_skip(all, off), step)), 0);
	assert_int_equal(smtp_header_end(&h), 0);
	if (!str_eq(buf_view(&got), str_c(out)))
		fail_msg("cut %zu: from \"%s\" got \"%.*s\"", cut, in, STR_ARG(buf_view(&got)));
}

static void
test_edits(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(EDITS); i++) {
		size_t n = strlen(EDITS[i].in);

		for (size_t cut = 0; cut <= n; cut++)
			check(EDITS[i].in, EDITS[i].out, cut, n + 1);
		for (size_t step = 1; step < 7; step++)
			check(EDITS[i].in, EDITS[i].out, 0, step);
	}
}

static void
test_relay_changes_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(EDITS); i++)
		for (size_t step = 1; step < 9; step++) {
			OWN_BUF struct buf got = BUF_INIT(4096);
			struct smtp_header h;
			struct str         all = str_c(EDITS[i].in);

			smtp_header_init(&h, &RELAY, keep, &got);
			for (size_t off = 0; off < all.n; off += step)
				smtp_header_feed(&h, str_head(str_skip(all, off), step));
			assert_int_equal(smtp_header_end(&h), 0);
			assert_true(str_eq(buf_view(&got), all));
		}
}

static void
test_received(void **state)
{
	const struct str   text = STR("Received: a\r\n b\r\nRECEIVED : c\r\nX: Received: d\r\n\r\n"
	    "Received: e\r\n");
	OWN_BUF struct buf got = BUF_INIT(4096);
	struct smtp_header h;

	(void)state;
	for (size_t cut = 0; cut <= text.n; cut++) {
		smtp_header_init(&h, &RELAY, keep, &got);
		smtp_header_feed(&h, str_head(text, cut));
		smtp_header_feed(&h, str_skip(text, cut));
		assert_int_equal(smtp_header_end(&h), 0);
		assert_int_equal(h.received, 2);
	}
}

static int
refuse(void *arg, struct str s)
{
	(void)s;
	++*(int *)arg;
	return E_NOMEM;
}

static void
test_error_is_latched(void **state)
{
	struct smtp_header h;
	int                calls = 0;

	(void)state;
	smtp_header_init(&h, &SUBMISSION, refuse, &calls);
	assert_int_equal(smtp_header_feed(&h, STR("X: y\r\n")), E_NOMEM);
	assert_int_equal(smtp_header_feed(&h, STR("X: y\r\n")), E_NOMEM);
	assert_int_equal(smtp_header_end(&h), E_NOMEM);
	assert_int_equal(calls, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_relay_changes_nothing),
		cmocka_unit_test(test_received),
		cmocka_unit_test(test_error_is_latched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
