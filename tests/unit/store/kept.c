/* Tests of what memory keeps of messages: a scan of it gives what kv has, and asks kv no more. */
#include "env.h"

#include "kv/open.h"
#include "store/state.h"

enum { ROUNDS = 300, MANY = 300, VERY_MANY = 2100 };

static void
assert_same_str(struct str a, struct str b)
{
	assert_true(str_eq(a, b));
}

static void
assert_same_facts(const struct message_facts *a, const struct message_facts *b)
{
	assert_same_str(a->envelope, b->envelope);
	assert_same_str(a->body, b->body);
	assert_same_str(a->body_structure, b->body_structure);
	assert_same_str(a->parts, b->parts);
	assert_same_str(a->fields, b->fields);
}

/* All but modseq. */
static void
assert_same(const struct message *a, const struct message *b)
{
	struct message x = *a, y = *b;

	x.modseq = y.modseq = 0;
	assert_memory_equal(&x.flags, &y.flags, sizeof(x.flags));
	x.flags = y.flags = (struct flags){ 0 };
	assert_memory_equal(&x, &y, sizeof(x));
}

/* How many operations of kv a scan of [lo, hi] makes. */
static unsigned long
read_all(struct env *e, uint32_t lo, uint32_t hi, bool facts)
{
	OWN(message_iter)    it = NULL;
	struct message_facts f;
	struct message       m;
	int                  r;

	kv_fault_set(e->kv, 0, false, 0);
	assert_ok(message_scan(
	    e->a, e->inbox, lo, hi, facts ? SCAN_KEPT_FACTS : SCAN_KEPT, &it));
	while ((r = message_iter_next(it, &m, &f)) == 1)
		;
	assert_ok(r);
	return kv_fault_set(e->kv, 0, false, 0);
}

static void
compare(struct env *e, mailbox_id box, uint32_t lo, uint32_t hi)
{
	for (int facts = 0; facts < 2; facts++) {
		OWN(message_iter)    kept = NULL;
		OWN(message_iter)    kv = NULL;
		struct message_facts f, g;
		struct message       m, n;
		int                  r;

		assert_ok(message_scan(e->a, box, lo, hi, SCAN_RECORDS_FACTS, &kv));
		assert_ok(message_scan(
		    e->a, box, lo, hi, facts != 0 ? SCAN_KEPT_FACTS : SCAN_KEPT, &kept));
		do {
			r = message_iter_next(kv, &m, &f);
			assert_int_equal(message_iter_next(kept, &n, &g), r);
			if (r == 1)
				assert_same(&m, &n);
			if (r == 1 && facts != 0)
				assert_same_facts(&f, &g);
		} while (r == 1);
		assert_ok(r);
	}
}

static void
change(struct env *e, unsigned i)
{
	OWN_RANGES struct ranges set = { 0 };
	struct copied            moved = { 0 };
	uint32_t                 top = status(e, e->inbox).uidnext, uid = i * 31 % top + 1, next;

	assert_ok(ranges_add(&set, uid, uid));
	switch (i % 8) {
	case 0:
		expunge_all(e, e->inbox, NULL);
		break;
	case 1:
		assert_ok(message_move(e->a, e->inbox, &set, 0, box(e, "Work"), &ACTOR, &moved,
		    &next));
		ranges_done(&moved.from);
		ranges_done(&moved.to);
		break;
	case 2:
	case 3:
	case 4:
		put_flags(e, 0, i % 3 != 0 ? "Subject: a\r\n\r\nx" : "From: a@b\r\n\r\n",
		    i * 7 % 32 & ~(unsigned)FLAG_DELETED);
		break;
	default: {
		const struct flag_change ch = { .op = i % 3, .flags.system = i * 13 % 32 };

		assert_ok(message_change_flags(
		    e->a, e->inbox, &set, 0, &ch, &ACTOR, NULL, &next));
	}
	}
}

static void
test_same_as_kv(void **state)
{
	struct env *e = *state;

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t top = status(e, e->inbox).uidnext;

		change(e, i);
		if (i % 90 == 89)
			env_restart(e);
		compare(e, e->inbox, top > 20 ? top - 20 : 1, i % 2 != 0 ? UINT32_MAX : top);
		compare(e, e->inbox, top / 2 + 1, top / 2 + 1);
		if (i % 10 == 0)
			compare(e, box(e, "Work"), 1, UINT32_MAX);
	}
	compare(e, e->inbox, 1, UINT32_MAX);
}

/* What was read is not read again, also when flags change; a long scan is not kept. */
static void
test_from_memory(void **state)
{
	struct env *e = *state;

	for (unsigned i = 0; i < MANY; i++)
		put(e, 0, "Subject: a\r\n\r\nx");
	assert_true(read_all(e, 1, MANY, true) > 0);
	assert_true(read_all(e, 1, MANY, true) > 0);
	assert_true(read_all(e, MANY - 20, MANY, true) > 0);
	assert_int_equal(read_all(e, MANY - 20, MANY, true), 0);
	assert_int_equal(read_all(e, MANY, MANY, false), 0);
	set_flags(e, e->inbox, "300", FLAGS_ADD, FLAG_SEEN);
	assert_int_equal(read_all(e, MANY - 20, MANY, true), 0);
	compare(e, e->inbox, MANY - 20, MANY);
	/* A single message that is new, and the next time it is not. */
	put(e, 0, "Subject: b\r\n\r\nx");
	assert_true(read_all(e, MANY - 19, MANY + 1, true) > 0);
	assert_int_equal(read_all(e, MANY - 19, MANY + 1, true), 0);
}

/* More than a scan takes from memory at a time, all of it there. */
static void
test_many(void **state)
{
	struct env *e = *state;

	for (unsigned i = 0; i < VERY_MANY; i++)
		put_flags(e, 0, "Subject: a\r\n\r\nx", i % 32);
	for (uint32_t uid = 1; uid < VERY_MANY; uid += 100)
		assert_true(read_all(e, uid, uid + 99, true) > 0);
	assert_int_equal(read_all(e, 1, VERY_MANY, true), 0);
	compare(e, e->inbox, 1, UINT32_MAX);
	compare(e, e->inbox, 2, VERY_MANY - 1);
}

/* A message that is gone is not found, and a UID that a crash gave back is another message's. */
static void
test_lost(void **state)
{
	struct env *e = *state;

	put(e, 0, "Subject: a\r\n\r\nfirst");
	put(e, 0, "Subject: b\r\n\r\nsecond");
	assert_true(read_all(e, 1, 2, true) > 0);
	expunge_all(e, e->inbox, "2");
	compare(e, e->inbox, 1, 2);
	env_crash(e);
	put(e, 0, "Subject: other\r\n\r\nthird one");
	put(e, 0, "Subject: another\r\n\r\nfourth");
	compare(e, e->inbox, 1, 2);
	compare(e, e->inbox, 1, UINT32_MAX);
}

/* The same in a process that lives on. */
static void
test_reopened(void **state)
{
	const struct kv_part      part = { KV_QUEUE, 1 };
	struct env               *e = *state;
	OWN_BATCH struct kv_batch batch;
	kv_ticket                 ticket;

	put(e, 0, "Subject: a\r\n\r\nfirst");
	assert_ok(account_barrier(e->a));
	put(e, 0, "Subject: lost\r\n\r\nsecond");
	assert_true(read_all(e, 1, 2, true) > 0);
	assert_int_equal(read_all(e, 1, 2, true), 0);
	kv_batch_init(&batch);
	kv_put(&batch, STR("key"), STR("value"));
	kv_fault_set(e->kv, 1, false, E_IO);
	assert_int_equal(kv_commit(e->kv, part, 0, 1, &batch, &ticket), E_IO);
	kv_fault_set(e->kv, 0, false, 0);
	assert_ok(kv_heal(e->kv));
	env_account(e);
	assert_int_equal(put(e, 0, "Subject: other\r\n\r\nin its place").uid, 2);
	compare(e, e->inbox, 1, UINT32_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same_as_kv, env_rocks, env_done),
		cmocka_unit_test_setup_teardown(test_from_memory, env_mem, env_done),
		cmocka_unit_test_setup_teardown(test_many, env_mem, env_done),
		cmocka_unit_test_setup_teardown(test_lost, env_mem, env_done),
		cmocka_unit_test_setup_teardown(test_lost, env_rocks, env_done),
		cmocka_unit_test_setup_teardown(test_reopened, env_mem, env_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
