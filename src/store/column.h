/*
 * store/column.h: the flags of all messages of a mailbox in memory, a byte each: what FETCH FLAGS
 * of a whole mailbox answers from. Part of an index; internal to store/.
 *
 * Shape    code[i] is the flags of the i-th UID, as an index into the sets that occur.
 * Cost     a byte a message and 40 bytes a set. Add at the end and set: O(1) but for the look for
 *          the set; remove: one move of what is behind.
 * Limits   COLUMN_SETS different sets: a mailbox that has more has no column, and its records are
 *          read instead.
 * Errors   E_NOMEM, E_LIMIT: the column is of no use any more; drop it.
 * Threads  under the account's lock.
 */
#ifndef STORE_COLUMN_H
#define STORE_COLUMN_H

#include "store/message.h"

enum { COLUMN_SETS = 255 };

struct column {
	unsigned char *code;
	size_t         n, cap;
	struct flags  *sets;
	size_t         n_sets;
};

void column_done(struct column *);
/* The code of these flags; sets are only added. */
int  column_code(struct column *, const struct flags *, unsigned char *ret);
int  column_push(struct column *, unsigned char code);
/* Gives back the room that is not used. */
void column_fit(struct column *);
/* Removes the codes [at, at + n) of each cut; cuts ascend. */
struct column_cut {
	size_t at, n;
};
void column_remove(struct column *, const struct column_cut *, size_t n_cuts);

#endif
