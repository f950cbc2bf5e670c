/* proto/sasl: SCRAM, with the examples of RFC 5802 s5 and RFC 7677 s3, and all that must fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/own.h"
#include "codec/base64.h"
#include "proto/sasl.h"

#define OWN_SASL __attribute__((cleanup(sasl_done)))
#define N1 "fyko+d2lbbFgONRv9qkxdawL"
#define N1_WHOLE N1 "3rfcNHYJY1ZVvWVs7j"
#define N256 "rOprNGfwEbeRWgbNEkqO"
#define N256_WHOLE N256 "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"

/* One of the two examples: the password is "pencil", the user "user". */
struct example {
	const char     *mechanism, *salt, *nonce, *first, *says, *last, *verdict;
	enum scram_hash hash;
};
static const struct example SHA1_EXAMPLE = { "SCRAM-SHA-1", "QSXCR+Q6sek8bf92",
	"3rfcNHYJY1ZVvWVs7j", "n,,n=user,r=" N1, "r=" N1_WHOLE ",s=QSXCR+Q6sek8bf92,i=4096",
	"c=biws,r=" N1_WHOLE ",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
	SCRAM_SHA1 };
static const struct example SHA256_EXAMPLE = { "SCRAM-SHA-256", "W22ZaJ0SNY7soEsUEjb6gQ==",
	"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "n,,n=user,r=" N256,
	"r=" N256_WHOLE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	"c=biws,r=" N256_WHOLE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
	"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", SCRAM_SHA256 };

static struct scram_salt
salt_of(const char *base64)
{
	OWN_BUF struct buf raw = BUF_INIT(64);
	struct scram_salt  s = { .iterations = 4096 };

	assert_int_equal(base64_decode(str_c(base64), &raw), 0);
	memcpy(s.b, raw.p, raw.n);
	s.n = raw.n;
	return s;
}

static struct scram_keys
keys_of(const struct example *e, const char *password)
{
	struct scram_salt salt = salt_of(e->salt);
	struct scram_keys k;

	assert_int_equal(scram_derive(e->hash, str_c(password), &salt, &k), 0);
	return k;
}

/* A response as plain text. */
static int
say(struct sasl *s, const char *text, struct sasl_reply *ret)
{
	OWN_BUF struct buf line = BUF_INIT(16384);
	struct str         view;

	base64_encode(str_c(text), &line);
	view = buf_view(&line);
	return sasl_step(s, &view, ret);
}

static void
check_challenge(const struct sasl_reply *r, const char *want)
{
	OWN_BUF struct buf raw = BUF_INIT(4096);

	assert_int_equal(r->kind, SASL_CHALLENGE);
	assert_int_equal(base64_decode(r->challenge, &raw), 0);
	assert_int_equal(raw.n, strlen(want));
	assert_memory_equal(raw.p, want, raw.n);
}

static void
start(struct sasl *s, const char *mechanism, unsigned offers)
{
	assert_int_equal(sasl_start(s, str_c(mechanism), offers), 0);
}

/* Up to the server's first message. The binding's data, if one is named, is "data". */
static int
first(struct sasl *s, const struct example *e, const char *text, struct sasl_reply *ret)
{
	struct scram_salt salt = salt_of(e->salt);
	struct sasl_salt  given = { .salt = &salt, .nonce = str_c(e->nonce) };
	int               r = say(s, text, ret);

	if (r < 0)
		return r;
	assert_int_equal(ret->kind, SASL_WANT_SALT);
	assert_int_equal(ret->hash, e->hash);
	if (ret->binding.n != 0)
		given.binding = STR("data");
	return sasl_give_salt(s, &given, ret);
}

/* The whole of an example with its last message, against these keys. */
static int
run(const struct example *e, const char *last, const struct scram_keys *keys, size_t n)
{
	OWN_SASL struct sasl s = { 0 };
	struct sasl_reply    reply;
	struct str           empty = STR("");
	size_t               which = 99;
	int                  r;

	start(&s, e->mechanism, SASL_PASSWORD | SASL_SCRAM);
	assert_int_equal(first(&s, e, e->first, &reply), 0);
	check_challenge(&reply, e->says);
	r = say(&s, last, &reply);
	if (r < 0)
		return r;
	assert_int_equal(reply.kind, SASL_WANT_KEYS);
	assert_memory_equal(reply.user.p, "user", 4);
	r = sasl_give_keys(&s, keys, n, &which, &reply);
	if (r < 0)
		return r;
	assert_int_equal(which, n - 1);
	check_challenge(&reply, e->verdict);
	assert_int_equal(sasl_step(&s, &empty, &reply), 0);
	assert_int_equal(reply.kind, SASL_PROVED);
	assert_int_equal(reply.user.n, 4);
	return 0;
}

static void
test_examples(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		const struct example *e = i == 0 ? &SHA1_EXAMPLE : &SHA256_EXAMPLE;
		struct scram_keys     one = keys_of(e, "pencil"), many[101];

		assert_int_equal(run(e, e->last, &one, 1), 0);
		for (size_t k = 0; k < ARRAY_LEN(many); k++)
			memset(&many[k], (int)k, sizeof(many[k]));
		assert_int_equal(run(e, e->last, many, ARRAY_LEN(many)), E_AUTH_FAILED);
		many[100] = one;
		assert_int_equal(run(e, e->last, many, ARRAY_LEN(many)), 0);
		assert_int_equal(run(e, e->last, NULL, 0), E_AUTH_FAILED);
		one = keys_of(e, "Pencil");
		assert_int_equal(run(e, e->last, &one, 1), E_AUTH_FAILED);
	}
}

static void
test_last_message_refused(void **state)
{
	const struct example *e = &SHA1_EXAMPLE;
	struct scram_keys     k = keys_of(e, "pencil");
	static const struct {
		const char *text;
		int         err;
	} CASES[] = {
		{ "c=biws,r=" N1_WHOLE ",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Tt=", E_SYNTAX },
		{ "c=biws,r=" N1_WHOLE ",p=w0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", E_AUTH_FAILED },
		/* another binding, another nonce, one that is cut */
		{ "c=eSws,r=" N1_WHOLE ",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", E_AUTH_FAILED },
		{ "c=biws,r=" N1_WHOLE "x,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", E_AUTH_FAILED },
		{ "c=biws,r=" N1 ",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", E_AUTH_FAILED },
		/* an extension is signed too */
		{ "c=biws,r=" N1_WHOLE ",x=y,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", E_AUTH_FAILED },
		{ "c=biws,r=" N1_WHOLE ",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=,x=y", E_SYNTAX },
		{ "c=biws,r=" N1_WHOLE ",p=v0X8", E_SYNTAX },
		{ "c=biws,r=" N1_WHOLE, E_SYNTAX },
		{ "r=" N1_WHOLE ",c=biws,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", E_SYNTAX },
		{ "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", E_SYNTAX },
		{ ",,,", E_SYNTAX },
		{ "", E_SYNTAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
		if (run(e, CASES[i].text, &k, 1) != CASES[i].err)
			fail_msg("%s", CASES[i].text);
}

static void
test_first_message(void **state)
{
	static char long_name[SASL_NAME_MAX + 64], long_nonce[SASL_NONCE_MAX + 64];
	const struct {
		const char *text;
		int         err;
	} CASES[] = {
		{ "n,,n=u,r=x", 0 },
		{ "n,,n=u,r=x,e=future", 0 },
		{ "n,a=u,n=U,r=x", 0 },
		{ "n,a=u=2Cv=3D,n=u=2Cv=3D,r=x", 0 },
		{ "y,,n=u,r=x", 0 }, /* no binding is offered: it is right */
		{ "n,a=other,n=u,r=x", E_AUTH_FAILED },
		{ "p=tls-unique,,n=u,r=x", E_AUTH_FAILED },
		{ "n,,m=must,n=u,r=x", E_SYNTAX },
		{ "n,,n=u=2c,r=x", E_SYNTAX },
		{ "n,,n=u=,r=x", E_SYNTAX },
		{ "n,,n=\xff,r=x", E_SYNTAX },
		{ "n,,n=,r=x", E_SYNTAX },
		{ "n,,n=u,r=", E_SYNTAX },
		{ "n,,n=u,r=\x7f", E_SYNTAX },
		{ "n,,n=u", E_SYNTAX },
		{ "n,b=u,n=u,r=x", E_SYNTAX },
		{ "n,n=u,r=x", E_SYNTAX },
		{ "x,,n=u,r=x", E_SYNTAX },
		{ "p=,,n=u,r=x", E_SYNTAX },
		{ ",,n=u,r=x", E_SYNTAX },
		{ "n", E_SYNTAX },
		{ "n,,", E_SYNTAX },
		{ "", E_SYNTAX },
		{ long_name, E_LIMIT },
		{ long_nonce, E_SYNTAX },
	};

	(void)state;
	snprintf(long_name, sizeof(long_name), "n,,n=%0*d,r=x", SASL_NAME_MAX + 1, 1);
	snprintf(long_nonce, sizeof(long_nonce), "n,,n=u,r=%0*d", SASL_NONCE_MAX + 1, 1);
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		OWN_SASL struct sasl s = { 0 };
		struct sasl_reply    reply;
		int                  r;

		start(&s, "SCRAM-SHA-1", SASL_SCRAM);
		r = first(&s, &SHA1_EXAMPLE, CASES[i].text, &reply);
		if (r != CASES[i].err)
			fail_msg("%s: %d", CASES[i].text, r);
	}
}

/* RFC 5802 s6: what the client believes of the binding must be true. */
static void
test_binding_is_told_truly(void **state)
{
	static const struct {
		const char *mechanism, *text;
		unsigned    offers;
		int         err;
	} CASES[] = {
		{ "SCRAM-SHA-1-PLUS", "p=tls-exporter,,n=u,r=x", SASL_BINDING, 0 },
		{ "SCRAM-SHA-1-PLUS", "n,,n=u,r=x", SASL_BINDING, E_AUTH_FAILED },
		{ "SCRAM-SHA-1-PLUS", "y,,n=u,r=x", SASL_BINDING, E_AUTH_FAILED },
		{ "SCRAM-SHA-1", "p=tls-exporter,,n=u,r=x", SASL_BINDING, E_AUTH_FAILED },
		{ "SCRAM-SHA-1", "n,,n=u,r=x", SASL_BINDING, 0 },
		/* somebody has taken PLUS out of the list on its way */
		{ "SCRAM-SHA-1", "y,,n=u,r=x", SASL_BINDING, E_AUTH_FAILED },
		{ "SCRAM-SHA-1", "y,,n=u,r=x", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		OWN_SASL struct sasl s = { 0 };
		struct sasl_reply    reply;

		start(&s, CASES[i].mechanism, SASL_SCRAM | CASES[i].offers);
		if (first(&s, &SHA1_EXAMPLE, CASES[i].text, &reply) != CASES[i].err)
			fail_msg("%s %s", CASES[i].mechanism, CASES[i].text);
	}
}

/* "c=" holds the header and the binding's data: those of another channel do not pass. */
static int
last_with(const char *bound)
{
	OWN_SASL struct sasl s = { 0 };
	OWN_BUF struct buf   text = BUF_INIT(1024), c = BUF_INIT(1024);
	struct sasl_reply    reply;

	start(&s, "SCRAM-SHA-1-PLUS", SASL_SCRAM | SASL_BINDING);
	assert_int_equal(first(&s, &SHA1_EXAMPLE, "p=tls-exporter,,n=u,r=" N1, &reply), 0);
	base64_encode(str_c(bound), &c);
	buf_printf(&text, "c=%.*s,r=%s,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", STR_ARG(buf_view(&c)),
	    N1_WHOLE);
	buf_byte(&text, '\0');
	return say(&s, text.p, &reply);
}

static void
test_binding_data(void **state)
{
	(void)state;
	assert_int_equal(last_with("p=tls-exporter,,data"), 0);
	assert_int_equal(last_with("p=tls-exporter,,dat"), E_AUTH_FAILED);
	assert_int_equal(last_with("p=tls-exporter,,"), E_AUTH_FAILED);
	assert_int_equal(last_with("p=tls-unique,,data"), E_AUTH_FAILED);
	assert_int_equal(last_with("n,,"), E_AUTH_FAILED);
}

static void
test_offers(void **state)
{
	OWN_SASL struct sasl s = { 0 };
	static const char *const NAMES[] = { "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256",
		"SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN", "LOGIN", "" };
	size_t i = 0, n = 0;

	(void)state;
	while (n < ARRAY_LEN(NAMES)) {
		struct str name = sasl_mechanism_next(&i, ~0u);

		assert_int_equal(name.n, strlen(NAMES[n]));
		assert_true(name.n == 0 || memcmp(name.p, NAMES[n], name.n) == 0);
		n++;
	}
	assert_int_equal(sasl_start(&s, STR("SCRAM-SHA-256"), SASL_PASSWORD), E_AUTH_MECHANISM);
	assert_int_equal(sasl_start(&s, STR("SCRAM-SHA-256-PLUS"), SASL_SCRAM), E_AUTH_MECHANISM);
	assert_int_equal(sasl_start(&s, STR("PLAIN"), SASL_SCRAM), E_AUTH_MECHANISM);
	assert_int_equal(sasl_start(&s, STR("scram-sha-256"), SASL_SCRAM), 0);
}

/* Without an initial response an empty challenge asks for it. RFC 4422 s5 */
static void
test_without_initial_response(void **state)
{
	OWN_SASL struct sasl s = { 0 };
	struct sasl_reply    reply;
	struct str           star = STR("*");

	(void)state;
	start(&s, "SCRAM-SHA-1", SASL_SCRAM);
	assert_int_equal(sasl_step(&s, NULL, &reply), 0);
	check_challenge(&reply, "");
	assert_int_equal(first(&s, &SHA1_EXAMPLE, SHA1_EXAMPLE.first, &reply), 0);
	assert_int_equal(sasl_step(&s, &star, &reply), E_AUTH_CANCELLED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_last_message_refused),
		cmocka_unit_test(test_first_message),
		cmocka_unit_test(test_binding_is_told_truly),
		cmocka_unit_test(test_binding_data),
		cmocka_unit_test(test_offers),
		cmocka_unit_test(test_without_initial_response),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
