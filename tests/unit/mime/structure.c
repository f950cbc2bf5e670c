/* Tests of BODY, BODYSTRUCTURE and ENVELOPE: RFC 9051 s7.5.2, the MIME RFCs, broken headers. */
#include "test.h"

#include "mime/message.h"

#define ASCII "(\"charset\" \"us-ascii\")"
#define TEXT(n, l) "(\"text\" \"plain\" " ASCII " NIL NIL \"7bit\" " #n " " #l " NIL NIL NIL NIL)"

struct row {
	struct str message, want;
};

static void
parse(struct str message, struct arena *a, struct message_summary *s)
{
	assert_int_equal(message_parse(message, NULL, a, s), 0);
	assert_true(check_wire(s->envelope));
	assert_true(check_wire(s->body));
	assert_true(check_wire(s->body_structure));
	assert_true(check_parts(s));
}

static void
check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
		struct message_summary s;

		parse(rows[i].message, &a, &s);
		check_str(s.body_structure, rows[i].want);
	}
}

static void
test_types(void **state)
{
	static const struct row ROWS[] = {
		{ STR("\r\nbody\r\n"), STR(TEXT(6, 1)) },
		{ STR(""), STR(TEXT(0, 0)) },
		{ STR("Subject: x"), STR(TEXT(0, 0)) },
		{ STR("Content-Type: TEXT/HTML; charset=UTF-8\r\n\r\nx"),
		    STR("(\"TEXT\" \"HTML\" (\"charset\" \"UTF-8\") NIL NIL \"7bit\" 1 0 NIL NIL "
			"NIL NIL)") },
		{ STR("Content-Type: text/html; a=b\r\n\r\n"),
		    STR("(\"text\" \"html\" (\"a\" \"b\" \"charset\" \"us-ascii\") NIL NIL "
			"\"7bit\" 0 0"
			" NIL NIL NIL NIL)") },
		{ STR("Content-Type: image/png\r\nContent-Transfer-Encoding: BASE64\r\nContent-ID: "
		      "<a@b>\r\n"
		      "Content-Description: a \"fine\"\r\n\tpicture\r\nContent-MD5: abc==\r\n"
		      "Content-Disposition: Attachment; filename=\"x y.png\"; size=3\r\n"
		      "Content-Language: en, de-CH (x)\r\nContent-Location: http://x/\r\n\r\nAAAA"),
		    STR("(\"image\" \"png\" NIL \"<a@b>\" \"a \\\"fine\\\"\tpicture\" \"BASE64\" 4 "
			"\"abc==\""
			" (\"Attachment\" (\"filename\" \"x y.png\" \"size\" \"3\")) (\"en\" "
			"\"de-CH\")"
			" \"http://x/\")") },
		/* RFC 2045 s4: not MIME, so Content- fields mean nothing. */
		{ STR("Content-Transfer-Encoding: base64\r\n\r\n"), STR(TEXT(0, 0)) },
		{ STR("MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
		    STR("(\"text\" \"plain\" " ASCII " NIL NIL \"base64\" 0 0 NIL NIL NIL NIL)") },
		/* RFC 2045 s5.2: no type is text/plain. */
		{ STR("Content-Type: \r\n\r\n"), STR(TEXT(0, 0)) },
		{ STR("Content-Type: text\r\n\r\n"), STR(TEXT(0, 0)) },
		{ STR("Content-Type: image/\r\n\r\n"), STR(TEXT(0, 0)) },
		{ STR("Content-Type: a b/c\r\n\r\n"), STR(TEXT(0, 0)) },
		{ STR("Content-Type: text; charset=x\r\n\r\n"),
		    STR("(\"text\" \"plain\" (\"charset\" \"x\") NIL NIL \"7bit\" 0 0 NIL NIL NIL "
			"NIL)") },
		/* The first of two counts. */
		{ STR("Content-Type: a/b\r\nContent-Type: c/d\r\n\r\n"),
		    STR("(\"a\" \"b\" NIL NIL NIL \"7bit\" 0 NIL NIL NIL NIL)") },
		{ STR("Content-Type: a/b\r\nContent-Transfer-Encoding: 8bit; x\r\n\r\n"),
		    STR("(\"a\" \"b\" NIL NIL NIL \"7bit\" 0 NIL NIL NIL NIL)") },
		{ STR("Content-Type: a/b\r\nContent-Disposition: \"x\"\r\nContent-Language: "
		      ",\r\n\r\n"),
		    STR("(\"a\" \"b\" NIL NIL NIL \"7bit\" 0 NIL (\"\" NIL) NIL NIL)") },
		{ STR("Content-Type: t\xc3\xa9/b\r\nContent-ID: a\0b\r\nContent-Location:\r\n\r\n"),
		    STR("({3}\r\nt\xc3\xa9 \"b\" NIL {5}\r\na\xef\xbf\xbd"
			"b NIL \"7bit\" 0 NIL NIL NIL \"\")") },
	};

	(void)state;
	check(ROWS, ARRAY_LEN(ROWS));
}

static void
check_params(struct str params, struct str want)
{
	OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
	OWN_BUF struct buf     m = BUF_INIT(10000), w = BUF_INIT(10000);
	struct message_summary s;

	buf_str(&m, STR("Content-Type: a/b"));
	buf_str(&m, params);
	buf_str(&m, STR("\r\n\r\n"));
	buf_str(&w, STR("(\"a\" \"b\" "));
	buf_str(&w, want);
	buf_str(&w, STR(" NIL NIL \"7bit\" 0)"));
	parse(buf_view(&m), &a, &s);
	check_str(s.body, buf_view(&w));
}

static void
test_params(void **state)
{
	(void)state;
	check_params(STR("; X=y ; z=\"a \\\"b\\\\\""), STR("(\"X\" \"y\" \"z\" \"a \\\"b\\\\\")"));
	check_params(STR(" (c) ; (d) x (e) = (f) y (g)"), STR("(\"x\" \"y\")"));
	check_params(STR(";\r\n\tx=\"fold\r\n ed\""), STR("(\"x\" \"fold ed\")"));
	check_params(STR("; x=; y=\"\"; z"), STR("(\"x\" \"\" \"y\" \"\")"));
	check_params(STR("; x; y=z; \"q\"=r; s t=u"), STR("(\"y\" \"z\")"));
	check_params(STR(";;; x=y;"), STR("(\"x\" \"y\")"));
	check_params(STR("; x=\"never ends"), STR("NIL"));
	check_params(STR("; x=\xc3\xa4"), STR("(\"x\" {2}\r\n\xc3\xa4)"));
	check_params(STR("; x=y; x=z"), STR("(\"x\" \"y\" \"x\" \"z\")"));
	/* What ought to be quoted; a missing ';' as in the example of RFC 2046 s5.2.3.7. */
	check_params(STR("; x=a/b@c=?<d>; y=e f"), STR("(\"x\" \"a/b@c=?<d>\" \"y\" \"e\")"));
	check_params(STR(" x=y"), STR("(\"x\" \"y\")"));
	check_params(STR("; x=y\r\n z=\"1 2\""), STR("(\"x\" \"y\" \"z\" \"1 2\")"));
	check_params(STR("/c; x=y"), STR("(\"x\" \"y\")"));
}

static void
test_rfc2231(void **state)
{
	(void)state;
	check_params(STR("; n*=utf-8''%41"), STR("(\"n*\" \"utf-8''%41\")"));
	check_params(STR("; n*0=a; n*1=b; x=y"), STR("(\"x\" \"y\" \"n\" \"ab\")"));
	check_params(STR("; n*1=b; N*0=a"), STR("(\"N\" \"ab\")"));
	check_params(STR("; n*0*=utf-8''%41; n*1=\"100%\"; n*2*=%42"),
	    STR("(\"n*\" \"utf-8''%41100%25%42\")"));
	check_params(STR("; n*0=a; n*1*=%42"), STR("(\"n*\" \"''a%42\")"));
	check_params(STR("; n*0=\"a \\\"\"; n*1=\"\\\" b\""), STR("(\"n\" \"a \\\"\\\" b\")"));
	/* Not a whole: as they are. */
	check_params(STR("; n*0=a; n*2=b"), STR("(\"n*0\" \"a\" \"n*2\" \"b\")"));
	check_params(STR("; n*1=a"), STR("(\"n*1\" \"a\")"));
	check_params(STR("; n*0=a; n*0*=b"), STR("(\"n*0\" \"a\" \"n*0*\" \"b\")"));
	check_params(STR("; n*=a; n*=b"), STR("(\"n*\" \"a\" \"n*\" \"b\")"));
	check_params(STR("; n*x=a; n*-1=b; n*4294967296=c; *=d; **=e"),
	    STR("(\"n*x\" \"a\" \"n*-1\" \"b\" \"n*4294967296\" \"c\" \"*\" \"d\" \"**\" \"e\")"));
}

static void
test_multipart(void **state)
{
	static const struct row ROWS[] = {
		{ STR("Content-Type: multipart/mixed; boundary=\"b\"\r\nContent-ID: <x>\r\n"
		      "Content-Disposition: inline\r\nContent-Language: en\r\nContent-Location: "
		      "l\r\n\r\n"
		      "preamble\r\n--b\r\n\r\nA\r\n--b\r\nContent-Type: "
		      "a/b\r\n\r\nB\r\n--b--\r\nepilogue\r\n--b\r\n"),
		    STR("(" TEXT(
			1, 0) "(\"a\" \"b\" NIL NIL NIL \"7bit\" 1 NIL NIL NIL NIL) \"mixed\""
			      " (\"boundary\" \"b\") (\"inline\" NIL) (\"en\") \"l\")") },
		/* Without a part, or without a boundary. */
		{ STR("Content-Type: multipart/x; boundary=b\r\n\r\nnothing\r\n"),
		    STR("(" TEXT(0, 0) " \"x\" (\"boundary\" \"b\") NIL NIL NIL)") },
		{ STR("Content-Type: multipart/x\r\n\r\n--\r\n\r\n"),
		    STR("(" TEXT(0, 0) " \"x\" NIL NIL NIL NIL)") },
		{ STR("Content-Type: multipart/x; boundary=\"\"\r\n\r\n--\r\n\r\nx\r\n----\r\n"),
		    STR("(" TEXT(0, 0) " \"x\" (\"boundary\" \"\") NIL NIL NIL)") },
		{ STR("Content-Type: multipart/x; boundary*0=b; "
		      "boundary*1=c\r\n\r\n--bc\r\n\r\nA\r\n--bc--\r\n"),
		    STR("(" TEXT(1, 0) " \"x\" (\"boundary\" \"bc\") NIL NIL NIL)") },
		/* RFC 2046 s5.1.5 */
		{ STR("Content-Type: multipart/Digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: "
		      "s\r\n\r\nA\r\n--b\r\n"
		      "Content-Type: text/plain\r\n\r\nB\r\n--b--\r\n"),
		    STR("((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 15 (NIL \"s\" NIL NIL NIL "
			"NIL NIL NIL NIL NIL) " TEXT(1, 0) " 2 NIL NIL NIL NIL)" TEXT(
			    1, 0) " \"Digest\" (\"boundary\" \"b\") NIL NIL NIL)") },
		/* Boundaries that begin one another; the line need only begin with it. */
		{ STR("Content-Type: multipart/a; boundary=b\r\n\r\n--b\r\nContent-Type: "
		      "multipart/c; boundary=bb\r\n\r\n"
		      "--bb \r\n\r\nA\r\n--bbx\r\n\r\nB\r\n--b\r\n\r\nC\r\n--b--\r\n"),
		    STR("((" TEXT(1, 0) TEXT(1, 0) " \"c\" (\"boundary\" \"bb\") NIL NIL NIL)" TEXT(
			1, 0) " \"a\" (\"boundary\" \"b\") NIL NIL NIL)") },
		{ STR("Content-Type: multipart/a; "
		      "boundary=\"b--\"\r\n\r\n--b--\r\n\r\nA\r\n--b----\r\n"),
		    STR("(" TEXT(1, 0) " \"a\" (\"boundary\" \"b--\") NIL NIL NIL)") },
		/* An outer boundary ends what is inside it. */
		{ STR("Content-Type: multipart/a; boundary=b\r\n\r\n--b\r\nContent-Type: "
		      "multipart/c; boundary=d\r\n\r\n"
		      "--d\r\n\r\nA\r\n--b\r\n\r\nB\r\n--d\r\n"),
		    STR("((" TEXT(1, 0) " \"c\" (\"boundary\" \"d\") NIL NIL NIL)" TEXT(
			8, 2) " \"a\" (\"boundary\" \"b\") NIL NIL NIL)") },
		/* In a header, and right behind one. */
		{ STR("Content-Type: multipart/a; boundary=b\r\n\r\n--b\r\nContent-Type: "
		      "c/d\r\n--b\r\n\r\n--b\r\n--b--"),
		    STR("((\"c\" \"d\" NIL NIL NIL \"7bit\" 0 NIL NIL NIL NIL)" TEXT(0, 0)
			    TEXT(0, 0) " \"a\" (\"boundary\" \"b\") NIL NIL NIL)") },
		/* Bare LF. */
		{ STR("Content-Type: multipart/a; boundary=b\n\n--b\n\nA\nB\n--b--\n"),
		    STR("(" TEXT(3, 1) " \"a\" (\"boundary\" \"b\") NIL NIL NIL)") },
	};

	(void)state;
	check(ROWS, ARRAY_LEN(ROWS));
}

static void
test_message(void **state)
{
	static const struct row ROWS[] = {
		{ STR("Content-Type: message/rfc822\r\n\r\nFrom: a@b\r\nSubject: s\r\n\r\nx\r\n"),
		    STR("(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 28 (NIL \"s\" ((NIL NIL "
			"\"a\" \"b\"))"
			" ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL "
			"NIL) " TEXT(3, 1) " 4 NIL NIL NIL NIL)") },
		{ STR("Content-Type: message/rfc822"),
		    STR("(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 0 (NIL NIL NIL NIL NIL NIL "
			"NIL NIL NIL NIL) " TEXT(0, 0) " 0 NIL NIL NIL NIL)") },
		/* RFC 9051 s9 (media-message) */
		{ STR("Content-Type: message/global\r\n\r\n\r\n"),
		    STR("(\"message\" \"global\" NIL NIL NIL \"7bit\" 2 (NIL NIL NIL NIL NIL NIL "
			"NIL NIL NIL NIL) " TEXT(0, 0) " 1 NIL NIL NIL NIL)") },
		{ STR("Content-Type: message/delivery-status\r\n\r\nx"),
		    STR("(\"message\" \"delivery-status\" NIL NIL NIL \"7bit\" 1 NIL NIL NIL "
			"NIL)") },
		/* The line end before a boundary is the boundary's, also where the message inside
		   ends. */
		{ STR("Content-Type: multipart/a; boundary=b\r\n\r\n--b\r\nContent-Type: "
		      "message/rfc822\r\n\r\n"
		      "Subject: s\r\n--b--\r\n"),
		    STR("((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 10 (NIL \"s\" NIL NIL NIL "
			"NIL NIL NIL NIL NIL) " TEXT(
			    0, 0) " 0 NIL NIL NIL NIL) \"a\" (\"boundary\" \"b\") NIL NIL NIL)") },
	};

	(void)state;
	check(ROWS, ARRAY_LEN(ROWS));
}

static void
check_envelope(struct str header, struct str want)
{
	OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
	struct message_summary s;

	parse(header, &a, &s);
	check_str(s.envelope, want);
}

static void
test_envelope(void **state)
{
	(void)state;
	check_envelope(STR(""), STR("(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"));
	/* RFC 9051 s7.5.2 (example of FETCH ENVELOPE) */
	check_envelope(
	    STR("Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray "
		"<gray@cac.washington.edu>\r\n"
		"Subject: IMAP4rev2 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n"
		"cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
		"Message-Id: <B27397-0100000@cac.washington.edu>\r\n"),
	    STR("(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev2 WG mtg summary and "
		"minutes\""
		" ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\"))"
		" ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\"))"
		" ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\"))"
		" ((NIL NIL \"imap\" \"cac.washington.edu\"))"
		" ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" "
		"\"MIT.EDU\"))"
		" NIL NIL \"<B27397-0100000@cac.washington.edu>\")"));
	check_envelope(STR("Sender: s@x\r\nReply-To:\r\nFrom: f@x\r\nTo: g: a@b;\r\n"),
	    STR("(NIL NIL ((NIL NIL \"f\" \"x\")) ((NIL NIL \"s\" \"x\")) ((NIL NIL \"f\" \"x\"))"
		" ((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)) NIL NIL NIL NIL)"));
	/* Text for people loses its folds and its double blanks; the others only their folds. */
	check_envelope(
	    STR("Subject: \ta  \r\n   b\t\r\nIn-Reply-To: <a@b>\r\n  <c@d>\r\nDate: \r\n"),
	    STR("(\"\" \"a b\" NIL NIL NIL NIL NIL NIL \"<a@b>  <c@d>\" NIL)"));
	check_envelope(STR("Subject: q\"uo\\te\r\n"),
	    STR("(NIL \"q\\\"uo\\\\te\" NIL NIL NIL NIL NIL NIL NIL NIL)"));
	check_envelope(STR("Subject: \xe4 \0 b\r\n"),
	    STR("(NIL {7}\r\n\xe4 \xef\xbf\xbd b NIL NIL NIL NIL NIL NIL NIL NIL)"));
	check_envelope(STR("Subject:\r\nMessage-ID: \r\n \r\n"),
	    STR("(NIL \"\" NIL NIL NIL NIL NIL NIL NIL \"\")"));
	/* Of doubles the last counts, addresses add up; an empty list is NIL. */
	check_envelope(STR("Subject: 1\r\nSubject: 2\r\nTo: a@b\r\nTo: c@d\r\nCc:\r\nCc: (x)\r\n"),
	    STR("(NIL \"2\" NIL NIL NIL ((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")) NIL NIL NIL "
		"NIL)"));
}

/* A display name of n letters between two addresses; before and after: how it is sent. */
static void
check_long_name(size_t n, const char *before, const char *after)
{
	OWN_BUF struct buf m = BUF_INIT(100000), w = BUF_INIT(100000);
	char               name[20000];

	memset(name, 'x', sizeof(name));
	buf_printf(&m, "To: a@b, %.*s <c@d>, e@f\r\n\r\n", (int)n, name);
	buf_str(&w, STR("(NIL NIL NIL NIL NIL ((NIL NIL \"a\" \"b\")"));
	if (before != NULL)
		buf_printf(&w, "(%s%.*s%s NIL \"c\" \"d\")(NIL NIL \"e\" \"f\")", before, (int)n,
		    name, after);
	buf_str(&w, STR(") NIL NIL NIL NIL)"));
	check_envelope(buf_view(&m), buf_view(&w));
}

/* Over WIRE_QUOTED_MAX a string is a literal; an address over 16 KiB ends its list. */
static void
test_long_strings(void **state)
{
	(void)state;
	check_long_name(1000, "\"", "\"");
	check_long_name(1001, "{1001}\r\n", "");
	check_long_name(16000, "{16000}\r\n", "");
	check_long_name(17000, NULL, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_rfc2231),
		cmocka_unit_test(test_multipart),
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_envelope),
		cmocka_unit_test(test_long_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
