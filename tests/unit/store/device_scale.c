/* Tests of what years of POP3 leave behind, and of what one call costs: counts, not times. */
#include "devices.h"

#include <stdlib.h>

#include "base/clock.h"
#include "kv/open.h"
#include "store/journal_read.h"
#include "store/keys.h"
#include "store/state.h"

static const struct kv_part PART = { KV_ACCOUNT, ACCOUNT };

static size_t
hidden_rows(struct env *e)
{
	struct key   from = key_kind('h'), to = key_kind_end('h');
	OWN(kv_iter) it = NULL;
	struct str   k, v;
	size_t       n = 0;

	assert_ok(kv_scan(e->kv, PART, key_str(&from), key_str(&to), false, &it));
	while (kv_iter_next(it, &k, &v) > 0)
		n++;
	return n;
}

static void
policy(struct env *e, const char *name, enum pop3_policy p)
{
	assert_ok(device_policy_set(e->a, login(e, name), p, &ACTOR));
}

/* Removes every `step`th message that the device sees. */
static uint32_t
removes_some(struct env *e, const char *name, uint32_t step)
{
	const struct actor  actor = pop3(name);
	struct device_view  v = view(e, name);
	struct pop3_removal rm = { .device = v.device, .m = v.m, .n = v.n, .mark = 1 };
	bool                done = false;

	for (uint32_t i = 0; i < v.n; i += step)
		v.m[i].marks = 1;
	while (!done)
		assert_ok(pop3_remove_part(e->a, &rm, &actor, &done));
	device_view_done(&v);
	return rm.removed_n;
}

/* --- hidden ids --- */

static void
tend_all(struct env *e)
{
	for (int i = 0; i < 4; i++)
		assert_ok(store_tend(e->store));
}

/* Month after month mail comes, devices take it, somebody clears up. */
static void
test_years(void **state)
{
	enum { MONTHS = 24, MAIL = 50 };
	struct env *e = *state;

	policy(e, "phone", POP3_KEEP);
	policy(e, "desk", POP3_KEEP);
	put_some(e, 2);
	for (int i = 0; i < MONTHS; i++) {
		put_some(e, MAIL);
		assert_true(removes_some(e, "phone", 2) >= MAIL / 2);
		removes_some(e, "desk", 3);
		assert_true(hidden_rows(e) >= MAIL / 2);
		/* The first two stay for ever. */
		expunge_all(e, e->inbox, "3:999999");
		clock_test_advance(31 * DAY_MS);
		tend_all(e);
		assert_true(hidden_rows(e) <= 4);
	}
	assert_int_equal(status(e, e->inbox).messages, 2);
	assert_true(account_modseq(e->a) > MONTHS);
	env_verify(e);
	clock_test_advance(-31 * DAY_MS * MONTHS);
}

/* A row is trimmed at its beginning and goes with its last message; what it hides stays hidden. */
static void
test_rows_shrink(void **state)
{
	struct env *e = *state;

	policy(e, "phone", POP3_KEEP);
	put_some(e, 12);
	removes(e, "phone", "2:6");
	removes(e, "phone", "9:11");
	assert_int_equal(hidden_rows(e), 2);
	expunge_all(e, e->inbox, "1:3,5,10:11");
	clock_test_advance(31 * DAY_MS);
	tend_all(e);
	assert_int_equal(hidden_rows(e), 2);
	assert_string_equal(sees(e, "phone"), "7 8 12");
	assert_string_equal(sees(e, "desk"), "4 6 7 8 9 12");
	env_verify(e);
	/* Restorable is not gone. */
	expunge_all(e, e->inbox, "9");
	tend_all(e);
	assert_int_equal(hidden_rows(e), 2);
	clock_test_advance(31 * DAY_MS);
	tend_all(e);
	assert_int_equal(hidden_rows(e), 1);
	/* Hidden from their neighbours on, and across the gap. */
	removes(e, "phone", "7");
	assert_int_equal(hidden_rows(e), 1);
	assert_string_equal(sees(e, "phone"), "8 12");
	expunge_all(e, e->inbox, "4,6:7");
	clock_test_advance(31 * DAY_MS);
	tend_all(e);
	assert_int_equal(hidden_rows(e), 0);
	assert_string_equal(sees(e, "phone"), "8 12");
	env_verify(e);
	clock_test_advance(-93 * DAY_MS);
}

/* One that had it in its view removes it after it was purged. */
static void
test_removed_after_the_purge(void **state)
{
	struct env         *e = *state;
	const struct actor  actor = pop3("phone");
	struct device_view  v;
	struct pop3_removal rm = { .n = 2, .mark = 1 };
	bool                done = false;

	put_some(e, 3);
	v = view(e, "phone");
	v.m[0].marks = v.m[1].marks = 1;
	rm.device = v.device;
	rm.m = v.m;
	expunge_all(e, e->inbox, "1:2");
	clock_test_advance(31 * DAY_MS);
	tend_all(e);
	assert_ok(pop3_remove_part(e->a, &rm, &actor, &done));
	assert_true(done);
	assert_int_equal(rm.removed_n, 2);
	assert_int_equal(hidden_rows(e), 0);
	device_view_done(&v);
	clock_test_advance(-31 * DAY_MS);
	env_verify(e);
}

/* --- what QUIT costs --- */

static unsigned long
cost_of_quit(struct env *e, int messages)
{
	unsigned long n;

	put_some(e, messages);
	(void)login(e, "phone");
	kv_fault_set(e->kv, 0, false, 0);
	assert_int_equal(removes_some(e, "phone", 2), messages / 2);
	n = kv_fault_set(e->kv, 0, false, 0);
	expunge_all(e, box(e, "Trash"), "1:999999");
	expunge_all(e, e->inbox, "1:999999");
	return n;
}

static void
test_cost_of_quit(void **state)
{
	static const enum pop3_policy POLICIES[] = { POP3_READ, POP3_TRASH, POP3_DELETE };
	struct env *e = *state;

	for (size_t i = 0; i < ARRAY_LEN(POLICIES); i++) {
		unsigned long few, many;

		policy(e, "phone", POLICIES[i]);
		few = cost_of_quit(e, 200);
		many = cost_of_quit(e, 2200);
		/* Eleven times the messages, eleven times the looks into the storage. */
		assert_true(many <= 11 * few + 20);
		assert_true(many <= 1100 * 3 + 50);
	}
	env_verify(e);
}

/* --- where the journal begins --- */

struct count {
	unsigned n;
	uint64_t first;
};

static int
count_event(void *arg, const struct journal_event *ev)
{
	struct count *c = arg;

	if (c->n++ == 0)
		c->first = ev->modseq;
	return 0;
}

static struct count
scan_since(struct env *e, int64_t since_ms)
{
	const struct journal_query q = { .since_ms = since_ms };
	struct count               c = { 0 };

	assert_ok(journal_scan(e->a, &q, count_event, &c));
	return c;
}

static uint64_t
seek(struct env *e, int64_t since_ms)
{
	uint64_t after = 0;

	ACCOUNT_SCOPE(e->a);
	assert_ok(account_ready(e->a));
	assert_ok(journal_seek(e->a, since_ms, &after));
	return after;
}

/* A thousand commits, one in ten minutes; the clock is put back and forward on the way. */
static void
test_journal_since(void **state)
{
	enum { N = 2000, STEP_MS = 10 * 60 * 1000, A_DAY = 144 };
	struct env *e = *state;
	int64_t     when[N], begin = clock_real_ms();
	uint64_t    modseq[N];

	put_some(e, 1);
	srand(7);
	for (int i = 0; i < N; i++) {
		int64_t jump = i % 97 == 50 ? (int64_t)(rand() % 46 - 23) * 3600 * 1000 : STEP_MS;

		clock_test_advance(jump);
		set_flags(e, e->inbox, "1", i % 2 == 0 ? FLAGS_ADD : FLAGS_REMOVE, FLAG_SEEN);
		when[i] = clock_real_ms();
		modseq[i] = account_modseq(e->a);
	}
	for (int i = 0; i < N; i += 37) {
		struct count got = scan_since(e, when[i] - 100);
		unsigned     n = 0;
		uint64_t     first = 0;

		for (int j = N - 1; j >= 0; j--)
			if (when[j] >= when[i] - 100) {
				n++;
				first = modseq[j];
			}
		/* The clock of the test goes on by itself, too. */
		assert_in_range(got.n, n, n + 1);
		assert_true(got.first <= first);
	}
	assert_true(seek(e, 0) == 0);
	/* Few looks, and no more than a day, and jumps of the clock, too much. */
	kv_fault_set(e->kv, 0, false, 0);
	assert_true(seek(e, when[N - 1]) + 64 + (uint64_t)A_DAY * 4 > modseq[N - 1]);
	assert_true(kv_fault_set(e->kv, 0, false, 0) <= 2 * 12);
	assert_true(seek(e, when[N - 1] + 2 * DAY_MS) + 64 > modseq[N - 1]);
	clock_test_advance(begin - clock_real_ms());
}

/* --- what nobody waits for --- */

static void
test_lazy_commits_last(void **state)
{
	struct env         *e = *state;
	const struct actor  actor = pop3("phone");
	struct device_view  v;
	const uint32_t      which[] = { 0, 2 };
	struct count        c;

	put_some(e, 3);
	assert_ok(account_barrier(e->a));
	c = scan_since(e, 0);
	v = view(e, "phone");
	assert_ok(journal_fetched(e->a, v.m, which, 2, &actor));
	device_view_done(&v);
	/* Nobody else syncs: the housekeeping does. */
	assert_ok(store_tend(e->store));
	env_crash(e);
	assert_int_equal(scan_since(e, 0).n, c.n + 2);
}

#define ON_MEM(f) cmocka_unit_test_setup_teardown(f, env_mem, env_done)
#define ON_ROCKS(f) { #f " (rocks)", f, env_rocks, env_done, NULL }

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_MEM(test_years),
		ON_MEM(test_rows_shrink),
		ON_ROCKS(test_rows_shrink),
		ON_MEM(test_removed_after_the_purge),
		ON_MEM(test_cost_of_quit),
		ON_MEM(test_journal_since),
		ON_MEM(test_lazy_commits_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
