/* Tests of auth/pass.h: who has to go when something is taken back, and who may stay. */
#include "test.h"

#include <pthread.h>

#include "auth/auth.h"
#include "base/buf.h"
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

static struct str
add(struct fixture *f, const char *name, unsigned protocols)
{
	struct app_password wanted = { .name = str_c(name), .protocols = protocols };
	struct str          secret;

	assert_ok(app_password_add(f->d, STR("ann@x.org"), &wanted, &f->a, &secret));
	return secret;
}

/* --- sessions --- */

struct guest {
	struct pass pass;
	atomic_uint told;
};

static void
tell(void *arg)
{
	struct guest *g = arg;

	atomic_fetch_add(&g->told, 1);
}

static struct auth_who
login(struct fixture *f, const char *name, struct str secret, const char *protocol)
{
	struct auth_try t = { str_c(name), secret, STR("192.0.2.1"), str_c(protocol) };
	struct auth_who who;

	assert_ok(auth_check(f->auth, &t, &who));
	return who;
}

static int
take(struct fixture *f, struct guest *g, const struct auth_who *who, const char *protocol)
{
	const struct auth_told told = { tell, g };

	g->told = 0;
	return auth_pass_take(f->auth, who, str_c(protocol), &told, &g->pass);
}

static void
enter(struct fixture *f, struct guest *g, const char *name, struct str secret, const char *protocol)
{
	struct auth_who who = login(f, name, secret, protocol);

	assert_ok(take(f, g, &who, protocol));
	assert_int_equal(pass_ended(&g->pass), 0);
}

/* Told once, and why; or not at all. */
static void
check(struct guest *g, int why)
{
	assert_int_equal(pass_ended(&g->pass), why);
	assert_int_equal(g->told, why != 0);
}

/* --- tests --- */

static struct str
main_password(void)
{
	return STR("main");
}

static void
test_an_app_password_that_is_removed(void **state)
{
	struct fixture *f = *state;
	struct str      phone = add(f, "phone", APP_ANY), tablet = add(f, "tablet", APP_ANY);
	struct guest    on_phone[3] = { 0 }, on_tablet = { 0 }, ann = { 0 }, bob = { 0 };

	enter(f, &on_phone[0], "ann@x.org", phone, "imap");
	enter(f, &on_phone[1], "ann@x.org", phone, "pop3");
	enter(f, &on_phone[2], "ann+x@x.org", phone, "submission");
	enter(f, &on_tablet, "ann@x.org", tablet, "imap");
	enter(f, &ann, "ann@x.org", main_password(), "imap");
	enter(f, &bob, "bob@x.org", main_password(), "imap");
	pass_give(&on_phone[1].pass);
	assert_int_equal(
	    app_password_remove(f->d, STR("ann@x.org"), STR("phome")), E_NOT_FOUND);
	check(&on_phone[0], 0);
	assert_ok(app_password_remove(f->d, STR("ann@x.org"), STR("phone")));
	check(&on_phone[0], E_AUTH_FAILED);
	check(&on_phone[1], 0); /* went by itself before */
	check(&on_phone[2], E_AUTH_FAILED);
	check(&on_tablet, 0);
	check(&ann, 0);
	check(&bob, 0);
	/* Another one of this name is another one; nobody is told twice. */
	phone = add(f, "phone", APP_ANY);
	enter(f, &on_phone[1], "ann@x.org", phone, "pop3");
	assert_ok(directory_account_enable(f->d, STR("ann@x.org"), false));
	check(&on_phone[0], E_AUTH_FAILED);
	check(&on_phone[1], E_AUTH_DISABLED);
	for (int i = 0; i < 3; i++)
		pass_give(&on_phone[i].pass);
	pass_give(&on_tablet.pass);
	pass_give(&ann.pass);
	pass_give(&ann.pass); /* nothing */
	pass_give(&bob.pass);
}

static void
test_a_new_main_password(void **state)
{
	struct fixture *f = *state;
	struct str      phone = add(f, "phone", APP_ANY);
	struct guest    ann = { 0 }, device = { 0 }, bob = { 0 };

	enter(f, &ann, "ann@x.org", main_password(), "imap");
	enter(f, &device, "ann@x.org", phone, "imap");
	enter(f, &bob, "bob@x.org", main_password(), "imap");
	assert_ok(directory_account_enable(f->d, STR("ann@x.org"), true));
	assert_ok(directory_account_set_hash(
	    f->d, STR("ann@x.org"), STR("{PLAIN}main"), SESSIONS_END)); /* as it was */
	check(&ann, 0);
	assert_ok(directory_account_set_hash(
	    f->d, STR("ann@x.org"), STR("{PLAIN}two"), SESSIONS_KEEP));
	check(&ann, 0);
	assert_ok(directory_account_set_hash(
	    f->d, STR("ann@x.org"), STR("{PLAIN}three"), SESSIONS_END));
	check(&ann, E_AUTH_FAILED);
	check(&device, 0);
	check(&bob, 0);
	pass_give(&ann.pass);
	pass_give(&device.pass);
	pass_give(&bob.pass);
}

static void
test_an_account_that_goes(void **state)
{
	struct fixture *f = *state;
	struct str      phone = add(f, "phone", APP_ANY);
	struct guest    ann = { 0 }, device = { 0 }, bob = { 0 };
	struct auth_who again;
	uint64_t        id;

	enter(f, &ann, "ann@x.org", main_password(), "imap");
	enter(f, &device, "ann@x.org", phone, "imap");
	enter(f, &bob, "bob@x.org", main_password(), "imap");
	again = login(f, "ann@x.org", phone, "imap");
	assert_ok(directory_account_remove(f->d, STR("ann@x.org"), &id));
	check(&ann, E_NOT_FOUND);
	check(&device, E_NOT_FOUND);
	check(&bob, 0);
	pass_give(&ann.pass);
	pass_give(&device.pass);
	assert_int_equal(take(f, &device, &again, "imap"), E_AUTH_FAILED);
	assert_null(device.pass.link.next);
	pass_give(&bob.pass);
}

static void
test_fewer_protocols(void **state)
{
	struct fixture *f = *state;
	struct str      phone = add(f, "phone", APP_ANY);
	struct guest    imap = { 0 }, pop3 = { 0 };
	struct auth_try t = { STR("ann@x.org"), phone, STR("192.0.2.1"), STR("pop3") };
	struct auth_who who;

	enter(f, &imap, "ann@x.org", phone, "imap");
	enter(f, &pop3, "ann@x.org", phone, "pop3");
	assert_int_equal(
	    app_password_set_protocols(f->d, STR("ann@x.org"), STR("fone"), APP_IMAP),
	    E_NOT_FOUND);
	assert_int_equal(
	    app_password_set_protocols(f->d, STR("ann@x.org"), STR("phone"), 0), E_PARAM);
	assert_ok(app_password_set_protocols(
	    f->d, STR("ann@x.org"), STR("phone"), APP_IMAP | APP_SUBMISSION));
	check(&imap, 0);
	check(&pop3, E_AUTH_PROTOCOL);
	assert_int_equal(auth_check(f->auth, &t, &who), E_AUTH_PROTOCOL);
	assert_ok(app_password_set_protocols(f->d, STR("ann@x.org"), STR("phone"), APP_ANY));
	pass_give(&pop3.pass);
	enter(f, &pop3, "ann@x.org", phone, "pop3");
	check(&imap, 0);
	pass_give(&imap.pass);
	pass_give(&pop3.pass);
}

/* Right when it was looked at, taken back before there was a session. */
static void
test_between_password_and_session(void **state)
{
	struct fixture *f = *state;
	struct str      phone = add(f, "phone", APP_ANY);
	struct auth_who device = login(f, "ann@x.org", phone, "imap");
	struct auth_who ann = login(f, "ann@x.org", main_password(), "imap");
	struct auth_who bob = login(f, "bob@x.org", main_password(), "imap");
	struct guest    g = { 0 };

	assert_ok(app_password_remove(f->d, STR("ann@x.org"), STR("phone")));
	assert_int_equal(take(f, &g, &device, "imap"), E_AUTH_FAILED);
	assert_null(g.pass.link.next);
	assert_ok(take(f, &g, &ann, "imap"));
	pass_give(&g.pass);
	assert_ok(directory_account_enable(f->d, STR("ann@x.org"), false));
	assert_int_equal(take(f, &g, &ann, "imap"), E_AUTH_DISABLED);
	/* So much happened meanwhile that it cannot be told. */
	for (int i = 0; i < PASS_RECENT - 3; i++)
		assert_ok(directory_account_enable(f->d, STR("ann@x.org"), false));
	assert_ok(take(f, &g, &bob, "imap"));
	pass_give(&g.pass);
	for (int i = 0; i < 2; i++)
		assert_ok(directory_account_enable(f->d, STR("ann@x.org"), false));
	assert_int_equal(take(f, &g, &bob, "imap"), E_AUTH_TEMP);
	bob = login(f, "bob@x.org", main_password(), "imap");
	assert_ok(take(f, &g, &bob, "imap"));
	pass_give(&g.pass);
}

/* SCRAM's way. */
static void
test_between_proof_and_session(void **state)
{
	struct fixture  *f = *state;
	struct auth_try  t = { STR("ann@x.org"), STR_NONE, STR("192.0.2.1"), STR("imap") };
	struct auth_keys keys;
	struct auth_who  who;
	struct guest     g = { 0 };

	auth_set_scram(f->auth, AUTH_SCRAM_APPS);
	add(f, "phone", APP_ANY);
	assert_ok(auth_scram_keys(f->auth, &t, SCRAM_SHA256, &f->a, &keys));
	assert_int_equal(keys.n, 1);
	assert_ok(app_password_remove(f->d, STR("ann@x.org"), STR("phone")));
	assert_ok(auth_scram_right(f->auth, &t, &keys, 0, &who));
	assert_int_equal(take(f, &g, &who, "imap"), E_AUTH_FAILED);
}

/* --- logins while things are taken back --- */

enum { ROUNDS = 12, THREADS = 3 };

struct visitor {
	struct fixture *f;
	struct str      secret;
	atomic_bool    *gone;
	unsigned        entered, missed;
};

/* A session that has entered when the password is gone must be told. */
static void *
visit(void *arg)
{
	struct visitor        *v = arg;
	struct guest           g = { 0 };
	const struct auth_told told = { tell, &g };
	struct auth_try        t = { STR("ann@x.org"), v->secret, STR("unix"), STR("imap") };
	struct auth_who        who;
	bool                   gone = false;

	while (!gone) {
		gone = atomic_load(v->gone);
		if (auth_check(v->f->auth, &t, &who) < 0 ||
		    auth_pass_take(v->f->auth, &who, STR("imap"), &told, &g.pass) < 0)
			continue;
		v->entered++;
		if (gone)
			v->missed++;
		while (!atomic_load(v->gone) && pass_ended(&g.pass) == 0)
			sched_yield();
		if (pass_ended(&g.pass) == 0)
			v->missed++;
		pass_give(&g.pass);
	}
	return NULL;
}

static void
test_storm(void **state)
{
	struct fixture *f = *state;
	unsigned        entered = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct visitor v[THREADS];
		pthread_t      threads[THREADS];
		atomic_bool    gone = false;
		struct str     secret = add(f, "phone", APP_ANY);

		for (int i = 0; i < THREADS; i++) {
			v[i] = (struct visitor){ .f = f, .secret = secret, .gone = &gone };
			assert_ok(pthread_create(&threads[i], NULL, visit, &v[i]));
		}
		if (round % 2 == 0)
			sched_yield();
		assert_ok(app_password_remove(f->d, STR("ann@x.org"), STR("phone")));
		atomic_store(&gone, true);
		for (int i = 0; i < THREADS; i++) {
			pthread_join(threads[i], NULL);
			assert_int_equal(v[i].missed, 0);
			entered += v[i].entered;
		}
		arena_reset(&f->a);
	}
	assert_int_not_equal(entered, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_app_password_that_is_removed),
		TEST(test_a_new_main_password),
		TEST(test_an_account_that_goes),
		TEST(test_fewer_protocols),
		TEST(test_between_password_and_session),
		TEST(test_between_proof_and_session),
		TEST(test_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
