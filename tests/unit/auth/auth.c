/* Tests of auth/auth.h: right and wrong, the cache, the delays. */
#include "test.h"

#include <pthread.h>

#include "auth/auth.h"
#include "auth/password.h"
#include "auth/recent.h"
#include "base/clock.h"
#include "kv/open.h"

struct fixture {
	struct kv        *kv;
	struct directory *d;
	struct auth      *auth;
	uint64_t          ann, bob;
};

static int
setup(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));

	assert_ok(kv_mem_open(&f->kv));
	assert_ok(directory_open(f->kv, &f->d));
	assert_ok(auth_new(f->d, &f->auth));
	assert_ok(directory_domain_add(f->d, STR("x.org")));
	assert_ok(directory_account_add(f->d, STR("ann@x.org"),
	    STR("{SHA}tBzy0tZfIp9RUlij/ekAPFVel74="), &f->ann));
	assert_ok(directory_account_add(f->d, STR("bob@x.org"), STR_NONE, &f->bob));
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
	test_free(f);
	return 0;
}

#define RIGHT "cedar-Lantern 42"

static struct auth_try
try_of(const char *login, const char *password, const char *peer)
{
	return (struct auth_try){ str_c(login), str_c(password), str_c(peer), STR("imap") };
}

static int
check(struct fixture *f, const char *login, const char *password)
{
	struct auth_try t = try_of(login, password, "192.0.2.1");
	struct auth_who who = { 0 };
	int             r = auth_check(f->auth, &t, &who);

	assert_int_equal(who.account, r == 0 ? f->ann : 0);
	return r;
}

static int
cached(struct fixture *f, const char *login, const char *password)
{
	struct auth_try t = try_of(login, password, "192.0.2.1");
	struct auth_who who = { 0 };
	int             r = auth_check_cached(f->auth, &t, &who);

	assert_int_equal(who.account, r == 0 ? f->ann : 0);
	return r;
}

static int64_t
delay(struct fixture *f, const char *login, const char *peer)
{
	struct auth_try t = try_of(login, "x", peer);

	return auth_delay_ms(f->auth, &t);
}

static int64_t
hold(struct fixture *f, const char *peer)
{
	struct auth_try t = try_of("a@x.org", "x", peer);

	return auth_hold_ms(f->auth, &t);
}

static void
fail_once(struct fixture *f, const char *login, const char *password, const char *peer)
{
	struct auth_try t = try_of(login, password, peer);
	struct auth_who who;

	assert_int_equal(auth_check(f->auth, &t, &who), E_AUTH_FAILED);
}

static void
test_right_and_wrong(void **state)
{
	struct fixture *f = *state;

	assert_ok(check(f, "ann@x.org", RIGHT));
	assert_ok(check(f, "ANN@X.ORG", RIGHT));
	assert_ok(check(f, "ann+phone@x.org", RIGHT));
	assert_ok(check(f, "ann+a+b@x.org", RIGHT));
	assert_int_equal(check(f, "ann@x.org", RIGHT " "), E_AUTH_FAILED);
	assert_int_equal(check(f, "ann@x.org", ""), E_AUTH_FAILED);
	assert_int_equal(check(f, "ann", RIGHT), E_AUTH_FAILED);
	assert_int_equal(check(f, "", RIGHT), E_AUTH_FAILED);
	assert_int_equal(check(f, "ann@y.org", RIGHT), E_AUTH_FAILED);
	assert_int_equal(check(f, "bob@x.org", RIGHT), E_AUTH_FAILED);
	assert_int_equal(check(f, "bob@x.org", ""), E_AUTH_FAILED);
	/* An account of its own that looks like a tag. */
	assert_ok(directory_account_add(f->d, STR("ann+own@x.org"), STR("{PLAIN}own"), &f->bob));
	assert_int_equal(check(f, "ann+own@x.org", RIGHT), E_AUTH_FAILED);
}

static void
test_disabled(void **state)
{
	struct fixture *f = *state;

	assert_ok(check(f, "ann@x.org", RIGHT));
	assert_ok(cached(f, "ann@x.org", RIGHT));
	assert_ok(directory_account_enable(f->d, STR("ann@x.org"), false));
	assert_int_equal(cached(f, "ann@x.org", RIGHT), E_NOT_FOUND);
	assert_int_equal(check(f, "ann@x.org", RIGHT), E_AUTH_DISABLED);
	assert_int_equal(check(f, "ann@x.org", "wrong"), E_AUTH_FAILED);
}

static void
test_cache(void **state)
{
	struct fixture *f = *state;
	uint64_t        old;

	assert_int_equal(cached(f, "ann@x.org", RIGHT), E_NOT_FOUND);
	assert_ok(check(f, "ann@x.org", RIGHT));
	assert_ok(cached(f, "ann@x.org", RIGHT));
	assert_int_equal(cached(f, "ann@x.org", "cedar-Lantern 43"), E_NOT_FOUND);
	assert_int_equal(cached(f, "bob@x.org", RIGHT), E_NOT_FOUND);
	clock_test_advance(AUTH_CACHE_MS - 1000);
	assert_ok(cached(f, "ann@x.org", RIGHT));
	clock_test_advance(1000);
	assert_int_equal(cached(f, "ann@x.org", RIGHT), E_NOT_FOUND);

	/* A new password, and another account under the old name, count at once. */
	assert_ok(check(f, "ann@x.org", RIGHT));
	assert_ok(directory_account_set_hash(
	    f->d, STR("ann@x.org"), STR("{PLAIN}new"), SESSIONS_END));
	assert_int_equal(cached(f, "ann@x.org", RIGHT), E_NOT_FOUND);
	assert_int_equal(check(f, "ann@x.org", RIGHT), E_AUTH_FAILED);
	assert_ok(check(f, "ann@x.org", "new"));
	assert_ok(directory_account_remove(f->d, STR("ann@x.org"), &old));
	assert_int_equal(cached(f, "ann@x.org", "new"), E_NOT_FOUND);
	assert_ok(directory_account_add(f->d, STR("ann@x.org"), STR("{PLAIN}new"), &f->ann));
	assert_int_not_equal(old, f->ann);
	assert_int_equal(cached(f, "ann@x.org", "new"), E_NOT_FOUND);
	assert_ok(check(f, "ann@x.org", "new"));
	assert_ok(cached(f, "ann@x.org", "new"));
}

static void
test_delay_grows_and_fades(void **state)
{
	static const int64_t want[] = { 0, 0, 0, 1000, 2000, 4000, 8000, 16000, 16000, 16000 };
	struct fixture      *f = *state;
	char                 wrong[16];

	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		snprintf(wrong, sizeof(wrong), "wrong%zu", i);
		fail_once(f, "Ann@x.org", wrong, "198.51.100.7");
		assert_int_equal(delay(f, "ann@x.org", "203.0.113.1"), want[i]);
		assert_int_equal(delay(f, "ann+tag@x.org", "unix"), want[i]);
		assert_int_equal(delay(f, "bob@x.org", "198.51.100.7"), want[i]);
		assert_int_equal(delay(f, "bob@x.org", "203.0.113.1"), 0);
	}
	clock_test_advance(RECENT_HALF_MS);
	assert_int_equal(delay(f, "ann@x.org", ""), 2000);
	clock_test_advance(RECENT_HALF_MS);
	assert_int_equal(delay(f, "ann@x.org", ""), 0);
}

static void
test_an_old_password_counts_once(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i <= AUTH_FREE_FAILURES; i++)
		fail_once(f, "ann@x.org", "the old one", "198.51.100.7");
	assert_int_equal(delay(f, "ann@x.org", "198.51.100.7"), 0);
}

static void
test_unknown_names_are_counted_too(void **state)
{
	struct fixture *f = *state;
	char            wrong[24];

	for (int i = 0; i < 5; i++) {
		snprintf(wrong, sizeof(wrong), "wrong%d", i);
		fail_once(f, "nobody@x.org", wrong, "unix");
		fail_once(f, "192.0.2.77", wrong, "unix");
	}
	assert_int_equal(delay(f, "Nobody+x@x.org", ""), 2000);
	assert_int_equal(delay(f, "192.0.2.77", ""), 2000);
	/* A name that looks like an address is not that address. */
	assert_int_equal(delay(f, "a@x.org", "192.0.2.77"), 0);
}

static void
test_addresses(void **state)
{
	struct fixture *f = *state;
	char            name[32];

	for (int i = 0; i < AUTH_HOLD_AFTER + 3; i++) {
		snprintf(name, sizeof(name), "u%d@x.org", i);
		if (i <= AUTH_FREE_FAILURES) {
			fail_once(f, name, "x", "127.0.0.1");
			fail_once(f, name, "x", "::1");
		}
		fail_once(f, name, "x", "2001:db8:1:2:3:4:5:6");
	}
	assert_int_equal(delay(f, "a@x.org", "127.0.0.1"), 0);
	assert_int_equal(delay(f, "a@x.org", "::1"), 0);
	assert_int_equal(hold(f, "127.0.0.1"), 0);
	assert_int_equal(hold(f, "unix"), 0);
	assert_int_equal(hold(f, "2001:db8:1:2::1"), 4000);
	assert_int_equal(hold(f, "2001:db8:1:3::1"), 0);
	assert_int_equal(delay(f, "a@x.org", "2001:db8:1:2::1"), 16000);
}

/* Both tables keep their size, and the least recent goes first. */
static void
test_bounds(void **state)
{
	struct recent t;
	uint64_t      id;
	char          key[16];

	(void)state;
	recent_init(&t, 100);
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		recent_right_put(&t, str_c(key), (uint64_t)i, i);
		recent_right_put(&t, STR("busy"), 7, i);
		assert_true(t.by_key.n <= 100);
	}
	assert_ok(recent_right_get(&t, STR("busy"), 1000, 1000, &id));
	assert_ok(recent_right_get(&t, STR("k901"), 1000, 1000, &id));
	assert_int_equal(recent_right_get(&t, STR("k900"), 1000, 1000, &id), E_NOT_FOUND);
	recent_done(&t);
}

static void
test_storage_failure_is_temporary(void **state)
{
	struct fixture  *f = *state;
	struct kv       *kv;
	struct directory *d;
	struct auth     *auth;
	struct auth_try  t = try_of("ann@x.org", RIGHT, "");
	struct auth_who  id;

	(void)f;
	assert_ok(kv_mem_open(&kv));
	assert_ok(kv_fault_open(kv, &kv));
	assert_ok(directory_open(kv, &d));
	assert_ok(auth_new(d, &auth));
	kv_fault_set(kv, 1, true, E_IO);
	assert_int_equal(auth_check(auth, &t, &id), E_AUTH_TEMP);
	assert_int_equal(auth_check_cached(auth, &t, &id), E_NOT_FOUND);
	assert_int_equal(auth_delay_ms(auth, &t), 0);
	auth_drop(auth);
	directory_drop(d);
	kv_drop(kv);
}

static void *
work(void *arg)
{
	struct fixture *f = arg;

	for (int i = 0; i < 20; i++) {
		struct auth_try right = try_of("ann@x.org", RIGHT, "192.0.2.1");
		struct auth_try wrong = try_of("ann@x.org", i % 2 ? "a" : "b", "192.0.2.1");
		struct auth_who id;

		assert_ok(auth_check(f->auth, &right, &id));
		(void)auth_check_cached(f->auth, &right, &id);
		if (i == 10)
			assert_int_equal(auth_check(f->auth, &wrong, &id), E_AUTH_FAILED);
		(void)auth_delay_ms(f->auth, &wrong);
		if (i % 5 == 0)
			assert_ok(directory_account_set_hash(f->d, STR("ann@x.org"),
			    STR("{SHA}tBzy0tZfIp9RUlij/ekAPFVel74="), SESSIONS_END));
	}
	return NULL;
}

static void
test_threads(void **state)
{
	struct fixture *f = *state;
	pthread_t       t[6];

	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		assert_ok(pthread_create(&t[i], NULL, work, f));
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		assert_ok(pthread_join(t[i], NULL));
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_right_and_wrong),
		T(test_disabled),
		T(test_cache),
		T(test_delay_grows_and_fades),
		T(test_an_old_password_counts_once),
		T(test_unknown_names_are_counted_too),
		T(test_addresses),
		cmocka_unit_test(test_bounds),
		T(test_storage_failure_is_temporary),
		T(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
