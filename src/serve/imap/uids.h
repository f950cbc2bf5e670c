/*
 * serve/imap/uids.h: sets of UIDs as wholes: union, difference, and a pile that takes ranges in any
 * order.
 *
 * Cost     linear in the ranges of both sets; the pile sorts, O(n log n).
 * Errors   E_NOMEM (and E_LIMIT of a pile); a set that was to be changed is then as before.
 * Owner    heap; ranges_done.
 */
#ifndef SERVE_IMAP_UIDS_H
#define SERVE_IMAP_UIDS_H

#include "base/buf.h"
#include "base/ranges.h"

/* Into an empty *ret. */
int uids_or(const struct ranges *, const struct ranges *, struct ranges *ret);
int uids_minus(const struct ranges *, const struct ranges *without, struct ranges *ret);

/* In place. */
int uids_add_all(struct ranges *, const struct ranges *);
int uids_remove_all(struct ranges *, const struct ranges *);
int uids_keep_only(struct ranges *, const struct ranges *);
/* Drops all members <= last, or >= first. */
int uids_drop_through(struct ranges *, uint32_t last);
int uids_drop_from(struct ranges *, uint32_t first);

/* The greatest `n` members (or all), into an empty *ret. */
int uids_last(const struct ranges *, uint32_t n, struct ranges *ret);

enum { UID_PILE_MAX = 256 << 20 }; /* bytes */

struct uid_pile {
	struct buf pairs;
};
void uid_pile_init(struct uid_pile *);
void uid_pile_done(struct uid_pile *);
void uid_pile_add(struct uid_pile *, uint32_t lo, uint32_t hi); /* latches its error */
/* What is in it as a set, into an empty *ret. */
int  uid_pile_close(struct uid_pile *, struct ranges *ret);

#endif
