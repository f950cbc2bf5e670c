/*
 * proto/imap_match.h: LIST's patterns. RFC 9051 s6.3.9, RFC 3501 s6.3.8
 *
 * Shape    "*" stands for any bytes, "%" for any bytes but the separator. The reference goes before the
 *          pattern as it is. The first level INBOX is compared in any case, all else byte by byte.
 * Cost     O(pattern x name) at worst, no recursion; a pattern has at most IMAP_PATTERN_MAX bytes.
 * Memory   the pattern lives in the arena.
 * Tests    tests/unit/proto/imap_match.c   fuzz/imap.c
 */
#ifndef PROTO_IMAP_MATCH_H
#define PROTO_IMAP_MATCH_H

#include "base/arena.h"

enum { IMAP_PATTERN_MAX = 4096 };

struct imap_pattern {
	struct str text;
	char       separator;
};

/* E_LIMIT, E_NOMEM. */
int imap_pattern_make(struct str reference, struct str pattern, char separator, struct arena *,
    struct imap_pattern *ret);

enum imap_match {
	IMAP_MATCH_NO,
	IMAP_MATCH_YES,
	IMAP_MATCH_PARENT /* the name does not match, but one below it may: "a/b" is for "a" */
};
enum imap_match imap_pattern_match(const struct imap_pattern *, struct str name);

#endif
