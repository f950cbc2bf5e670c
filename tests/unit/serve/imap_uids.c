/* Tests of serve/imap/uids.h: sets as wholes, against a plain array of booleans. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "serve/imap/uids.h"

enum { UNIVERSE = 200 };

struct model {
	bool has[UNIVERSE + 2];
};

static uint32_t seed = 12345;

static uint32_t
draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static void
random_set(struct model *m, struct ranges *s)
{
	struct uid_pile pile;

	*m = (struct model){ 0 };
	uid_pile_init(&pile);
	for (uint32_t n = draw(30); n > 0; n--) {
		uint32_t lo = 1 + draw(UNIVERSE), hi = lo + draw(8);

		if (hi > UNIVERSE)
			hi = UNIVERSE;
		for (uint32_t u = lo; u <= hi; u++)
			m->has[u] = true;
		uid_pile_add(&pile, lo, hi);
	}
	assert_int_equal(uid_pile_close(&pile, s), 0);
	uid_pile_done(&pile);
}

static void
check(const struct ranges *s, const struct model *m)
{
	uint32_t n = 0;

	for (uint32_t u = 1; u <= UNIVERSE; u++) {
		assert_int_equal(ranges_has(s, u), m->has[u]);
		n += m->has[u];
	}
	assert_int_equal(ranges_count(s), n);
	for (size_t i = 0; i + 1 < s->n; i++)
		assert_true(s->r[i].hi + 1 < s->r[i + 1].lo);
}

static void
test_algebra(void **state)
{
	(void)state;
	for (int round = 0; round < 3000; round++) {
		OWN_RANGES struct ranges a = { 0 }, b = { 0 }, all = { 0 }, left = { 0 };
		struct model             ma, mb, m;
		uint32_t                 cut = 1 + draw(UNIVERSE);

		random_set(&ma, &a);
		random_set(&mb, &b);
		check(&a, &ma);
		assert_int_equal(uids_or(&a, &b, &all), 0);
		for (int u = 0; u <= UNIVERSE; u++)
			m.has[u] = ma.has[u] || mb.has[u];
		check(&all, &m);
		assert_int_equal(uids_minus(&a, &b, &left), 0);
		for (int u = 0; u <= UNIVERSE; u++)
			m.has[u] = ma.has[u] && !mb.has[u];
		check(&left, &m);
		assert_int_equal(uids_remove_all(&all, &b), 0);
		check(&all, &m);
		assert_int_equal(uids_add_all(&all, &b), 0);
		assert_int_equal(uids_drop_through(&all, cut), 0);
		for (uint32_t u = 0; u <= UNIVERSE; u++)
			m.has[u] = u > cut && (ma.has[u] || mb.has[u]);
		check(&all, &m);
		assert_int_equal(uids_keep_only(&all, &a), 0);
		for (uint32_t u = 0; u <= UNIVERSE; u++)
			m.has[u] = m.has[u] && ma.has[u];
		check(&all, &m);
	}
}

static void
test_last(void **state)
{
	OWN_RANGES struct ranges s = { 0 }, tail = { 0 }, whole = { 0 };

	(void)state;
	ranges_add(&s, 3, 5);
	ranges_add(&s, 8, 8);
	ranges_add(&s, 10, 12);
	assert_int_equal(uids_last(&s, 5, &tail), 0);
	assert_int_equal(ranges_count(&tail), 5);
	assert_int_equal(ranges_min(&tail), 5);
	assert_int_equal(uids_last(&s, 50, &whole), 0);
	assert_int_equal(ranges_count(&whole), 7);
	assert_int_equal(uids_drop_from(&whole, 8), 0);
	assert_int_equal(ranges_max(&whole), 5);
}

/* A hundred thousand scattered numbers in any order cost next to nothing. */
static void
test_pile_of_many(void **state)
{
	enum { MANY = 100000 };
	OWN_RANGES struct ranges s = { 0 }, every = { 0 };
	struct uid_pile          pile;

	(void)state;
	uid_pile_init(&pile);
	for (uint32_t i = 0; i < MANY; i++)
		uid_pile_add(&pile, 2 * ((i * 7919) % MANY) + 2, 2 * ((i * 7919) % MANY) + 2);
	assert_int_equal(uid_pile_close(&pile, &s), 0);
	assert_int_equal(ranges_count(&s), MANY);
	ranges_add(&every, 1, 2 * MANY + 1);
	assert_int_equal(uids_remove_all(&every, &s), 0);
	assert_int_equal(ranges_count(&every), MANY + 1);
	assert_int_equal(uids_add_all(&every, &s), 0);
	assert_int_equal(every.n, 1);
	uid_pile_done(&pile);
}

static void
test_ends(void **state)
{
	OWN_RANGES struct ranges a = { 0 }, b = { 0 };

	(void)state;
	ranges_add(&a, 1, UINT32_MAX);
	ranges_add(&b, 1, 1);
	ranges_add(&b, 5, 6);
	ranges_add(&b, UINT32_MAX, UINT32_MAX);
	assert_int_equal(uids_remove_all(&a, &b), 0);
	assert_int_equal(ranges_min(&a), 2);
	assert_int_equal(ranges_max(&a), UINT32_MAX - 1);
	assert_int_equal(uids_add_all(&a, &b), 0);
	assert_int_equal(a.n, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_algebra),
		cmocka_unit_test(test_last),
		cmocka_unit_test(test_pile_of_many),
		cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests_name("imap_uids", tests, NULL, NULL);
}
