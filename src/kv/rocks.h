/*
 * kv/rocks.h: the files of kv_rocks among themselves.
 *
 * Files    the folder is RocksDB's, with one file of ours, "in-use": it is locked (flock) while a
 *          process has the store open, for reading too, and stays locked over a reopening.
 * Columns  "default" has LAYOUT_RECORD; "blob" has LAYOUT_BLOB, its values in blob files.
 */
#ifndef KV_ROCKS_H
#define KV_ROCKS_H

#include <rocksdb/c.h>

#include "kv/flat.h"
#include "kv/open.h"

enum { ROCKS_COLUMNS = 2 };

struct rocks {
	struct flat                      flat;
	char                            *dir;
	int                              lock_fd;
	struct kv_rocks_options          wanted; /* with the defaults filled in */
	rocksdb_cache_t                 *cache;
	rocksdb_readoptions_t           *read;
	rocksdb_writeoptions_t          *write;
	rocksdb_t                       *db;     /* NULL when it could not be opened again */
	rocksdb_column_family_handle_t  *column[ROCKS_COLUMNS]; /* by enum layout_space */
};

static inline struct rocks *
rocks_of(struct flat *f)
{
	return CONTAINER_OF(f, struct rocks, flat);
}

/* The error that RocksDB's text stands for. Frees the text; its words go to *detail if not NULL. */
int rocks_error(char *text, struct buf *detail);

/* Opens r->db and its columns. */
int  rocks_handle_open(struct rocks *, bool read_only, struct buf *detail);
/* Closes them, when open. What is in memory goes to the log first. */
void rocks_handle_close(struct rocks *);

/* kv_rocks_heal.c: members of flat_engine. */
int rocks_probe(struct flat *);
int rocks_reopen(struct flat *, int probed, bool *replaced);

#endif
