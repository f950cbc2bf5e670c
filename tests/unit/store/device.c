/* Tests of the devices of an account: the ledger, when it is written, policies. */
#include "env.h"

#include "base/clock.h"
#include "store/device.h"

enum { DAY_MS = 24 * 3600 * 1000 };

static device_id
login(struct env *e, enum actor_protocol protocol, const char *name)
{
	const struct actor actor = {
		protocol, 1, STR("192.0.2.7"), STR("anna@example.org"), str_c(name)
	};
	device_id id = 0;

	assert_ok(device_seen(e->a, &actor, &id));
	assert_true(id != 0);
	return id;
}

/* The strings live as long as the process: few are made. */
static struct device_info
info(struct env *e, device_id id)
{
	static struct arena arena;
	struct device_info *list = NULL;
	size_t              n = 0;

	arena.max = 8 << 20;
	arena_reset(&arena);
	assert_ok(device_list(e->a, &arena, &list, &n));
	for (size_t i = 0; i < n; i++)
		if (list[i].id == id)
			return list[i];
	return (struct device_info){ 0 };
}

static void
test_ledger(void **state)
{
	const struct device_counts counts = { 3, 3000, 1, 1000 };
	struct env                *e = *state;
	device_id                  main, phone, found = 0;
	struct device_info         d;

	main = login(e, ACTOR_IMAP, "");
	phone = login(e, ACTOR_POP3, "phone");
	assert_true(main != phone);
	assert_int_equal(login(e, ACTOR_POP3, "phone"), phone);
	assert_int_equal(login(e, ACTOR_SUBMISSION, "phone"), phone);
	assert_ok(device_count(e->a, phone, ACTOR_POP3, &counts));
	assert_ok(device_count(e->a, phone, ACTOR_POP3, &counts));
	assert_ok(device_client(e->a, main, STR("Mailer 1.0")));
	assert_int_equal(device_count(e->a, 77, ACTOR_POP3, &counts), E_NOT_FOUND);
	assert_int_equal(device_client(e->a, 77, STR("x")), E_NOT_FOUND);
	for (int round = 0; round < 2; round++) {
		d = info(e, phone);
		assert_str(d.name, "phone");
		assert_int_equal(d.use[ACTOR_POP3].sessions, 2);
		assert_int_equal(d.use[ACTOR_POP3].fetched_n, 6);
		assert_int_equal(d.use[ACTOR_POP3].fetched_bytes, 6000);
		assert_int_equal(d.use[ACTOR_POP3].removed_n, 2);
		assert_int_equal(d.use[ACTOR_POP3].removed_bytes, 2000);
		assert_str(d.use[ACTOR_POP3].peer, "192.0.2.7");
		assert_int_equal(d.use[ACTOR_SUBMISSION].sessions, 1);
		assert_true(d.use[ACTOR_SUBMISSION].last_ms > 0);
		assert_true(d.use[ACTOR_IMAP].last_ms == 0);
		assert_str(info(e, main).client, "Mailer 1.0");
		assert_ok(device_find(e->a, STR("phone"), &found));
		assert_int_equal(found, phone);
		assert_int_equal(device_find(e->a, STR("other"), &found), E_NOT_FOUND);
		env_verify(e);
		/* Written when the account leaves memory. */
		env_restart(e);
	}
}

/* A new device is written at once, what it does after a minute. */
static void
test_written_late(void **state)
{
	const struct device_counts counts = { 1, 10, 0, 0 };
	struct env                *e = *state;
	device_id                  id = login(e, ACTOR_POP3, "phone");
	uint64_t                   modseq = account_modseq(e->a);

	assert_ok(device_count(e->a, id, ACTOR_POP3, &counts));
	assert_int_equal(login(e, ACTOR_POP3, "phone"), id);
	assert_ok(store_tend(e->store));
	assert_true(account_modseq(e->a) == modseq);
	put(e, 0, "A: 1\r\n\r\nx");
	assert_ok(account_barrier(e->a));
	env_crash(e);
	assert_int_equal(info(e, id).use[ACTOR_POP3].sessions, 1);
	assert_int_equal(info(e, id).use[ACTOR_POP3].fetched_n, 0);
	assert_ok(device_count(e->a, id, ACTOR_POP3, &counts));
	clock_test_advance(DEVICE_SAVE_MS + 1000);
	modseq = account_modseq(e->a);
	assert_ok(store_tend(e->store));
	assert_ok(store_tend(e->store));
	assert_true(account_modseq(e->a) == modseq + 1);
	put(e, 0, "A: 1\r\n\r\nx");
	assert_ok(account_barrier(e->a));
	env_crash(e);
	assert_int_equal(info(e, id).use[ACTOR_POP3].fetched_n, 1);
	clock_test_advance(-DEVICE_SAVE_MS - 1000);
	env_verify(e);
}

static void
test_policy(void **state)
{
	const struct pop3_options bad = { .policy = POP3_KEEP, .alarm_percent = 101 };
	struct pop3_options       opt = { .policy = POP3_ARCHIVE, .alarm_percent = 20 };
	struct env               *e = *state;
	device_id                 a = login(e, ACTOR_POP3, "a"), b = login(e, ACTOR_POP3, "b");
	enum pop3_policy          policy;

	assert_ok(device_policy(e->a, a, &policy));
	assert_int_equal(policy, POP3_TRASH);
	assert_ok(pop3_options_set(e->a, &opt, &ACTOR));
	assert_int_equal(pop3_options_set(e->a, &bad, &ACTOR), E_PARAM);
	assert_ok(device_policy_set(e->a, b, POP3_KEEP, &ACTOR));
	assert_int_equal(device_policy_set(e->a, b, POP3_DELETE + 1, &ACTOR), E_PARAM);
	assert_int_equal(device_policy_set(e->a, 99, POP3_KEEP, &ACTOR), E_NOT_FOUND);
	assert_ok(account_barrier(e->a));
	env_crash(e);
	assert_ok(device_policy(e->a, a, &policy));
	assert_int_equal(policy, POP3_ARCHIVE);
	assert_ok(device_policy(e->a, 0, &policy));
	assert_int_equal(policy, POP3_ARCHIVE);
	assert_ok(device_policy(e->a, b, &policy));
	assert_int_equal(policy, POP3_KEEP);
	assert_ok(device_policy_set(e->a, b, POP3_POLICY_NONE, &ACTOR));
	assert_ok(device_policy(e->a, b, &policy));
	assert_int_equal(policy, POP3_ARCHIVE);
	opt = (struct pop3_options){ 0 };
	assert_ok(pop3_options_get(e->a, &opt));
	assert_int_equal(opt.alarm_percent, 20);
	assert_false(opt.alarm_off);
}

/* Who tries names without end drives out the longest unseen ones, and no more memory is taken. */
static void
test_too_many(void **state)
{
	struct env *e = *state;
	device_id   first = login(e, ACTOR_POP3, "first"), id = 0;
	char        name[100];

	clock_test_advance(DAY_MS);
	for (int i = 0; i < DEVICES_MAX - 1; i++) {
		snprintf(name, sizeof(name), "device-%d", i);
		id = login(e, ACTOR_POP3, name);
	}
	assert_int_equal(id, DEVICES_MAX);
	assert_str(info(e, first).name, "first");
	clock_test_advance(1000);
	/* A policy that somebody has set is kept. */
	assert_ok(device_policy_set(e->a, first, POP3_KEEP, &ACTOR));
	id = login(e, ACTOR_POP3, "one more");
	assert_int_equal(id, DEVICES_MAX + 1);
	assert_int_equal(info(e, first).id, first);
	assert_int_equal(info(e, 2).id, 0);
	assert_ok(device_policy_set(e->a, first, POP3_POLICY_NONE, &ACTOR));
	id = login(e, ACTOR_POP3, "one more still");
	assert_int_equal(id, DEVICES_MAX + 2);
	assert_int_equal(info(e, first).id, 0);
	assert_int_equal(info(e, 3).id, 3);
	id--;
	assert_int_equal(login(e, ACTOR_POP3, "one more"), id);
	env_restart(e);
	assert_int_equal(login(e, ACTOR_POP3, "one more"), id);
	assert_int_equal(info(e, first).id, 0);
	clock_test_advance(-DAY_MS - 1000);
	env_verify(e);
}

/* A name is cut at a whole character. */
static void
test_long_name(void **state)
{
	struct env *e = *state;
	char        name[200];
	device_id   id;

	memset(name, 'n', sizeof(name));
	name[DEVICE_NAME_MAX - 1] = (char)0xc3;
	name[DEVICE_NAME_MAX] = (char)0xbc;
	name[sizeof(name) - 1] = '\0';
	id = login(e, ACTOR_POP3, name);
	assert_int_equal(info(e, id).name.n, DEVICE_NAME_MAX - 1);
	assert_int_equal(login(e, ACTOR_POP3, name), id);
}

#define ON_MEM(f) cmocka_unit_test_setup_teardown(f, env_mem, env_done)
#define ON_ROCKS(f) { #f " (rocks)", f, env_rocks, env_done, NULL }

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_ROCKS(test_ledger),
		ON_MEM(test_written_late),
		ON_MEM(test_policy),
		ON_ROCKS(test_too_many),
		ON_MEM(test_long_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
