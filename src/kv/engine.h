/*
 * kv/engine.h: what a storage engine gives to kv/kv.h. Internal to kv/.
 *
 * Shape    an engine's handle begins with struct kv, its iterators with struct kv_iter; kv.c only
 *          calls through `ops`. Every member of kv_ops is set.
 * Contract each member does what the function of the same name in kv/kv.h says.
 */
#ifndef KV_ENGINE_H
#define KV_ENGINE_H

#include "base/pack.h"
#include "kv/kv.h"

/* A commit's address: which partition, from which version to which. */
struct kv_step {
	struct kv_part part;
	uint64_t       expect, next;
};

/* A scan's bounds; see kv_scan. */
struct kv_range {
	struct str from, to;
	bool       reverse;
};

/* A part of a blob: 0 is the head, 1 + i is piece i of the body. */
enum { KV_PART_HEAD = 0 };

struct kv_ops {
	void (*drop)(struct kv *);
	int (*version)(struct kv *, struct kv_part, uint64_t *ret);
	int (*get)(struct kv *, struct kv_part, struct str key, struct buf *to);
	int (*scan)(struct kv *, struct kv_part, const struct kv_range *, struct kv_iter **ret);
	int (*part_next)(struct kv *, enum kv_kind, uint64_t from, uint64_t *ret);
	int (*commit)(struct kv *, const struct kv_step *, const struct kv_batch *, kv_ticket *ret);
	/* w NULL: kv_wait; else kv_wait_or_wake. */
	int (*wait)(struct kv *, kv_ticket, struct kv_waiter *w);
	bool (*is_durable)(struct kv *, kv_ticket);
	/* value: of the head as kv_head_begin makes it, of a piece its bytes. */
	int (*blob_put)(struct kv *, const struct kv_blob_id *, uint32_t part, struct str value);
	int (*blob_header)(struct kv *, const struct kv_blob_id *, struct buf *to);
	int (*blob_body)(
	    struct kv *, const struct kv_blob_id *, uint64_t off, size_t n, struct buf *to);
	int (*blob_read)(struct kv *, const struct kv_blob_id *, const struct kv_slice *,
	    struct buf *to);
	int (*blob_refs)(struct kv *, const struct kv_blob_id *, uint64_t *ret);
	int (*blob_release)(struct kv *, const struct kv_blob_id *);
	int (*blob_collect)(struct kv *, int64_t before_ms, size_t max, size_t *ret_removed);
	uint64_t (*generation)(struct kv *);
	bool (*healthy)(struct kv *);
	/* As if a sync had just failed with err: commits and waits are refused until heal. */
	void (*set_failed)(struct kv *, int err);
	int (*heal)(struct kv *);
	int (*snapshot_to)(struct kv *, const char *dir, struct buf *detail);
};

struct kv {
	const struct kv_ops *ops;
};

struct kv_iter_ops {
	int (*next)(struct kv_iter *, struct str *key, struct str *value);
	void (*drop)(struct kv_iter *);
};

struct kv_iter {
	const struct kv_iter_ops *ops;
};

/*
 * A batch is its operations one after the other:
 *   op:1  key_n:var  value_n:var  key  value
 * PUT and DEL: key, value. DEL_RANGE: key is `from`, value is `to`. REF and UNREF: key is
 * blob:16 account:8be email:8be. PART: key is blob:16 part:4be, value as for blob_put.
 */
enum kv_op_kind { KV_OP_PUT = 1, KV_OP_DEL, KV_OP_DEL_RANGE, KV_OP_REF, KV_OP_UNREF, KV_OP_PART };

struct kv_op {
	enum kv_op_kind kind;
	struct str      key, value;
};

/* 1 and the next operation (it points into the batch), 0 at the end. */
int kv_op_next(struct unpack *, struct kv_op *ret);

/*
 * A blob's head: flags:1 header_n:4le home:16 header [body]
 * The body lies in it when KV_HEAD_WHOLE is set: small messages, written in one batch.
 * With KV_HEAD_HOME `home` is the reference (account:8be email:8be) that the blob was born with.
 */
enum { KV_HEAD_WHOLE = 1, KV_HEAD_HOME = 2 };
enum { KV_REF_N = 16, KV_HEAD_FIXED = 5 + KV_REF_N, KV_HEAD_BODY_MAX = 16 << 10 };

struct kv_head {
	bool       whole;
	struct str home; /* empty: none */
	struct str header, body;
};

void kv_head_begin(struct buf *, bool whole, size_t header_n); /* without a home */
void kv_head_set_home(char *head, uint64_t account, uint64_t email);
int  kv_head_parse(struct str, struct kv_head *ret); /* 0 or E_CORRUPT */

#endif
