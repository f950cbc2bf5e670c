/*
 * kv/salvage.h: the files of a RocksDB store read one by one, without RocksDB: what is damaged, and
 * all that can still be read. For check and repair, and for the look before a store is opened.
 *
 * Reads    CURRENT, MANIFEST, the write-ahead log, tables and blob files. Each block and record is
 *          taken only when its checksum is right. The folder is never written to.
 * Damage   is reported with file and place, and passed over: reading goes on behind it.
 * Torn     a log that ends in what was not written whole is what a crash leaves, and no damage.
 * Doubt    the last log ends in bytes that are no beginning of a record and no zeros: some file
 *          systems leave that at a power cut; else it is a damaged end, and what was confirmed
 *          last is lost. The store is opened all the same; check counts it as a fault.
 * Rows     of several versions of a record the latest that could be read. A row whose deletion was
 *          lost may come back; the mail model's repair has to judge.
 * Format   RocksDB 7: block-based tables of format 2 to 5, blob files of version 1.
 * Errors   E_CORRUPT is never returned for damage that was reported; E_IO, E_NOMEM and so on.
 * Threads  any; the store must be at rest (E_IN_USE is the caller's business, see kv_store_lock).
 */
#ifndef KV_SALVAGE_H
#define KV_SALVAGE_H

#include "kv/open.h"

/* A key on disk, taken apart. */
enum kv_row_kind { KV_ROW_OTHER, KV_ROW_RECORD, KV_ROW_BLOB_ROW, KV_ROW_BLOB };
struct kv_row {
	enum kv_row_kind  kind;
	struct kv_part    part; /* of a record */
	struct str        key;  /* of a record; empty: the version. Points into the disk key */
	struct kv_blob_id blob;
	uint32_t          piece;          /* of KV_ROW_BLOB: 0 header, 1 + i piece i */
	bool              is_ref;         /* of KV_ROW_BLOB_ROW */
	bool              is_lost_ref;    /* the same: a reference that was taken back */
	uint64_t          account, email; /* of a reference */
};
void kv_row_read(struct str disk_key, struct kv_row *ret);

/* Strings are valid during the call. */
struct kv_damage {
	const char *file;     /* name in the folder */
	uint64_t    off, n;   /* n 0: unknown, or the whole file */
	const char *what;
	struct str  from, to; /* disk keys of what is lost: (from, to]; empty: unknown */
};

struct kv_files {
	void (*damage)(void *arg, const struct kv_damage *); /* may be NULL */
	/* A file or log that a crash left as it is: for information. May be NULL. */
	void (*note)(void *arg, const char *file, const char *what);
	/* The end of the last log. May be NULL. */
	void (*doubt)(void *arg, const struct kv_damage *);
	void *arg;
	/* filled in */
	size_t   n_damages;
	size_t   n_doubts; /* 0 or 1 */
	size_t   n_files;
	uint64_t bytes;
};

/* Reads everything. The number of damages is in *f. */
int kv_files_check(const char *dir, struct kv_files *f);

/*
 * Would opening the store lose what repair could have saved? Looks at CURRENT, the MANIFEST, the
 * logs, and that all files are there. 0 also for an empty or missing folder; E_CORRUPT with the
 * reason in *detail. With 0 *detail may tell of a doubt.
 */
int kv_files_may_open(const char *dir, struct buf *detail);

/* What could be read, each of the calls in the order of keys; nonzero ends the reading. */
struct kv_salvage {
	int (*record)(void *arg, struct kv_part, struct str key, struct str value);
	int (*version)(void *arg, struct kv_part, uint64_t version);
	int (*ref)(void *arg, const struct kv_blob_id *, uint64_t account, uint64_t email);
	void *arg;
	/* Blobs go straight into this store (kv_blob_put_*). */
	struct kv *blobs_to;
	uint64_t   n_blob_parts;
};
/* `scratch` is a new folder for the time of the call. */
int kv_salvage(const char *dir, const char *scratch, struct kv_files *, struct kv_salvage *);

/* Locks a store's folder as kv_rocks_open does, without opening it: a descriptor to be closed, or
 * -1 in *ret when there is nothing to lock. E_IN_USE. */
int kv_store_lock(const char *dir, int *ret);

#endif
