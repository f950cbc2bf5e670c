/*
 * store/column.h: what a mailbox has in memory of each message: its flags, a byte each, which FETCH
 * FLAGS of a whole mailbox answers from; and, once a search asked for them, the day of its
 * INTERNALDATE and its size. Part of an index; internal to store/.
 *
 * Shape    code[i] is the flags of the i-th UID, as an index into the sets that occur; day[i] its
 *          day behind COLUMN_DAY_BASE, in the zone that the date was given in; size[i] its bytes.
 * Cost     a byte a message and 40 bytes a set; six bytes a message more when it is measured. Add
 *          at the end and set: O(1) but for the look for the set; remove: one move of what is
 *          behind.
 * Limits   COLUMN_SETS different sets: a mailbox that has more has no column, and its records are
 *          read instead. Days of the years 1900 to 2079 and sizes below 4 GiB: a mailbox with
 *          others is not measured.
 * Errors   E_NOMEM, E_LIMIT: the column is of no use any more; drop it.
 * Threads  under the account's lock.
 */
#ifndef STORE_COLUMN_H
#define STORE_COLUMN_H

#include "store/columns.h"

enum { COLUMN_SETS = 255 };

struct column {
	unsigned char *code;
	bool           measured; /* day and size are there */
	uint16_t      *day;
	uint32_t      *size;
	size_t         n, cap;
	struct flags  *sets;
	size_t         n_sets;
};

/* A message's row. */
struct column_row {
	unsigned char code;
	uint16_t      day;
	uint32_t      size;
};

void column_done(struct column *);
/* The code of these flags; sets are only added. */
int  column_code(struct column *, const struct flags *, unsigned char *ret);
/* Its day and size, where it is measured. E_LIMIT. */
int  column_measure(const struct message *, struct column_row *ret);
int  column_push(struct column *, const struct column_row *);
void column_set(struct column *, size_t at, const struct column_row *);
/* Lets go of days and sizes. */
void column_unmeasure(struct column *);
/* Bytes that it holds. */
size_t column_bytes(const struct column *);
/* Gives back the room that is not used. */
void column_fit(struct column *);
/* Removes the codes [at, at + n) of each cut; cuts ascend. */
struct column_cut {
	size_t at, n;
};
void column_remove(struct column *, const struct column_cut *, size_t n_cuts);

#endif
