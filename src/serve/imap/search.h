/*
 * serve/imap/search.h: one SEARCH under way: its tree made ready, and what it has found.
 * RFC 3501 s6.4.4, RFC 9051 s6.4.4, RFC 7162 s3.1.5 (MODSEQ)
 *
 * Looks at  the messages of the view that are still in the store. Flags, days and sizes are in
 *           memory (store/columns.h): keys of these alone read nothing. What a message's record
 *           tells is asked next; its text (store/text.h) is read only where that leaves it open.
 * Lenient   a message number that is not there is no error: no message has it.
 * Order     the mailbox is cut into units that any of up to SEARCH_WORKERS_MAX workers take in
 *           order; the result is ascending by UID. No snapshot is held between two turns.
 * Memory    a worker has the records of one unit (some 200 KiB) and one unpacked chunk of texts.
 * Threads   search_work: a worker has one owner at a time, different ones run beside each other.
 *           All else by the session while no worker runs. The view must not change before
 *           search_drop.
 * Tests     tests/unit/serve/imap_search.c, imap_search_text.c
 */
#ifndef SERVE_IMAP_SEARCH_H
#define SERVE_IMAP_SEARCH_H

#include "proto/imap.h"
#include "serve/imap/view.h"

enum { SEARCH_WORKERS_MAX = 8 };

struct search;

/* The query and the arena outlive the search. E_BAD_CHARSET, E_LIMIT (strings: too many, too long),
 * E_PARAM ("$"), E_NOMEM. */
int  search_new(struct view *, const struct imap_search *, struct arena *, struct search **ret);
void search_drop(struct search *);
OWN_DEFINE(search)

/* Must messages be read, or many records? Then it is work for job threads. */
bool search_reads(const struct search *);
/* How many workers can have something to do; at least one. */
unsigned search_workers(const struct search *);
/* How much of it was begun. */
unsigned search_percent(const struct search *);

/* Goes on for about that time, at least by one message. 1: there is more to do for this worker; 0:
 * there is none; or an error of the storage. worker < SEARCH_WORKERS_MAX. */
int search_work(struct search *, unsigned worker, int64_t budget_ms);
/* After all workers that were used gave 0; then search_result is complete. */
int search_end(struct search *);

struct search_found {
	const struct ranges *uids;
	uint64_t             modseq;       /* the highest of all found */
	uint64_t             modseq_first; /* of the first, of the last */
	uint64_t             modseq_last;
};
struct search_found search_result(const struct search *);

#endif
