/*
 * serve/imap/search.h: one SEARCH under way: its tree made ready, and what it has found.
 * RFC 3501 s6.4.4, RFC 9051 s6.4.4, RFC 7162 s3.1.5 (MODSEQ)
 *
 * Looks at  the messages of the view that are still in the store. What a message's record tells is
 *           asked first; its header is read only where that leaves it open, its body only after it.
 * Lenient   a message number that is not there is no error: no message has it.
 * Order     ascending by UID, in slices of time that hold no snapshot between them.
 * Threads   one owner at a time: a worker, or a job thread while the session is parked. The view
 *           must not change before search_drop.
 * Tests     tests/unit/serve/imap_search.c
 */
#ifndef SERVE_IMAP_SEARCH_H
#define SERVE_IMAP_SEARCH_H

#include "proto/imap.h"
#include "serve/imap/view.h"

struct search;

/* The query and the arena outlive the search. E_BAD_CHARSET, E_LIMIT (strings: too many, too long),
 * E_PARAM ("$"), E_NOMEM. */
int  search_new(struct view *, const struct imap_search *, struct arena *, struct search **ret);
void search_drop(struct search *);
OWN_DEFINE(search)

/* Must messages be read? Then it is work for a job thread. */
bool search_reads(const struct search *);

/* Goes on for about that time, at least by one message. 1: there is more to do; 0: done; or an
 * error of the storage. */
int search_slice(struct search *, int64_t budget_ms);

struct search_found {
	const struct ranges *uids;
	uint64_t             modseq;       /* the highest of all found */
	uint64_t             modseq_first; /* of the first, of the last */
	uint64_t             modseq_last;
};
struct search_found search_result(const struct search *);

#endif
