/* Tickets, waiting, failure, and many threads at once. */
#include "suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "kv/engine.h"

enum { THREADS = 8, ROUNDS = 40 };

static struct kv *
kv_of(void **state)
{
	return ((struct env *)*state)->kv;
}

void
suite_tickets(void **state)
{
	struct kv                *kv = kv_of(state);
	OWN_BATCH struct kv_batch b;
	kv_ticket                 t1, t2, t3;

	kv_batch_init(&b);
	kv_put(&b, STR("a"), STR("1"));
	assert_ok(kv_wait(kv, 0));
	assert_true(kv_is_durable(kv, 0));
	t1 = commit(kv, PART, 0, &b);
	t2 = commit(kv, (struct kv_part){ KV_ACCOUNT, 8 }, 0, &b);
	assert_true(t1 < t2);
	assert_false(kv_is_durable(kv, t2));
	assert_ok(kv_wait(kv, t2));
	assert_true(kv_is_durable(kv, t1));
	assert_true(kv_is_durable(kv, t2));
	assert_ok(kv_wait(kv, t1));
	t3 = commit(kv, PART, 1, &b);
	assert_true(t3 > t2);
	assert_false(kv_is_durable(kv, t3));
	assert_ok(kv_wait(kv, t3));
}

struct worker {
	struct kv     *kv;
	struct kv_part part;
	int            number;
	const char    *wrong; /* what went wrong, NULL if nothing */
	uint64_t       won;
};

static void
run_workers(struct kv *kv, bool one_partition, void *(*run)(void *), struct worker w[THREADS])
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		uint64_t id = one_partition ? 1 : 1 + (uint64_t)i;

		w[i] = (struct worker){ .kv = kv, .part = { KV_ACCOUNT, id }, .number = i };
		assert_ok(pthread_create(&threads[i], NULL, run, &w[i]));
	}
	for (int i = 0; i < THREADS; i++)
		assert_ok(pthread_join(threads[i], NULL));
	for (int i = 0; i < THREADS; i++)
		assert_null(w[i].wrong);
}

static const char *
deliver(struct worker *w, uint64_t round)
{
	OWN_BATCH struct kv_batch b;
	OWN_BUF struct buf        got = BUF_INIT(KV_BLOB_PIECE);
	struct kv_blob_id         id;
	char                      key[32], body[3000];
	kv_ticket                 t;

	kv_batch_init(&b);
	kv_blob_id_new(&id);
	fill(body, sizeof(body), round);
	kv_batch_blob(&b, &id, STR("H: v\r\n\r\n"), str_of(body, sizeof(body)));
	kv_ref(&b, &id, w->part.id, round);
	for (int i = 0; i < 5; i++) {
		snprintf(key, sizeof(key), "m/%06u/%d", (unsigned)round, i);
		kv_put(&b, str_c(key), str_of((const char *)&id, sizeof(id)));
	}
	if (kv_commit(w->kv, w->part, round, round + 1, &b, &t) != 0)
		return "commit";
	if (kv_get(w->kv, w->part, str_c(key), &got) != 0 || got.n != sizeof(id))
		return "not visible";
	if (kv_wait(w->kv, t) != 0)
		return "wait";
	if (!kv_is_durable(w->kv, t))
		return "not durable";
	buf_reset(&got);
	if (kv_blob_body(w->kv, &id, 0, sizeof(body), &got) != 0 ||
	    memcmp(got.p, body, sizeof(body)) != 0)
		return "blob";
	if (round % 4 == 0) {
		kv_batch_reset(&b);
		if (kv_blob_release(w->kv, &id) != 0)
			return "release";
		buf_reset(&got);
		if (kv_blob_header(w->kv, &id, &got) != 0)
			return "released in use";
	}
	return NULL;
}

static void *
run_own_partition(void *arg)
{
	struct worker *w = arg;

	for (uint64_t round = 0; round < ROUNDS && w->wrong == NULL; round++)
		w->wrong = deliver(w, round);
	return NULL;
}

void
suite_many_commit_and_wait(void **state)
{
	struct worker w[THREADS];

	run_workers(kv_of(state), false, run_own_partition, w);
	for (int i = 0; i < THREADS; i++) {
		OWN(kv_iter) it = NULL;
		struct str   key, value;
		int          n = 0;

		assert_ok(kv_scan(w[i].kv, w[i].part, STR_NONE, STR_NONE, false, &it));
		while (kv_iter_next(it, &key, &value) == 1)
			n++;
		assert_int_equal(n, 5 * ROUNDS);
	}
}

static void *
run_shared_partition(void *arg)
{
	struct worker            *w = arg;
	OWN_BATCH struct kv_batch b;
	kv_ticket                 t;

	kv_batch_init(&b);
	while (w->won < ROUNDS && w->wrong == NULL) {
		uint64_t at;
		int      r;

		if (kv_version(w->kv, w->part, &at) != 0)
			w->wrong = "version";
		kv_batch_reset(&b);
		/* The key says which version made it: two winners of one version would collide. */
		kv_put(&b, str_of((const char *)&at, sizeof(at)), STR("v"));
		r = kv_commit(w->kv, w->part, at, at + 1, &b, &t);
		if (r == 0)
			w->won++;
		else if (r != E_CONFLICT)
			w->wrong = "commit";
		if (r == 0 && w->won % 8 == 0 && kv_wait(w->kv, t) != 0)
			w->wrong = "wait";
	}
	return NULL;
}

void
suite_one_partition_many_writers(void **state)
{
	struct kv     *kv = kv_of(state);
	struct worker  w[THREADS];
	struct kv_part part = { KV_ACCOUNT, 1 };
	OWN(kv_iter)   it = NULL;
	struct str     key, value;
	int            n = 0;

	run_workers(kv, true, run_shared_partition, w);
	assert_int_equal(version(kv, part), THREADS * ROUNDS);
	assert_ok(kv_scan(kv, part, STR_NONE, STR_NONE, false, &it));
	while (kv_iter_next(it, &key, &value) == 1)
		n++;
	assert_int_equal(n, THREADS * ROUNDS);
}

void
suite_failed_until_healed(void **state)
{
	struct kv                *kv = kv_of(state);
	OWN_BATCH struct kv_batch b;
	struct kv_blob_id         id;
	kv_ticket                 sure, unsure, t = 99;
	uint64_t                  generation = kv_generation(kv), v;

	kv_batch_init(&b);
	kv_blob_id_new(&id);
	kv_put(&b, STR("sure"), STR("1"));
	sure = commit(kv, PART, 0, &b);
	assert_ok(kv_wait(kv, sure));
	kv_batch_reset(&b);
	kv_put(&b, STR("unsure"), STR("1"));
	unsure = commit(kv, PART, 1, &b);
	assert_true(kv_healthy(kv));
	assert_ok(kv_heal(kv));
	assert_true(kv_generation(kv) == generation);

	kv->ops->set_failed(kv, E_DISK_FULL);
	assert_false(kv_healthy(kv));
	assert_int_equal(kv_commit(kv, PART, 2, 3, &b, &t), E_DISK_FULL);
	assert_int_equal(kv_blob_put_header(kv, &id, STR("H")), E_DISK_FULL);
	assert_int_equal(kv_blob_put_piece(kv, &id, 0, STR("H")), E_DISK_FULL);
	assert_int_equal(kv_wait(kv, unsure), E_DISK_FULL);
	assert_int_equal(t, 99);
	assert_ok(kv_wait(kv, sure));
	assert_false(kv_is_durable(kv, unsure));
	assert_value(kv, PART, "unsure", "1"); /* reads go on */

	assert_ok(kv_heal(kv));
	assert_true(kv_healthy(kv));
	assert_true(kv_generation(kv) != generation);
	assert_value(kv, PART, "sure", "1");
	assert_ok(kv_wait(kv, sure));
	assert_true(kv_is_durable(kv, sure));
	assert_true(kv_wait(kv, unsure) < 0);
	assert_false(kv_is_durable(kv, unsure));
	/* Whether the unsure commit is there or not: the version says the same as the records. */
	v = version(kv, PART);
	if (v == 1)
		assert_absent(kv, PART, "unsure");
	else
		assert_value(kv, PART, "unsure", "1");
	t = commit(kv, PART, v, &b);
	assert_true(t > unsure);
	assert_ok(kv_wait(kv, t));
}
