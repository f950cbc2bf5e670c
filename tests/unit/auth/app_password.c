/* Tests of auth/app_password.h and of logins with them: found at once, restricted, taken back. */
#include "test.h"

#include <stdio.h>

#include "auth/auth.h"
#include "base/clock.h"
#include "kv/open.h"

struct fixture {
	struct kv        *kv;
	struct directory *d;
	struct auth      *auth;
	struct arena      a;
	uint64_t          ann, bob;
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
	assert_ok(directory_account_add(f->d, STR("bob@x.org"), STR("{PLAIN}main"), &f->bob));
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

static int
try_add(struct fixture *f, const char *address, struct str name, unsigned protocols,
    struct str *ret)
{
	struct app_password wanted = { .name = name, .protocols = protocols };

	return app_password_add(f->d, str_c(address), &wanted, &f->a, ret);
}

static struct str
add(struct fixture *f, const char *address, const char *name, unsigned protocols)
{
	struct str secret;

	assert_ok(try_add(f, address, str_c(name), protocols, &secret));
	return secret;
}

static int
login(struct fixture *f, const char *name, struct str secret, const char *protocol,
    struct auth_who *ret)
{
	struct auth_try t = { str_c(name), secret, STR("192.0.2.1"), str_c(protocol) };

	return auth_check(f->auth, &t, ret);
}

static void
test_a_secret_is_new_and_long(void **state)
{
	struct fixture *f = *state;
	struct str      one = add(f, "ann@x.org", "phone", APP_ANY);
	struct str      two = add(f, "ann@x.org", "tablet", APP_ANY);

	assert_int_equal(one.n, 7 * 4 + 6);
	assert_false(str_eq(one, two));
}

static void
test_login_tells_the_device(void **state)
{
	struct fixture *f = *state;
	struct str      secret = add(f, "Ann@x.org", "Ann's phone", APP_ANY);
	struct auth_who who;

	assert_ok(login(f, "ann@x.org", secret, "imap", &who));
	assert_int_equal(who.account, f->ann);
	assert_int_equal(who.app_password, 1);
	assert_str(auth_device(&who), "Ann's phone");
	/* The app password says more than the tag. */
	assert_ok(login(f, "ann+work@x.org", secret, "pop3", &who));
	assert_str(auth_device(&who), "Ann's phone");
	/* The account's own password goes on. */
	assert_ok(login(f, "ann@x.org", STR("main"), "imap", &who));
	assert_int_equal(who.app_password, 0);
	assert_str(auth_device(&who), "");
	assert_ok(login(f, "ann+Work+old@x.org", STR("main"), "imap", &who));
	assert_str(auth_device(&who), "work+old");
	assert_ok(login(f, "ann+work+old@x.org", STR("main"), "imap", &who)); /* from the cache */
	assert_str(auth_device(&who), "work+old");
	/* It is this account's. */
	assert_int_equal(login(f, "bob@x.org", secret, "imap", &who), E_AUTH_FAILED);
	assert_int_equal(login(f, "ann@x.org", str_head(secret, 33), "imap", &who), E_AUTH_FAILED);
}

static void
test_it_needs_no_hashing(void **state)
{
	struct fixture *f = *state;
	struct str      secret = add(f, "ann@x.org", "phone", APP_ANY);
	struct auth_try t = { STR("ann@x.org"), secret, STR(""), STR("imap") };
	struct auth_who who;

	assert_ok(auth_check_cached(f->auth, &t, &who));
	assert_str(auth_device(&who), "phone");
}

static void
test_protocols(void **state)
{
	struct fixture *f = *state;
	struct str      secret = add(f, "ann@x.org", "scanner", APP_SUBMISSION | APP_POP3);
	struct auth_who who;

	assert_ok(login(f, "ann@x.org", secret, "submission", &who));
	assert_ok(login(f, "ann@x.org", secret, "pop3", &who));
	assert_int_equal(login(f, "ann@x.org", secret, "imap", &who), E_AUTH_PROTOCOL);
	assert_int_equal(login(f, "ann@x.org", secret, "later", &who), E_AUTH_PROTOCOL);
	secret = add(f, "ann@x.org", "all", APP_ANY);
	assert_ok(login(f, "ann@x.org", secret, "later", &who));
	assert_int_equal(app_protocol_of(STR("imap")), APP_IMAP);
	assert_int_equal(app_protocol_of(STR("submission")), APP_SUBMISSION);
	assert_int_equal(app_protocol_of(STR("IMAPS")), 0);
	assert_str(app_protocol_name(1), "pop3");
	assert_int_equal(app_protocol_name(3).n, 0);
}

static void
test_taking_back_counts_at_once(void **state)
{
	struct fixture *f = *state;
	struct str      phone = add(f, "ann@x.org", "phone", APP_ANY);
	struct str      other = add(f, "ann@x.org", "other", APP_ANY);
	struct auth_who who;

	assert_ok(login(f, "ann@x.org", phone, "imap", &who));
	assert_int_equal(app_password_remove(f->d, STR("ann@x.org"), STR("Phone")), E_NOT_FOUND);
	assert_int_equal(app_password_remove(f->d, STR("bob@x.org"), STR("phone")), E_NOT_FOUND);
	assert_ok(app_password_remove(f->d, STR("ann@x.org"), STR("phone")));
	assert_int_equal(login(f, "ann@x.org", phone, "imap", &who), E_AUTH_FAILED);
	assert_ok(login(f, "ann@x.org", other, "imap", &who));
	/* The same name again is another password with another number. */
	assert_false(str_eq(add(f, "ann@x.org", "phone", APP_ANY), phone));
	assert_int_equal(login(f, "ann@x.org", phone, "imap", &who), E_AUTH_FAILED);
}

static void
test_disabled_and_removed_accounts(void **state)
{
	struct fixture      *f = *state;
	struct str           secret = add(f, "ann@x.org", "phone", APP_ANY);
	struct app_password *list;
	struct auth_who      who;
	uint64_t             old;
	size_t               n;

	assert_ok(directory_account_enable(f->d, STR("ann@x.org"), false));
	assert_int_equal(login(f, "ann@x.org", secret, "imap", &who), E_AUTH_DISABLED);
	assert_int_equal(login(f, "ann@x.org", STR("main"), "imap", &who), E_AUTH_DISABLED);
	assert_int_equal(login(f, "ann@x.org", STR("no"), "imap", &who), E_AUTH_FAILED);
	assert_ok(directory_account_enable(f->d, STR("ann@x.org"), true));
	assert_ok(login(f, "ann@x.org", secret, "imap", &who));
	assert_ok(directory_account_remove(f->d, STR("ann@x.org"), &old));
	assert_int_equal(login(f, "ann@x.org", secret, "imap", &who), E_AUTH_FAILED);
	assert_ok(app_password_all(f->d, old, &f->a, &list, &n));
	assert_int_equal(n, 0);
	assert_ok(directory_account_add(f->d, STR("ann@x.org"), STR("{PLAIN}main"), &f->ann));
	assert_int_equal(login(f, "ann@x.org", secret, "imap", &who), E_AUTH_FAILED);
}

static void
test_names_and_limits(void **state)
{
	static const char *const BAD[] = { "", " a", "a ", "a\tb", "a\x7f", "\xff", "a\nb",
		"a\xc2\x9b" "b", "a\xe2\x80\xae" "b", "a\xe2\x80\xa8" "b", "a\xc2\xa0" "b",
		"12345678901234567890123456789012345678901234567890123456789012345" };
	struct fixture      *f = *state;
	struct app_password *list;
	struct str           secret;
	char                 name[32];
	size_t               n;

	for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
		assert_int_equal(try_add(f, "ann@x.org", str_c(BAD[i]), APP_ANY, &secret), E_PARAM);
	assert_int_equal(try_add(f, "ann@x.org", STR("a\0b"), APP_ANY, &secret), E_PARAM);
	assert_int_equal(try_add(f, "ann@x.org", STR("none"), 0, &secret), E_PARAM);
	assert_int_equal(try_add(f, "eve@x.org", STR("a"), APP_ANY, &secret), E_NOT_FOUND);
	for (int i = 0; i < APP_PASSWORDS_MAX; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		(void)add(f, "ann@x.org", name, APP_IMAP);
	}
	assert_int_equal(try_add(f, "ann@x.org", STR("n7"), APP_ANY, &secret), E_EXISTS);
	assert_int_equal(try_add(f, "ann@x.org", STR("one more"), APP_ANY, &secret), E_LIMIT);
	assert_ok(app_password_list(f->d, STR("ann@x.org"), &f->a, &list, &n));
	assert_int_equal(n, APP_PASSWORDS_MAX);
	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "n%zu", i);
		assert_str(list[i].name, name);
		assert_int_equal(list[i].id, i + 1);
		assert_int_equal(list[i].protocols, APP_IMAP);
		assert_int_equal(list[i].last_used_ms, 0);
	}
	assert_ok(app_password_list(f->d, STR("bob@x.org"), &f->a, &list, &n));
	assert_int_equal(n, 0);
}

static uint64_t
version(struct fixture *f)
{
	uint64_t v;

	assert_ok(kv_version(f->kv, (struct kv_part){ KV_DIRECTORY, 0 }, &v));
	return v;
}

static int64_t
last_used(struct fixture *f)
{
	struct app_password *list;
	size_t               n;

	assert_ok(app_password_list(f->d, STR("ann@x.org"), &f->a, &list, &n));
	assert_int_equal(n, 1);
	return list[0].last_used_ms;
}

static void
test_use_is_written_once_an_hour(void **state)
{
	struct fixture *f = *state;
	struct str      secret = add(f, "ann@x.org", "phone", APP_ANY);
	struct auth_who who;
	uint64_t        before = version(f);
	int64_t         first;

	assert_ok(login(f, "ann@x.org", secret, "imap", &who));
	first = last_used(f);
	assert_true(first > 0);
	assert_int_equal(version(f), before + 1);
	for (int i = 0; i < 100; i++)
		assert_ok(login(f, "ann@x.org", secret, "imap", &who));
	clock_test_advance(APP_USED_EVERY_MS - 1000);
	assert_ok(login(f, "ann@x.org", secret, "imap", &who));
	assert_int_equal(version(f), before + 1);
	/* A start does not write it anew either. */
	auth_drop(f->auth);
	assert_ok(auth_new(f->d, &f->auth));
	assert_ok(login(f, "ann@x.org", secret, "imap", &who));
	assert_int_equal(version(f), before + 1);
}

static void
test_storage_failures(void **state)
{
	struct fixture  *f = *state;
	struct kv       *kv;
	struct directory *d;
	struct auth     *auth;
	struct auth_try  t = { STR("ann@x.org"), STR("x"), STR(""), STR("imap") };
	struct auth_who  who;
	struct str       secret;
	uint64_t         id;

	assert_ok(kv_mem_open(&kv));
	assert_ok(kv_fault_open(kv, &kv));
	assert_ok(directory_open(kv, &d));
	assert_ok(auth_new(d, &auth));
	assert_ok(directory_domain_add(d, STR("x.org")));
	assert_ok(directory_account_add(d, STR("ann@x.org"), STR("{PLAIN}x"), &id));
	for (int n = 1; n < 200; n++) {
		struct app_password wanted = { .name = STR("phone"), .protocols = APP_ANY };
		int                 r;

		kv_fault_set(kv, n, false, E_IO);
		r = app_password_add(d, STR("ann@x.org"), &wanted, &f->a, &secret);
		kv_fault_set(kv, 0, false, 0);
		if (r == 0)
			break;
		assert_int_equal(r, E_IO);
		(void)kv_heal(kv);
	}
	t.password = secret;
	assert_ok(auth_check(auth, &t, &who));
	kv_fault_set(kv, 1, true, E_IO);
	t.password = STR("another");
	assert_int_equal(auth_check(auth, &t, &who), E_AUTH_TEMP);
	auth_drop(auth);
	directory_drop(d);
	kv_drop(kv);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_secret_is_new_and_long),
		T(test_login_tells_the_device),
		T(test_it_needs_no_hashing),
		T(test_protocols),
		T(test_taking_back_counts_at_once),
		T(test_disabled_and_removed_accounts),
		T(test_names_and_limits),
		T(test_use_is_written_once_an_hour),
		T(test_storage_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
