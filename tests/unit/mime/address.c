/* Tests of mime/address.h: RFC 5322 appendix A, obsolete forms, and what people send instead. */
#include "test.h"

#include "mime/address.h"

static void
put(struct str s, struct buf *to)
{
	buf_str(to, s.p == NULL ? STR("~") : s);
}

/* name|route|mailbox|domain for each, "~" for NIL. */
static void
show(struct str value, struct buf *to)
{
	OWN_ADDRESS_READER struct address_reader r;
	struct address                           a;

	address_reader_init(&r, value);
	while (address_next(&r, &a)) {
		if (to->n != 0)
			buf_str(to, STR(" , "));
		put(a.name, to);
		buf_byte(to, '|');
		put(a.route, to);
		buf_byte(to, '|');
		put(a.mailbox, to);
		buf_byte(to, '|');
		put(a.domain, to);
	}
}

#define MM "MISSING_MAILBOX"
#define MD "MISSING_DOMAIN"
#define SE "SYNTAX_ERROR"

struct row {
	struct str in, want;
};

static void
check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		OWN_BUF struct buf b = BUF_INIT(10000);

		show(rows[i].in, &b);
		check_str(buf_view(&b), rows[i].want);
	}
}

static void
test_rfc5322(void **state)
{
	static const struct row ROWS[] = {
		{ STR(" John Doe <jdoe@machine.example>\r\n"),
		    STR("John Doe|~|jdoe|machine.example") },
		{ STR("\"Joe Q. Public\" <john.q.public@example.com>"),
		    STR("Joe Q. Public|~|john.q.public|example.com") },
		{ STR("Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>"),
		    STR("Mary Smith|~|mary|x.test , ~|~|jdoe|example.org , Who?|~|one|y.test") },
		{ STR("<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>"),
		    STR("~|~|boss|nil.test , Giant; \"Big\" Box|~|sysservices|example.net") },
		{ STR("A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;"),
		    STR("~|~|A Group|~ , Ed Jones|~|c|a.test , ~|~|joe|where.test , "
			"John|~|jdoe|one.test , ~|~|~|~") },
		{ STR("Undisclosed recipients:;"), STR("~|~|Undisclosed recipients|~ , ~|~|~|~") },
		{ STR("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>"),
		    STR("Pete|~|pete|silly.test") },
		{ STR("A Group(Some people)\r\n     :Chris Jones <c@(Chris's "
		      "host.)public.example>,\r\n"
		      " joe@example.org,\r\n John <jdoe@one.test> (my dear friend); (the end)"),
		    STR("~|~|A Group|~ , Chris Jones|~|c|public.example , ~|~|joe|example.org , "
			"John|~|jdoe|one.test , ~|~|~|~") },
		{ STR("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;"),
		    STR("~|~|Hidden recipients|~ , ~|~|~|~") },
	};

	(void)state;
	check(ROWS, ARRAY_LEN(ROWS));
}

static void
test_obsolete(void **state)
{
	static const struct row ROWS[] = {
		{ STR("Joe Q. Public <john.q.public@example.com>"),
		    STR("Joe Q. Public|~|john.q.public|example.com") },
		{ STR("Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example"),
		    STR("Mary Smith|@node.test|mary|example.net , ~|~|" MM "|" MD
			" , ~|~|jdoe|test.example") },
		{ STR("<@ a , @ b.c : c @ d>"), STR("~|@a,@b.c|c|d") },
		{ STR("<@a,,@b:c@d>"), STR("~|@a,@b|c|d") },
		{ STR("a . b@c"), STR("~|~|a.b|c") },
		{ STR("\"a\".b.\"c d\"@e"), STR("~|~|a.b.c d|e") },
		{ STR("<\"a b\" . c @ d>"), STR("~|~|a b.c|d") },
		{ STR("john@example.com (John Doe)"), STR("John Doe|~|john|example.com") },
		{ STR("(x) a@b (y (z) \\))"), STR("y (z) )|~|a|b") },
		{ STR("a@[192.0.2.1], a@[IPv6:::1]"), STR("~|~|a|[192.0.2.1] , ~|~|a|[IPv6:::1]") },
	};

	(void)state;
	check(ROWS, ARRAY_LEN(ROWS));
}

static void
test_international(void **state)
{
	static const struct row ROWS[] = {
		{ STR("J\xc3\xbcrgen <j\xc3\xbcrgen@b\xc3\xbc" "cher.example>"),
		    STR("J\xc3\xbcrgen|~|j\xc3\xbcrgen|b\xc3\xbc" "cher.example") },
		{ STR("\xe9\xe8 <a@b>"), STR("\xe9\xe8|~|a|b") },
		{ STR("=?utf-8?q?J=C3=BC?= <a@b>"), STR("=?utf-8?q?J=C3=BC?=|~|a|b") },
	};

	(void)state;
	check(ROWS, ARRAY_LEN(ROWS));
}

static void
test_broken(void **state)
{
	static const struct row ROWS[] = {
		{ STR(""), STR("") },
		{ STR(" \r\n "), STR("") },
		{ STR("(only a comment)"), STR("") },
		{ STR("(never ends"), STR("") },
		{ STR("joe"), STR("~|~|joe|" MD) },
		{ STR("joe smith"), STR("joe smith|~|" MM "|" MD) },
		{ STR("joe (smith)"), STR("smith|~|joe|" MD) },
		{ STR("Joe joe@x"), STR("Joe joe|~|" MM "|" MD) },
		{ STR("\"Joe\""), STR("Joe|~|" MM "|" MD) },
		{ STR("<joe>"), STR("~|~|joe|" MD) },
		{ STR("<>"), STR("~|~|" MM "|" MD) },
		{ STR("x <>"), STR("x|~|" MM "|" MD) },
		{ STR("@b"), STR("~|~|" MM "|b") },
		{ STR("a@"), STR("~|~|a|" MD) },
		{ STR("\"\"@b"), STR("~|~||b") },
		{ STR("Joe <joe"), STR("Joe|~|joe|" SE) },
		{ STR("Joe <joe@"), STR("Joe|~|joe|" SE) },
		{ STR("<a@b@c>"), STR("~|~|a|" SE) },
		{ STR("<a b@c>"), STR("~|~|a|" SE) },
		{ STR("<<a@b>>"), STR("~|~|" MM "|" SE) },
		{ STR("n <@a b@c>"), STR("n|INVALID_ROUTE|b|c") },
		{ STR("a@b, <c@d"), STR("~|~|a|b , ~|~|c|" SE) },
		{ STR("x <a@b> junk, c@d"), STR("x|~|a|b") },
		{ STR("a@b; c@d"), STR("~|~|a|b") },
		{ STR(",,,"), STR("~|~|" MM "|" MD " , ~|~|" MM "|" MD " , ~|~|" MM "|" MD) },
		{ STR("a@b,"), STR("~|~|a|b") },
		{ STR("a..b@c, .a@c, a.@c"), STR("~|~|a..b|c , ~|~|.a|c , ~|~|a.|c") },
		{ STR("\"never ends <a@b>"), STR("~|~|" MM "|" MD) },
		{ STR("g:"), STR("~|~|g|~ , ~|~|~|~") },
		{ STR("g: a@b"), STR("~|~|g|~ , ~|~|a|b , ~|~|~|~") },
		{ STR("g: a@b, h: c@d;;"), STR("~|~|g|~ , ~|~|a|b , ~|~|h|" MD " , ~|~|~|~") },
		{ STR("g: a@b c@d;, e@f"), STR("~|~|g|~ , ~|~|a|b , ~|~|~|~") },
		{ STR(":"), STR("~|~||~ , ~|~|~|~") },
		{ STR("a\0@b"), STR("~|~|a|" MD) },
		{ STR("[x] <a@b>"), STR("~|~|" MM "|" MD) },
		{ STR("\"\" <a@b>"), STR("~|~|a|b") },
		{ STR("a \"b\"c <d@e>"), STR("a b c|~|d|e") },
		{ STR("a\\b <c@d>"), STR("~|~|a|" MD) },
	};

	(void)state;
	check(ROWS, ARRAY_LEN(ROWS));
}

/* A MiB of one thing: the reader comes to an end, and soon. */
static void
test_floods(void **state)
{
	static const struct str PIECES[] = { STR(","), STR("("), STR(")"), STR("\""), STR("<"),
		STR(">"), STR("@"), STR(":"), STR(";"), STR("a,"), STR("a:"), STR("a "),
		STR("\"a\" "), STR("(a) "), STR("."), STR("a."), STR("a@"), STR("<@a,"),
		STR("<a@b>,"), STR("\\"), STR("\0"), STR("a(,"), STR("a\","), STR("[") };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(PIECES); i++) {
		OWN_BUF struct buf                       b = BUF_INIT(2 << 20);
		OWN_ADDRESS_READER struct address_reader r;
		struct address                           a;
		size_t                                   n = 0;

		while (b.n < 1 << 20)
			buf_str(&b, PIECES[i]);
		address_reader_init(&r, buf_view(&b));
		while (address_next(&r, &a))
			n++;
		assert_true(n <= (1 << 20) + 2);
		assert_int_equal(r.text.err, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc5322),
		cmocka_unit_test(test_obsolete),
		cmocka_unit_test(test_international),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_floods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
