/* serve/smtp: what LMTP and submission do in their own way. */
#include "smtp_rig.h"

#include "base/clock.h"

#define LETTER "From: x@elsewhere.test\r\nSubject: hello\r\n\r\nThe text.\r\n"

static int
lmtp_up(void **state)
{
	rig_up(state);
	((struct rig *)*state)->type = &LMTP_SESSION;
	return 0;
}

static int
submission_up(void **state)
{
	rig_up(state);
	((struct rig *)*state)->type = &SUBMISSION_SESSION;
	return 0;
}

/* --- LMTP, RFC 2033 --- */

static void
test_lmtp_greeting(void **state)
{
	struct client *c = client_open(*state);

	say(c, "EHLO there", "500 5.5.1");
	say(c, "HELO there", "500 5.5.1");
	say(c, "MAIL FROM:<>", "503 5.5.1");
	say(c, "AUTH PLAIN", "503 5.5.1");
	say(c, "LHLO there", "250-mx.example.com\r\n");
	say(c, "MAIL FROM:<>", "250 2.1.0");
	say(c, "DATA", "503 5.5.1");
	say(c, "RCPT TO:<nobody@example.com>", "550 5.1.1");
	say(c, "DATA", "503 5.5.1");
	client_close(c);
}

static void
test_lmtp_answers_each(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);

	say(c, "LHLO there", "250-");
	say(c, "MAIL FROM:<x@elsewhere.test>", "250 2.1.0");
	say(c, "RCPT TO:<ben@example.com>", "250 2.1.5");
	say(c, "RCPT TO:<nobody@example.com>", "550 5.1.1");
	say(c, "RCPT TO:<ann@example.com>", "250 2.1.5");
	say(c, "RCPT TO:<ann+x@example.com>", "250 2.1.5");
	say(c, "RCPT TO:<both@example.com>", "250 2.1.5");
	say(c, "DATA", "354 ");
	client_send(c, STR(LETTER ".\r\nNOOP\r\n"));
	expect(c, "250 2.0.0 <ben@example.com> delivered");
	expect(c, "250 2.0.0 <ann@example.com> delivered");
	expect(c, "250 2.0.0 <ann+x@example.com> delivered");
	expect(c, "250 2.0.0 <both@example.com> delivered");
	expect(c, "250 2.0.0 ok");
	assert_int_equal(inbox_count(r, r->ann), 1);
	assert_int_equal(inbox_count(r, r->ben), 1);
	check_last(r, r->ann, STR(LETTER));
	client_close(c);
}

/* One that is full does not keep it from the others. */
static void
test_lmtp_quota(void **state)
{
	struct rig        *r = *state;
	struct client     *c = client_open(r);
	OWN_BUF struct buf big = BUF_INIT(8192);

	for (int i = 0; i < 60; i++)
		buf_str(&big, STR("01234567890123456789012345678901234567890123456789\r\n"));
	say(c, "LHLO there", "250-");
	say(c, "MAIL FROM:<x@elsewhere.test>", "250 ");
	say(c, "RCPT TO:<ann@example.com>", "250 ");
	say(c, "RCPT TO:<cara@example.com>", "250 ");
	say(c, "RCPT TO:<ben@example.com>", "250 ");
	say(c, "DATA", "354 ");
	client_send(c, buf_view(&big));
	client_send(c, STR(".\r\n"));
	expect(c, "250 2.0.0 <ann@example.com>");
	expect(c, "552 5.2.2 <cara@example.com>");
	expect(c, "250 2.0.0 <ben@example.com>");
	assert_int_equal(inbox_count(r, r->ann), 1);
	assert_int_equal(inbox_count(r, r->cara), 0);
	client_close(c);
}

static void
test_lmtp_refused_whole(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);

	say(c, "LHLO there", "250-");
	say(c, "MAIL FROM:<x@elsewhere.test>", "250 ");
	say(c, "RCPT TO:<ann@example.com>", "250 ");
	say(c, "RCPT TO:<ben@example.com>", "250 ");
	say(c, "DATA", "354 ");
	client_send(c, STR("a\nb\r\n.\r\n"));
	expect(c, "550 5.6.0 <ann@example.com>");
	expect(c, "550 5.6.0 <ben@example.com>");
	/* BDAT: one reply for a chunk, one each for the last */
	say(c, "MAIL FROM:<x@elsewhere.test>", "250 ");
	say(c, "RCPT TO:<ann@example.com>", "250 ");
	say(c, "RCPT TO:<ben@example.com>", "250 ");
	client_send(c, STR("BDAT 3\r\na\r\nBDAT 3 LAST\r\nb\r\nQUIT\r\n"));
	expect(c, "250 2.0.0 3 bytes");
	expect(c, "250 2.0.0 <ann@example.com>");
	expect(c, "250 2.0.0 <ben@example.com>");
	expect(c, "221 ");
	client_close(c);
}

static void
test_lmtp_trace(void **state)
{
	struct rig        *r = *state;
	struct client     *c = client_open(r);
	OWN_BUF struct buf got = BUF_INIT(1 << 20);

	open_mail(c, "LHLO there", "x@elsewhere.test", "ann@example.com");
	say(c, "DATA", "354 ");
	say(c, LETTER ".", "250 2.0.0");
	say(c, "MAIL FROM:<x@elsewhere.test> SMTPUTF8", "250 2.1.0");
	say(c, "RCPT TO:<ben@example.com>", "250 2.1.5");
	say(c, "DATA", "354 ");
	say(c, LETTER ".", "250 2.0.0");
	inbox_last(r, r->ann, &got);
	assert_true(str_find(buf_view(&got), STR(" with LMTP\r\n")) < got.n);
	buf_reset(&got);
	inbox_last(r, r->ben, &got);
	assert_true(str_find(buf_view(&got), STR(" with UTF8LMTP\r\n")) < got.n);
	client_close(c);
}

/* --- submission, RFC 6409 and RFC 4954 --- */

static struct client *
log_in(struct rig *r)
{
	struct client *c = client_open(r);

	say(c, "EHLO there", "250-");
	say(c, "AUTH PLAIN AGFubkBleGFtcGxlLmNvbQBzZWNyZXQ=", "235 2.7.0");
	return c;
}

static void
test_auth(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);
	struct str     ehlo;

	client_send(c, STR("EHLO there\r\n"));
	ehlo = client_reply(c);
	assert_true(str_find(ehlo, STR("250-AUTH PLAIN LOGIN\r\n")) < ehlo.n);
	say(c, "MAIL FROM:<ann@example.com>", "530 5.7.0");
	say(c, "AUTH CRAM-MD5", "504 5.5.4");
	say(c, "AUTH", "501 5.5.2");
	say(c, "AUTH PLAIN", "334 \r\n");
	say(c, "*", "501 5.7.0");
	say(c, "AUTH PLAIN", "334 \r\n");
	say(c, "not base64", "501 5.5.2");
	say(c, "AUTH PLAIN AGFubkBleGFtcGxlLmNvbQB3cm9uZw==", "535 5.7.8");
	say(c, "MAIL FROM:<ann@example.com>", "530 5.7.0");
	say(c, "AUTH PLAIN", "334 \r\n");
	say(c, "AGFubkBleGFtcGxlLmNvbQBzZWNyZXQ=", "235 2.7.0");
	say(c, "AUTH PLAIN AGFubkBleGFtcGxlLmNvbQBzZWNyZXQ=", "503 5.5.1");
	client_send(c, STR("EHLO there\r\n"));
	ehlo = client_reply(c);
	assert_true(str_find(ehlo, STR("AUTH")) == ehlo.n);
	say(c, "MAIL FROM:<ann@example.com> AUTH=<>", "250 2.1.0");
	client_close(c);
}

static void
test_auth_login(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);

	say(c, "EHLO there", "250-");
	say(c, "AUTH LOGIN", "334 VXNlcm5hbWU6\r\n");
	say(c, "YW5uQGV4YW1wbGUuY29t", "334 UGFzc3dvcmQ6\r\n");
	say(c, "c2VjcmV0", "235 2.7.0");
	client_close(c);
	c = client_open(r);
	say(c, "EHLO there", "250-");
	say(c, "auth login YW5uQGV4YW1wbGUuY29t", "334 UGFzc3dvcmQ6\r\n");
	say(c, "c2VjcmV0", "235 2.7.0");
	client_close(c);
}

static void
test_auth_too_long(void **state)
{
	struct rig        *r = *state;
	struct client     *c = client_open(r);
	OWN_BUF struct buf line = BUF_INIT(1 << 20);

	say(c, "EHLO there", "250-");
	say(c, "AUTH PLAIN", "334 ");
	for (int i = 0; i < 30000; i++)
		buf_byte(&line, 'A');
	buf_byte(&line, '\0');
	say(c, line.p, "500 5.5.6");
	say(c, "NOOP", "250 ");
	client_close(c);
}

/* Time before the login is limited, also for a client that keeps talking. */
static void
test_no_login(void **state)
{
	struct client *c = client_open(*state);

	clock_test_advance(2 * 60 * 1000 + 1);
	expect(c, "421 4.4.2");
	expect_closed(c);
	client_close(c);
	c = client_open(*state);
	for (int i = 0; i < 5; i++) {
		say(c, "NOOP", "250 ");
		clock_test_advance(61 * 1000);
	}
	say(c, "NOOP", "421 4.4.2");
	expect_closed(c);
	client_close(c);
}

/* A client that goes away while its password is checked. */
static void
test_auth_and_gone(void **state)
{
	struct rig *r = *state;

	for (int i = 0; i < 20; i++) {
		struct client *c = client_open(r);

		say(c, "EHLO there", "250-");
		client_send(c, STR("AUTH PLAIN AGFubkBleGFtcGxlLmNvbQB3cm9uZw==\r\nQUIT\r\n"));
		client_close(c);
	}
}

static void
test_sender(void **state)
{
	struct rig    *r = *state;
	struct client *c = log_in(r);

	say(c, "MAIL FROM:<ben@example.com>", "553 5.7.1");
	say(c, "MAIL FROM:<x@elsewhere.test>", "553 5.7.1");
	say(c, "MAIL FROM:<ann.other@example.com>", "250 2.1.0");
	say(c, "RSET", "250 ");
	say(c, "MAIL FROM:<ann+work@example.com>", "250 2.1.0");
	say(c, "RSET", "250 ");
	say(c, "MAIL FROM:<>", "250 2.1.0");
	say(c, "RSET", "250 ");
	say(c, "MAIL FROM:<ann@example.com>", "250 2.1.0");
	say(c, "RCPT TO:<x@elsewhere.test>", "550 5.7.1");
	say(c, "RCPT TO:<nobody@example.com>", "550 5.1.1");
	say(c, "RCPT TO:<ben@example.com>", "250 2.1.5");
	client_close(c);
}

static void
test_header_edit(void **state)
{
	struct rig        *r = *state;
	struct client     *c = log_in(r);
	OWN_BUF struct buf got = BUF_INIT(1 << 20);

	say(c, "MAIL FROM:<ann@example.com>", "250 2.1.0");
	say(c, "RCPT TO:<ben@example.com>", "250 2.1.5");
	say(c, "DATA", "354 ");
	say(c, "From: ann@example.com\r\nBcc: ben@example.com,\r\n cara@example.com\r\n"
	    "Subject: s\r\n\r\nBcc: body\r\n.", "250 2.0.0");
	inbox_last(r, r->ben, &got);
	assert_true(str_find(buf_view(&got), STR(" with ESMTPA\r\n")) < got.n);
	assert_true(str_find(buf_view(&got),
	    STR("\r\nFrom: ann@example.com\r\nSubject: s\r\nDate: ")) < got.n);
	assert_true(str_find(buf_view(&got), STR(" +0000\r\nMessage-ID: <")) < got.n);
	assert_true(str_ends(buf_view(&got), STR("@mx.example.com>\r\n\r\nBcc: body\r\n")));
	assert_true(str_find(buf_view(&got), STR("cara")) == got.n);
	/* with both there, byte for byte */
	say(c, "MAIL FROM:<ann@example.com>", "250 2.1.0");
	say(c, "RCPT TO:<ben@example.com>", "250 2.1.5");
	say(c, "DATA", "354 ");
	say(c, "Date: d\r\nMessage-Id: <a@b>\r\n" LETTER ".", "250 2.0.0");
	check_last(r, r->ben, STR("Date: d\r\nMessage-Id: <a@b>\r\n" LETTER));
	client_close(c);
}

#define L(f) cmocka_unit_test_setup_teardown(f, lmtp_up, rig_down)
#define U(f) cmocka_unit_test_setup_teardown(f, submission_up, rig_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		L(test_lmtp_greeting),
		L(test_lmtp_answers_each),
		L(test_lmtp_quota),
		L(test_lmtp_refused_whole),
		L(test_lmtp_trace),
		U(test_auth),
		U(test_auth_login),
		U(test_auth_too_long),
		U(test_no_login),
		U(test_auth_and_gone),
		U(test_sender),
		U(test_header_edit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
