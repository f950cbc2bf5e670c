/* The parts of blobs that are kept in memory: found again, forgotten, and never too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "kv/parts.h"

enum { MAX = PARTS_SHARDS * 64 << 10 };

/* Blobs 1, 2, 3 ... of these tests. */
static struct kv_blob_id
id_of(uint32_t n)
{
	struct kv_blob_id id = { 0 };

	memcpy(id.b + sizeof(id.b) - sizeof(n), &n, sizeof(n));
	return id;
}

static void
put(struct parts *p, uint32_t n, uint32_t number, struct str bytes)
{
	struct kv_blob_id id = id_of(n);
	struct part      *part = parts_put(p, &id, number, bytes);

	assert_non_null(part);
	assert_true(str_eq(part_bytes(part), bytes));
	part_drop(part);
}

static bool
has(struct parts *p, uint32_t n, uint32_t number, struct str want)
{
	struct kv_blob_id id = id_of(n);
	struct part      *part = parts_get(p, &id, number);

	if (part == NULL)
		return false;
	assert_true(str_eq(part_bytes(part), want));
	part_drop(part);
	return true;
}

static size_t
bytes_of(const struct parts *p)
{
	size_t n = 0;

	for (size_t i = 0; i < PARTS_SHARDS; i++)
		for (int k = 0; k < PARTS_SIZES; k++) {
			assert_true(p->shard[i].queue[k].bytes <= p->queue_max[k]);
			n += p->shard[i].queue[k].bytes;
		}
	return n;
}

static void
test_found_again(void **state)
{
	struct parts p;

	(void)state;
	assert_int_equal(parts_init(&p, MAX), 0);
	assert_false(has(&p, 1, 0, STR_NONE));
	put(&p, 1, 0, STR("head"));
	put(&p, 1, 7, STR("piece"));
	put(&p, 2, 0, STR_NONE);
	put(&p, 1, 0, STR("head")); /* two readers at once */
	assert_true(has(&p, 1, 0, STR("head")));
	assert_true(has(&p, 1, 7, STR("piece")));
	assert_true(has(&p, 2, 0, STR_NONE));
	assert_false(has(&p, 1, 1, STR_NONE));
	assert_false(has(&p, 3, 0, STR_NONE));
	parts_clear(&p);
	assert_false(has(&p, 1, 0, STR_NONE));
	assert_int_equal(bytes_of(&p), 0);
	put(&p, 1, 0, STR("again"));
	assert_true(has(&p, 1, 0, STR("again")));
	parts_done(&p);
}

static void
test_held_when_forgotten(void **state)
{
	struct parts      p;
	struct kv_blob_id id = id_of(1);
	struct part      *put_one, *got;

	(void)state;
	assert_int_equal(parts_init(&p, MAX), 0);
	put_one = parts_put(&p, &id, 0, STR("bytes"));
	got = parts_get(&p, &id, 0);
	assert_ptr_equal(put_one, got);
	parts_forget(&p, &id, 1);
	assert_true(has(&p, 1, 0, STR("bytes")));
	parts_forget(&p, &id, 0);
	parts_forget(&p, &id, 0);
	assert_false(has(&p, 1, 0, STR_NONE));
	assert_int_equal(bytes_of(&p), 0);
	part_drop(put_one);
	assert_true(str_eq(part_bytes(got), STR("bytes")));
	part_drop(got);
	parts_done(&p);
}

/* What was asked for stays; of the rest the latest stay. */
static void
test_room_is_bounded(void **state)
{
	enum { N = 2000, SIZE = 2000, ASKED = 20 };
	char              *bytes = calloc(1, MAX);
	struct parts       p;
	struct kv_blob_id  id = id_of(N + 1);
	uint32_t           left = 0, left_late = 0;

	(void)state;
	assert_int_equal(parts_init(&p, MAX), 0);
	for (uint32_t i = 0; i < N; i++) {
		put(&p, i, 0, str_of(bytes, SIZE));
		for (uint32_t asked = 0; asked < ASKED && asked <= i; asked++)
			assert_true(has(&p, asked, 0, str_of(bytes, SIZE)));
	}
	assert_in_range(bytes_of(&p), MAX / 2, MAX);
	for (uint32_t i = ASKED; i < N; i++) {
		bool is_there = has(&p, i, 0, str_of(bytes, SIZE));

		left += is_there;
		left_late += is_there && i >= N / 2;
	}
	assert_in_range(left, MAX / SIZE / 2, MAX / SIZE);
	assert_int_equal(left, left_late);
	assert_null(parts_put(&p, &id, 0, str_of(bytes, p.queue_max[PARTS_SMALL] / 2)));
	assert_null(parts_get(&p, &id, 0));
	parts_done(&p);
	free(bytes);
}

/* Big messages that stream through push out each other, and nothing small. */
static void
test_big_ones_push_out_no_small_ones(void **state)
{
	enum { SMALL = 1000, SMALL_BYTES = 4000, BIG = 400, BIG_BYTES = 256 << 10,
		ROOM = PARTS_SHARDS << 23 };
	char        *bytes = calloc(1, BIG_BYTES);
	struct parts p;
	uint32_t     left = 0;

	(void)state;
	assert_int_equal(parts_init(&p, ROOM), 0);
	for (uint32_t i = 0; i < SMALL; i++)
		put(&p, i, 0, str_of(bytes, SMALL_BYTES));
	for (uint32_t i = 0; i < BIG; i++) {
		put(&p, SMALL, i + 1, str_of(bytes, BIG_BYTES));
		assert_true(has(&p, SMALL, i + 1, str_of(bytes, BIG_BYTES)));
		assert_true(bytes_of(&p) <= ROOM / 4 + SMALL * (SMALL_BYTES + 200));
	}
	for (uint32_t i = 0; i < SMALL; i++)
		assert_true(has(&p, i, 0, str_of(bytes, SMALL_BYTES)));
	for (uint32_t i = 0; i < BIG; i++)
		left += has(&p, SMALL, i + 1, str_of(bytes, BIG_BYTES));
	assert_in_range(left, ROOM / 8 / BIG_BYTES, ROOM / 4 / BIG_BYTES);
	parts_clear(&p);
	assert_int_equal(bytes_of(&p), 0);
	parts_done(&p);
	free(bytes);
}

static void
test_none_are_kept(void **state)
{
	struct parts      p;
	struct kv_blob_id id = id_of(1);

	(void)state;
	assert_int_equal(parts_init(&p, 0), 0);
	assert_null(parts_put(&p, &id, 0, STR("bytes")));
	assert_null(parts_get(&p, &id, 0));
	parts_forget(&p, &id, 0);
	parts_done(&p);
}

enum { THREADS = 4, ROUNDS = 20000, BLOBS = 500 };

/* A part's bytes all say which one it is. */
static void *
many_reads(void *arg)
{
	struct parts *p = arg;
	uint32_t      seed = (uint32_t)(uintptr_t)&seed;
	char          bytes[1000];

	for (int i = 0; i < ROUNDS; i++) {
		struct kv_blob_id id;
		uint32_t          n;
		struct part      *part;

		seed = seed * 1664525 + 1013904223;
		n = seed >> 8 & 0xFF;
		id = id_of(n % BLOBS);
		part = parts_get(p, &id, 0);
		memset(bytes, (int)n, sizeof(bytes));
		if (part == NULL)
			part = parts_put(p, &id, 0, str_of(bytes, 100 + n));
		if (seed >> 28 == 0)
			parts_forget(p, &id, 0);
		if (part == NULL || !str_eq(part_bytes(part), str_of(bytes, 100 + n)))
			return p;
		part_drop(part);
	}
	return NULL;
}

static void
test_many_threads(void **state)
{
	struct parts p;
	pthread_t    thread[THREADS];
	void        *wrong;

	(void)state;
	assert_int_equal(parts_init(&p, PARTS_SHARDS * 4096), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, many_reads, &p), 0);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(thread[i], &wrong), 0);
		assert_null(wrong);
	}
	bytes_of(&p);
	parts_done(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found_again),
		cmocka_unit_test(test_held_when_forgotten),
		cmocka_unit_test(test_room_is_bounded),
		cmocka_unit_test(test_big_ones_push_out_no_small_ones),
		cmocka_unit_test(test_none_are_kept),
		cmocka_unit_test(test_many_threads),
	};

	return cmocka_run_group_tests_name("kv/parts", tests, NULL, NULL);
}
