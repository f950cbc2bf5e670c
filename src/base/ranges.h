/*
 * base/ranges.h: a set of 32-bit numbers as ascending, disjoint, merged ranges: UIDs of a mailbox,
 * a closed sequence set.
 *
 * Shape    r[0..n), inclusive ends, 1..2^32-1. r[i].before = how many numbers lie in r[0..i).
 * Cost     contains, nth, rank: O(log n). Add at the end: O(1). Add or remove inside: O(n).
 * Errors   E_NOMEM leaves the set as it was.
 * Owner    heap; ranges_done releases. Plain value otherwise: move it by copying the struct.
 */
#ifndef BASE_RANGES_H
#define BASE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
	uint32_t lo, hi;
	uint32_t before;
};

struct ranges {
	struct range *r;
	size_t        n;
	size_t        cap;
};

void     ranges_done(struct ranges *);
int      ranges_copy(const struct ranges *, struct ranges *ret);
int      ranges_add(struct ranges *, uint32_t lo, uint32_t hi);
int      ranges_remove(struct ranges *, uint32_t lo, uint32_t hi);
/* Numbers in both, into an empty *ret. */
int      ranges_and(const struct ranges *, const struct ranges *, struct ranges *ret);
bool     ranges_has(const struct ranges *, uint32_t v);
size_t   ranges_find(const struct ranges *, uint32_t v);      /* index of the first hi >= v, or n */
uint32_t ranges_count(const struct ranges *);
uint32_t ranges_min(const struct ranges *);                   /* 0 when empty */
uint32_t ranges_max(const struct ranges *);                   /* 0 when empty */
uint32_t ranges_nth(const struct ranges *, uint32_t i);       /* i from 1; 0 when there is none */
uint32_t ranges_rank(const struct ranges *, uint32_t v);      /* how many members are <= v */
uint32_t ranges_next(const struct ranges *, uint32_t v);      /* the smallest member >= v, or 0 */

#define OWN_RANGES __attribute__((cleanup(ranges_done)))

#endif
