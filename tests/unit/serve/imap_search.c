/* Tests of serve/imap: SEARCH and ESEARCH over messages of every kind, in a mailbox with gaps. */
#include "imap_rig.h"

#include <poll.h>

#include "base/clock.h"
#include "base/error.h"
#include "kv/open.h"
#include "serve/imap/search_text.h"

static const char PLAIN[] =
    "From: John Smith <smith@example.com>\r\n"
    "To: alice@example.org, \"Bob \\\"B\\\"\" <bob(at home)@example.net>\r\n"
    "Cc: carol@example.net\r\n"
    "Subject: Hello World\r\n"
    "Date: Tue, 1 Feb 1994 23:30:00 -0500\r\n"
    "X-Empty:\r\n"
    "\r\n"
    "The quick brown fox\r\njumps over the lazy dog.\r\n";

static const char ENCODED[] =
    "From: =?iso-8859-1?q?J=F6rg?= <joerg@example.com>\r\n"
    "To: alice@example.org\r\n"
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe_aus?=\r\n =?utf-8?q?_Z=C3=BCrich?=\r\n"
    "Date: 2 Feb 1994 00:10:00 +0100\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n"
    "\r\n"
    "Die Stra=C3=9Fe ist so l=\r\nang wie der Flu=C3=9F.\r\n";

/* The base64 says, in latin 1: "Caf\xe9 au lait"; the attachment "hidden word". */
static const char PARTS[] =
    "From: list@example.com\r\n"
    "Subject: folded\r\n\tsubject  line\r\n"
    "Date: Thu, 3 Feb 1994 10:00:00 +0000\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b1\r\n"
    "\r\n"
    "preamble word\r\n"
    "--b1\r\n"
    "Content-Type: text/html; charset=iso-8859-1\r\n"
    "Content-Transfer-Encoding: base64\r\n"
    "Content-Description: part label\r\n"
    "\r\n"
    "Q2Fm6SBh\r\ndSBsYWl0\r\n"
    "--b1\r\n"
    "Content-Type: application/octet-stream\r\n"
    "Content-Disposition: attachment; filename=report.bin\r\n"
    "\r\n"
    "hidden word\r\n"
    "--b1\r\n"
    "Content-Type: message/rfc822\r\n"
    "\r\n"
    "From: inner@example.net\r\n"
    "Subject: inner subject\r\n"
    "\r\n"
    "inner text\r\n"
    "--b1--\r\n"
    "epilogue\r\n";

static const char HEADERLESS[] = "\r\nno header at all\r\n";

static void
append(struct rig *r, const char *options, struct str message)
{
	OWN_BUF struct buf line = BUF_INIT(8 << 20);

	buf_printf(&line, "ap APPEND box %s {%zu+}\r\n", options, message.n);
	buf_str(&line, message);
	buf_str(&line, STR("\r\n"));
	client_put(&r->clients[1], buf_view(&line));
	play(r, "1! ap\n");
}

/* One word across the border of two pieces of the blob, one right behind it. */
static void
append_big(struct rig *r)
{
	OWN_BUF struct buf m = BUF_INIT(4 << 20);
	size_t             body;

	buf_str(&m, STR("Subject: big\r\n\r\n"));
	body = m.n;
	while (m.n < body + 600000)
		buf_str(&m, STR("01234567890123456789012345678901234567890123456789\r\n"));
	memcpy(m.p + body + KV_BLOB_PIECE - 5, "ACROSSwords", 11);
	memcpy(m.p + body + 2 * KV_BLOB_PIECE, "BEHIND", 6);
	append(r, "() \"05-Feb-1994 00:00:00 +0000\"", buf_view(&m));
}

/* Numbers 1..5 are UIDs 1, 3, 4, 5, 6. */
static void
fill(struct rig *r)
{
	rig_login(r, 1, NULL);
	play(r, "1> c CREATE box\n1! c\n");
	append(r, "(\\Seen foo) \"01-Feb-1994 23:59:59 -0800\"", str_c(PLAIN));
	append(r, "(\\Deleted)", STR("x"));
	append(r, "(\\Seen \\Flagged) \"02-Feb-1994 00:00:00 +0100\"", str_c(ENCODED));
	append(r, "(\\Answered \\Draft bar) \"03-Feb-1994 10:00:00 +0000\"", str_c(PARTS));
	append_big(r);
	append(r, "() \"06-Feb-1994 00:00:00 +0000\"", str_c(HEADERLESS));
	play(r, "1> s SELECT box\n1! s\n1> e EXPUNGE\n1! e\n"
	        "1> t STORE 1 +FLAGS (\\Deleted)\n1! t\n1> t STORE 1 -FLAGS (\\Deleted)\n1! t\n");
}

static const struct {
	const char *ask;
	const char *want; /* after "* SEARCH"; NULL: NO or BAD */
} CASES[] = {
	{ "ALL", " 1 2 3 4 5" },
	{ "NOT ALL", "" },
	/* sets */
	{ "1", " 1" },
	{ "2:3,5", " 2 3 5" },
	{ "*", " 5" },
	{ "4:99", " 4 5" },
	{ "99", "" },
	{ "NOT 2:4", " 1 5" },
	{ "UID 3:4", " 2 3" },
	{ "UID 2", "" },
	{ "UID *", " 5" },
	{ "UID 99:*", " 5" },
	{ "NOT UID 1:3", " 3 4 5" },
	{ "2:4 UID 4:9", " 3 4" },
	{ "1:3 3:5 3", " 3" },
	{ "OR 1 UID 6", " 1 5" },
	/* flags */
	{ "SEEN", " 1 2" },
	{ "UNSEEN", " 3 4 5" },
	{ "FLAGGED SEEN", " 2" },
	{ "OR FLAGGED ANSWERED", " 2 3" },
	{ "OR DRAFT OR FLAGGED KEYWORD FOO", " 1 2 3" },
	{ "UNANSWERED UNDELETED UNDRAFT UNFLAGGED", " 1 4 5" },
	{ "KEYWORD foo", " 1" },
	{ "UNKEYWORD bar", " 1 2 4 5" },
	{ "KEYWORD nobody", "" },
	{ "UNKEYWORD nobody", " 1 2 3 4 5" },
	{ "NOT (SEEN FLAGGED)", " 1 3 4 5" },
	{ "NOT OR SEEN DRAFT", " 4 5" },
	{ "RECENT", " 1 2 3 4 5" },
	{ "OLD", "" },
	{ "NEW", " 3 4 5" },
	/* the internal date is that of its own zone */
	{ "ON 1-Feb-1994", " 1" },
	{ "BEFORE 2-Feb-1994", " 1" },
	{ "ON 2-Feb-1994", " 2" },
	{ "SINCE 3-Feb-1994", " 3 4 5" },
	{ "NOT SINCE 3-Feb-1994", " 1 2" },
	/* so is the Date field; without one it was not sent on any day */
	{ "SENTON 1-Feb-1994", " 1" },
	{ "SENTON 2-Feb-1994", " 2" },
	{ "SENTBEFORE 3-Feb-1994", " 1 2" },
	{ "SENTSINCE 2-Feb-1994", " 2 3" },
	{ "NOT SENTSINCE 2-Feb-1994", " 1 4 5" },
	{ "LARGER 500000", " 4" },
	{ "SMALLER 30", " 5" },
	{ "SMALLER 20", "" },
	{ "LARGER 19 SMALLER 21", " 5" },
	/* header fields */
	{ "FROM smith", " 1" },
	{ "FROM \"john smith <SMITH@\"", " 1" },
	{ "FROM \"j\xc3\xb6rg\"", " 2" },
	{ "FROM J\xc3\x96RG", " 2" },
	{ "FROM inner", "" },
	{ "TO alice", " 1 2" },
	{ "TO bob CC carol", " 1" },
	{ "TO \"bob@example.net\"", " 1" },
	{ "TO \"(at home)\"", " 1" },
	{ "TO \"bob \\\"b\\\" <bob@\"", " 1" },
	{ "TO <alice@example.org>", " 1 2" },
	{ "FROM \"j\xc3\xb6rg <joerg@\"", " 2" },
	{ "CC \"\"", " 1" },
	{ "BCC \"\"", "" },
	{ "SUBJECT \"hello world\"", " 1" },
	{ "SUBJECT subject:", "" },
	{ "SUBJECT \"GR\xc3\x9c\xc3\x9f" "e aus z\xc3\xbcrich\"", " 2" },
	{ "SUBJECT \"folded subject line\"", " 3" },
	{ "SUBJECT \"folded\tsubject  line\"", " 3" },
	{ "TEXT \"folded subject line\"", " 3" },
	{ "SUBJECT big", " 4" },
	{ "NOT SUBJECT big", " 1 2 3 5" },
	{ "HEADER X-Empty \"\"", " 1" },
	{ "HEADER x-empty x", "" },
	{ "HEADER Date 1994", " 1 2 3" },
	{ "NOT HEADER Date \"\"", " 4 5" },
	{ "HEADER MIME-Version 1.0", " 2 3" },
	/* bodies */
	{ "BODY \"brown fox\"", " 1" },
	{ "BODY \"BROWN FOX\"", " 1" },
	{ "BODY hello", "" },
	{ "BODY \"so lang wie\"", " 2" },
	{ "BODY \"STRA\xc3\x9f" "e\"", " 2" },
	{ "BODY \"caf\xc3\xa9 au\"", " 3" },
	{ "BODY CAF\xc3\x89", " 3" },
	{ "BODY \"hidden word\"", "" },
	{ "BODY preamble", "" },
	{ "BODY \"inner text\"", " 3" },
	{ "BODY \"inner subject\"", "" },
	{ "BODY acrosswords", " 4" },
	{ "BODY behind", " 4" },
	{ "BODY acrossword BODY 9behind", "" },
	{ "BODY \"no header\"", " 5" },
	{ "BODY \"\"", " 1 2 3 4 5" },
	{ "TEXT hello", " 1" },
	{ "TEXT \"subject: hello\"", " 1" },
	{ "TEXT \"inner subject\"", " 3" },
	{ "TEXT \"part label\"", " 3" },
	{ "TEXT report.bin", " 3" },
	{ "TEXT \"lazy dog\"", " 1" },
	{ "TEXT example.com", " 1 2 3" },
	{ "TEXT nowhere", "" },
	{ "NOT TEXT example.com", " 4 5" },
	/* together: what is cheap decides first, all give the same */
	{ "OR BODY fox BODY behind", " 1 4" },
	{ "OR TEXT inner OR SUBJECT big SEEN", " 1 2 3 4" },
	{ "SEEN BODY fox FROM smith SENTON 1-Feb-1994", " 1" },
	{ "NOT (BODY fox) SEEN", " 2" },
	{ "TEXT fox TEXT dog TEXT Hello", " 1" },
	{ "(OR (BODY fox NOT SEEN) (SUBJECT folded BODY inner))", " 3" },
	/* charsets */
	{ "CHARSET UTF-8 BODY caf\xc3\xa9", " 3" },
	{ "CHARSET us-ascii BODY fox", " 1" },
	{ "BODY caf\xe9", " 3" },
	{ "CHARSET KOI8-R BODY fox", NULL },
	{ "$", NULL },
};

static void
check(struct rig *r, const char *ask, const char *want)
{
	OWN_BUF struct buf line = BUF_INIT(100000);

	buf_printf(&line, "s SEARCH %s\r\n", ask);
	client_put(&r->clients[1], buf_view(&line));
	buf_reset(&line);
	if (want != NULL) {
		struct str got = client_line(r, &r->clients[1]);

		buf_printf(&line, "* SEARCH%s", want);
		if (!str_eq(got, buf_view(&line)))
			fail_msg("%s\n got: %.*s\nwant: * SEARCH%s", ask, STR_ARG(got), want);
		play(r, "1! s\n");
	} else if (str_starts(client_line(r, &r->clients[1]), STR("s OK"))) {
		fail_msg("%s: OK", ask);
	}
}

static void
test_keys(void **state)
{
	struct rig *r = *state;

	fill(r);
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
		check(r, CASES[i].ask, CASES[i].want);
}

static void
test_answers(void **state)
{
	struct rig *r = *state;

	fill(r);
	play(r, "1> u1 UID SEARCH UNSEEN\n"
	        "1< * SEARCH 4 5 6\n"
	        "1< u1 OK ~\n"
	        "1> u2 UID SEARCH NOT ALL\n"
	        "1< * SEARCH\n"
	        "1< u2 OK ~\n"
	        "1> e1 SEARCH RETURN () UNSEEN\n"
	        "1< * ESEARCH (TAG \"e1\") ALL 3:5\n"
	        "1< e1 OK ~\n"
	        "1> e2 SEARCH RETURN (MIN MAX COUNT ALL) UNDRAFT\n"
	        "1< * ESEARCH (TAG \"e2\") MIN 1 MAX 5 COUNT 4 ALL 1:2,4:5\n"
	        "1< e2 OK ~\n"
	        "1> e3 UID SEARCH RETURN (MIN MAX) SEEN\n"
	        "1< * ESEARCH (TAG \"e3\") UID MIN 1 MAX 3\n"
	        "1< e3 OK ~\n"
	        "1> e4 UID SEARCH RETURN (ALL) SEEN\n"
	        "1< * ESEARCH (TAG \"e4\") UID ALL 1,3\n"
	        "1< e4 OK ~\n"
	        "1> e5 SEARCH RETURN (ALL) SEEN\n"
	        "1< * ESEARCH (TAG \"e5\") ALL 1:2\n"
	        "1< e5 OK ~\n"
	        "1> e6 SEARCH RETURN (MIN ALL COUNT) BODY nowhere\n"
	        "1< * ESEARCH (TAG \"e6\") COUNT 0\n"
	        "1< e6 OK ~\n"
	        "1> e7 SEARCH RETURN (MIN) BODY inner\n"
	        "1< * ESEARCH (TAG \"e7\") MIN 3\n"
	        "1< e7 OK ~\n"
	        "1> e8 SEARCH RETURN (MIN MAX) NOT ALL\n"
	        "1< * ESEARCH (TAG \"e8\")\n"
	        "1< e8 OK ~\n"
	        "1> e9 SEARCH CHARSET KOI8-R ALL\n"
	        "1< e9 NO [BADCHARSET (US-ASCII UTF-8)] ~\n"
	        "1> e10 SEARCH RETURN (SAVE) ALL\n"
	        "1< e10 BAD ~\n");
}

/* The modseq a FETCH shows. */
static unsigned long long
modseq_of(struct rig *r, int number)
{
	OWN_BUF struct buf line = BUF_INIT(1000);
	unsigned long long v = 0;
	struct str         got;

	buf_printf(&line, "f FETCH %d MODSEQ\r\n", number);
	client_put(&r->clients[1], buf_view(&line));
	got = client_line(r, &r->clients[1]);
	got = str_skip(got, str_find(got, STR("MODSEQ (")) + 8);
	for (; got.n > 0 && ascii_is_digit(got.p[0]); got = str_skip(got, 1))
		v = v * 10 + (unsigned long long)(got.p[0] - '0');
	play(r, "1! f\n");
	assert_true(v > 0);
	return v;
}

static void
ask(struct rig *r, const char *fmt, unsigned long long a, unsigned long long b)
{
	char script[1000];

	snprintf(script, sizeof(script), fmt, a, b);
	play(r, script);
}

static void
test_modseq(void **state)
{
	struct rig        *r = *state;
	unsigned long long first, last, second;

	fill(r);
	play(r, "1> c ENABLE CONDSTORE\n1! c\n"
	        "1> t STORE 5 +FLAGS (x)\n1! t\n"
	        "1> t STORE 2 +FLAGS (x)\n1! t\n");
	first = modseq_of(r, 1);
	second = modseq_of(r, 2);
	last = modseq_of(r, 5);
	assert_true(first < last && last < second);
	ask(r, "1> m1 SEARCH MODSEQ %llu\n1< * SEARCH 2 5 (MODSEQ %llu)\n1! m1\n", last, second);
	ask(r, "1> m2 SEARCH MODSEQ %llu\n1< * SEARCH\n1! m2\n", second + 1, 0);
	ask(r, "1> m3 SEARCH OR NOT MODSEQ %llu LARGER 5\n"
	       "1< * SEARCH 1 2 3 4 5 (MODSEQ %llu)\n1! m3\n", last, second);
	ask(r, "1> m4 UID SEARCH RETURN (MIN) MODSEQ 1\n"
	       "1< * ESEARCH (TAG \"m4\") UID MIN 1 MODSEQ %llu\n1! m4\n", first, 0);
	ask(r, "1> m5 SEARCH RETURN (MAX) MODSEQ 1\n"
	       "1< * ESEARCH (TAG \"m5\") MAX 5 MODSEQ %llu\n1! m5\n", last, 0);
	ask(r, "1> m6 SEARCH RETURN (MIN MAX) MODSEQ 1\n"
	       "1< * ESEARCH (TAG \"m6\") MIN 1 MAX 5 MODSEQ %llu\n1! m6\n", last, 0);
	ask(r, "1> m7 SEARCH RETURN (COUNT) MODSEQ \"/flags/\\\\\\\\seen\" all %llu\n"
	       "1< * ESEARCH (TAG \"m7\") COUNT 2 MODSEQ %llu\n1! m7\n", last, second);
}

/* What other sessions do meanwhile does not shift numbers. */
static void
test_expunged_meanwhile(void **state)
{
	struct rig *r = *state;

	fill(r);
	rig_login(r, 2, "box");
	play(r, "2> t STORE 2 +FLAGS (\\Deleted)\n2! t\n2> e EXPUNGE\n2! e\n"
	        "1> s1 SEARCH ALL\n"
	        "1< * SEARCH 1 3 4 5\n"
	        "1! s1\n"
	        "1> s2 SEARCH TEXT example\n"
	        "1< * SEARCH 1 3\n"
	        "1! s2\n"
	        "1> n NOOP\n"
	        "1* n\n"
	        "1> s3 SEARCH ALL\n"
	        "1< * SEARCH 1 2 3 4\n"
	        "1! s3\n");
}

enum { MANY = 3000, PIPELINED = 60 };

static void
fill_many(struct rig *r)
{
	rig_login(r, 1, NULL);
	play(r, "1> c CREATE box\n1! c\n");
	rig_fill(r, "box", 1, MANY);
	play(r, "1> s SELECT box\n1! s\n");
}

static void
put_numbers(struct buf *b, const char *before, const char *between, int step)
{
	for (int i = 1; i <= MANY; i += step)
		buf_printf(b, "%s%d", i == 1 ? before : between, i);
}

static void
test_many(void **state)
{
	struct rig        *r = *state;
	OWN_BUF struct buf want = BUF_INIT(1 << 20);

	fill_many(r);
	put_numbers(&want, "* SEARCH ", " ", 1);
	client_put(&r->clients[1], STR("s1 SEARCH BODY body\r\n"));
	assert_true(str_eq(client_line(r, &r->clients[1]), buf_view(&want)));
	play(r, "1! s1\n"
	        "1> s2 SEARCH RETURN (ALL) SUBJECT message\n"
	        "1< * ESEARCH (TAG \"s2\") ALL 1:3000\n"
	        "1! s2\n"
	        "1> s3 UID SEARCH UID 2990:* BODY 2995\n"
	        "1< * SEARCH 2995\n"
	        "1! s3\n"
	        "1> s4 SEARCH RETURN (COUNT) SUBJECT \"message 1\"\n"
	        "1< * ESEARCH (TAG \"s4\") COUNT 1111\n"
	        "1! s4\n");
}

/* The output is full again and again, in the midst of answers. */
static void
test_answers_nobody_reads(void **state)
{
	struct rig        *r = *state;
	OWN_BUF struct buf ask = BUF_INIT(1 << 20);
	OWN_BUF struct buf all = BUF_INIT(1 << 20), odd = BUF_INIT(1 << 20);

	fill_many(r);
	put_numbers(&ask, "k STORE ", ",", 2);
	buf_str(&ask, STR(" +FLAGS.SILENT (odd)\r\n"));
	client_put(&r->clients[1], buf_view(&ask));
	play(r, "1! k\n");
	put_numbers(&all, "* SEARCH ", " ", 1);
	put_numbers(&odd, "* ESEARCH (TAG \"s\") ALL ", ",", 2);
	for (int i = 0; i < PIPELINED; i++)
		client_put(&r->clients[1],
		    STR("s SEARCH ALL\r\ns SEARCH RETURN (ALL) KEYWORD odd\r\n"));
	for (int i = 0; i < PIPELINED; i++) {
		assert_true(str_eq(client_line(r, &r->clients[1]), buf_view(&all)));
		play(r, "1! s\n");
		assert_true(str_eq(client_line(r, &r->clients[1]), buf_view(&odd)));
		play(r, "1! s\n");
	}
}

static void
test_limits(void **state)
{
	struct rig        *r = *state;
	OWN_BUF struct buf line = BUF_INIT(100000);

	fill(r);
	for (int n = SEARCH_STRINGS_MAX; n <= SEARCH_STRINGS_MAX + 1; n++) {
		buf_reset(&line);
		for (int i = 0; i < n; i++)
			buf_printf(&line, "%sTEXT %d", i > 0 ? " " : "", i % 2);
		buf_byte(&line, '\0');
		check(r, line.p, n <= SEARCH_STRINGS_MAX ? " 1 2 3 4" : NULL);
	}
	buf_reset(&line);
	buf_str(&line, STR("TEXT "));
	for (int i = 0; i <= SEARCH_STRING_MAX; i++)
		buf_byte(&line, 'x');
	buf_byte(&line, '\0');
	check(r, line.p, NULL);
	line.p[SEARCH_STRING_MAX + 5] = '\0';
	check(r, line.p, "");
}

/* --- long searches --- */

enum { LARGE = 16, LARGE_BYTES = 1100000 };

/* Texts too large to be kept: each search decodes them. */
static void
fill_large(struct rig *r)
{
	const struct actor          actor = { .protocol = ACTOR_ADMIN };
	const struct append_options options = { .internal_ms = 1000000000000 };
	OWN_BUF struct buf          text = BUF_INIT(2 * LARGE_BYTES);
	OWN(account)                a = rig_account(r);
	OWN(ingest)                 in = NULL;
	struct appended             done;
	mailbox_id                  id;

	buf_str(&text, STR("Subject: large\r\n\r\n"));
	while (text.n < LARGE_BYTES)
		buf_printf(&text, "line %zu of a text that is long\r\n", text.n);
	assert_int_equal(mailbox_find(a, STR("INBOX"), &id), 0);
	assert_int_equal(ingest_new(r->server.store, 2 * LARGE_BYTES, &in), 0);
	assert_int_equal(ingest_write(in, buf_view(&text)), 0);
	assert_int_equal(ingest_end(in), 0);
	for (int i = 0; i < LARGE; i++)
		assert_int_equal(message_append(a, id, in, &options, &actor, &done), 0);
	assert_int_equal(account_barrier(a), 0);
}

static unsigned long
operations(struct rig *r)
{
	return kv_fault_set(r->kv, 0, false, 0);
}

/* A search says now and then that it goes on, and ends when nobody is there to hear it. */
static void
test_client_has_gone(void **state)
{
	struct rig   *r = *state;
	struct pollfd p = { .events = POLLIN };
	unsigned long whole, part;

	fill_large(r);
	rig_login(r, 1, "INBOX");
	operations(r);
	play(r, "1> s0 SEARCH BODY nowhere\n1! s0\n");
	operations(r);
	play(r, "1> s1 SEARCH BODY nowhere\n1! s1\n");
	whole = operations(r);
	play(r, "1> s2 SEARCH BODY nowhere\n");
	p.fd = r->clients[1].fd;
	while (poll(&p, 1, 1) == 0)
		clock_test_advance(4000);
	r->shows_progress = true;
	play(r, "1< * OK Searched ~% of the mailbox\n");
	rig_close(r, 1);
	for (; net_conns(r->server.net) != 0; poll(NULL, 0, 1))
		clock_test_advance(4000);
	part = operations(r);
	if (part > whole * 3 / 4)
		fail_msg("%lu operations of %lu after the client has gone", part, whole);
}

/* Two sessions of one account search at the same time, and both come to their end. */
static void
test_turns(void **state)
{
	struct rig *r = *state;

	fill_large(r);
	for (int i = 1; i <= 4; i++)
		rig_login(r, i, "INBOX");
	play(r, "1> a SEARCH BODY nowhere\n2> a SEARCH BODY \"line 15\"\n"
	        "3> a SEARCH SUBJECT large\n4> a SEARCH TEXT nowhere\n"
	        "1< * SEARCH\n1! a\n2! a\n3! a\n4! a\n");
	play(r, "1> a SEARCH BODY nowhere\n2> a SEARCH BODY nowhere\n3> a SEARCH BODY nowhere\n");
	rig_close(r, 2);
	play(r, "1! a\n3! a\n");
}

/* What the grammar refuses, and with which word. */
static void
test_refused_arguments(void **state)
{
	struct rig        *r = *state;
	OWN_BUF struct buf line = BUF_INIT(1000);

	rig_login(r, 1, "INBOX");
	play(r, "1> a1 SEARCH FOO\n"
	        "1< a1 BAD Unknown search key.\n"
	        "1> a2 CREATE \"a&b\"\n"
	        "1< a2 NO [CANNOT] The mailbox name is not valid modified UTF-7.\n");
	buf_str(&line, STR("a3 SEARCH "));
	for (int i = 0; i < 200; i++)
		buf_byte(&line, '(');
	buf_str(&line, STR("\r\n"));
	client_put(&r->clients[1], buf_view(&line));
	play(r, "1< a3 NO [LIMIT] Search keys nested too deep.\n"
	        "1> a4 NOOP\n1! a4\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_keys),
		RIG_TEST(test_answers),
		RIG_TEST(test_modseq),
		RIG_TEST(test_expunged_meanwhile),
		RIG_TEST(test_many),
		RIG_TEST(test_answers_nobody_reads),
		RIG_TEST(test_limits),
		RIG_TEST(test_refused_arguments),
		RIG_TEST(test_client_has_gone),
		RIG_TEST(test_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
