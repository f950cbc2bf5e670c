/* Random test of store/columns.h: what memory says of messages is what their records say. */
#include "env.h"

#include <stdlib.h>

#include "codec/date.h"
#include "store/columns.h"

enum { ROUNDS = 1500, DAY_MS = 24 * 3600 * 1000 };
enum { ALL_COLUMNS = COLUMN_FLAGS | COLUMN_DAYS | COLUMN_SIZES };

static unsigned
pick(unsigned n)
{
	static unsigned long long state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state % n);
}

static void
append_at(struct env *e, int64_t ms, int16_t zone_min)
{
	static const char     LETTERS[] = "Subject: x\r\n\r\nabcdefghijklmnopqrstuvwxyz";
	struct append_options opt = {
		.flags.system = pick(FLAG_SYSTEM_ALL + 1),
		.internal_ms = ms,
		.internal_zone_min = zone_min,
	};
	OWN(ingest)     in = take_in(e->store, str_of(LETTERS, 14 + pick(26)));
	struct appended done;

	assert_ok(message_append(e->a, e->inbox, in, &opt, &ACTOR, &done));
}

static void
assert_row(const struct columns *c, uint32_t i, const struct message *m)
{
	int32_t day = date_day(m->internal_ms, m->internal_zone_min);

	assert_int_equal(c->sets[c->flags[i]].system, m->flags.system);
	assert_memory_equal(c->sets[c->flags[i]].keywords, m->flags.keywords,
	    sizeof(m->flags.keywords));
	if (c->day != NULL)
		assert_int_equal(c->day[i] + COLUMN_DAY_BASE, day);
	if (c->size != NULL)
		assert_int_equal(c->size[i], m->size);
}

/* Over [lo, hi], by records and by columns. */
static void
compare(struct env *e, uint32_t lo, uint32_t hi, unsigned which)
{
	struct columns_want        want = { e->inbox, lo, hi, which };
	OWN_COLUMNS struct columns c = { 0 };
	OWN(message_iter)          it = NULL;
	struct message             m;
	uint32_t                   n = 0;

	assert_ok(columns_get(e->a, &want, &c));
	assert_int_equal(c.next, 0);
	assert_int_equal(c.n, ranges_count(&c.uids));
	assert_ok(message_scan(e->a, e->inbox, lo, hi, SCAN_RECORDS, &it));
	for (; message_iter_next(it, &m, NULL) == 1; n++) {
		assert_true(n < c.n);
		assert_int_equal(ranges_nth(&c.uids, n + 1), m.uid);
		assert_row(&c, n, &m);
	}
	assert_int_equal(n, c.n);
}

static void
change(struct env *e)
{
	uint32_t                 top = status(e, e->inbox).uidnext;
	uint32_t                 lo = 1 + pick(top), hi = lo + pick(6);
	OWN_RANGES struct ranges set = { 0 };
	struct copied            copied = { 0 };
	uint32_t                 next;

	assert_ok(ranges_add(&set, lo, hi));
	switch (pick(8)) {
	case 0:
		assert_ok(message_expunge(e->a, e->inbox, &set, true, 0, &ACTOR, NULL, &next));
		break;
	case 1:
		assert_ok(message_copy(e->a, e->inbox, &set, e->inbox, &ACTOR, &copied));
		break;
	case 2:
		assert_ok(message_move(e->a, e->inbox, &set, 0, e->inbox, &ACTOR, &copied, &next));
		break;
	case 3:
	case 4: {
		struct flag_change ch = { .op = pick(3), .flags.system = pick(32) };

		assert_ok(message_change_flags(
		    e->a, e->inbox, &set, 0, &ch, &ACTOR, NULL, &next));
		break;
	}
	default:
		append_at(e, (int64_t)pick(20000) * DAY_MS + pick(DAY_MS) + 1,
		    (int16_t)(pick(2 * 1439) - 1439));
	}
	ranges_done(&copied.from);
	ranges_done(&copied.to);
}

static void
test_random(void **state)
{
	struct env *e = *state;

	for (int round = 0; round < ROUNDS; round++) {
		uint32_t lo = 1 + pick(100), hi = lo + pick(400);

		change(e);
		if (round == 300 || round == 900)
			env_restart(e);
		/* Without days and sizes at first, then with one of them, or all. */
		if (round % 300 < 100)
			compare(e, lo, hi, COLUMN_FLAGS);
		else if (pick(3) == 0)
			compare(e, lo, hi, COLUMN_FLAGS | (pick(2) != 0 ? COLUMN_DAYS : 0) |
			    (pick(2) != 0 ? COLUMN_SIZES : 0));
		if (round % 100 == 50)
			compare(e, 1, UINT32_MAX, ALL_COLUMNS);
	}
	compare(e, 1, UINT32_MAX, ALL_COLUMNS);
	env_verify(e);
}

static int
ask(struct env *e, unsigned which)
{
	struct columns_want        want = { e->inbox, 1, UINT32_MAX, which };
	OWN_COLUMNS struct columns c = { 0 };

	return columns_get(e->a, &want, &c);
}

/* A date that has no room: no days and no sizes, but flags. */
static void
test_far_away(void **state)
{
	static const int64_t YEARS[] = { 1899, 2080 };
	struct env          *e = *state;

	for (size_t i = 0; i < ARRAY_LEN(YEARS); i++) {
		append_at(e, DAY_MS, 0);
		assert_false(columns_at_hand(e->a, e->inbox, COLUMN_DAYS));
		assert_ok(ask(e, COLUMN_DAYS));
		assert_true(columns_at_hand(e->a, e->inbox, COLUMN_SIZES));
		append_at(e, (YEARS[i] - 1970) * 365 * DAY_MS, 0);
		assert_int_equal(ask(e, COLUMN_DAYS), E_NOT_FOUND);
		compare(e, 1, UINT32_MAX, COLUMN_FLAGS);
		env_restart(e);
		assert_false(columns_at_hand(e->a, e->inbox, COLUMN_SIZES));
		assert_int_equal(ask(e, COLUMN_SIZES), E_NOT_FOUND);
		assert_true(columns_at_hand(e->a, e->inbox, COLUMN_SIZES));
		compare(e, 1, UINT32_MAX, COLUMN_FLAGS);
		expunge_all(e, e->inbox, "1:9");
		env_restart(e);
		assert_ok(ask(e, ALL_COLUMNS));
		env_restart(e);
	}
}

/* More rows than come at once. */
static void
test_pieces(void **state)
{
	struct env              *e = *state;
	OWN_RANGES struct ranges seen = { 0 };
	struct columns_want      want = { e->inbox, 2, UINT32_MAX, ALL_COLUMNS };

	append_at(e, DAY_MS, 0);
	while (status(e, e->inbox).messages <= COLUMNS_AT_ONCE) {
		OWN_RANGES struct ranges all = uids_of("1:4000");
		struct copied            copied = { 0 };

		assert_ok(message_copy(e->a, e->inbox, &all, e->inbox, &ACTOR, &copied));
		ranges_done(&copied.from);
		ranges_done(&copied.to);
	}
	for (unsigned pieces = 0; want.lo != 0; pieces++) {
		OWN_COLUMNS struct columns c = { 0 };

		assert_ok(columns_get(e->a, &want, &c));
		assert_true(c.n <= COLUMNS_AT_ONCE);
		for (size_t i = 0; i < c.uids.n; i++)
			assert_ok(ranges_add(&seen, c.uids.r[i].lo, c.uids.r[i].hi));
		want.lo = c.next;
	}
	assert_int_equal(ranges_count(&seen), status(e, e->inbox).messages - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_random, env_rocks, env_done),
		cmocka_unit_test_setup_teardown(test_far_away, env_rocks, env_done),
		cmocka_unit_test_setup_teardown(test_pieces, env_mem, env_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
