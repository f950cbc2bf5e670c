/*
 * store/pending.h: removals by POP3 that take several commits ('p' rows). Internal to store/.
 *
 * Why      a QUIT is all or nothing, of any number of messages. One of several commits first writes
 *          a row of what it is going to remove; each commit writes what is left of it, the last
 *          one deletes it. A crash in between leaves the row, and whoever needs the account next,
 *          POP3 or store_tend, does the rest before it goes on.
 * Rows     of a session that is still at work are left alone: they are younger than the account's
 *          load into memory.
 * Threads  under the account's lock.
 */
#ifndef STORE_PENDING_H
#define STORE_PENDING_H

#include "store/edit.h"
#include "store/hidden.h"

struct pending {
	device_id    device;
	uint64_t     modseq;  /* of the commit that wrote it first; names the row */
	int64_t      when_ms;
	struct actor actor;   /* strings in value */
	struct spans left;
	struct buf   value;
};

/* What is left, or nothing: then the row goes. */
void pending_put(struct edit *, const struct pending *, const struct spans *left);
/* The first one that nobody is at work on: 1, 0 when there is none, or an error. Damaged ones are
 * passed over. To be released by pending_done. */
int  pending_first(struct account *, struct pending *ret);
void pending_done(struct pending *);
#define OWN_PENDING __attribute__((cleanup(pending_done)))
/* Decodes one; strings and the spans point into, or are made from, the value. */
int  pending_read(struct str key, struct str value, struct pending *ret);

#endif
