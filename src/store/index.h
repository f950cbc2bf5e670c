/*
 * store/index.h: the UIDs of a mailbox in memory: all, the unseen and the deleted ones, as ranges,
 * and the flags of each message, its day and its size. Read from the message records once, then
 * kept up by each commit. Internal to store/.
 *
 * Cost     SELECT copies ranges; the first unseen is one look. The ranges of a mailbox without gaps
 *          take a few dozen bytes whatever its size; the flags, a byte a message; days and sizes
 *          six bytes more, in mailboxes that were searched for them.
 * Limits   an account keeps INDEX_MAX of them, the last used ones; accounts without sessions keep
 *          INDEX_IDLE_BYTES in all, those that were used last.
 * Damage   a message whose record cannot be read is there, too, when its facts are (or cannot be
 *          read either): in `lost`, with no state but IS_THERE. There are no flags in memory then.
 * Errors   an index that could not be kept up (E_NOMEM) is dropped and read again when needed.
 * Threads  under the account's lock.
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include "store/column.h"

enum {
	INDEX_MAX = 32,
	INDEX_IDLE_MS = 10 * 60 * 1000,
	INDEX_IDLE_BYTES = 64 << 20 /* of all accounts without sessions together */
};

/* What a message counts as; a set of bits. 0: not there. */
enum { IS_THERE = 1, IS_UNSEEN = 2, IS_DELETED = 4 };
enum { INDEX_SETS = 3 };

static inline unsigned
flags_state(const struct flags *f)
{
	return IS_THERE | ((f->system & FLAG_SEEN) == 0 ? IS_UNSEEN : 0) |
	    ((f->system & FLAG_DELETED) != 0 ? IS_DELETED : 0);
}

struct index {
	bool          loaded;
	int64_t       used_ms;          /* clock_mono_ms */
	struct ranges set[INDEX_SETS];  /* of IS_THERE, IS_UNSEEN, IS_DELETED */
	bool          has_flags;
	bool          no_flags;         /* more than COLUMN_SETS, or lost messages: never here */
	struct ranges lost;             /* those of set[0] whose records cannot be read */
	bool          no_measures;      /* days or sizes that have no room: never here */
	struct column flags;            /* of the UIDs in set[0], by rank */
};

/* A message's row as it will be. */
struct index_row {
	uint32_t          uid;
	struct column_row row;
};

/* What a commit will change. */
struct index_delta {
	struct ranges add[INDEX_SETS];
	struct ranges remove[INDEX_SETS];
	struct buf    rows;          /* of struct index_row */
	bool          rows_lost;     /* the column cannot be kept up */
	bool          measures_lost; /* days and sizes cannot */
};

struct account;
struct mailbox;

/* Reads the index if it is not there; may drop others of the account. */
int  index_need(struct account *, struct mailbox *);
/* The same, and the flags, unless the mailbox is one that has none: see has_flags. */
int  index_need_flags(struct account *, struct mailbox *);
/* The same, and days and sizes, unless it has none: see flags.measured. */
int  index_need_measures(struct account *, struct mailbox *);
void index_drop(struct index *);
void index_drop_flags(struct index *);
size_t index_bytes(const struct index *);
/* A UID goes from one state to another; cheapest in ascending order. */
int  index_delta_put(struct index_delta *, uint32_t uid, unsigned before, unsigned after);
/* The row of a message that comes or changes. */
void index_delta_row(struct index_delta *, struct index *, const struct message *);
void index_delta_done(struct index_delta *);
/* Applies it; the index is dropped when there is no memory. */
void index_apply(struct index *, const struct index_delta *);

#define INDEX_ALL(box) (&(box)->index.set[0])
#define INDEX_UNSEEN(box) (&(box)->index.set[1])
#define INDEX_DELETED(box) (&(box)->index.set[2])
#define INDEX_LOST(box) (&(box)->index.lost)

#endif
