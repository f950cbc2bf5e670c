/*
 * proto/imap_set.h: the sequence-set of IMAP, "1:4,9,20:*". RFC 9051 s9 (sequence-set)
 *
 * Shape    n ranges, inclusive. As parsed: client order, lo <= hi not promised, "*" is IMAP_STAR.
 *          "$" (RFC 5182, the saved result) is no range but `saved`, and then n is 0.
 *          imap_set_close gives ascending, disjoint, merged base/ranges without IMAP_STAR.
 * Units    message numbers or UIDs, 1..2^32-1; the caller knows which.
 * Memory   the ranges live in the arena given to parse; the closed set is the caller's.
 * Cost     parse O(n), close O(n log n) whatever the order.
 * Limits   IMAP_SET_MAX ranges; a longer set is refused, never cut.
 * Threads  plain value.
 * Tests    tests/unit/proto/imap_set.c   fuzz/imap.c
 */
#ifndef PROTO_IMAP_SET_H
#define PROTO_IMAP_SET_H

#include "base/arena.h"
#include "base/ranges.h"

enum { IMAP_SET_MAX = 100000 };
#define IMAP_STAR 0 /* no number is 0 on the wire */

struct imap_range {
	uint32_t lo, hi;
};

struct imap_set {
	struct imap_range *r;
	size_t             n;
	bool               saved; /* "$" */
};

/* Parses all of `text`. 0, or E_SYNTAX, E_LIMIT, E_NOMEM; *ret set only on 0. */
int imap_set_parse(struct str text, struct arena *, struct imap_set *ret);

/* star: the number "*" stands for, the greatest in the mailbox; 0: the mailbox is empty, and a
 * range with "*" then means nothing ("5:*" too). "9:*" with star 4 is 4:9 (RFC 9051 s9, seq-range).
 * Into an empty *ret, which ranges_done releases. E_NOMEM. */
int imap_set_close(const struct imap_set *, uint32_t star, struct ranges *ret);

/* The greatest number that is written out (not "*"), 0 when there is none: a message number above
 * the mailbox's count is refused with BAD. */
uint32_t imap_set_max(const struct imap_set *);
bool     imap_set_has_star(const struct imap_set *);

#endif
