/*
 * kv/flat.h: partitions, versions, blobs and shared syncs on top of plain ordered maps. kv_rocks
 * and kv_mem are such maps; all that kv/kv.h promises beyond them is done here, once.
 *
 * Shape    an engine's handle begins with struct flat; the engine is a table of flat_engine.
 * Keys     kv/layout.h.
 * Commits  one at a time enters the engine, under the write lock: the version check and the write
 *          are one step, and an engine whose writers would spin for one another never sees two.
 * Health   the first failed write or sync is latched in the tickets; see kv/tickets.h.
 * Threads  get, scan and sync of an engine run at any time, beside each other and beside a write;
 *          reopen and close run alone.
 */
#ifndef KV_FLAT_H
#define KV_FLAT_H

#include "base/lock.h"
#include "kv/gate.h"
#include "kv/layout.h"
#include "kv/parts.h"
#include "kv/tickets.h"

struct flat;

/* A value the engine holds still until unpin. */
struct flat_value {
	struct str bytes;
	void      *pin;
};

/* Full keys, [from, to). */
struct flat_range {
	struct str from, to;
	bool       reverse;
	size_t     strip; /* bytes the iterator leaves off the front of each key */
};

struct flat_write; /* a list of changes on its way into the engine */

struct flat_engine {
	int (*get)(struct flat *, enum layout_space, struct str key, struct flat_value *ret);
	void (*unpin)(struct flat_value *);
	/* Over LAYOUT_RECORD. The iterator's drop ends with gate_leave: flat entered for it. */
	int (*scan)(struct flat *, const struct flat_range *, struct kv_iter **ret);

	/* Failures of write_put and the like are latched and come out of write_apply. */
	struct flat_write *(*write_new)(struct flat *);
	void (*write_put)(struct flat *, struct flat_write *, enum layout_space, struct str key,
	    struct str value);
	void (*write_del)(struct flat *, struct flat_write *, enum layout_space, struct str key);
	void (*write_del_range)(struct flat *, struct flat_write *, struct str from, struct str to);
	/* All of it or nothing, visible at once, on disk after the next sync. */
	int (*write_apply)(struct flat *, struct flat_write *);
	void (*write_free)(struct flat_write *);

	/* What was applied before the call is on disk after it. */
	int (*sync)(struct flat *);
	/* Would reopening help? Called before the working handle is given up. */
	int (*probe)(struct flat *);
	/* Nobody else is inside. Sets *replaced when reads show what the disk has from now on, also
	 * on error. probed: what probe said; if that was an error it comes back, and at most reads
	 * are brought back to what is on disk. */
	int (*reopen)(struct flat *, int probed, bool *replaced);
	int (*snapshot)(struct flat *, const char *dir, struct buf *detail);
	void (*close)(struct flat *);
};

enum { FLAT_VERSIONS = 16384 };

/* The last known version of a partition, so that a commit need not read it. */
struct flat_version {
	struct kv_part part;
	uint64_t       version;
};

struct flat {
	struct kv                 kv;
	const struct flat_engine *engine;
	struct gate               gate;
	struct tickets            tickets;
	struct parts              parts;  /* of blobs, read lately */
	pthread_t                 syncer; /* syncs for those who wait without a thread */
	bool                      syncing; /* it runs; under the lock of tickets */
	struct lock               write_lock; /* KV_WRITE; guards what follows */
	struct flat_version      *versions;   /* FLAT_VERSIONS slots by hash; version 0: unknown */
	struct kv_blob_id         collected;  /* where the next kv_blob_collect goes on */
};

/* 0 or E_NOMEM. After a failure nothing is to be released. parts_bytes: memory for parts of blobs,
 * of an engine that is slower to read than memory. */
int  flat_init(struct flat *, const struct flat_engine *, size_t parts_bytes);
/* Releases what flat_init made; for an engine's close. */
void flat_done(struct flat *);

/* Applies w under the write lock, unless the engine has failed. Frees w. */
int flat_write_now(struct flat *, struct flat_write *w);
/* The same for a caller that holds the write lock; sets the ticket. Does not free w. */
int flat_apply(struct flat *, struct flat_write *w, kv_ticket *ret);
/* Of a partition, from the map; the caller is inside the gate. */
int  flat_version_read(struct flat *, struct kv_part, uint64_t *ret);
/* kv/flat_build.c: the batch and the partition's new version into w. */
int  flat_build(
    struct flat *, const struct kv_step *, const struct kv_batch *, struct flat_write *);
/* Opens a raw scan; enters the gate. */
int flat_scan_raw(struct flat *, const struct flat_range *, struct kv_iter **ret);

static inline struct flat *
flat_of(struct kv *kv)
{
	return CONTAINER_OF(kv, struct flat, kv);
}

/* kv/flat_blob.c, kv/flat_refs.c: the blob members of kv_ops. */
int flat_blob_put(struct kv *, const struct kv_blob_id *, uint32_t part, struct str value);
int flat_blob_header(struct kv *, const struct kv_blob_id *, struct buf *to);
int flat_blob_body(struct kv *, const struct kv_blob_id *, uint64_t off, size_t n, struct buf *to);
int flat_blob_read(
    struct kv *, const struct kv_blob_id *, const struct kv_slice *, struct buf *to);
int flat_blob_refs(struct kv *, const struct kv_blob_id *, uint64_t *ret);
int flat_blob_release(struct kv *, const struct kv_blob_id *);
int flat_blob_collect(struct kv *, int64_t before_ms, size_t max, size_t *ret_removed);
/* A part held still by the engine, until unpin; as it is there, not as it was read lately. */
int flat_part_get(struct flat *, const struct kv_blob_id *, uint32_t part, struct flat_value *ret);
/* One part of a batch into a write, with the row that says that it exists, if it needs one. */
int flat_write_new_part(
    struct flat *, struct flat_write *, const struct kv_blob_id *, uint32_t part, struct str value);

#endif
