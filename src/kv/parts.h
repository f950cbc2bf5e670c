/*
 * kv/parts.h: parts of blobs that were read lately, in memory. A part never changes: so one that
 * is here is right, and finding it costs a hundredth of a read through the engine.
 *
 * Shape    a table by blob and part, cut into PARTS_SHARDS, each with its lock and its share of the
 *          memory. When a share is full, parts that nobody asked for since they were last looked at
 *          go first, the oldest of them before the others. Big parts have a share of their own, a
 *          fourth of all: pieces of one big message push out other such pieces, and no small mail.
 * Owner    a part that was got or put is the caller's to hold until part_drop; it stays whole
 *          when the table forgets it meanwhile.
 * Errors   a part that finds no room is not kept, and nothing is said of it.
 * Deleted  parts are to be forgotten. One that a reader puts back at the same moment stays, until
 *          it is the oldest: nobody refers to it.
 * Threads  all of it from any thread; parts_clear runs alone.
 */
#ifndef KV_PARTS_H
#define KV_PARTS_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/lock.h"
#include "kv/kv.h"

enum { PARTS_SHARDS = 16, PARTS_BIG_BYTES = 64 << 10 };
enum { PARTS_SMALL, PARTS_BIG, PARTS_SIZES };

struct part {
	struct list       link;
	struct part      *next; /* in its bucket */
	struct kv_blob_id id;
	uint32_t          number;
	atomic_uint       holders; /* the table is one of them */
	bool              used;    /* since it was last looked at */
	size_t            n;
	char              bytes[];
};

struct parts_queue {
	struct list all; /* the oldest first */
	size_t      bytes;
};

struct parts_shard {
	struct lock        lock; /* KV_PARTS */
	struct part      **bucket;
	struct parts_queue queue[PARTS_SIZES];
};

struct parts {
	size_t             queue_max[PARTS_SIZES]; /* bytes; 0: nothing is kept */
	size_t             mask;                   /* number of buckets - 1 */
	struct parts_shard shard[PARTS_SHARDS];
};

/* 0 or E_NOMEM. After a failure nothing is to be released. */
int  parts_init(struct parts *, size_t max_bytes);
void parts_done(struct parts *);

/* The part, held; NULL when it is not here. */
struct part *parts_get(struct parts *, const struct kv_blob_id *, uint32_t number);
/* A copy of bytes, held; NULL when it was not kept. */
struct part *parts_put(
    struct parts *, const struct kv_blob_id *, uint32_t number, struct str bytes);
void parts_forget(struct parts *, const struct kv_blob_id *, uint32_t number);
void parts_clear(struct parts *);
void part_drop(struct part *);

static inline struct str
part_bytes(const struct part *p)
{
	return str_of(p->bytes, p->n);
}

#endif
