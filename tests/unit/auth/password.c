/* Tests of auth/password.h. The hashes were made from PASSWORD by Python's hashlib and crypt, by
 * openssl passwd, and by the argon2 command. */
#include "test.h"

#include <sodium.h>

#include "auth/password.h"

#define PASSWORD "cedar-Lantern 42"

static const char *const HASHES[] = {
	"{PLAIN}" PASSWORD,
	"{cleartext}" PASSWORD,
	"{PLAIN.HEX}63656461722d4c616e7465726e203432",
	"{PLAIN.B64}Y2VkYXItTGFudGVybiA0Mg==",
	"{PLAIN-MD5}124e6c34a81e72ede068605f9782204d",
	"{PLAIN-MD5}124E6C34A81E72EDE068605F9782204D",
	"{PLAIN-MD5.B64}Ek5sNKgecu3gaGBfl4IgTQ==",
	"{MD5}124e6c34a81e72ede068605f9782204d",
	"{MD5}Ek5sNKgecu3gaGBfl4IgTQ==",
	"{MD5}$1$abcdefgh$2Kr0d5iEHsp7bWZ.Q7Hdz.",
	"{LDAP-MD5}Ek5sNKgecu3gaGBfl4IgTQ==",
	"{SMD5}5S/Iq/I3PeCV4noM9fLi7gGfAP5zYWx0",
	"{SMD5.HEX}e52fc8abf2373de095e27a0cf5f2e2ee019f00fe73616c74",
	"{SHA}tBzy0tZfIp9RUlij/ekAPFVel74=",
	"{SHA1}tBzy0tZfIp9RUlij/ekAPFVel74=",
	"{SHA}b41cf2d2d65f229f515258a3fde9003c555e97be",
	"{SSHA}pAinNf8GW9zuMVT/kyjnmSmOJDgBnwD+c2FsdA==",
	"{SSHA.HEX}a408a735ff065bdcee3154ff9328e799298e2438019f00fe73616c74",
	"{SHA256}7/0ttl2Rx2Fg/3PoQ7zIGPTQdle+6TqPCKsziwRaaT0=",
	"{SHA256.HEX}effd2db65d91c76160ff73e843bcc818f4d07657bee93a8f08ab338b045a693d",
	"{SSHA256}csaRkW+EYPJdFf3ZHrRcN1f5Pho4tgZIMO1yyTLoVREBnwD+c2FsdA==",
	"{SSHA256.BASE64}csaRkW+EYPJdFf3ZHrRcN1f5Pho4tgZIMO1yyTLoVREBnwD+c2FsdA==",
	"{SHA512}2GLmxfvXxEw1khFpBYQSg/jKcNHuuVLyI5+ccQx/yYSNS6Gk98iiX00VWARkTVKqt7qlbb3VsJ4sE09h"
	"J5RVtw==",
	"{sha512}d862e6c5fbd7c44c3592116905841283f8ca70d1eeb952f2239f9c710c7fc9848d4ba1a4f7c8a25f"
	"4d155804644d52aab7baa56dbdd5b09e2c134f61279455b7",
	"{SSHA512}iDl70X6WWJKqzDiOo7dTEuKeL4pH6b3e1ZtTFlsppQGPmjBZEnXV/bR5kH64RGmC5xIDLGnIWALOAmPV"
	"toYMEQGfAP5zYWx0",
	"$1$abcdefgh$2Kr0d5iEHsp7bWZ.Q7Hdz.",
	"{MD5-CRYPT}$1$abcdefgh$2Kr0d5iEHsp7bWZ.Q7Hdz.",
	"$5$rounds=1000$qwertyuiop$gop/lvEEo.lqCZoXBmJNgpTVqRxjY4FV4gXrv.EAuT2",
	"{SHA256-CRYPT}$5$rounds=1000$qwertyuiop$gop/lvEEo.lqCZoXBmJNgpTVqRxjY4FV4gXrv.EAuT2",
	"$6$saltysalt$YZfMR1lHVWOYwEpTpCLlFoVWFvbfnAtC2FyQbYQJBk3OeUCIpLLnfoUGr9qKMagmuM15g2D9oCrN"
	"Hq9VO7Rz2.",
	"{CRYPT}$6$saltysalt$YZfMR1lHVWOYwEpTpCLlFoVWFvbfnAtC2FyQbYQJBk3OeUCIpLLnfoUGr9qKMagmuM15g"
	"2D9oCrNHq9VO7Rz2.",
	"{DES-CRYPT}abp/70C7LI.Ts",
	"{CRYPT}abp/70C7LI.Ts",
	"{BLF-CRYPT}$2b$04$abcdefghijklmnopqrstuuNhx1Bu1AZqOqr3VZNGOVthhYKaLr.c2",
	"$y$j75$saltsalt12345678$ahnaGcUzDr.JQWeG0CPgcF/IPzUOHwve4UWUKBQ1t59",
	"{ARGON2ID}$argon2id$v=19$m=4096,t=2,p=1$c29tZXNhbHQxMg$95THYlUbffmFZyQqrVhOSR0X5sGkN5dQO4o"
	"R0fV3Nlo",
	"$argon2id$v=19$m=4096,t=2,p=1$c29tZXNhbHQxMg$95THYlUbffmFZyQqrVhOSR0X5sGkN5dQO4oR0fV3Nlo",
	"{ARGON2I}$argon2i$v=19$m=4096,t=2,p=1$c29tZXNhbHQxMg$tGNBQOfTfuQJBWUG1vwSua2mAXHOBbcl5f1Te"
	"pOhJ9A",
	/* four lanes, a longer salt and a longer result */
	"{ARGON2ID}$argon2id$v=19$m=1024,t=3,p=4$bG9uZ2Vyc2FsdGxvbmdlcnNhbHRsb25nZXJzYWx0MTI$RWxca"
	"hY9olTLjtZKOngkUKTpxrD5L0URItrtZF5ibbDIttz3wV+pbOBDc8yH2Ms+N6KDnU4hi06C8dVpZhQ7Lw",
};

static const char *const NO_HASHES[] = {
	"", "{", "{}", "{}x", "{PLAIN}", "{NOSUCH}x", "x", "secret", "{PLAIN", "{.HEX}00",
	"{PLAIN.HEX}6", "{PLAIN.HEX}zz", "{PLAIN.HEX}610062",
	"{SHA}", "{SHA}tBzy0tZfIp9RUlij/ekAPFVel7==",
	"{SHA}tBzy0tZfIp9RUlij/ekAPFVel74", "{SSHA}tBzy0tZfIp9RUlij/ekAPFVel74=", "{CRYPT}",
	"{CRYPT}*", "*0", "!", "{CRYPT}$6$saltysalt", "$6$saltysalt$short", "$9$a$b", "{CRYPT}a",
	"{SHA512-CRYPT}$5$rounds=1000$qwertyuiop$gop/lvEEo.lqCZoXBmJNgpTVqRxjY4FV4gXrv.EAuT2",
	"{ARGON2ID}", "$argon2id$v=19$m=4096,t=2,p=1$c29tZXNhbHQxMg",
	"{ARGON2ID}$argon2i$v=19$m=4096,t=2,p=1$c29tZXNhbHQxMg$tGNBQOfTfuQJBWUG1vwSua2mAXHOBbcl5f1"
	"TepOhJ9A",
	/* two tebibytes, and passes without end */
	"$argon2id$v=19$m=2147483648,t=2,p=1$c29tZXNhbHQxMg$95THYlUbffmFZyQqrVhOSR0X5sGkN5dQO4oR0"
	"fV3Nlo",
	"$argon2id$v=19$m=4096,t=4000000,p=1$c29tZXNhbHQxMg$95THYlUbffmFZyQqrVhOSR0X5sGkN5dQO4oR0"
	"fV3Nlo",
};

static void
test_known_hashes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(HASHES); i++) {
		if (password_hash_check(str_c(HASHES[i])) != 0)
			fail_msg("not understood: %s", HASHES[i]);
		if (password_check(STR(PASSWORD), str_c(HASHES[i])) != 0)
			fail_msg("not matched: %s", HASHES[i]);
	}
}

/* DES looks at eight bytes; bcrypt at all of these. */
static bool
looks_at_all(const char *hash)
{
	return str_find(str_c(hash), STR("abp/")) == strlen(hash);
}

static void
test_wrong_passwords_never_match(void **state)
{
	struct str right = STR(PASSWORD);
	char       wrong[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(HASHES); i++) {
		assert_int_equal(password_check(STR_NONE, str_c(HASHES[i])), E_AUTH_FAILED);
		assert_int_equal(password_check(str_c(HASHES[i]), str_c(HASHES[i])), E_AUTH_FAILED);
		assert_int_equal(password_check(STR(PASSWORD "\0"), str_c(HASHES[i])),
		    E_AUTH_FAILED);
		for (size_t k = 0; k < right.n; k++) {
			memcpy(wrong, right.p, right.n);
			wrong[k] ^= (char)(1 << randombytes_uniform(7));
			if (wrong[k] == '\0')
				wrong[k] = 'x';
			if (k < 8 || looks_at_all(HASHES[i]))
				assert_int_equal(password_check(str_of(wrong, right.n),
				    str_c(HASHES[i])), E_AUTH_FAILED);
		}
		if (looks_at_all(HASHES[i])) {
			assert_int_equal(password_check(str_head(right, right.n - 1),
			    str_c(HASHES[i])), E_AUTH_FAILED);
			assert_int_equal(password_check(STR(PASSWORD " "), str_c(HASHES[i])),
			    E_AUTH_FAILED);
		}
	}
}

/* A stored hash with any byte changed or cut off matches nothing. */
static void
test_damaged_hashes(void **state)
{
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(HASHES); i++) {
		struct str whole = str_c(HASHES[i]);

		if (str_istarts(whole, STR("{PLAIN}")) || str_istarts(whole, STR("{CLEARTEXT}")))
			continue;
		for (size_t n = 0; n + 2 < whole.n; n += 3)
			assert_int_equal(password_check(STR(PASSWORD), str_head(whole, n)),
			    E_AUTH_FAILED);
		for (size_t k = str_find_byte(whole, '$') + 12; k + 4 < whole.n; k++) {
			memcpy(text, whole.p, whole.n);
			text[k] = text[k] == 'Q' ? 'R' : 'Q';
			if (str_find(whole, STR("argon2")) == whole.n)
				assert_int_equal(password_check(STR(PASSWORD),
				    str_of(text, whole.n)), E_AUTH_FAILED);
		}
	}
}

static void
test_what_is_no_hash(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(NO_HASHES); i++) {
		if (password_hash_check(str_c(NO_HASHES[i])) != E_UNSUPPORTED)
			fail_msg("taken: %s", NO_HASHES[i]);
		assert_int_equal(password_check(STR(PASSWORD), str_c(NO_HASHES[i])), E_AUTH_FAILED);
		if (NO_HASHES[i][0] != '\0')
			assert_int_equal(password_check(str_c(NO_HASHES[i]), str_c(NO_HASHES[i])),
			    E_AUTH_FAILED);
	}
}

static void
test_our_own(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT(65536);
	struct str             one, two;
	char                   big[PASSWORD_MAX + 1];

	(void)state;
	memset(big, 'x', sizeof(big));
	assert_ok(password_hash(STR("gr\xc3\xbc\xc3\x9f" "e"), &a, &one));
	assert_true(str_starts(one, STR("{ARGON2ID}$argon2id$v=19$m=65536,t=1,p=1$")));
	assert_true(password_is_own(one));
	assert_false(password_is_own(str_c(HASHES[0])));
	assert_false(password_is_own(STR_NONE));
	assert_ok(password_hash_check(one));
	assert_ok(password_check(STR("gr\xc3\xbc\xc3\x9f" "e"), one));
	assert_int_equal(password_check(STR("gruesse"), one), E_AUTH_FAILED);
	assert_ok(password_hash(str_of(big, PASSWORD_MAX), &a, &two));
	assert_ok(password_check(str_of(big, PASSWORD_MAX), two));
	assert_int_equal(password_check(str_of(big, PASSWORD_MAX + 1), two), E_AUTH_FAILED);
	assert_int_equal(password_check(str_of(big, PASSWORD_MAX - 1), two), E_AUTH_FAILED);
	assert_int_equal(password_hash(str_of(big, PASSWORD_MAX + 1), &a, &two), E_LIMIT);
	assert_int_equal(password_hash(STR_NONE, &a, &two), E_SYNTAX);
	assert_int_equal(password_hash(STR("a\0b"), &a, &two), E_SYNTAX);
}

static void
test_generated(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT(65536);
	struct str             one, two;

	(void)state;
	assert_ok(password_generate(&a, &one));
	assert_ok(password_generate(&a, &two));
	assert_int_equal(one.n, 23);
	for (size_t i = 0; i < one.n; i++)
		assert_true(i % 6 == 5 ? one.p[i] == '-' :
					 ascii_is_digit(one.p[i]) || ascii_is_alpha(one.p[i]));
	assert_false(str_eq(one, two));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_hashes),
		cmocka_unit_test(test_wrong_passwords_never_match),
		cmocka_unit_test(test_damaged_hashes),
		cmocka_unit_test(test_what_is_no_hash),
		cmocka_unit_test(test_our_own),
		cmocka_unit_test(test_generated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
