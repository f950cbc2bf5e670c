/* serve/smtp: replies, order, recipients, DATA and BDAT over real connections. */
#include "smtp_rig.h"

#include "base/clock.h"
#include "base/mem.h"
#include "kv/open.h"

#define LETTER "From: x@elsewhere.test\r\nSubject: hello\r\n\r\nThe text.\r\n"

#define SEVENTY "0123456789012345678901234567890123456789012345678901234567890123456789\r\n"

static void
test_greeting(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);
	struct str     ehlo;

	say(c, "HELO there", "250 mx.example.com\r\n");
	client_send(c, STR("EHLO there\r\n"));
	ehlo = client_reply(c);
	assert_true(str_starts(ehlo, STR("250-mx.example.com\r\n")));
	assert_true(str_find(ehlo, STR("250-PIPELINING\r\n")) < ehlo.n);
	assert_true(str_find(ehlo, STR("250-SIZE 104857600\r\n")) < ehlo.n);
	assert_true(str_find(ehlo, STR("250-8BITMIME\r\n")) < ehlo.n);
	assert_true(str_find(ehlo, STR("250-SMTPUTF8\r\n")) < ehlo.n);
	assert_true(str_find(ehlo, STR("250-CHUNKING\r\n")) < ehlo.n);
	assert_true(str_find(ehlo, STR("ENHANCEDSTATUSCODES\r\n")) < ehlo.n);
	assert_true(str_find(ehlo, STR("AUTH")) == ehlo.n);
	assert_true(str_find(ehlo, STR("STARTTLS")) == ehlo.n); /* no certificate here */
	say(c, "LHLO there", "500 5.5.1");
	say(c, "QUIT", "221 2.0.0");
	expect_closed(c);
	client_close(c);
}

static void
test_small_commands(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);

	say(c, "NOOP and more", "250 2.0.0");
	say(c, "noop", "250 2.0.0");
	say(c, "RSET", "250 2.0.0");
	say(c, "RSET now", "501 5.5.2");
	say(c, "VRFY ann@example.com", "252 2.5.2");
	say(c, "VRFY nobody@example.com", "252 2.5.2");
	say(c, "EXPN both@example.com", "502 5.5.1");
	say(c, "HELP", "214-2.0.0 ");
	say(c, "ETRN example.com", "500 5.5.1");
	say(c, "XCLIENT NAME=x", "500 5.5.1");
	say(c, "STARTTLS", "500 5.5.1");
	say(c, "AUTH PLAIN", "503 5.5.1");
	say(c, "EHLO", "501 5.5.2");
	say(c, "", "500 5.5.1");
	say(c, "NO\x01OP", "501 5.5.2");
	say(c, "  NOOP", "500 5.5.1");
	say(c, "NOOP  \t ", "250 2.0.0");
	client_close(c);
}

static void
test_order(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);

	say(c, "MAIL FROM:<x@elsewhere.test>", "503 5.5.1");
	say(c, "RCPT TO:<ann@example.com>", "503 5.5.1");
	say(c, "EHLO there", "250-");
	say(c, "RCPT TO:<ann@example.com>", "503 5.5.1");
	say(c, "DATA", "503 5.5.1");
	say(c, "MAIL FROM:<x@elsewhere.test>", "250 2.1.0");
	say(c, "MAIL FROM:<x@elsewhere.test>", "503 5.5.1");
	say(c, "DATA", "554 5.5.1");
	say(c, "RCPT TO:<nobody@example.com>", "550 5.1.1");
	say(c, "DATA", "554 5.5.1");
	say(c, "RCPT TO:<ann@example.com>", "250 2.1.5");
	say(c, "RSET", "250 2.0.0");
	say(c, "RCPT TO:<ann@example.com>", "503 5.5.1");
	say(c, "MAIL FROM:<x@elsewhere.test>", "250 2.1.0");
	say(c, "EHLO again", "250-");
	say(c, "DATA", "503 5.5.1");
	assert_int_equal(inbox_count(r, r->ann), 0);
	client_close(c);
}

static void
test_recipients(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);

	say(c, "EHLO there", "250-");
	say(c, "MAIL FROM:<>", "250 2.1.0");
	say(c, "RCPT TO:<nobody@example.com>", "550 5.1.1");
	say(c, "RCPT TO:<x@elsewhere.test>", "550 5.7.1");
	say(c, "RCPT TO:<dora@example.com>", "550 5.2.1");
	say(c, "RCPT TO:<away@example.com>", "550 5.7.1");
	say(c, "RCPT TO:<>", "553 5.1.3");
	say(c, "RCPT TO:<ann@>", "553 5.1.3");
	say(c, "RCPT TO:<ann@example.com> NOTIFY=NEVER", "555 5.5.4");
	say(c, "RCPT TO:<gr\xc3\xbc\xc3\x9f@example.com>", "553 5.6.7");
	say(c, "RCPT TO:<ann@example.com>", "250 2.1.5");
	say(c, "RCPT TO:<Ann+tag@EXAMPLE.com>", "250 2.1.5");
	say(c, "RCPT TO:<\"ann\"@example.com>", "250 2.1.5");
	say(c, "RCPT TO:<ann.other@example.com>", "250 2.1.5");
	say(c, "RCPT TO:<both@example.com>", "250 2.1.5");
	say(c, "RCPT TO:<Postmaster>", "250 2.1.5");
	say(c, "DATA", "354 ");
	say(c, LETTER ".", "250 2.0.0");
	assert_int_equal(inbox_count(r, r->ann), 1);
	assert_int_equal(inbox_count(r, r->ben), 1);
	check_last(r, r->ann, STR(LETTER));
	check_last(r, r->ben, STR(LETTER));
	client_close(c);
}

static void
test_mail_parameters(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);

	say(c, "EHLO there", "250-");
	say(c, "MAIL FROM:<x@elsewhere.test> SIZE=104857601", "552 5.3.4");
	say(c, "MAIL FROM:<x@elsewhere.test> BODY=BINARYMIME", "555 5.5.4");
	say(c, "MAIL FROM:<x@elsewhere.test> AUTH=<>", "555 5.5.4");
	say(c, "MAIL FROM:<x@elsewhere.test> RET=HDRS", "555 5.5.4");
	say(c, "MAIL FROM:<nodomain>", "553 5.1.7");
	say(c, "MAIL FROM:<x@>", "553 5.1.3");
	say(c, "MAIL TO:<x@elsewhere.test>", "501 5.5.2");
	say(c, "MAIL FROM:<\xc3\xbc@elsewhere.test>", "550 5.6.7");
	say(c, "MAIL FROM:<\xc3\xbc@elsewhere.test> SMTPUTF8 BODY=8BITMIME SIZE=500", "250 2.1.0");
	say(c, "RCPT TO:<ann@example.com>", "250 2.1.5");
	say(c, "DATA", "354 ");
	say(c, LETTER ".", "250 2.0.0");
	client_close(c);
}

static void
test_trace(void **state)
{
	struct rig        *r = *state;
	struct client     *c = client_open(r);
	OWN_BUF struct buf got = BUF_INIT(1 << 20);

	open_mail(c, "EHLO client.elsewhere.test", "x@elsewhere.test", "Ann@Example.com");
	say(c, "DATA", "354 ");
	say(c, LETTER ".", "250 2.0.0 delivered as ");
	inbox_last(r, r->ann, &got);
	assert_true(str_starts(buf_view(&got), STR("Return-Path: <x@elsewhere.test>\r\n"
	    "Received: from client.elsewhere.test\r\n\tby mx.example.com with ESMTP\r\n\tid ")));
	assert_true(str_find(buf_view(&got), STR("\r\n\tfor <Ann@Example.com>;\r\n\t")) < got.n);
	/* two recipients: no "for"; HELO: SMTP; a name that is none is not repeated */
	say(c, "HELO bad(name)", "250 ");
	say(c, "MAIL FROM:<>", "250 ");
	say(c, "RCPT TO:<ann@example.com>", "250 ");
	say(c, "RCPT TO:<ben@example.com>", "250 ");
	say(c, "DATA", "354 ");
	say(c, LETTER ".", "250 2.0.0");
	buf_reset(&got);
	inbox_last(r, r->ann, &got);
	assert_true(str_starts(buf_view(&got), STR("Return-Path: <>\r\n"
	    "Received: from unknown\r\n\tby mx.example.com with SMTP\r\n\tid ")));
	assert_true(str_find(buf_view(&got), STR("for <")) == got.n);
	client_close(c);
}

static void
test_quota(void **state)
{
	struct rig        *r = *state;
	struct client     *c = client_open(r);
	OWN_BUF struct buf big = BUF_INIT(8192);

	say(c, "EHLO there", "250-");
	say(c, "MAIL FROM:<x@elsewhere.test> SIZE=2500", "250 ");
	say(c, "RCPT TO:<cara@example.com>", "552 5.2.2"); /* never fits */
	say(c, "RCPT TO:<trio@example.com>", "250 ");      /* ann has room */
	say(c, "RSET", "250 ");
	say(c, "MAIL FROM:<x@elsewhere.test>", "250 ");
	say(c, "RCPT TO:<cara@example.com>", "250 ");
	say(c, "DATA", "354 ");
	for (int i = 0; i < 15; i++)
		buf_str(&big, STR(SEVENTY));
	client_send(c, buf_view(&big));
	say(c, ".", "250 2.0.0");
	/* about 800 bytes are left */
	say(c, "MAIL FROM:<x@elsewhere.test>", "250 ");
	say(c, "RCPT TO:<ann@example.com>", "250 ");
	say(c, "RCPT TO:<cara@example.com>", "250 ");
	say(c, "DATA", "354 ");
	client_send(c, buf_view(&big));
	say(c, ".", "452 4.2.2");
	/* Nobody got it: the next try brings no doubles. */
	assert_int_equal(inbox_count(r, r->ann), 0);
	say(c, "MAIL FROM:<x@elsewhere.test> SIZE=1100", "250 ");
	say(c, "RCPT TO:<ann@example.com>", "250 ");
	say(c, "RCPT TO:<cara@example.com>", "452 4.2.2");
	say(c, "DATA", "354 ");
	client_send(c, buf_view(&big));
	say(c, ".", "250 2.0.0");
	assert_int_equal(inbox_count(r, r->ann), 1);
	assert_int_equal(inbox_count(r, r->cara), 1);
	client_close(c);
}

static void
test_dots(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);

	open_mail(c, "EHLO there", "x@elsewhere.test", "ann@example.com");
	say(c, "DATA", "354 ");
	say(c, "A: b\r\n\r\n..\r\n...two\r\nend.\r\n.", "250 2.0.0");
	check_last(r, r->ann, STR("A: b\r\n\r\n.\r\n..two\r\nend.\r\n"));
	/* a message of no bytes */
	open_mail(c, "EHLO there", "x@elsewhere.test", "ann@example.com");
	say(c, "DATA", "354 ");
	say(c, ".", "250 2.0.0");
	check_last(r, r->ann, STR(""));
	client_close(c);
}

static void
test_long_line(void **state)
{
	struct rig        *r = *state;
	struct client     *c = client_open(r);
	OWN_BUF struct buf text = BUF_INIT(8 << 20);

	buf_str(&text, STR("Subject: long\r\n\r\n"));
	for (int i = 0; i < 100000; i++)
		buf_str(&text, STR("0123456789.\t\xc3\xbc\0x"));
	buf_str(&text, STR("\r\n"));
	open_mail(c, "EHLO there", "x@elsewhere.test", "ann@example.com");
	say(c, "DATA", "354 ");
	client_send(c, buf_view(&text));
	say(c, ".", "250 2.0.0");
	check_last(r, r->ann, buf_view(&text));
	client_close(c);
}

static void
test_bare_line_ends(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);
	/* what has smuggled commands elsewhere */
	const struct str texts[] = {
		STR("a\n.\nMAIL FROM:<evil@x.test>\r\n.\r\n"),
		STR("a\r\n.\nMAIL FROM:<evil@x.test>\r\n.\r\n"),
		STR("a\n.\r\nMAIL FROM:<evil@x.test>\r\n.\r\n"),
		STR("a\r.\rMAIL FROM:<evil@x.test>\r\n.\r\n"),
		STR("a\r.\r\nMAIL FROM:<evil@x.test>\r\n.\r\n"),
		STR("a\r\n.\r\r\nMAIL FROM:<evil@x.test>\r\n.\r\n"),
		STR("a\r\r\n.\r\n"),
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		open_mail(c, "EHLO there", "x@elsewhere.test", "ann@example.com");
		say(c, "DATA", "354 ");
		client_send(c, texts[i]);
		client_send(c, STR("VRFY x\r\n"));
		expect(c, "550 5.6.0");
		expect(c, "252 ");
	}
	assert_int_equal(inbox_count(r, r->ann), 0);
	client_close(c);
}

static void
test_bare_lf_in_commands(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);

	client_send(c, STR("NOOP\nVRFY x\r\n"));
	expect(c, "501 5.5.2");
	expect(c, "252 ");
	client_send(c, STR("NOOP\rNOOP\r\n"));
	expect(c, "501 5.5.2");
	client_close(c);
}

static void
test_too_big(void **state)
{
	struct rig        *r = *state;
	struct client     *c;
	OWN_BUF struct buf text = BUF_INIT(1 << 20);

	r->server.limits.message_max = 10000;
	c = client_open(r);
	for (int i = 0; i < 100; i++)
		buf_printf(&text, "%03d: %s", i, SEVENTY);
	assert_true(text.n < 10000);
	open_mail(c, "EHLO there", "x@elsewhere.test", "ann@example.com");
	say(c, "DATA", "354 ");
	client_send(c, buf_view(&text));
	say(c, ".", "250 2.0.0");
	open_mail(c, "EHLO there", "x@elsewhere.test", "ann@example.com");
	say(c, "DATA", "354 ");
	for (int i = 0; i < 20; i++)
		client_send(c, buf_view(&text));
	say(c, ".", "552 5.3.4");
	say(c, "MAIL FROM:<x@elsewhere.test> SIZE=10001", "552 5.3.4");
	say(c, "MAIL FROM:<x@elsewhere.test> SIZE=10000", "250 ");
	assert_int_equal(inbox_count(r, r->ann), 1);
	client_close(c);
}

static void
test_loop(void **state)
{
	struct rig        *r = *state;
	struct client     *c = client_open(r);
	OWN_BUF struct buf text = BUF_INIT(1 << 20);

	for (int i = 0; i < 100; i++)
		buf_str(&text, STR("Received: from a\r\n by b; now\r\n"));
	buf_str(&text, STR("Subject: x\r\n\r\nReceived: in the body\r\n"));
	open_mail(c, "EHLO there", "x@elsewhere.test", "ann@example.com");
	say(c, "DATA", "354 ");
	client_send(c, buf_view(&text));
	say(c, ".", "250 2.0.0");
	open_mail(c, "EHLO there", "x@elsewhere.test", "ann@example.com");
	say(c, "DATA", "354 ");
	client_send(c, STR("Received: one more\r\n"));
	client_send(c, buf_view(&text));
	say(c, ".", "554 5.4.6");
	assert_int_equal(inbox_count(r, r->ann), 1);
	client_close(c);
}

static void
test_bdat(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);

	open_mail(c, "EHLO there", "x@elsewhere.test", "ann@example.com");
	client_send(c, STR("BDAT 6\r\nA: b\r\n"));
	expect(c, "250 2.0.0 6 bytes");
	say(c, "DATA", "503 5.5.1");
	say(c, "MAIL FROM:<>", "503 5.5.1");
	client_send(c, STR("BDAT 7\r\n\r\n.\r\nx\rBDAT 0\r\nBDAT 1 last\r\n\n"));
	expect(c, "250 2.0.0 7 bytes"); /* the CR and the LF of one line end lie in two chunks */
	expect(c, "250 2.0.0 0 bytes");
	expect(c, "250 2.0.0 delivered");
	check_last(r, r->ann, STR("A: b\r\n\r\n.\r\nx\r\n"));
	/* pipelined after a failure: each is skipped and answered */
	open_mail(c, "EHLO there", "x@elsewhere.test", "ann@example.com");
	client_send(c, STR("BDAT 8\r\nA: b\nxx\nBDAT 6\r\nQUIT\r\nBDAT 0 LAST\r\nNOOP\r\n"));
	expect(c, "550 5.6.0");
	expect(c, "550 5.6.0");
	expect(c, "550 5.6.0");
	expect(c, "250 2.0.0 ok");
	/* not allowed: the bytes are skipped all the same */
	client_send(c, STR("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"));
	expect(c, "503 5.5.1");
	expect(c, "250 2.0.0 ok");
	say(c, "MAIL FROM:<>", "250 ");
	client_send(c, STR("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"));
	expect(c, "554 5.5.1");
	expect(c, "250 2.0.0 ok");
	say(c, "BDAT x", "501 5.5.2");
	say(c, "RSET", "250 ");
	/* a CR at the very end is bare */
	open_mail(c, "EHLO there", "x@elsewhere.test", "ann@example.com");
	client_send(c, STR("BDAT 2 LAST\r\na\r"));
	expect(c, "550 5.6.0");
	/* RSET between chunks forgets them */
	open_mail(c, "EHLO there", "x@elsewhere.test", "ann@example.com");
	client_send(c, STR("BDAT 3\r\na\r\nRSET\r\n"));
	expect(c, "250 2.0.0 3 bytes");
	expect(c, "250 2.0.0 ok");
	assert_int_equal(inbox_count(r, r->ann), 1);
	client_close(c);
}

static void
test_pipelining(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);

	client_send(c, STR("EHLO there\r\nMAIL FROM:<x@elsewhere.test>\r\n"
	    "RCPT TO:<ann@example.com>\r\nRCPT TO:<nobody@example.com>\r\nDATA\r\n"
	    LETTER ".\r\nMAIL FROM:<>\r\n"
	    "RCPT TO:<ben@example.com>\r\nDATA\r\n" LETTER ".\r\nQUIT\r\nNOOP\r\n"));
	expect(c, "250-");
	expect(c, "250 2.1.0");
	expect(c, "250 2.1.5");
	expect(c, "550 5.1.1");
	expect(c, "354 ");
	expect(c, "250 2.0.0 delivered");
	expect(c, "250 2.1.0");
	expect(c, "250 2.1.5");
	expect(c, "354 ");
	expect(c, "250 2.0.0 delivered");
	expect(c, "221 ");
	expect_closed(c);
	check_last(r, r->ann, STR(LETTER));
	check_last(r, r->ben, STR(LETTER));
	client_close(c);
}

static void
test_limits(void **state)
{
	struct rig        *r = *state;
	struct client     *c;
	OWN_BUF struct buf line = BUF_INIT(1 << 20);

	r->server.limits.rcpt_max = 2;
	r->server.limits.errors_max = 3;
	c = client_open(r);
	for (int i = 0; i < 3000; i++)
		buf_str(&line, STR("x"));
	buf_byte(&line, '\0');
	say(c, line.p, "500 5.5.2");
	buf_reset(&line);
	buf_str(&line, STR("NOOP "));
	for (int i = 0; i < 2000; i++)
		buf_str(&line, STR("x"));
	buf_byte(&line, '\0');
	say(c, line.p, "250 ");
	buf_reset(&line);
	for (int i = 0; i < 300000; i++) /* more than waits at once */
		buf_str(&line, STR("x"));
	buf_byte(&line, '\0');
	say(c, line.p, "500 5.5.2");
	say(c, "EHLO there", "250-");
	say(c, "MAIL FROM:<>", "250 ");
	say(c, "RCPT TO:<ann@example.com>", "250 ");
	say(c, "RCPT TO:<ben@example.com>", "250 ");
	say(c, "RCPT TO:<both@example.com>", "452 4.5.3");
	say(c, "what", "500 5.5.1");
	client_send(c, STR("what\r\nNOOP\r\n"));
	expect(c, "500 5.5.1");
	expect(c, "421 4.7.0");
	expect_closed(c);
	client_close(c);
}

static void
test_address_harvest(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);

	say(c, "EHLO there", "250-");
	say(c, "MAIL FROM:<>", "250 ");
	for (int i = 0; i < 100; i++)
		say(c, "RCPT TO:<nobody@example.com>", "550 5.1.1");
	say(c, "RCPT TO:<nobody@example.com>", "550 5.1.1");
	expect(c, "421 4.7.0");
	expect_closed(c);
	client_close(c);
}

static void
test_web_requests(void **state)
{
	const char *const lines[] = { "GET / HTTP/1.1", "POST / HTTP/1.1", "CONNECT x:25 HTTP/2" };
	struct rig       *r = *state;

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct client *c = client_open(r);

		client_send(c, str_c(lines[i]));
		client_send(c, STR("\r\nHost: x\r\n\r\nEHLO there\r\n"));
		expect(c, "421 4.7.0");
		expect_closed(c);
		client_close(c);
	}
}

/* The whole session in one string, cut in two at every byte and sent byte by byte: the same
 * replies. */
static const char SCRIPT_TEXT[] =
    "EHLO there\r\nMAIL FROM:<x@elsewhere.test>\r\nRCPT TO:<ann@example.com>\r\nDATA\r\n"
    "A: b\r\n\r\n..dot\r\n.\r\nWHAT\r\nMAIL FROM:<>\r\nRCPT TO:<ben@example.com>\r\n"
    "BDAT 8\r\nB: c\r\n\r\nBDAT 0 LAST\r\nQUIT\r\n";
static const struct str SCRIPT = { SCRIPT_TEXT, sizeof(SCRIPT_TEXT) - 1 };

static void
run_script(struct rig *r, size_t cut, bool slowly)
{
	static const char *const WANT[] = { "250-mx", "250 2.1.0", "250 2.1.5", "354 ",
		"250 2.0.0 d", "500 5.5.1", "250 2.1.0", "250 2.1.5", "250 2.0.0 8 b",
		"250 2.0.0 d", "221 2.0.0" };
	struct client *c = client_open(r);

	for (size_t i = 0; slowly && i < SCRIPT.n; i++)
		client_send(c, str_of(SCRIPT.p + i, 1));
	if (!slowly) {
		client_send(c, str_head(SCRIPT, cut));
		client_send(c, str_skip(SCRIPT, cut));
	}
	for (size_t i = 0; i < ARRAY_LEN(WANT); i++)
		expect(c, WANT[i]);
	expect_closed(c);
	client_close(c);
	check_last(r, r->ann, STR("A: b\r\n\r\n.dot\r\n"));
	check_last(r, r->ben, STR("B: c\r\n\r\n"));
}

static void
test_every_cut(void **state)
{
	for (size_t cut = 0; cut <= SCRIPT.n; cut++)
		run_script(*state, cut, false);
	run_script(*state, 0, true);
	assert_int_equal(inbox_count(*state, ((struct rig *)*state)->ann), SCRIPT.n + 2);
}

static void
test_storage_fails(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);
	unsigned long  n;

	open_mail(c, "EHLO there", "x@elsewhere.test", "ann@example.com");
	say(c, "DATA", "354 ");
	kv_fault_set(r->kv, 0, false, 0);
	say(c, LETTER ".", "250 2.0.0");
	n = kv_fault_set(r->kv, 0, false, 0);
	assert_true(n > 0);
	for (unsigned long i = 1; i <= n; i++) {
		uint32_t before = inbox_count(r, r->ann);

		open_mail(c, "EHLO there", "x@elsewhere.test", "ann@example.com");
		say(c, "DATA", "354 ");
		kv_fault_set(r->kv, i, false, E_IO);
		say(c, LETTER ".", "451 4.3.0");
		kv_fault_set(r->kv, 0, false, 0);
		assert_true(inbox_count(r, r->ann) <= before + 1);
		kv_heal(r->kv);
	}
	open_mail(c, "EHLO there", "x@elsewhere.test", "ann@example.com");
	say(c, "DATA", "354 ");
	say(c, LETTER ".", "250 2.0.0");
	client_close(c);
}

/* What was answered with 250 is there after a crash. */
static void
test_kept_after_crash(void **state)
{
	struct rig    *r = *state, after = { 0 };
	struct client *c = client_open(r);
	struct kv     *kv;

	open_mail(c, "EHLO there", "x@elsewhere.test", "both@example.com");
	say(c, "DATA", "354 ");
	say(c, LETTER ".", "250 2.0.0");
	assert_int_equal(kv_mem_crash(r->memory, &kv), 0);
	assert_int_equal(store_open(kv, NULL, NULL, &after.server.store), 0);
	check_last(&after, r->ann, STR(LETTER));
	check_last(&after, r->ben, STR(LETTER));
	store_drop(after.server.store);
	client_close(c);
}

/* One delivery. True when it was confirmed; else a 4xx was said, or the connection closed. */
static bool
try_delivery(struct client *c)
{
	static const char *const LINES[] = { "EHLO there\r\n", "MAIL FROM:<x@elsewhere.test>\r\n",
		"RCPT TO:<both@example.com>\r\n", "DATA\r\n", LETTER ".\r\n" };

	for (size_t i = 0; i < ARRAY_LEN(LINES); i++) {
		struct str got;

		client_send(c, str_c(LINES[i]));
		got = client_reply(c);
		if (got.n == 0 || got.p[0] == '4')
			return false;
		if (got.p[0] != '2' && got.p[0] != '3')
			fail_msg("without memory, \"%s\" gave %.*s", LINES[i], STR_ARG(got));
	}
	return true;
}

/* Each allocation of the server fails once (builds with -Dfaults=true). */
static void
test_memory_fails(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);
	unsigned long  n;

	assert_true(try_delivery(c));
	mem_fault_set(0, 0);
	assert_true(try_delivery(c));
	n = mem_fault_set(0, 0);
	client_close(c);
	for (unsigned long i = 1; i <= n + 5; i++) {
		uint32_t ann = inbox_count(r, r->ann), ben = inbox_count(r, r->ben);
		bool     kept;

		c = client_open(r);
		mem_fault_set(i, 0);
		kept = try_delivery(c);
		mem_fault_set(0, 0);
		assert_in_range(inbox_count(r, r->ann), ann + kept, ann + 1);
		assert_in_range(inbox_count(r, r->ben), ben + kept, ben + 1);
		client_close(c);
	}
}

static void
test_silence(void **state)
{
	struct client *c = client_open(*state);

	say(c, "EHLO there", "250-");
	clock_test_advance(5 * 60 * 1000 + 1);
	expect(c, "421 4.4.2");
	expect_closed(c);
	client_close(c);
}

/* A byte now and then is not silence, and does not help. */
static void
test_slow_command(void **state)
{
	struct client *c = client_open(*state);

	say(c, "EHLO there", "250-");
	client_send(c, STR("NO"));
	clock_test_advance(3 * 60 * 1000);
	client_send(c, STR("O"));
	clock_test_advance(3 * 60 * 1000);
	say(c, "P", "421 4.4.2");
	expect_closed(c);
	client_close(c);
}

static void
test_slow_data(void **state)
{
	struct client *c = client_open(*state);

	open_mail(c, "EHLO there", "x@elsewhere.test", "ann@example.com");
	say(c, "DATA", "354 ");
	for (int i = 0; i < 2; i++) {
		client_send(c, STR("a line\r\n"));
		clock_test_advance(4 * 60 * 1000);
	}
	client_send(c, STR("a line\r\n"));
	expect(c, "421 4.4.2");
	expect_closed(c);
	client_close(c);
}

static void
test_shutdown(void **state)
{
	struct rig    *r = *state;
	struct client *idle = client_open(r), *busy = client_open(r);

	open_mail(idle, "EHLO there", "x@elsewhere.test", "ann@example.com");
	say(idle, "RSET", "250 ");
	open_mail(busy, "EHLO there", "x@elsewhere.test", "ann@example.com");
	say(busy, "DATA", "354 ");
	rig_stop_soon(r);
	expect(idle, "421 4.3.2");
	expect_closed(idle);
	say(busy, LETTER ".", "250 2.0.0"); /* a message under way is taken */
	expect(busy, "421 4.3.2");
	expect_closed(busy);
	client_close(idle);
	client_close(busy);
	assert_int_equal(inbox_count(r, r->ann), 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_up, rig_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_greeting),
		T(test_small_commands),
		T(test_order),
		T(test_recipients),
		T(test_mail_parameters),
		T(test_trace),
		T(test_quota),
		T(test_dots),
		T(test_long_line),
		T(test_bare_line_ends),
		T(test_bare_lf_in_commands),
		T(test_too_big),
		T(test_loop),
		T(test_bdat),
		T(test_pipelining),
		T(test_limits),
		T(test_address_harvest),
		T(test_web_requests),
		T(test_every_cut),
		T(test_storage_fails),
		T(test_memory_fails),
		T(test_kept_after_crash),
		T(test_silence),
		T(test_slow_command),
		T(test_slow_data),
		T(test_shutdown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
