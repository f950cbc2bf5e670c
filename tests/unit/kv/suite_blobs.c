/* Blobs: small and in pieces, slices, references, release and collection. */
#include "suite.h"

#include <stdlib.h>

#include "base/clock.h"
#include "kv/engine.h"

static struct kv *
kv_of(void **state)
{
	return ((struct env *)*state)->kv;
}

static void
assert_body(struct kv *kv, const struct kv_blob_id *id, uint64_t off, size_t n)
{
	OWN_BUF struct buf got = BUF_INIT(n + 2);
	char              *want = malloc(n + 1);

	fill(want, n, off);
	buf_str(&got, STR("->"));
	assert_ok(kv_blob_body(kv, id, off, n, &got));
	assert_int_equal(got.n, n + 2);
	assert_memory_equal(got.p + 2, want, n);
	free(want);
}

/* The header of small_blob and the body as one, from off on. */
static void
assert_slice(struct kv *kv, const struct kv_blob_id *id, uint64_t off, size_t n)
{
	const struct str   header = STR("Subject: x\r\n\r\n");
	struct kv_slice    slice = { header.n, off, n };
	OWN_BUF struct buf got = BUF_INIT(n + 2);
	char              *want = malloc(header.n + off + n);

	memcpy(want, header.p, header.n);
	fill(want + header.n, off + n, 0);
	buf_str(&got, STR("->"));
	assert_ok(kv_blob_read(kv, id, &slice, &got));
	assert_int_equal(got.n, n + 2);
	assert_memory_equal(got.p + 2, want + off, n);
	slice.header_n++;
	if (off < header.n)
		assert_int_equal(kv_blob_read(kv, id, &slice, &got), E_CORRUPT);
	assert_int_equal(got.n, n + 2);
	free(want);
}

static uint64_t
refs(struct kv *kv, const struct kv_blob_id *id)
{
	uint64_t n;

	assert_ok(kv_blob_refs(kv, id, &n));
	return n;
}

static void
small_blob(struct kv *kv, const struct kv_blob_id *id, size_t body_n)
{
	OWN_BATCH struct kv_batch b;
	char                     *body = malloc(body_n + 1);

	fill(body, body_n, 0);
	kv_batch_init(&b);
	kv_batch_blob(&b, id, STR("Subject: x\r\n\r\n"), str_of(body, body_n));
	kv_ref(&b, id, 7, 1);
	commit(kv, PART, version(kv, PART), &b);
	free(body);
}

void
suite_blob_small(void **state)
{
	static const size_t SIZES[] = { 0, 1, 5000, 16 << 10, (16 << 10) + 1, KV_BLOB_PIECE };
	struct kv          *kv = kv_of(state);
	struct kv_blob_id   id, other;

	kv_blob_id_new(&other);
	for (size_t i = 0; i < ARRAY_LEN(SIZES); i++) {
		OWN_BUF struct buf header = BUF_INIT(100), all = BUF_INIT(1 << 20);
		size_t             n = SIZES[i];

		kv_blob_id_new(&id);
		small_blob(kv, &id, n);
		assert_ok(kv_blob_header(kv, &id, &header));
		assert_true(str_eq(buf_view(&header), STR("Subject: x\r\n\r\n")));
		assert_body(kv, &id, 0, n);
		assert_body(kv, &id, n / 2, n - n / 2);
		assert_body(kv, &id, n, 0);
		if (n > 0)
			assert_body(kv, &id, n - 1, 1);
		for (size_t at = 0; at < 16; at++)
			assert_slice(kv, &id, at, 14 + n > at ? 14 + n - at : 0);
		assert_slice(kv, &id, 0, 14);
		assert_slice(kv, &id, 3, 4);
		buf_reset(&header);
		assert_int_equal(kv_blob_read(kv, &other, &(struct kv_slice){ 14, 0, 9 }, &header),
		    E_NOT_FOUND);
		assert_int_equal(
		    kv_blob_read(kv, &id, &(struct kv_slice){ 14, 0, 15 + n }, &all), E_CORRUPT);
		assert_int_equal(all.n, 0);
		assert_int_equal(kv_blob_body(kv, &id, n, 1, &header),
		    n == KV_BLOB_PIECE ? E_NOT_FOUND : E_CORRUPT);
		assert_int_equal(header.n, 0);
		assert_int_equal(kv_blob_header(kv, &other, &header), E_NOT_FOUND);
		assert_int_equal(kv_blob_body(kv, &other, 0, 1, &header), E_NOT_FOUND);
	}
}

static void
put_pieces(struct kv *kv, const struct kv_blob_id *id, uint64_t body_n)
{
	char *piece = malloc(KV_BLOB_PIECE);

	assert_ok(kv_blob_put_header(kv, id, STR("H: v\r\n\r\n")));
	for (uint64_t off = 0; off < body_n; off += KV_BLOB_PIECE) {
		size_t n = body_n - off < KV_BLOB_PIECE ? (size_t)(body_n - off) : KV_BLOB_PIECE;

		fill(piece, n, off);
		assert_ok(kv_blob_put_piece(
		    kv, id, (uint32_t)(off / KV_BLOB_PIECE), str_of(piece, n)));
	}
	free(piece);
}

static void
add_ref(struct kv *kv, const struct kv_blob_id *id, uint64_t email)
{
	OWN_BATCH struct kv_batch b;

	kv_batch_init(&b);
	kv_ref(&b, id, 7, email);
	commit(kv, PART, version(kv, PART), &b);
}

static void
del_ref(struct kv *kv, const struct kv_blob_id *id, uint64_t email)
{
	OWN_BATCH struct kv_batch b;

	kv_batch_init(&b);
	kv_unref(&b, id, 7, email);
	commit(kv, PART, version(kv, PART), &b);
}

void
suite_blob_pieces(void **state)
{
	enum { P = KV_BLOB_PIECE, N = 3 * P + 1000 };
	static const struct {
		uint64_t off;
		size_t   n;
	} SLICES[] = {
		{ 0, N }, { 0, 1 }, { P - 1, 2 }, { P, P }, { P - 1, P + 2 }, { 1, 2 * P },
		{ 2 * P + 5, 100 },
		{ 3 * P - 1, 1001 }, { 3 * P, 1000 }, { N - 1, 1 }, { N, 0 },
	};
	struct kv         *kv = kv_of(state);
	struct kv_blob_id  id;
	OWN_BUF struct buf got = BUF_INIT(2 * N);

	kv_blob_id_new(&id);
	put_pieces(kv, &id, N);
	add_ref(kv, &id, 1);
	assert_ok(kv_blob_header(kv, &id, &got));
	assert_true(str_eq(buf_view(&got), STR("H: v\r\n\r\n")));
	for (size_t i = 0; i < ARRAY_LEN(SLICES); i++)
		assert_body(kv, &id, SLICES[i].off, SLICES[i].n);
	buf_reset(&got);
	assert_int_equal(kv_blob_body(kv, &id, 0, N + 1, &got), E_CORRUPT);
	assert_int_equal(got.n, 0);
}

void
suite_blob_damaged(void **state)
{
	struct kv         *kv = kv_of(state);
	struct kv_blob_id  id;
	OWN_BUF struct buf got = BUF_INIT(4 * KV_BLOB_PIECE);
	char              *piece = calloc(1, KV_BLOB_PIECE + 1);

	kv_blob_id_new(&id);
	assert_int_equal(
	    kv_blob_put_piece(kv, &id, 0, str_of(piece, KV_BLOB_PIECE + 1)), E_LIMIT);
	assert_ok(kv_blob_put_header(kv, &id, STR("H")));
	assert_ok(kv_blob_put_piece(kv, &id, 0, str_of(piece, KV_BLOB_PIECE)));
	assert_ok(kv_blob_put_piece(kv, &id, 2, str_of(piece, 10)));
	assert_int_equal(kv_blob_body(kv, &id, 0, 3 * KV_BLOB_PIECE, &got), E_CORRUPT);
	assert_int_equal(got.n, 0);
	assert_ok(kv_blob_body(kv, &id, 2 * KV_BLOB_PIECE, 10, &got));
	free(piece);
}

void
suite_blob_release(void **state)
{
	enum { N = 2 * KV_BLOB_PIECE + 7 };
	struct kv         *kv = kv_of(state);
	struct kv_blob_id  id, small, near;
	OWN_BUF struct buf got = BUF_INIT(N);

	kv_blob_id_new(&id);
	put_pieces(kv, &id, N);
	add_ref(kv, &id, 1);
	add_ref(kv, &id, 2);
	add_ref(kv, &id, 2);
	assert_int_equal(refs(kv, &id), 2);
	near = id;
	near.b[15]++;
	small_blob(kv, &near, 100);

	assert_ok(kv_blob_release(kv, &id));
	assert_body(kv, &id, 0, N);
	del_ref(kv, &id, 1);
	del_ref(kv, &id, 3); /* never was */
	assert_ok(kv_blob_release(kv, &id));
	assert_body(kv, &id, 0, N);
	del_ref(kv, &id, 2);
	assert_int_equal(refs(kv, &id), 0);
	assert_body(kv, &id, 0, N); /* until it is released */
	assert_ok(kv_blob_release(kv, &id));
	assert_int_equal(kv_blob_header(kv, &id, &got), E_NOT_FOUND);
	for (uint64_t off = 0; off < N; off += KV_BLOB_PIECE)
		assert_int_equal(kv_blob_body(kv, &id, off, 1, &got), E_NOT_FOUND);
	assert_ok(kv_blob_release(kv, &id)); /* again: nothing to do */
	assert_body(kv, &near, 0, 100);

	kv_blob_id_new(&small);
	small_blob(kv, &small, 100);
	assert_body(kv, &small, 0, 100);
	del_ref(kv, &small, 1);
	assert_ok(kv_blob_release(kv, &small));
	assert_int_equal(kv_blob_body(kv, &small, 0, 1, &got), E_NOT_FOUND);
}

void
suite_blob_collect(void **state)
{
	struct kv         *kv = kv_of(state);
	struct kv_blob_id  used, half, many[10], fresh;
	OWN_BUF struct buf got = BUF_INIT(100);
	int64_t            later;
	size_t             removed = 99, all = 0;

	kv_blob_id_new(&used);
	small_blob(kv, &used, 10);
	kv_blob_id_new(&half);
	put_pieces(kv, &half, 10);
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		kv_blob_id_new(&many[i]);
		assert_ok(kv_blob_put_piece(kv, &many[i], 3, STR("left by a crash")));
	}
	later = clock_real_ms() + 1;
	clock_test_advance(10);
	kv_blob_id_new(&fresh);
	put_pieces(kv, &fresh, 10);

	assert_ok(kv_blob_collect(kv, later - 3600000, 100, &removed));
	assert_int_equal(removed, 0);
	/* In portions: each call goes on behind the last one. */
	for (int calls = 0; calls < 10 && all < 11; calls++) {
		assert_ok(kv_blob_collect(kv, later, 3, &removed));
		assert_true(removed <= 3);
		all += removed;
	}
	assert_int_equal(all, 11);
	assert_ok(kv_blob_collect(kv, later, 3, &removed));
	assert_int_equal(removed, 0);
	assert_int_equal(kv_blob_header(kv, &half, &got), E_NOT_FOUND);
	assert_ok(kv_blob_header(kv, &fresh, &got));
	assert_body(kv, &used, 0, 10);

	/* One that lost its last reference without a release is found too, by a later round. */
	del_ref(kv, &used, 1);
	all = 0;
	for (int calls = 0; calls < 3; calls++) {
		assert_ok(kv_blob_collect(kv, later, 100, &removed));
		all += removed;
	}
	assert_int_equal(all, 1);
	assert_int_equal(kv_blob_header(kv, &used, &got), E_NOT_FOUND);
}

static void
assert_gone(struct kv *kv, const struct kv_blob_id *id)
{
	OWN_BUF struct buf got = BUF_INIT(100);

	assert_int_equal(kv_blob_header(kv, id, &got), E_NOT_FOUND);
}

/* Deletes what it finds to be garbage, whenever that was made. */
static size_t
collect(struct kv *kv)
{
	size_t removed;

	assert_ok(kv_blob_collect(kv, clock_real_ms() + 1000, 100, &removed));
	return removed;
}

/* The reference that is born with a small blob is one as any other. */
void
suite_blob_home(void **state)
{
	struct kv        *kv = kv_of(state);
	struct kv_blob_id id;

	kv_blob_id_new(&id);
	small_blob(kv, &id, 100);
	assert_int_equal(refs(kv, &id), 1);
	assert_ok(kv_blob_release(kv, &id));
	assert_int_equal(collect(kv), 0);
	assert_body(kv, &id, 0, 100);
	add_ref(kv, &id, 1); /* the same again */
	assert_int_equal(refs(kv, &id), 1);
	for (int i = 0; i < 2; i++) {
		del_ref(kv, &id, 1);
		assert_int_equal(refs(kv, &id), 0);
		add_ref(kv, &id, 1);
		assert_int_equal(refs(kv, &id), 1);
		assert_ok(kv_blob_release(kv, &id));
		assert_int_equal(collect(kv), 0);
		assert_body(kv, &id, 0, 100);
	}
	del_ref(kv, &id, 1);
	del_ref(kv, &id, 1);
	assert_ok(kv_blob_release(kv, &id));
	assert_gone(kv, &id);
	assert_int_equal(refs(kv, &id), 0);
	assert_int_equal(collect(kv), 0);

	kv_blob_id_new(&id);
	small_blob(kv, &id, 100);
	del_ref(kv, &id, 1);
	assert_int_equal(collect(kv), 1); /* a crash came before the release */
	assert_gone(kv, &id);
}

void
suite_blob_home_in_one_batch(void **state)
{
	struct kv                *kv = kv_of(state);
	OWN_BATCH struct kv_batch b;
	struct kv_blob_id         one, two;

	kv_batch_init(&b);
	kv_blob_id_new(&one);
	kv_blob_id_new(&two);
	/* Not next to each other, and twice. */
	kv_batch_blob(&b, &one, STR("H"), STR("b"));
	kv_batch_blob(&b, &two, STR("H"), STR("b"));
	kv_ref(&b, &one, 7, 1);
	kv_ref(&b, &two, 7, 2);
	kv_ref(&b, &two, 7, 2);
	kv_ref(&b, &two, 7, 3);
	commit(kv, PART, version(kv, PART), &b);
	assert_int_equal(refs(kv, &one), 1);
	assert_int_equal(refs(kv, &two), 2);

	/* The order counts. */
	kv_batch_reset(&b);
	kv_blob_id_new(&one);
	kv_blob_id_new(&two);
	kv_unref(&b, &one, 7, 1);
	kv_batch_blob(&b, &one, STR("H"), STR("b"));
	kv_ref(&b, &one, 7, 1);
	kv_batch_blob(&b, &two, STR("H"), STR("b"));
	kv_ref(&b, &two, 7, 1);
	kv_unref(&b, &two, 7, 1);
	commit(kv, PART, version(kv, PART), &b);
	assert_int_equal(refs(kv, &one), 1);
	assert_int_equal(refs(kv, &two), 0);

	kv_batch_reset(&b);
	kv_blob_id_new(&one);
	kv_batch_blob(&b, &one, STR("H"), STR("b"));
	kv_ref(&b, &one, 7, 1);
	kv_unref(&b, &one, 7, 1);
	commit(kv, PART, version(kv, PART), &b);
	assert_int_equal(refs(kv, &one), 0);
	assert_int_equal(collect(kv), 2);
	assert_gone(kv, &one);
	assert_gone(kv, &two);
}

void
suite_blob_home_and_others(void **state)
{
	struct kv        *kv = kv_of(state);
	struct kv_blob_id id;

	kv_blob_id_new(&id);
	small_blob(kv, &id, 100);
	for (uint64_t email = 2; email < 20; email++) {
		add_ref(kv, &id, email);
		assert_int_equal(refs(kv, &id), 2);
		del_ref(kv, &id, email);
		if (email % 2 == 0)
			assert_ok(kv_blob_release(kv, &id));
		assert_int_equal(refs(kv, &id), 1);
		assert_int_equal(collect(kv), 0);
	}
	add_ref(kv, &id, 50);
	del_ref(kv, &id, 1);
	assert_ok(kv_blob_release(kv, &id));
	assert_int_equal(refs(kv, &id), 1);
	del_ref(kv, &id, 40); /* never was */
	assert_ok(kv_blob_release(kv, &id));
	assert_int_equal(refs(kv, &id), 1);
	assert_body(kv, &id, 0, 100);
	del_ref(kv, &id, 50);
	assert_ok(kv_blob_release(kv, &id));
	assert_gone(kv, &id);
}

/* A commit failed, and is on disk all the same. The blob is committed again, for another email:
 * what came from the failed commit still refers to it. */
void
suite_blob_home_after_heal(void **state)
{
	struct kv                *kv = kv_of(state);
	OWN_BATCH struct kv_batch b;
	struct kv_blob_id         id;
	kv_ticket                 t;

	kv_batch_init(&b);
	kv_blob_id_new(&id);
	small_blob(kv, &id, 100);
	kv_batch_reset(&b);
	kv_put(&b, STR("k"), STR("v"));
	t = commit(kv, PART, version(kv, PART), &b);
	assert_ok(kv_wait(kv, t));
	kv->ops->set_failed(kv, E_IO);
	assert_ok(kv_heal(kv));

	kv_batch_reset(&b);
	kv_batch_blob(&b, &id, STR("Subject: x\r\n\r\n"), STR("b"));
	kv_ref(&b, &id, 7, 2);
	commit(kv, PART, version(kv, PART), &b);
	assert_int_equal(refs(kv, &id), 2);
	del_ref(kv, &id, 2);
	assert_ok(kv_blob_release(kv, &id));
	assert_body(kv, &id, 0, 100);

	kv_blob_id_new(&id); /* a fresh one, in the new generation */
	small_blob(kv, &id, 100);
	assert_int_equal(refs(kv, &id), 1);
}
