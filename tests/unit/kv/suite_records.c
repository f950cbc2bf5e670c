/* Records: get, put, delete, ranges, scans, versions, partitions. */
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>

static struct kv *
kv_of(void **state)
{
	return ((struct env *)*state)->kv;
}

void
suite_put_get_del(void **state)
{
	struct kv                *kv = kv_of(state);
	OWN_BATCH struct kv_batch b;
	OWN_BUF struct buf        got = BUF_INIT(100);

	kv_batch_init(&b);
	assert_absent(kv, PART, "a");
	kv_put(&b, STR("a"), STR("1"));
	kv_put(&b, STR("b"), STR("2"));
	commit(kv, PART, 0, &b);
	assert_value(kv, PART, "a", "1");
	assert_value(kv, PART, "b", "2");

	/* kv_get appends. */
	buf_str(&got, STR("x="));
	assert_ok(kv_get(kv, PART, STR("a"), &got));
	assert_memory_equal(got.p, "x=1", 3);

	/* The later operation on a key wins; deleting what is not there is fine. */
	kv_batch_reset(&b);
	kv_put(&b, STR("a"), STR("3"));
	kv_del(&b, STR("a"));
	kv_del(&b, STR("b"));
	kv_put(&b, STR("b"), STR("4"));
	kv_del(&b, STR("never"));
	commit(kv, PART, 1, &b);
	assert_absent(kv, PART, "a");
	assert_value(kv, PART, "b", "4");
}

void
suite_empty_and_big(void **state)
{
	struct kv                *kv = kv_of(state);
	OWN_BATCH struct kv_batch b;
	OWN_BUF struct buf        got = BUF_INIT(KV_VALUE_MAX);
	size_t                    n = 3 << 20;
	char                     *big = malloc(n);
	char                      key[KV_KEY_MAX];

	fill(big, n, 0);
	memset(key, 0xFF, sizeof(key));
	kv_batch_init(&b);
	kv_put(&b, STR("empty"), STR_NONE);
	kv_put(&b, STR("big"), str_of(big, n));
	kv_put(&b, str_of(key, sizeof(key)), STR("long key"));
	kv_put(&b, STR("\0"), STR("zero byte"));
	commit(kv, PART, 0, &b);
	assert_value(kv, PART, "empty", "");
	assert_ok(kv_get(kv, PART, STR("big"), &got));
	assert_int_equal(got.n, n);
	assert_memory_equal(got.p, big, n);
	buf_reset(&got);
	assert_ok(kv_get(kv, PART, str_of(key, sizeof(key)), &got));
	assert_int_equal(got.n, 8);
	assert_ok(kv_get(kv, PART, STR("\0"), &got));
	free(big);
}

void
suite_limits(void **state)
{
	struct kv         *kv = kv_of(state);
	struct kv_batch    b;
	OWN_BUF struct buf small = BUF_INIT(3);
	char               key[KV_KEY_MAX + 1] = { 1 };
	char              *value = calloc(1, KV_VALUE_MAX + 1);
	kv_ticket          t = 99;

	kv_batch_init(&b);
	kv_put(&b, str_of(key, sizeof(key)), STR("v"));
	kv_put(&b, STR("a"), STR("v"));
	assert_int_equal(kv_commit(kv, PART, 0, 1, &b, &t), E_LIMIT);
	kv_batch_reset(&b);
	kv_put(&b, STR("a"), str_of(value, KV_VALUE_MAX + 1));
	assert_int_equal(kv_commit(kv, PART, 0, 1, &b, &t), E_LIMIT);
	kv_batch_reset(&b);
	kv_put(&b, STR_NONE, STR("v"));
	assert_int_equal(kv_commit(kv, PART, 0, 1, &b, &t), E_PARAM);
	kv_batch_reset(&b);
	for (int i = 0; i < 4; i++)
		kv_put(&b, STR("a"), str_of(value, KV_VALUE_MAX));
	assert_int_equal(kv_commit(kv, PART, 0, 1, &b, &t), E_LIMIT);
	kv_batch_reset(&b);
	assert_int_equal(kv_commit(kv, PART, 0, 0, &b, &t), E_PARAM);
	assert_int_equal(t, 99);
	assert_int_equal(version(kv, PART), 0);
	assert_absent(kv, PART, "a");
	kv_batch_done(&b);

	/* A reader's own limit is not the engine's failure. */
	put1(kv, PART, 0, "a", "four");
	assert_int_equal(kv_get(kv, PART, STR("a"), &small), E_LIMIT);
	assert_value(kv, PART, "a", "four");
	free(value);
}

static void
put_letters(struct kv *kv, struct kv_part part)
{
	OWN_BATCH struct kv_batch b;

	kv_batch_init(&b);
	for (char c = 'a'; c <= 'f'; c++)
		kv_put(&b, str_of(&c, 1), STR("v"));
	kv_put(&b, STR("cc"), STR("v"));
	commit(kv, part, 0, &b);
}

void
suite_del_range(void **state)
{
	struct kv                *kv = kv_of(state);
	struct kv_part            neighbour = { KV_ACCOUNT, 8 };
	OWN_BATCH struct kv_batch b;

	put_letters(kv, PART);
	put_letters(kv, neighbour);
	kv_batch_init(&b);
	kv_put(&b, STR("bb"), STR("v"));
	kv_del_range(&b, STR("b"), STR("d"));
	kv_put(&b, STR("cd"), STR("v"));
	commit(kv, PART, 1, &b);
	assert_scan(kv, PART, STR_NONE, STR_NONE, false, "a,cd,d,e,f");
	kv_batch_reset(&b);
	kv_del_range(&b, STR("e"), STR("b")); /* empty */
	kv_del_range(&b, STR("e"), STR("e")); /* empty */
	kv_del_range(&b, STR("f"), STR_NONE);
	commit(kv, PART, 2, &b);
	assert_scan(kv, PART, STR_NONE, STR_NONE, false, "a,cd,d,e");

	/* All of it: the version stays, the neighbour too. */
	kv_batch_reset(&b);
	kv_del_range(&b, STR_NONE, STR_NONE);
	commit(kv, PART, 3, &b);
	assert_scan(kv, PART, STR_NONE, STR_NONE, false, "");
	assert_int_equal(version(kv, PART), 4);
	assert_scan(kv, neighbour, STR_NONE, STR_NONE, false, "a,b,c,cc,d,e,f");
}

void
suite_scan(void **state)
{
	struct kv *kv = kv_of(state);

	assert_scan(kv, PART, STR_NONE, STR_NONE, false, "");
	assert_scan(kv, PART, STR_NONE, STR_NONE, true, "");
	put_letters(kv, PART);
	assert_scan(kv, PART, STR_NONE, STR_NONE, false, "a,b,c,cc,d,e,f");
	assert_scan(kv, PART, STR_NONE, STR_NONE, true, "f,e,d,cc,c,b,a");
	assert_scan(kv, PART, STR("b"), STR("d"), false, "b,c,cc");
	assert_scan(kv, PART, STR("b"), STR("d"), true, "cc,c,b");
	assert_scan(kv, PART, STR("ca"), STR_NONE, false, "cc,d,e,f");
	assert_scan(kv, PART, STR("ca"), STR_NONE, true, "f,e,d,cc");
	assert_scan(kv, PART, STR_NONE, STR("c"), true, "b,a");
	assert_scan(kv, PART, STR("d"), STR("b"), false, "");
	assert_scan(kv, PART, STR("d"), STR("b"), true, "");
	assert_scan(kv, PART, STR("x"), STR_NONE, false, "");
	assert_scan(kv, PART, STR_NONE, STR("a"), true, "");
}

void
suite_scan_is_a_snapshot(void **state)
{
	struct kv                *kv = kv_of(state);
	OWN(kv_iter)              it = NULL;
	OWN(kv_iter)              back = NULL;
	OWN_BATCH struct kv_batch b;
	struct str                key, value;
	int                       n = 0;

	put_letters(kv, PART);
	assert_ok(kv_scan(kv, PART, STR_NONE, STR_NONE, false, &it));
	assert_ok(kv_scan(kv, PART, STR_NONE, STR_NONE, true, &back));
	assert_int_equal(kv_iter_next(it, &key, &value), 1);
	kv_batch_init(&b);
	kv_del_range(&b, STR_NONE, STR_NONE);
	kv_put(&b, STR("b"), STR("new"));
	kv_put(&b, STR("x"), STR("new"));
	commit(kv, PART, 1, &b);
	while (kv_iter_next(it, &key, &value) == 1) {
		assert_true(str_eq(value, STR("v")));
		n++;
	}
	assert_int_equal(n, 6);
	while (kv_iter_next(back, &key, &value) == 1) {
		assert_true(str_eq(value, STR("v")));
		n++;
	}
	assert_int_equal(n, 13);
	assert_scan(kv, PART, STR_NONE, STR_NONE, false, "b,x");
}

void
suite_partitions_are_apart(void **state)
{
	struct kv           *kv = kv_of(state);
	const struct kv_part parts[] = {
		{ KV_META, 0 }, { KV_DIRECTORY, 0 }, { KV_ACCOUNT, 0 }, { KV_ACCOUNT, 0xFF },
		{ KV_ACCOUNT, 0x100 }, { KV_ACCOUNT, UINT64_MAX }, { KV_QUEUE, 0 },
		{ KV_QUEUE, UINT64_MAX },
	};
	OWN_BATCH struct kv_batch b;
	char                      name[16];

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		snprintf(name, sizeof(name), "own-%zu", i);
		put1(kv, parts[i], 0, name, name);
	}
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		snprintf(name, sizeof(name), "own-%zu", i);
		assert_scan(kv, parts[i], STR_NONE, STR_NONE, false, name);
		assert_scan(kv, parts[i], STR_NONE, STR_NONE, true, name);
		assert_value(kv, parts[i], name, name);
	}
	kv_batch_init(&b);
	kv_del_range(&b, STR_NONE, STR_NONE);
	commit(kv, parts[5], 1, &b);
	assert_scan(kv, parts[4], STR_NONE, STR_NONE, false, "own-4");
	assert_scan(kv, parts[5], STR_NONE, STR_NONE, false, "");
	assert_scan(kv, parts[6], STR_NONE, STR_NONE, false, "own-6");
}

void
suite_versions(void **state)
{
	struct kv                *kv = kv_of(state);
	OWN_BATCH struct kv_batch b;
	kv_ticket                 t = 99;

	kv_batch_init(&b);
	assert_int_equal(version(kv, PART), 0);
	kv_put(&b, STR("a"), STR("1"));
	assert_int_equal(kv_commit(kv, PART, 5, 6, &b, &t), E_CONFLICT);
	assert_int_equal(t, 99);
	assert_absent(kv, PART, "a");
	assert_ok(kv_commit(kv, PART, 0, 1000, &b, &t));
	assert_int_equal(version(kv, PART), 1000);
	assert_int_equal(kv_commit(kv, PART, 0, 1001, &b, &t), E_CONFLICT);
	assert_int_equal(kv_commit(kv, PART, 999, 1001, &b, &t), E_CONFLICT);
	assert_int_equal(kv_commit(kv, PART, 1001, 1002, &b, &t), E_CONFLICT);
	/* A batch may be empty: the version moves all the same. */
	kv_batch_reset(&b);
	assert_ok(kv_commit(kv, PART, 1000, UINT64_MAX, &b, &t));
	assert_true(version(kv, PART) == UINT64_MAX);
	/* The version is not a record. */
	assert_scan(kv, PART, STR_NONE, STR_NONE, true, "a");
}

void
suite_batch_is_atomic(void **state)
{
	struct kv                *kv = kv_of(state);
	OWN_BATCH struct kv_batch b;
	struct kv_blob_id         id;
	OWN_BUF struct buf        got = BUF_INIT(100);
	uint64_t                  refs;
	kv_ticket                 t;

	put1(kv, PART, 0, "a", "1");
	kv_blob_id_new(&id);
	kv_batch_init(&b);
	kv_put(&b, STR("a"), STR("2"));
	kv_put(&b, STR("b"), STR("2"));
	kv_batch_blob(&b, &id, STR("H"), STR("B"));
	kv_ref(&b, &id, 7, 1);
	assert_int_equal(kv_commit(kv, PART, 0, 9, &b, &t), E_CONFLICT);
	assert_value(kv, PART, "a", "1");
	assert_absent(kv, PART, "b");
	assert_int_equal(kv_blob_header(kv, &id, &got), E_NOT_FOUND);
	assert_ok(kv_blob_refs(kv, &id, &refs));
	assert_int_equal(refs, 0);
	assert_ok(kv_commit(kv, PART, 1, 2, &b, &t));
	assert_value(kv, PART, "a", "2");
	assert_value(kv, PART, "b", "2");
	assert_ok(kv_blob_header(kv, &id, &got));
	assert_ok(kv_blob_refs(kv, &id, &refs));
	assert_int_equal(refs, 1);
}

void
suite_part_next(void **state)
{
	struct kv                *kv = kv_of(state);
	OWN_BATCH struct kv_batch b;
	uint64_t                  id = 0;

	assert_int_equal(kv_part_next(kv, KV_ACCOUNT, 0, &id), E_NOT_FOUND);
	put1(kv, (struct kv_part){ KV_DIRECTORY, 0 }, 0, "k", "v");
	put1(kv, (struct kv_part){ KV_QUEUE, 1 }, 0, "k", "v");
	assert_int_equal(kv_part_next(kv, KV_ACCOUNT, 0, &id), E_NOT_FOUND);
	put_letters(kv, (struct kv_part){ KV_ACCOUNT, 3 });
	put_letters(kv, (struct kv_part){ KV_ACCOUNT, 300 });
	put_letters(kv, (struct kv_part){ KV_ACCOUNT, UINT64_MAX });
	assert_ok(kv_part_next(kv, KV_ACCOUNT, 0, &id));
	assert_int_equal(id, 3);
	assert_ok(kv_part_next(kv, KV_ACCOUNT, 3, &id));
	assert_int_equal(id, 3);
	assert_ok(kv_part_next(kv, KV_ACCOUNT, 4, &id));
	assert_int_equal(id, 300);
	assert_ok(kv_part_next(kv, KV_ACCOUNT, 301, &id));
	assert_true(id == UINT64_MAX);
	/* One without records is not listed. */
	kv_batch_init(&b);
	kv_del_range(&b, STR_NONE, STR_NONE);
	commit(kv, (struct kv_part){ KV_ACCOUNT, 300 }, 1, &b);
	assert_ok(kv_part_next(kv, KV_ACCOUNT, 4, &id));
	assert_true(id == UINT64_MAX);
	assert_int_equal(kv_part_next(kv, KV_META, 0, &id), E_NOT_FOUND);
}

/* A model beside the engine: 200 keys, random batches, everything compared after each. */
enum { MODEL_KEYS = 200, MODEL_ROUNDS = 150 };

struct model {
	bool     there[MODEL_KEYS];
	uint32_t value[MODEL_KEYS];
};

static uint32_t
draw(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static struct str
model_key(char key[8], uint32_t i)
{
	snprintf(key, 8, "k%05u", i);
	return str_of(key, 6);
}

static void
model_change(struct model *m, struct kv_batch *b, uint32_t *seed)
{
	uint32_t   i = draw(seed) % MODEL_KEYS, to = i + draw(seed) % 20, v = draw(seed);
	char       key[8], end[8];
	struct str k = model_key(key, i);

	switch (draw(seed) % 8) {
	case 0:
		kv_del_range(b, k, model_key(end, to));
		for (; i < to && i < MODEL_KEYS; i++)
			m->there[i] = false;
		break;
	case 1:
	case 2:
		kv_del(b, k);
		m->there[i] = false;
		break;
	default:
		kv_put(b, k, str_of((const char *)&v, sizeof(v)));
		m->there[i] = true;
		m->value[i] = v;
	}
}

static void
model_compare(const struct model *m, struct kv *kv, bool reverse)
{
	OWN(kv_iter) it = NULL;
	struct str   key, value;
	char         want[8];

	assert_ok(kv_scan(kv, PART, STR_NONE, STR_NONE, reverse, &it));
	for (uint32_t i = 0; i < MODEL_KEYS; i++) {
		uint32_t at = reverse ? MODEL_KEYS - 1 - i : i;

		if (!m->there[at])
			continue;
		assert_int_equal(kv_iter_next(it, &key, &value), 1);
		assert_true(str_eq(key, model_key(want, at)));
		assert_int_equal(value.n, 4);
		assert_memory_equal(value.p, &m->value[at], 4);
	}
	assert_int_equal(kv_iter_next(it, &key, &value), 0);
}

void
suite_against_model(void **state)
{
	struct kv                *kv = kv_of(state);
	OWN_BATCH struct kv_batch b;
	struct model              m = { 0 };
	uint32_t                  seed = 42;

	kv_batch_init(&b);
	for (uint64_t round = 0; round < MODEL_ROUNDS; round++) {
		kv_batch_reset(&b);
		for (uint32_t n = draw(&seed) % 12; n > 0; n--)
			model_change(&m, &b, &seed);
		commit(kv, PART, round, &b);
		model_compare(&m, kv, round % 2 == 1);
	}
}
