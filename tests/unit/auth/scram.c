/* Tests of auth/scram_store.h and of what auth.h gives SCRAM: salts that tell nothing, keys that
 * count only as long as they should. */
#include "test.h"

#include "auth/auth.h"
#include "auth/password.h"
#include "auth/scram_store.h"
#include "kv/open.h"

struct fixture {
	struct kv        *kv;
	struct directory *d;
	struct auth      *auth;
	struct arena      a;
	uint64_t          ann;
};

static int
setup(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));

	arena_init(&f->a, 64 << 20);
	assert_ok(kv_mem_open(&f->kv));
	assert_ok(directory_open(f->kv, &f->d));
	assert_ok(auth_new(f->d, &f->auth));
	assert_ok(directory_domain_add(f->d, STR("x.org")));
	assert_ok(directory_account_add(f->d, STR("ann@x.org"), STR("{PLAIN}main"), &f->ann));
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	auth_drop(f->auth);
	directory_drop(f->d);
	kv_drop(f->kv);
	arena_done(&f->a);
	test_free(f);
	return 0;
}

static struct scram_salt
salt(struct fixture *f, const char *login)
{
	struct scram_salt s;

	assert_ok(auth_scram_salt(f->auth, str_c(login), &s));
	assert_int_equal(s.n, SCRAM_SALT_N);
	assert_int_equal(s.iterations, SCRAM_ITERATIONS);
	return s;
}

static bool
same_salt(struct fixture *f, const char *a, const char *b)
{
	struct scram_salt x = salt(f, a), y = salt(f, b);

	return memcmp(x.b, y.b, x.n) == 0;
}

static struct str
add_app(struct fixture *f, const char *name, unsigned protocols)
{
	struct app_password wanted = { .name = str_c(name), .protocols = protocols };
	struct str          secret;

	assert_ok(app_password_add(f->d, STR("ann@x.org"), &wanted, &f->a, &secret));
	return secret;
}

static struct auth_keys
keys_of(struct fixture *f, const char *login, enum scram_hash h)
{
	struct auth_try  t = { .login = str_c(login), .protocol = STR("imap") };
	struct auth_keys k;

	assert_ok(auth_scram_keys(f->auth, &t, h, &f->a, &k));
	return k;
}

/* Which of the keys were made with this password; n when none. */
static size_t
which(struct fixture *f, const struct auth_keys *k, enum scram_hash h, struct str password)
{
	struct scram_salt s = salt(f, "ann@x.org");
	struct scram_keys mine;
	size_t            i = 0;

	assert_ok(scram_derive(h, password, &s, &mine));
	while (i < k->n && memcmp(&mine, &k->keys[i], sizeof(mine)) != 0)
		i++;
	return i;
}

static void
test_salts_tell_nothing(void **state)
{
	static const char *const NAMES[] = { "ann@x.org", "nobody@x.org", "ann@y.org", "ann",
		"", "\xff", "ann+own@x.org" };
	struct fixture   *f = *state;
	struct scram_salt before[ARRAY_LEN(NAMES)];
	uint64_t          old;

	for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
		before[i] = salt(f, NAMES[i]);
	assert_false(same_salt(f, "ann@x.org", "nobody@x.org"));
	assert_true(same_salt(f, "ann@x.org", "Ann+phone@X.org"));
	assert_true(same_salt(f, "nobody@x.org", "Nobody+a+b@X.org"));
	/* After a start, with app passwords, with the account gone: they stay. */
	auth_drop(f->auth);
	assert_ok(auth_new(f->d, &f->auth));
	(void)add_app(f, "phone", APP_ANY);
	for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
		assert_memory_equal(salt(f, NAMES[i]).b, before[i].b, before[i].n);
	assert_ok(directory_account_remove(f->d, STR("ann@x.org"), &old));
	assert_memory_equal(salt(f, "ann@x.org").b, before[0].b, before[0].n);
}

static void
test_nobody_has_no_keys(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(keys_of(f, "nobody@x.org", SCRAM_SHA256).n, 0);
	assert_int_equal(keys_of(f, "not an address", SCRAM_SHA256).n, 0);
	assert_int_equal(keys_of(f, "ann@x.org", SCRAM_SHA256).n, 0);
}

static void
test_app_passwords(void **state)
{
	struct fixture  *f = *state;
	struct str       one = add_app(f, "one", APP_ANY), two = add_app(f, "two", APP_POP3);
	struct auth_try  t = { .login = STR("ann+x@x.org"), .protocol = STR("imap") };
	struct auth_who  who;

	for (int h = 0; h < SCRAM_HASHES; h++) {
		struct auth_keys k = keys_of(f, "ann+x@x.org", (enum scram_hash)h);
		size_t           first = which(f, &k, (enum scram_hash)h, one);
		size_t           second = which(f, &k, (enum scram_hash)h, two);

		assert_int_equal(k.n, 2);
		assert_int_equal(first + second, 1);
		assert_ok(auth_scram_right(f->auth, &t, &k, first, &who));
		assert_int_equal(who.account, f->ann);
		assert_str(auth_device(&who), "one");
		assert_int_equal(
		    auth_scram_right(f->auth, &t, &k, second, &who), E_AUTH_PROTOCOL);
	}
	assert_ok(app_password_remove(f->d, STR("ann@x.org"), STR("one")));
	assert_int_equal(keys_of(f, "ann@x.org", SCRAM_SHA256).n, 1);
	assert_ok(directory_account_enable(f->d, STR("ann@x.org"), false));
	{
		struct auth_keys k = keys_of(f, "ann@x.org", SCRAM_SHA256);

		assert_int_equal(auth_scram_right(f->auth, &t, &k, 0, &who), E_AUTH_DISABLED);
	}
}

static void
test_the_main_password(void **state)
{
	struct fixture  *f = *state;
	struct str       hash = STR("{PLAIN}main"), app = add_app(f, "one", APP_ANY);
	struct auth_try  t = { .login = STR("ann+x@x.org"), .protocol = STR("imap") };
	struct auth_keys k;
	struct auth_who  who;

	assert_ok(directory_scram_set_main(f->d, STR("ann@x.org"), STR("main"), hash));
	/* Stored, but not wanted. */
	auth_set_scram(f->auth, AUTH_SCRAM_APPS);
	assert_int_equal(keys_of(f, "ann@x.org", SCRAM_SHA256).n, 1);
	auth_set_scram(f->auth, AUTH_SCRAM_ALL);
	k = keys_of(f, "ann+x@x.org", SCRAM_SHA256);
	assert_int_equal(k.n, 2);
	assert_int_equal(which(f, &k, SCRAM_SHA256, STR("main")), 0);
	assert_int_equal(which(f, &k, SCRAM_SHA256, app), 1);
	assert_ok(auth_scram_right(f->auth, &t, &k, 0, &who));
	assert_int_equal(who.app_password, 0);
	assert_str(auth_device(&who), "x");
	assert_ok(auth_scram_right(f->auth, &t, &k, 1, &who));
	assert_int_equal(who.app_password, 1);
	/* Never by SHA-1. */
	assert_int_equal(keys_of(f, "ann@x.org", SCRAM_SHA1).n, 1);
	/* A new password ends it; the keys of a password that is none any more are not taken. */
	assert_ok(directory_account_set_hash(
	    f->d, STR("ann@x.org"), STR("{PLAIN}new"), SESSIONS_END));
	assert_int_equal(keys_of(f, "ann@x.org", SCRAM_SHA256).n, 1);
	assert_int_equal(
	    directory_scram_set_main(f->d, STR("ann@x.org"), STR("main"), hash), E_BUSY);
	assert_ok(directory_account_set_hash(f->d, STR("ann@x.org"), hash, SESSIONS_END));
	assert_int_equal(keys_of(f, "ann@x.org", SCRAM_SHA256).n, 1);
	assert_int_equal(directory_scram_set_main(f->d, STR("eve@x.org"), STR("main"), hash),
	    E_NOT_FOUND);
}

static void
test_failures_are_counted(void **state)
{
	struct fixture *f = *state;
	struct auth_try t = { .login = STR("ann@x.org"), .peer = STR("192.0.2.1") };

	/* No password is known here, so each counts: none is told from the one before. */
	for (int i = 0; i <= AUTH_FREE_FAILURES; i++)
		auth_scram_wrong(f->auth, &t);
	assert_true(auth_delay_ms(f->auth, &t) > 0);
	assert_int_equal(auth_hold_ms(f->auth, &t), 0);
	for (int i = AUTH_FREE_FAILURES; i < AUTH_HOLD_AFTER; i++)
		auth_scram_wrong(f->auth, &t);
	assert_true(auth_hold_ms(f->auth, &t) > 0);
	assert_int_equal(auth_delay_ms(f->auth, &t), AUTH_DELAY_MAX_MS);
}

static void
check_prepared(struct fixture *f, const char *from, const char *to)
{
	struct str got;

	assert_ok(password_prepare(str_c(from), &f->a, &got));
	assert_str(got, to);
}

/* RFC 4013 s3, and what people type. */
static void
test_preparing(void **state)
{
	struct fixture *f = *state;

	check_prepared(f, "user", "user");
	check_prepared(f, "USER", "USER");
	check_prepared(f, "a  b", "a  b");
	check_prepared(f, "I\xc2\xadX", "IX");
	check_prepared(f, "\xc2\xaa", "a");
	check_prepared(f, "\xe2\x85\xa8", "IX");
	check_prepared(f, "a\xc2\xa0" "b", "a b");
	check_prepared(f, "gru\xcc\x88n", "gr\xc3\xbcn");
	check_prepared(f, "\xff", "\xff");
	check_prepared(f, "\xc3\xa4\x07", "\xc3\xa4\x07"); /* forbidden: as it is */
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_salts_tell_nothing),
		T(test_nobody_has_no_keys),
		T(test_app_passwords),
		T(test_the_main_password),
		T(test_failures_are_counted),
		T(test_preparing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
