/*
 * kv/kv.h: an ordered key-value store cut into partitions, and blobs. The one interface of every
 * storage engine; nothing above it knows which engine runs.
 *
 * Partition   an ordered map of its own with a version. One account, the directory, a queue shard.
 * Commit      kv_commit checks the version and makes all puts and deletes of the batch visible to
 *             this process at once and all together. It is NOT durable yet: it returns a ticket.
 * Durable     kv_wait(ticket) returns when that commit, and every earlier one, is on disk. Threads
 *             that wait together share one sync. Nobody may be told of anything read or written
 *             before kv_wait has returned 0 for it: sessions call it once before they send.
 * Crash       after a restart exactly a prefix of the order of commits is there, and at least all
 *             that kv_wait confirmed. A batch is never there in part.
 * Failure     once a write or sync failed, what is visible may not be on disk. The engine then
 *             refuses commits and waits with E_IO or E_DISK_FULL (reads go on), until kv_heal has
 *             reopened it; kv_generation changes with each reopening, and whoever keeps state
 *             derived from reads of an older generation must drop it. While the disk takes no
 *             writes kv_heal fails, but begins a generation too: reads show what is on disk.
 * Owner       values are copied into the caller's buf. Iterators see a fixed snapshot and are
 *             dropped by the caller; hold none while writing to the network.
 * Threads     every function from any thread. Two commits on one partition with the same expected
 *             version: one gets E_CONFLICT.
 * Engines     kv/open.h opens one.
 */
#ifndef KV_KV_H
#define KV_KV_H

#include "base/buf.h"
#include "base/list.h"
#include "base/own.h"

struct kv;

/* Partition kinds sort in this order on disk. */
enum kv_kind {
	KV_META = 1,      /* id 0: format version, node facts */
	KV_DIRECTORY = 2, /* id 0 */
	KV_ACCOUNT = 3,   /* id: account id */
	KV_QUEUE = 4,     /* id: shard */
	KV_TEXT = 5       /* id: account id; derived from the account, see store/text.h */
};

struct kv_part {
	enum kv_kind kind;
	uint64_t     id;
};

/* 16 bytes, drawn by kv_blob_id_new: time first, so that new blobs lie together on disk. */
struct kv_blob_id {
	unsigned char b[16];
};

/* A ticket orders commits: a larger one is later. 0 is always durable. */
typedef uint64_t kv_ticket;

enum {
	KV_KEY_MAX = 1024,           /* bytes of a key; at least one */
	KV_VALUE_MAX = 16 << 20,     /* bytes of a value */
	KV_BLOB_PIECE = 256 << 10    /* bytes of a body piece, the last may be shorter */
};

/* Every iterator was dropped before. */
void kv_drop(struct kv *);
OWN_DEFINE(kv)

/* --- partitions --- */

/* The version of a partition; 0 when it was never written. */
int kv_version(struct kv *, struct kv_part, uint64_t *ret);

/* Appends the value of key to *to. E_NOT_FOUND when there is none. */
int kv_get(struct kv *, struct kv_part, struct str key, struct buf *to);

/* Keys in [from, to) in order; an empty `to` means to the end of the partition. `reverse` begins
 * at the last one. */
struct kv_iter;
int  kv_scan(struct kv *, struct kv_part, struct str from, struct str to, bool reverse,
     struct kv_iter **ret);
/* 1 and the pair (valid until the next call on the iterator), 0 at the end, or an error. */
int  kv_iter_next(struct kv_iter *, struct str *key, struct str *value);
void kv_iter_drop(struct kv_iter *);
OWN_DEFINE(kv_iter)

/* All partitions of a kind that have a record, ascending by id: the smallest id >= from.
 * E_NOT_FOUND at the end. */
int kv_part_next(struct kv *, enum kv_kind, uint64_t from, uint64_t *ret);

/* --- commits --- */

/* A list of puts, deletes and blob writes, applied in order (a later one on the same key wins).
 * Latches its first error, which kv_commit returns. Plain memory: batch_init/done as buf. */
struct kv_batch {
	struct buf ops;
	size_t     head_at; /* of the small blob put last, until its first kv_ref */
	bool       unrefs;  /* a kv_unref was put */
};
enum { KV_BATCH_MAX = 64 << 20 };

void kv_batch_init(struct kv_batch *);
void kv_batch_done(struct kv_batch *);
void kv_batch_reset(struct kv_batch *);
void kv_put(struct kv_batch *, struct str key, struct str value);
void kv_del(struct kv_batch *, struct str key);
/* Deletes all keys in [from, to). */
void kv_del_range(struct kv_batch *, struct str from, struct str to);
/* A blob's reference by (account, email id): see below. In one batch with the message's record.
 * Behind the kv_batch_blob of a small blob its first reference costs no record of its own. */
void kv_ref(struct kv_batch *, const struct kv_blob_id *, uint64_t account, uint64_t email);
void kv_unref(struct kv_batch *, const struct kv_blob_id *, uint64_t account, uint64_t email);
#define OWN_BATCH __attribute__((cleanup(kv_batch_done)))

/* Applies the batch when the partition's version is `expect`, and sets the version to `next`
 * (> expect). E_CONFLICT when it is not; E_IO, E_DISK_FULL, E_NOMEM: nothing was applied. The batch
 * stays the caller's. */
int kv_commit(struct kv *, struct kv_part, uint64_t expect, uint64_t next, const struct kv_batch *,
    kv_ticket *ret);

/* 0 when all commits up to the ticket are on disk; one atomic load when they are already. */
int  kv_wait(struct kv *, kv_ticket);
bool kv_is_durable(struct kv *, kv_ticket);

/* Waiting without a thread. kv_wait_or_wake is kv_wait, but instead of waiting for a sync that
 * another thread does it returns 1. Then w->wake(w) is called, once, by some thread, when it is
 * time to ask again: it may only post, as conn_wake does. Until then *w is the engine's. */
struct kv_waiter {
	void      (*wake)(struct kv_waiter *);
	struct list link;   /* the rest is the engine's */
	kv_ticket   ticket;
};
int kv_wait_or_wake(struct kv *, kv_ticket, struct kv_waiter *w);

/* --- blobs: a message's bytes, written once, never changed, shared by references --- */

/*
 * A blob is its header section (one value, at most KV_VALUE_MAX) and its body in pieces of
 * KV_BLOB_PIECE. Writing: kv_blob_id_new, then kv_blob_put_* in any number of calls, then a
 * kv_commit whose batch has the first kv_ref. Puts become durable with (or before) that commit.
 * A blob without references is garbage: kv_blob_collect removes those older than an age, among
 * them what a crash left half written.
 */
void kv_blob_id_new(struct kv_blob_id *ret);
int  kv_blob_put_header(struct kv *, const struct kv_blob_id *, struct str header);
int  kv_blob_put_piece(struct kv *, const struct kv_blob_id *, uint32_t index, struct str piece);
/* A whole small blob inside a batch: one write instead of three. body.n <= KV_BLOB_PIECE. */
void kv_batch_blob(struct kv_batch *, const struct kv_blob_id *, struct str head, struct str body);

int kv_blob_header(struct kv *, const struct kv_blob_id *, struct buf *to);
/* Appends bytes [off, off+n) of the body; the caller knows its length. E_NOT_FOUND, E_CORRUPT. */
int kv_blob_body(struct kv *, const struct kv_blob_id *, uint64_t off, size_t n, struct buf *to);
/* Appends bytes [off, off+n) of header and body as one; the caller knows both lengths. A small blob
 * takes one look. E_NOT_FOUND, E_CORRUPT (also when the header is not header_n bytes long). */
struct kv_slice {
	size_t   header_n;
	uint64_t off;
	size_t   n;
};
int kv_blob_read(struct kv *, const struct kv_blob_id *, const struct kv_slice *, struct buf *to);
/* Number of references. */
int kv_blob_refs(struct kv *, const struct kv_blob_id *, uint64_t *ret);
/* Deletes the blob when it has no reference. Call it after a kv_unref was committed. */
int kv_blob_release(struct kv *, const struct kv_blob_id *);
/* Deletes unreferenced blobs made before real time `before_ms`; at most `max` a call, and a call
 * looks at a bounded number: the next one goes on behind it, and begins again after the end. */
int kv_blob_collect(struct kv *, int64_t before_ms, size_t max, size_t *ret_removed);

/* --- state of the engine --- */

uint64_t kv_generation(struct kv *);
bool     kv_healthy(struct kv *);
/* Tries to bring a failed engine back. 0 when it is healthy (again). Everybody else waits, so the
 * caller holds no iterator; E_BUSY when others did not leave the engine for half a second. */
int      kv_heal(struct kv *);
/* A consistent copy of the store into the new folder `dir`, while in use. */
int      kv_snapshot_to(struct kv *, const char *dir, struct buf *detail);

#endif
