/*
 * proto/imap_match.h: LIST's patterns. RFC 9051 s6.3.9, RFC 3501 s6.3.8
 *
 * Shape    "*" stands for any bytes, "%" for any bytes but the separator. The reference goes before
 *          the pattern as it is.
 *          A first level that is "INBOX" is compared in any case, all else byte by byte.
 * Cost     O(pattern x name), no recursion, no allocation.
 * Limits   IMAP_PATTERN_MAX bytes with the reference.
 * Memory   the pattern lives in the arena.
 * Tests    tests/unit/proto/imap_match.c   fuzz/imap.c
 */
#ifndef PROTO_IMAP_MATCH_H
#define PROTO_IMAP_MATCH_H

#include "base/arena.h"

enum { IMAP_PATTERN_MAX = 4000 };

struct imap_pattern {
	struct str text; /* wildcards that follow one another are one */
	char       separator;
	size_t     least; /* bytes of the shortest name that can match */
};

/* E_LIMIT, E_NOMEM. */
int  imap_pattern_make(struct str reference, struct str pattern, char separator, struct arena *,
     struct imap_pattern *ret);
bool imap_pattern_match(const struct imap_pattern *, struct str name);

#endif
