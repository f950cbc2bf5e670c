/* proto/imap_frame: where commands end, however the bytes come; limits; what follows a refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/mem.h"
#include "proto/imap_frame.h"

/* What a session would see, as text: "C<command>", "+", "M<text>=<message>", "B<error>[tag]<skip>".
 * Answers at once, takes message literals whole. */
struct session {
	struct imap_frame frame;
	struct buf        log;
	struct buf        message;
	bool              refuse; /* message literals */
	bool              keep;   /* message literals go into the text */
	uint64_t          left;   /* of a message */
};

static void
session_init(struct session *s, struct imap_frame_limits limits)
{
	*s = (struct session){ .log = BUF_INIT(1 << 20), .message = BUF_INIT(1 << 20) };
	imap_frame_init(&s->frame, limits);
}

static void
session_done(struct session *s)
{
	imap_frame_done(&s->frame);
	buf_done(&s->log);
	buf_done(&s->message);
}

static void
log_text(struct session *s, char kind, struct str text)
{
	buf_byte(&s->log, kind);
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '\r')
			buf_byte(&s->log, text.p[i] == '\n' ? '|' : text.p[i]);
	buf_byte(&s->log, ' ');
}

static size_t
take_message(struct session *s, struct str in)
{
	size_t n = in.n < s->left ? in.n : (size_t)s->left;

	buf_put(&s->message, in.p, n);
	s->left -= n;
	if (s->left == 0) {
		log_text(s, '=', buf_view(&s->message));
		buf_reset(&s->message);
		imap_frame_message_end(&s->frame);
	}
	return n;
}

static void
on_message(struct session *s)
{
	if (s->keep) {
		imap_frame_message_keep(&s->frame);
		return;
	}
	log_text(s, 'M', buf_view(&s->frame.text));
	if (s->refuse) {
		imap_frame_message_refuse(&s->frame);
		buf_printf(&s->log, "refused%llu ", (unsigned long long)s->frame.skip_n);
		return;
	}
	if (s->frame.literal_sync)
		log_text(s, '+', STR_NONE);
	s->left = s->frame.literal_n;
	if (s->left == 0)
		take_message(s, STR_NONE);
}

/* Feeds all of in; the frame sees it in memory of exactly that size. */
static void
session_feed(struct session *s, struct str bytes)
{
	OWN_MEM char *copy = mem_alloc(bytes.n + 1);
	struct str    in = str_of(copy + 1, bytes.n);
	size_t        used;

	memcpy(copy + 1, bytes.p, bytes.n);
	for (;;) {
		if (s->left > 0) {
			if (in.n == 0)
				return;
			in = str_skip(in, take_message(s, in));
			continue;
		}
		switch (imap_frame_feed(&s->frame, in, &used)) {
		case IMAP_FRAME_NEED:
			assert_int_equal(used, in.n);
			return;
		case IMAP_FRAME_CONTINUE:
			log_text(s, '+', STR_NONE);
			break;
		case IMAP_FRAME_COMMAND:
			log_text(s, 'C', buf_view(&s->frame.text));
			imap_frame_next(&s->frame);
			break;
		case IMAP_FRAME_MESSAGE:
			on_message(s);
			break;
		case IMAP_FRAME_BAD:
			buf_printf(&s->log, "B%s:%llu ", error_row(s->frame.err)->name,
			    (unsigned long long)s->frame.skip_n);
			imap_frame_next(&s->frame);
			break;
		}
		in = str_skip(in, used);
	}
}

static const struct imap_frame_limits SMALL = {
	.line_max = 40, .literals_max = 3, .literal_sum_max = 20, .nonsync_max = 10
};

struct frame_case {
	const char *in;
	const char *want;
};

static const struct frame_case CASES[] = {
	{ "a NOOP\r\n", "Ca NOOP| " },
	{ "a NOOP\n", "Ca NOOP| " },
	{ "\r\n\r\n\na NOOP\r\n\r\nb NOOP\r\n", "Ca NOOP| Cb NOOP| " },
	{ "DONE\r\na NOOP\r\n", "CDONE| Ca NOOP| " },
	{ "a NO", "" },
	{ "a LOGIN {3}\r\nfoo {3}\r\nbar\r\n", "+ + Ca LOGIN {3}|foo {3}|bar| " },
	{ "a LOGIN {3+}\r\nfoo {0+}\r\n\r\nb NOOP\r\n", "Ca LOGIN {3+}|foo {0+}|| Cb NOOP| " },
	{ "a LOGIN {2}\n\r\n x\n", "+ Ca LOGIN {2}|| x| " },
	/* the marker belongs to its own line only */
	{ "a LOGIN {3+}\r\n{9}\r\nb NOOP\r\n", "Ca LOGIN {3+}|{9}| Cb NOOP| " },
	{ "a LOGIN {4+}\r\n {9}\r\nb NOOP\r\n", "Ca LOGIN {4+}| {9}| Cb NOOP| " },
	{ "a X \"{3+}\r\nabc\r\n", "Ca X \"{3+}|abc| " },
	{ "a X \"{3}\"\r\n", "Ca X \"{3}\"| " },
	{ "a X {}\r\n", "Ca X {}| " },
	{ "a X {+}\r\n", "Ca X {+}| " },
	{ "a X {-1}\r\n", "Ca X {-1}| " },
	{ "a X {1x}\r\n", "Ca X {1x}| " },
	{ "a X 1}\r\n", "Ca X 1}| " },
	{ "a X {1} \r\n", "Ca X {1} | " },
	{ "{1}\r\nx\r\n", "+ C{1}|x| " },
	/* message literals */
	{ "a APPEND x {5}\r\nhello\r\nb NOOP\r\n", "Ma APPEND x {5}| + =hello C| Cb NOOP| " },
	{ "a append x (\\Seen) {5+}\r\nhello\r\n", "Ma append x (\\Seen) {5+}| =hello C| " },
	{ "a APPEND {1+}\r\nx {5+}\r\nhello\r\n", "Ma APPEND {1+}|x {5+}| =hello C| " },
	{ "a APPEND {1}\r\nx {5}\r\nhello\r\n", "+ Ma APPEND {1}|x {5}| + =hello C| " },
	{ "a  APPEND  x ~{5+}\r\nhello\r\n", "Ma  APPEND  x ~{5+}| =hello C| " },
	{ "a APPEND  {1+}\r\nx\r\n", "Ca APPEND  {1+}|x| " },
	{ "a APPEND ~{1+}\r\nx\r\n", "Ca APPEND ~{1+}|x| " },
	{ "a APPEND x {0+}\r\n\r\n", "Ma APPEND x {0+}| = C| " },
	{ "a APPEND x {2+}\r\nhi () {3+}\r\nyou\r\n", "Ma APPEND x {2+}| =hi M () {3+}| =you C| " },
	{ "a APPEND x UTF8 (~{2+}\r\nhi)\r\n", "Ma APPEND x UTF8 (~{2+}| =hi C)| " },
	{ "a APPENDX x {2+}\r\nhi\r\n", "Ca APPENDX x {2+}|hi| " },
	{ "a APPEND x {9223372036854775807}\r\nhi", "Ma APPEND x {9223372036854775807}| + " },
	/* limits */
	{ "a 345678901234567890123456789012345678\r\n",
	    "Ca 345678901234567890123456789012345678| " },
	{ "a 3456789012345678901234567890123456789\r\nb NOOP\r\n", "BLINE_TOO_LONG:0 Cb NOOP| " },
	{ "a 3456789012345678901234567890123456789\n",
	    "Ca 3456789012345678901234567890123456789| " },
	{ "a 34567890123456789012345678901234567890\r\nb NOOP\r\n", "BLINE_TOO_LONG:0 Cb NOOP| " },
	{ "a 345678901234567890123456789012345678{2+}\r\nb \r\nc NOOP\r\n",
	    "BLINE_TOO_LONG:0 Cc NOOP| " },
	{ "a 34567890123456789012345678901234567890{2+}\r\nb {1+}\r\n\nc\r\nc NOOP\r\n",
	    "BLINE_TOO_LONG:0 Cc NOOP| " },
	{ "a 34567890123456789012345678901234567890{2}\r\nb NOOP\r\n",
	    "BLINE_TOO_LONG:0 Cb NOOP| " },
	{ "a 34567890123456789012345678901234567890 1234567890123456789012345678901234567890"
	  "{2+}\r\nb \r\nc NOOP\r\n", "BLINE_TOO_LONG:0 Cc NOOP| " },
	{ "a {1+}\r\nb {1+}\r\nc {1+}\r\nd {1+}\r\ne\r\nb NOOP\r\n", "BLIMIT:1 Cb NOOP| " },
	{ "a {1+}\r\nb {1+}\r\nc {1+}\r\nd {1}\r\nb NOOP\r\n", "BLIMIT:0 Cb NOOP| " },
	{ "a {21}\r\nb NOOP\r\n", "BLIMIT:0 Cb NOOP| " },
	{ "a {20}\r\n12345678901234567890 {1}\r\nb NOOP\r\n", "+ BLIMIT:0 Cb NOOP| " },
	{ "a {20}\r\n12345678901234567890 {0}\r\n\r\n", "+ + Ca {20}|12345678901234567890 {0}|| " },
	{ "a {11+}\r\nb NOOP\r\nxyz\r\nb NOOP\r\n", "BLIMIT:11 Cb NOOP| " },
	{ "a {18446744073709551615}\r\nb NOOP\r\n", "BLIMIT:0 Cb NOOP| " },
	{ "a {99999999999999999999999999999999}\r\nb NOOP\r\n", "BLIMIT:0 Cb NOOP| " },
	{ "a {99999999999999999999999999999999+}\r\nb NOOP\r\n", "BLIMIT:18446744073709551615 " },
	{ "a x99999999999999999999999999999}\r\n", "Ca x99999999999999999999999999999}| " },
};

static void
test_every_cut_gives_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct str in = str_c(CASES[i].in);

		/* One cut at every place, then byte by byte. */
		for (size_t cut = 0; cut <= in.n + 1; cut++) {
			struct session s;

			session_init(&s, SMALL);
			if (cut <= in.n) {
				session_feed(&s, str_head(in, cut));
				session_feed(&s, str_skip(in, cut));
			} else {
				for (size_t j = 0; j < in.n; j++)
					session_feed(&s, str_of(in.p + j, 1));
			}
			if (!str_eq(buf_view(&s.log), str_c(CASES[i].want)))
				fail_msg("%s\ncut at %zu\n got: %.*s\nwant: %s", CASES[i].in, cut,
				    STR_ARG(buf_view(&s.log)), CASES[i].want);
			session_done(&s);
		}
	}
}

static void
test_refused_and_kept_messages(void **state)
{
	struct session s;

	(void)state;
	session_init(&s, SMALL);
	s.refuse = true;
	session_feed(&s,
	    STR("a APPEND x {5}\r\nb APPEND x {5+}\r\nhello {3+}\r\nxyz\r\nc NOOP\r\n"));
	assert_string_equal((buf_byte(&s.log, '\0'), s.log.p),
	    "Ma APPEND x {5}| refused0 Mb APPEND x {5+}| refused5 Cc NOOP| ");
	session_done(&s);

	session_init(&s, SMALL);
	s.keep = true;
	session_feed(&s, STR("a APPEND x (URL {3}\r\nabc)\r\n"
	                     "b APPEND x {11+}\r\nhello world\r\nc X\r\n"));
	assert_string_equal((buf_byte(&s.log, '\0'), s.log.p),
	    "+ Ca APPEND x (URL {3}|abc)| BLIMIT:11 Cc X| ");
	session_done(&s);
}

static void
test_the_tag_is_there_when_a_command_is_bad(void **state)
{
	struct imap_frame f;
	size_t            used;

	(void)state;
	imap_frame_init(&f, SMALL);
	assert_int_equal(imap_frame_feed(&f, STR("tag1 LOGIN {99}\r\n"), &used), IMAP_FRAME_BAD);
	assert_true(str_starts(buf_view(&f.text), STR("tag1 LOGIN")));
	assert_true(imap_frame_at_start(&f));
	assert_int_equal(imap_frame_feed(&f, STR("tag2 LOGIN {99+}\r\n"), &used), IMAP_FRAME_BAD);
	assert_true(str_starts(buf_view(&f.text), STR("tag2 LOGIN")));
	imap_frame_next(&f);
	assert_false(imap_frame_at_start(&f));
	imap_frame_done(&f);
}

static void
test_a_line_that_is_no_command(void **state)
{
	struct session s;

	(void)state;
	session_init(&s, SMALL);
	imap_frame_expect_line(&s.frame);
	session_feed(&s, STR("\r\n"));
	imap_frame_expect_line(&s.frame);
	session_feed(&s, STR("dGVzdA=={3}\r\na NOOP\r\n"));
	imap_frame_expect_line(&s.frame);
	session_feed(&s,
	    STR("34567890123456789012345678901234567890123456789012345{3+}\r\nb NOOP\r\n"));
	assert_string_equal((buf_byte(&s.log, '\0'), s.log.p),
	    "C| CdGVzdA=={3}| Ca NOOP| BLINE_TOO_LONG:0 Cb NOOP| ");
	session_done(&s);
}

/* A flood costs what the limits say, and no more. */
static void
test_floods_cost_bounded_memory(void **state)
{
	struct session     s;
	OWN_BUF struct buf flood = BUF_INIT(1 << 20);

	(void)state;
	session_init(&s, IMAP_FRAME_BEFORE_LOGIN);
	for (int i = 0; i < 4096; i++)
		buf_byte(&flood, '(');
	for (int i = 0; i < 1000; i++) {
		session_feed(&s, buf_view(&flood));
		assert_true(s.frame.text.cap <= 32768);
	}
	session_feed(&s, STR("\r\na NOOP\r\n"));
	assert_string_equal((buf_byte(&s.log, '\0'), s.log.p), "BLINE_TOO_LONG:0 Ca NOOP| ");
	assert_true(s.frame.text.cap <= 512);
	session_done(&s);

	/* many literals */
	session_init(&s, IMAP_FRAME_BEFORE_LOGIN);
	session_feed(&s, STR("a LOGIN "));
	for (int i = 0; i < 100000; i++)
		session_feed(&s, STR("{1+}\r\nx"));
	session_feed(&s, STR("\r\na NOOP\r\n"));
	assert_string_equal((buf_byte(&s.log, '\0'), s.log.p), "BLIMIT:1 Ca NOOP| ");
	session_done(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut_gives_the_same),
		cmocka_unit_test(test_refused_and_kept_messages),
		cmocka_unit_test(test_the_tag_is_there_when_a_command_is_bad),
		cmocka_unit_test(test_a_line_that_is_no_command),
		cmocka_unit_test(test_floods_cost_bounded_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
