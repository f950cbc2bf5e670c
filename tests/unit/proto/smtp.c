/* proto/smtp: command lines, right, odd and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/own.h"
#include "proto/smtp.h"

static void
check_str(struct str got, const char *want)
{
	if (!str_eq(got, str_c(want)))
		fail_msg("got \"%.*s\", want \"%s\"", STR_ARG(got), want);
}

static void
test_split(void **state)
{
	struct str verb, args;

	(void)state;
	smtp_split(STR("MAIL FROM:<>  \t"), &verb, &args);
	check_str(verb, "MAIL");
	check_str(args, "FROM:<>");
	smtp_split(STR("QUIT"), &verb, &args);
	check_str(verb, "QUIT");
	check_str(args, "");
	smtp_split(STR(""), &verb, &args);
	check_str(verb, "");
	smtp_split(STR("  EHLO x"), &verb, &args);
	check_str(verb, "");
}

/* One table for MAIL and RCPT: both take the same paths. */
static const struct {
	const char *path;
	int         err;
	const char *address;
} PATHS[] = {
	{ "<a@example.com>", 0, "a@example.com" },
	{ " <a@example.com>", 0, "a@example.com" },
	{ "< a@example.com >", 0, "a@example.com" },
	{ "a@example.com", 0, "a@example.com" },
	{ "<postmaster>", 0, "postmaster" },
	{ "<a+tag=x/y@sub.example.com>", 0, "a+tag=x/y@sub.example.com" },
	{ "<a..b@example.com>", 0, "a..b@example.com" },
	{ "<a@[192.0.2.1]>", 0, "a@[192.0.2.1]" },
	{ "<a@[IPv6:2001:db8::1]>", 0, "a@[IPv6:2001:db8::1]" },
	{ "<\"a\"@example.com>", 0, "a@example.com" },
	{ "<\"a\\b.c\"@example.com>", 0, "ab.c@example.com" },
	{ "<\"a b\"@example.com>", 0, "\"a b\"@example.com" },
	{ "<\"a\\\"b>\"@example.com>", 0, "\"a\\\"b>\"@example.com" },
	{ "<\".a\"@example.com>", 0, "\".a\"@example.com" },
	{ "<\"\"@example.com>", 0, "\"\"@example.com" },
	{ "<@one.example,@two.example:a@example.com>", 0, "a@example.com" },
	{ "<gr\xc3\xbc\xc3\x9f@b\xc3\xbc"
	  "cher.example>", 0, "gr\xc3\xbc\xc3\x9f@b\xc3\xbc" "cher.example" },
	{ "<a@under_score.example>", 0, "a@under_score.example" },
	{ "<a@example.com", E_BAD_ADDRESS, "" },
	{ "<a@>", E_BAD_ADDRESS, "" },
	{ "<@example.com>", E_SYNTAX, "" },
	{ "<@one.example,two:a@b>", E_SYNTAX, "" },
	{ "<a b@example.com>", E_BAD_ADDRESS, "" },
	{ "<a@exam ple.com>", E_BAD_ADDRESS, "" },
	{ "<\"a@example.com>", E_BAD_ADDRESS, "" },
	{ "<a@[192.0.2.1>", E_BAD_ADDRESS, "" },
	{ "<a@b@c>", E_BAD_ADDRESS, "" },
	{ "<\xff@example.com>", E_BAD_ADDRESS, "" },
	{ "<a@example.com>x", E_SYNTAX, "" },
	{ "a@example.com>", E_BAD_ADDRESS, "" },
	{ "", E_BAD_ADDRESS, "" },
};

static void
test_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(PATHS); i++) {
		OWN_ARENA struct arena a = ARENA_INIT(65536);
		union smtp_args        args;
		struct str from = str_c(arena_printf(&a, "From:%s", PATHS[i].path));
		struct str to = str_c(arena_printf(&a, "to:%s", PATHS[i].path));

		assert_int_equal(smtp_parse_mail(from, &a, &args), PATHS[i].err);
		if (PATHS[i].err == 0) {
			check_str(args.mail.path.address, PATHS[i].address);
			assert_int_equal(args.mail.path.is_utf8, PATHS[i].address[0] == 'g');
		}
		assert_int_equal(smtp_parse_rcpt(to, &a, &args), PATHS[i].err);
		if (PATHS[i].err == 0)
			check_str(args.rcpt.address, PATHS[i].address);
	}
}

static int
mail(const char *text, struct smtp_mail *ret)
{
	OWN_ARENA struct arena a = ARENA_INIT(65536);
	union smtp_args        args = { 0 };
	int                    r = smtp_parse_mail(str_c(text), &a, &args);

	*ret = args.mail;
	return r;
}

static void
test_mail_params(void **state)
{
	struct smtp_mail m;

	(void)state;
	assert_int_equal(mail("FROM:<>", &m), 0);
	assert_int_equal(m.path.address.n, 0);
	assert_false(m.has_size || m.smtputf8 || m.has_auth);
	assert_int_equal(mail("FROM:<> size=1234  Body=8bitMIME SMTPUTF8 AUTH=<>", &m), 0);
	assert_true(m.has_size && m.smtputf8 && m.has_auth);
	assert_int_equal(m.size, 1234);
	assert_int_equal(m.body, SMTP_BODY_8BITMIME);
	assert_int_equal(mail("FROM:<a@b> BODY=7BIT", &m), 0);
	assert_int_equal(m.body, SMTP_BODY_7BIT);
	assert_int_equal(mail("FROM:<a@b> SIZE=", &m), E_PARAM);
	assert_int_equal(mail("FROM:<a@b> SIZE", &m), E_PARAM);
	assert_int_equal(mail("FROM:<a@b> SIZE=12x", &m), E_PARAM);
	assert_int_equal(mail("FROM:<a@b> SIZE=99999999999999999999", &m), E_PARAM);
	assert_int_equal(mail("FROM:<a@b> SIZE=1 SIZE=2", &m), E_SYNTAX);
	assert_int_equal(mail("FROM:<a@b> BODY=BINARYMIME", &m), E_PARAM);
	assert_int_equal(mail("FROM:<a@b> SMTPUTF8=1", &m), E_PARAM);
	assert_int_equal(mail("FROM:<a@b> RET=FULL", &m), E_PARAM);
	assert_int_equal(mail("FORM:<a@b>", &m), E_SYNTAX);
	assert_int_equal(mail("", &m), E_SYNTAX);
}

static void
test_rcpt_refused(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT(65536);
	union smtp_args        args;

	(void)state;
	assert_int_equal(smtp_parse_rcpt(STR("TO:<>"), &a, &args), E_BAD_ADDRESS);
	assert_int_equal(smtp_parse_rcpt(STR("TO:<a@b> NOTIFY=NEVER"), &a, &args), E_PARAM);
	assert_int_equal(smtp_parse_rcpt(STR("FROM:<a@b>"), &a, &args), E_SYNTAX);
}

static void
test_host(void **state)
{
	union smtp_args args;

	(void)state;
	assert_int_equal(smtp_parse_host(STR("mx.example.com"), NULL, &args), 0);
	check_str(args.text, "mx.example.com");
	assert_int_equal(smtp_parse_host(STR("[192.0.2.1] and words"), NULL, &args), 0);
	check_str(args.text, "[192.0.2.1]");
	assert_int_equal(smtp_parse_host(STR(""), NULL, &args), E_SYNTAX);
	assert_int_equal(smtp_parse_host(STR("b\xc3\xbc""cher"), NULL, &args), E_SYNTAX);
}

static void
test_bdat(void **state)
{
	union smtp_args args;

	(void)state;
	assert_int_equal(smtp_parse_bdat(STR("86 LAST"), NULL, &args), 0);
	assert_int_equal(args.bdat.size, 86);
	assert_true(args.bdat.last);
	assert_int_equal(smtp_parse_bdat(STR("0"), NULL, &args), 0);
	assert_false(args.bdat.last);
	assert_int_equal(smtp_parse_bdat(STR("-1"), NULL, &args), E_SYNTAX);
	assert_int_equal(smtp_parse_bdat(STR(""), NULL, &args), E_SYNTAX);
	assert_int_equal(smtp_parse_bdat(STR("1 LOST"), NULL, &args), E_SYNTAX);
	assert_int_equal(smtp_parse_bdat(STR("18446744073709551616"), NULL, &args), E_SYNTAX);
}

static void
test_auth(void **state)
{
	union smtp_args args;

	(void)state;
	assert_int_equal(smtp_parse_auth(STR("PLAIN"), NULL, &args), 0);
	check_str(args.auth.mechanism, "PLAIN");
	assert_false(args.auth.has_initial);
	assert_int_equal(smtp_parse_auth(STR("LOGIN dGlt"), NULL, &args), 0);
	assert_true(args.auth.has_initial);
	check_str(args.auth.initial, "dGlt");
	assert_int_equal(smtp_parse_auth(STR("PLAIN a b"), NULL, &args), E_SYNTAX);
	assert_int_equal(smtp_parse_auth(STR(""), NULL, &args), E_SYNTAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_mail_params),
		cmocka_unit_test(test_rcpt_refused),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_bdat),
		cmocka_unit_test(test_auth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
