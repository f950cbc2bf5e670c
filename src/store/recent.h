/*
 * store/recent.h: the change log of an account's last commits in memory: what the sessions that
 * watch it read after each commit. Internal to store/.
 *
 * Shape    the items of the log, of all commits with modseq > from; a copy of what kv has.
 * Cost     some 1.5 KiB, for accounts whose log was read since they were opened; none for those
 *          that nobody uses. Put: a copy of a few bytes; get: likewise, of what is new.
 * Limits   RECENT_COMMITS; one with more than RECENT_ITEMS bytes of items is not kept, and what was
 *          before it is forgotten.
 * Threads  under the account's lock; what recent_get gave is the caller's own.
 */
#ifndef STORE_RECENT_H
#define STORE_RECENT_H

#include "base/str.h"

enum { RECENT_COMMITS = 32, RECENT_ITEMS = 39 };

struct recent_commit {
	uint64_t      modseq;
	unsigned char n;
	unsigned char items[RECENT_ITEMS]; /* log_item_next takes them off */
};

struct recent {
	uint64_t             from;
	unsigned             first, n; /* in the ring */
	struct recent_commit commits[RECENT_COMMITS];
};

/* Commits behind `from` will be put. NULL without memory. */
struct recent *recent_new(uint64_t from);
/* The next commit. NULL: nobody reads. */
void recent_put(struct recent *, uint64_t modseq, struct str items);
/* Those behind `since`, oldest first, and how many; -1: it does not reach back so far. */
int  recent_get(const struct recent *, uint64_t since, struct recent_commit ret[RECENT_COMMITS]);

#endif
