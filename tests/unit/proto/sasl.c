/* proto/sasl: PLAIN and LOGIN as clients send them, and what must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/own.h"
#include "proto/sasl.h"

#define OWN_SASL __attribute__((cleanup(sasl_done)))

static int
step(struct sasl *s, const char *response, struct sasl_reply *ret)
{
	struct str r = str_c(response);

	return sasl_step(s, response != NULL ? &r : NULL, ret);
}

static void
check_str(struct str got, const char *want)
{
	assert_int_equal(got.n, strlen(want));
	assert_memory_equal(got.p, want, got.n);
}

/* One response after the mechanism's name; the error of the exchange. */
static int
plain(const char *base64)
{
	OWN_SASL struct sasl s = { 0 };
	struct sasl_reply    reply;
	int                  r;

	assert_int_equal(sasl_start(&s, STR("plain"), SASL_PASSWORD), 0);
	r = step(&s, base64, &reply);
	if (r == 0)
		assert_int_equal(reply.kind, SASL_CREDENTIALS);
	return r;
}

static void
test_names(void **state)
{
	OWN_SASL struct sasl s = { 0 };
	size_t               i = 0;

	(void)state;
	check_str(sasl_mechanism_next(&i, SASL_PASSWORD), "PLAIN");
	check_str(sasl_mechanism_next(&i, SASL_PASSWORD), "LOGIN");
	assert_int_equal(sasl_mechanism_next(&i, SASL_PASSWORD).n, 0);
	assert_int_equal(sasl_start(&s, STR("CRAM-MD5"), SASL_PASSWORD), E_AUTH_MECHANISM);
	assert_int_equal(sasl_start(&s, STR("PLAI"), SASL_PASSWORD), E_AUTH_MECHANISM);
	assert_int_equal(sasl_start(&s, STR(""), SASL_PASSWORD), E_AUTH_MECHANISM);
}

static void
test_plain(void **state)
{
	OWN_SASL struct sasl s = { 0 };
	struct sasl_reply    reply;

	(void)state;
	assert_int_equal(sasl_start(&s, STR("PLAIN"), SASL_PASSWORD), 0);
	assert_int_equal(step(&s, NULL, &reply), 0);
	assert_int_equal(reply.kind, SASL_CHALLENGE);
	assert_int_equal(reply.challenge.n, 0);
	assert_int_equal(step(&s, "AHRpbQB0YW5zdGFhZnRhbnN0YWFm", &reply), 0);
	assert_int_equal(reply.kind, SASL_CREDENTIALS);
	check_str(reply.user, "tim");
	check_str(reply.password, "tanstaaftanstaaf");
}

static void
test_plain_refused(void **state)
{
	(void)state;
	assert_int_equal(plain("AHRpbQBw"), 0);                 /* \0tim\0p */
	assert_int_equal(plain("dGltAFRJTQBw"), 0);             /* tim\0TIM\0p */
	assert_int_equal(plain("VXJzZWwAS3VydAB4aXBqM3BsbXE="), E_AUTH_FAILED); /* Ursel, Kurt */
	assert_int_equal(plain("dGltAHA="), E_SYNTAX);          /* tim\0p */
	assert_int_equal(plain("AHRpbQBwAA=="), E_SYNTAX);      /* \0tim\0p\0 */
	assert_int_equal(plain("AABw"), E_AUTH_FAILED);         /* \0\0p */
	assert_int_equal(plain("AHRpbQA="), E_AUTH_FAILED);     /* \0tim\0 */
	assert_int_equal(plain("="), E_SYNTAX);
	assert_int_equal(plain(""), E_SYNTAX);
}

static void
test_base64_is_strict(void **state)
{
	(void)state;
	assert_int_equal(plain("AHRpbQB"), E_SYNTAX);
	assert_int_equal(plain("AHRpbQBw AHRpbQBw"), E_SYNTAX);
	assert_int_equal(plain("=AHRpbQBw"), E_SYNTAX);
	assert_int_equal(plain("AHRpbQBw===="), E_SYNTAX);
	assert_int_equal(plain("AHR\npbQBw"), E_SYNTAX);
	assert_int_equal(plain("AHRp-QBw"), E_SYNTAX);
	assert_int_equal(plain("*"), E_SYNTAX); /* an initial response cannot cancel */
}

static void
test_cancel(void **state)
{
	OWN_SASL struct sasl s = { 0 };
	struct sasl_reply    reply;

	(void)state;
	assert_int_equal(sasl_start(&s, STR("LOGIN"), SASL_PASSWORD), 0);
	assert_int_equal(step(&s, NULL, &reply), 0);
	assert_int_equal(step(&s, "*", &reply), E_AUTH_CANCELLED);
}

static void
check_login(const char *initial)
{
	OWN_SASL struct sasl s = { 0 };
	struct sasl_reply    reply;

	assert_int_equal(sasl_start(&s, STR("login"), SASL_PASSWORD), 0);
	assert_int_equal(step(&s, initial, &reply), 0);
	if (initial == NULL) {
		check_str(reply.challenge, "VXNlcm5hbWU6");
		assert_int_equal(step(&s, "dGlt", &reply), 0);
	}
	assert_int_equal(reply.kind, SASL_CHALLENGE);
	check_str(reply.challenge, "UGFzc3dvcmQ6");
	assert_int_equal(step(&s, "cGFzcyB3b3Jk", &reply), 0);
	assert_int_equal(reply.kind, SASL_CREDENTIALS);
	check_str(reply.user, "tim");
	check_str(reply.password, "pass word");
}

static void
test_login(void **state)
{
	(void)state;
	check_login(NULL);
	check_login("dGlt"); /* Outlook gives the name at once */
}

static void
test_login_refused(void **state)
{
	OWN_SASL struct sasl s = { 0 };
	struct sasl_reply    reply;

	(void)state;
	assert_int_equal(sasl_start(&s, STR("LOGIN"), SASL_PASSWORD), 0);
	assert_int_equal(step(&s, "=", &reply), 0);
	assert_int_equal(step(&s, "cGFzcw==", &reply), E_AUTH_FAILED);
	sasl_done(&s);
	assert_int_equal(sasl_start(&s, STR("LOGIN"), SASL_PASSWORD), 0);
	assert_int_equal(step(&s, "dABt", &reply), E_SYNTAX);
}

static void
test_limits(void **state)
{
	static char          text[SASL_LINE_MAX + 8];
	OWN_SASL struct sasl s = { 0 };
	struct sasl_reply    reply;

	(void)state;
	memset(text, 'A', sizeof(text) - 1);
	assert_int_equal(plain(text), E_LIMIT);
	text[SASL_LINE_MAX] = '\0';
	assert_int_equal(plain(text), E_LIMIT);
	memset(text, 'Y', sizeof(text) - 1);
	text[(SASL_NAME_MAX + 4) / 3 * 4] = '\0';
	assert_int_equal(sasl_start(&s, STR("LOGIN"), SASL_PASSWORD), 0);
	assert_int_equal(step(&s, text, &reply), 0);
	assert_int_equal(step(&s, "cGFzcw==", &reply), E_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_plain_refused),
		cmocka_unit_test(test_base64_is_strict),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_login_refused),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
