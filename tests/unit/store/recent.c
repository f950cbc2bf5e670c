/* Tests of the change log in memory: it tells what kv has, for as long as it reaches back. */
#include "env.h"

#include "store/state.h"

enum { ROUNDS = 400, CHANGES_MAX = 20000 };

struct seen {
	struct change *c;
	size_t         n;
};

static int
see(void *arg, const struct change *c)
{
	struct seen *s = arg;

	assert_true(s->n < CHANGES_MAX);
	s->c[s->n++] = *c;
	return 0;
}

static void
scan(struct env *e, uint64_t since, mailbox_id box, struct seen *to)
{
	uint64_t upto;

	to->n = 0;
	assert_ok(change_scan(e->a, since, box, see, to, &upto));
	assert_int_equal(upto, account_modseq(e->a));
}

/* From the beginning on kv is read: memory never reaches back so far. */
static void
compare(struct env *e, mailbox_id box)
{
	static struct change all[CHANGES_MAX], some[CHANGES_MAX];
	struct seen          kv = { all, 0 }, got = { some, 0 };
	uint64_t             now = account_modseq(e->a);

	scan(e, 0, box, &kv);
	for (uint64_t since = now - 40 < now ? now - 40 : 0; since <= now; since++) {
		size_t at = 0;

		scan(e, since, box, &got);
		while (at < kv.n && kv.c[at].modseq <= since)
			at++;
		assert_int_equal(got.n, kv.n - at);
		if (got.n != 0)
			assert_memory_equal(got.c, kv.c + at, got.n * sizeof(*got.c));
	}
}

static void
change(struct env *e, unsigned i)
{
	OWN_RANGES struct ranges set = { 0 };
	uint32_t                 top = status(e, e->inbox).uidnext, next;

	if (i % 3 == 0) {
		put_flags(e, i % 2 != 0 ? box(e, "Work") : 0, "x", i * 7 % 32);
		return;
	}
	/* Every third message: many items in one commit now and then. */
	for (uint32_t uid = i * 31 % top + 1, n = i % 11 == 0 ? 20 : 2; n != 0; n--, uid += 3)
		assert_ok(ranges_add(&set, uid, uid));
	if (i % 5 == 0) {
		assert_ok(message_expunge(
		    e->a, e->inbox, &set, false, 0, &ACTOR, NULL, &next));
	} else {
		const struct flag_change ch = { .op = i % 3, .flags.system = i * 13 % 32 };

		assert_ok(message_change_flags(
		    e->a, e->inbox, &set, 0, &ch, &ACTOR, NULL, &next));
	}
}

static void
test_same_as_kv(void **state)
{
	struct env *e = *state;
	bool        used = false, passed = false;

	compare(e, 0);
	assert_non_null(e->a->recent);
	for (unsigned i = 0; i < ROUNDS; i++) {
		change(e, i);
		if (i % 90 == 89)
			env_restart(e);
		compare(e, i % 4 == 0 ? e->inbox : 0);
		used |= e->a->recent != NULL && e->a->recent->n > 10;
		passed |= e->a->recent != NULL && e->a->recent->n == 0;
	}
	assert_true(used && passed);
}

/* A commit that memory has no room for, one that is lost in a crash, and nobody who reads. */
static void
test_ends(void **state)
{
	struct env *e = *state;

	compare(e, 0);
	put(e, 0, "x");
	assert_int_equal(e->a->recent->n, 1);
	for (unsigned i = 0; i < 2 * RECENT_COMMITS; i++)
		put(e, 0, "x");
	assert_int_equal(e->a->recent->n, RECENT_COMMITS);
	compare(e, 0);
	env_crash(e);
	assert_null(e->a->recent);
	compare(e, 0);
	put(e, 0, "x");
	compare(e, 0);
	account_drop(e->a);
	assert_ok(account_open(e->store, ACCOUNT, &e->a));
	assert_null(e->a->recent);
	compare(e, 0);
}

/* When another commit came between, all that was known is forgotten. */
static void
test_conflict(void **state)
{
	struct env     *e = *state;
	struct kv_batch batch;
	kv_ticket       ticket;
	uint64_t        now;

	compare(e, 0);
	put(e, 0, "x");
	now = account_modseq(e->a);
	kv_batch_init(&batch);
	assert_ok(kv_commit(e->kv, account_part(e->a), now, now + 1, &batch, &ticket));
	kv_batch_done(&batch);
	assert_int_equal(account_quota_set(e->a, &(struct quota){ 0 }, &ACTOR), E_CONFLICT);
	assert_null(e->a->recent);
	put(e, 0, "x");
	compare(e, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same_as_kv, env_rocks, env_done),
		cmocka_unit_test_setup_teardown(test_ends, env_rocks, env_done),
		cmocka_unit_test_setup_teardown(test_conflict, env_mem, env_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
