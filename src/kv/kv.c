#include "kv/kv.h"

#include <sodium.h>

#include "base/clock.h"
#include "base/error.h"
#include "kv/engine.h"

/* --- dispatch --- */

void
kv_drop(struct kv *kv)
{
	if (kv != NULL)
		kv->ops->drop(kv);
}

int
kv_version(struct kv *kv, struct kv_part part, uint64_t *ret)
{
	return kv->ops->version(kv, part, ret);
}

int
kv_get(struct kv *kv, struct kv_part part, struct str key, struct buf *to)
{
	return kv->ops->get(kv, part, key, to);
}

int
kv_scan(struct kv *kv, struct kv_part part, struct str from, struct str to, bool reverse,
    struct kv_iter **ret)
{
	const struct kv_range range = { from, to, reverse };

	return kv->ops->scan(kv, part, &range, ret);
}

int
kv_iter_next(struct kv_iter *it, struct str *key, struct str *value)
{
	return it->ops->next(it, key, value);
}

void
kv_iter_drop(struct kv_iter *it)
{
	if (it != NULL)
		it->ops->drop(it);
}

int
kv_part_next(struct kv *kv, enum kv_kind kind, uint64_t from, uint64_t *ret)
{
	return kv->ops->part_next(kv, kind, from, ret);
}

int
kv_commit(struct kv *kv, struct kv_part part, uint64_t expect, uint64_t next,
    const struct kv_batch *b, kv_ticket *ret)
{
	const struct kv_step step = { part, expect, next };

	if (b->ops.err < 0)
		return b->ops.err;
	if (next <= expect)
		return E_PARAM;
	return kv->ops->commit(kv, &step, b, ret);
}

int
kv_wait(struct kv *kv, kv_ticket t)
{
	return kv->ops->wait(kv, t, NULL);
}

int
kv_wait_or_wake(struct kv *kv, kv_ticket t, struct kv_waiter *w)
{
	return kv->ops->wait(kv, t, w);
}

bool
kv_is_durable(struct kv *kv, kv_ticket t)
{
	return kv->ops->is_durable(kv, t);
}

uint64_t
kv_generation(struct kv *kv)
{
	return kv->ops->generation(kv);
}

bool
kv_healthy(struct kv *kv)
{
	return kv->ops->healthy(kv);
}

int
kv_heal(struct kv *kv)
{
	return kv->ops->heal(kv);
}

int
kv_snapshot_to(struct kv *kv, const char *dir, struct buf *detail)
{
	return kv->ops->snapshot_to(kv, dir, detail);
}

/* --- batches --- */

void
kv_batch_init(struct kv_batch *b)
{
	*b = (struct kv_batch){ .ops = BUF_INIT(KV_BATCH_MAX) };
}

void
kv_batch_done(struct kv_batch *b)
{
	buf_done(&b->ops);
}

void
kv_batch_reset(struct kv_batch *b)
{
	buf_reset(&b->ops);
	b->head_at = 0;
	b->unrefs = false;
}

static void
latch(struct kv_batch *b, int err)
{
	if (b->ops.err == 0)
		b->ops.err = err;
}

static void
put_op(struct kv_batch *b, enum kv_op_kind kind, struct str key, size_t value_n)
{
	pack_u8(&b->ops, (uint8_t)kind);
	pack_var(&b->ops, key.n);
	pack_var(&b->ops, value_n);
	buf_str(&b->ops, key);
}

static bool
key_ok(struct kv_batch *b, struct str key)
{
	if (key.n == 0)
		latch(b, E_PARAM);
	else if (key.n > KV_KEY_MAX)
		latch(b, E_LIMIT);
	return b->ops.err == 0;
}

void
kv_put(struct kv_batch *b, struct str key, struct str value)
{
	if (!key_ok(b, key))
		return;
	if (value.n > KV_VALUE_MAX) {
		latch(b, E_LIMIT);
		return;
	}
	put_op(b, KV_OP_PUT, key, value.n);
	buf_str(&b->ops, value);
}

void
kv_del(struct kv_batch *b, struct str key)
{
	if (key_ok(b, key))
		put_op(b, KV_OP_DEL, key, 0);
}

void
kv_del_range(struct kv_batch *b, struct str from, struct str to)
{
	if (from.n > KV_KEY_MAX || to.n > KV_KEY_MAX) {
		latch(b, E_LIMIT);
		return;
	}
	put_op(b, KV_OP_DEL_RANGE, from, to.n);
	buf_str(&b->ops, to);
}

static void
put_ref(struct kv_batch *b, enum kv_op_kind kind, const struct kv_blob_id *id, uint64_t account,
    uint64_t email)
{
	pack_u8(&b->ops, (uint8_t)kind);
	pack_var(&b->ops, sizeof(id->b) + 16);
	pack_var(&b->ops, 0);
	buf_put(&b->ops, id->b, sizeof(id->b));
	pack_be64(&b->ops, account);
	pack_be64(&b->ops, email);
}

/* The first reference of a blob that this batch has just put goes into the blob's head. Behind a
 * kv_unref it may not: that may be of the same reference, and what is in the head comes first. */
static bool
ref_fits_head(const struct kv_batch *b, const struct kv_blob_id *id)
{
	return b->ops.err == 0 && b->head_at != 0 && !b->unrefs &&
	    memcmp(b->ops.p + b->head_at - 4 - sizeof(id->b), id->b, sizeof(id->b)) == 0;
}

void
kv_ref(struct kv_batch *b, const struct kv_blob_id *id, uint64_t account, uint64_t email)
{
	if (ref_fits_head(b, id)) {
		kv_head_set_home(b->ops.p + b->head_at, account, email);
		b->head_at = 0;
	} else {
		put_ref(b, KV_OP_REF, id, account, email);
	}
}

void
kv_unref(struct kv_batch *b, const struct kv_blob_id *id, uint64_t account, uint64_t email)
{
	b->unrefs = true;
	put_ref(b, KV_OP_UNREF, id, account, email);
}

/* An operation of kind PART up to where its value of value_n bytes follows. */
static void
put_part(struct kv_batch *b, const struct kv_blob_id *id, uint32_t part, size_t value_n)
{
	pack_u8(&b->ops, KV_OP_PART);
	pack_var(&b->ops, sizeof(id->b) + 4);
	pack_var(&b->ops, value_n);
	buf_put(&b->ops, id->b, sizeof(id->b));
	pack_be32(&b->ops, part);
}

void
kv_batch_blob(
    struct kv_batch *b, const struct kv_blob_id *id, struct str header, struct str body)
{
	bool   whole = body.n <= KV_HEAD_BODY_MAX;
	size_t head_n = KV_HEAD_FIXED + header.n + (whole ? body.n : 0);

	if (header.n > KV_VALUE_MAX || body.n > KV_BLOB_PIECE) {
		latch(b, E_LIMIT);
		return;
	}
	put_part(b, id, KV_PART_HEAD, head_n);
	b->head_at = whole ? b->ops.n : 0;
	kv_head_begin(&b->ops, whole, header.n);
	buf_str(&b->ops, header);
	if (!whole)
		put_part(b, id, 1, body.n);
	buf_str(&b->ops, body);
}

int
kv_op_next(struct unpack *u, struct kv_op *ret)
{
	size_t key_n, value_n;

	if (u->left.n == 0)
		return 0;
	ret->kind = (enum kv_op_kind)unpack_u8(u);
	key_n = (size_t)unpack_var(u);
	value_n = (size_t)unpack_var(u);
	ret->key = unpack_bytes(u, key_n);
	ret->value = unpack_bytes(u, value_n);
	return unpack_ok(u) ? 1 : 0;
}

/* --- blobs --- */

void
kv_blob_id_new(struct kv_blob_id *ret)
{
	uint64_t ms = (uint64_t)clock_real_ms();

	for (int i = 0; i < 6; i++)
		ret->b[i] = (unsigned char)(ms >> (8 * (5 - i)));
	randombytes_buf(ret->b + 6, sizeof(ret->b) - 6);
}

void
kv_head_begin(struct buf *to, bool whole, size_t header_n)
{
	pack_u8(to, whole ? KV_HEAD_WHOLE : 0);
	pack_u32(to, (uint32_t)header_n);
	pack_be64(to, 0);
	pack_be64(to, 0);
}

void
kv_head_set_home(char *head, uint64_t account, uint64_t email)
{
	head[0] |= KV_HEAD_HOME;
	for (int i = 0; i < 8; i++) {
		head[5 + i] = (char)(account >> (8 * (7 - i)));
		head[13 + i] = (char)(email >> (8 * (7 - i)));
	}
}

int
kv_head_parse(struct str s, struct kv_head *ret)
{
	struct unpack  u = unpack_of(s);
	uint8_t        flags = unpack_u8(&u);
	size_t         header_n = unpack_u32(&u);
	struct kv_head head = { .whole = (flags & KV_HEAD_WHOLE) != 0 };

	head.home = unpack_bytes(&u, KV_REF_N);
	if ((flags & KV_HEAD_HOME) == 0)
		head.home = STR_NONE;
	head.header = unpack_bytes(&u, header_n);
	head.body = u.left;
	if (!unpack_ok(&u) || (flags & ~(KV_HEAD_WHOLE | KV_HEAD_HOME)) != 0 ||
	    (!head.whole && head.body.n != 0))
		return E_CORRUPT;
	*ret = head;
	return 0;
}

int
kv_blob_put_header(struct kv *kv, const struct kv_blob_id *id, struct str header)
{
	OWN_BUF struct buf value = BUF_INIT(KV_HEAD_FIXED + KV_VALUE_MAX);

	if (header.n > KV_VALUE_MAX)
		return E_LIMIT;
	kv_head_begin(&value, false, header.n);
	buf_str(&value, header);
	if (value.err < 0)
		return value.err;
	return kv->ops->blob_put(kv, id, KV_PART_HEAD, buf_view(&value));
}

int
kv_blob_put_piece(struct kv *kv, const struct kv_blob_id *id, uint32_t index, struct str piece)
{
	if (piece.n > KV_BLOB_PIECE || index == UINT32_MAX)
		return E_LIMIT;
	return kv->ops->blob_put(kv, id, index + 1, piece);
}

int
kv_blob_header(struct kv *kv, const struct kv_blob_id *id, struct buf *to)
{
	return kv->ops->blob_header(kv, id, to);
}

int
kv_blob_body(struct kv *kv, const struct kv_blob_id *id, uint64_t off, size_t n, struct buf *to)
{
	return kv->ops->blob_body(kv, id, off, n, to);
}

int
kv_blob_read(struct kv *kv, const struct kv_blob_id *id, const struct kv_slice *s, struct buf *to)
{
	return kv->ops->blob_read(kv, id, s, to);
}

int
kv_blob_refs(struct kv *kv, const struct kv_blob_id *id, uint64_t *ret)
{
	return kv->ops->blob_refs(kv, id, ret);
}

int
kv_blob_release(struct kv *kv, const struct kv_blob_id *id)
{
	return kv->ops->blob_release(kv, id);
}

int
kv_blob_collect(struct kv *kv, int64_t before_ms, size_t max, size_t *ret_removed)
{
	return kv->ops->blob_collect(kv, before_ms, max, ret_removed);
}
