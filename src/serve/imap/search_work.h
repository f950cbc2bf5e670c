/*
 * serve/imap/search_work.h: a SEARCH from inside: its tree, and its workers. Internal to search*.c.
 *
 * Units     the candidates are cut into units of so many messages, ascending by UID. A worker takes
 *           the next one, judges its messages, and leaves in the unit what it found; search_end
 *           joins them in order.
 * Worker    a unit is judged in four stages: by columns (store/columns.h), where they tell all
 *           there is to know, or rule some messages out; by the records of the messages; those
 *           that are still open by the texts that are kept, chunk by chunk; the rest by decoding
 *           them, which keeps their texts for the next search. It may stop after any message and
 *           go on later.
 * Threads   the tree does not change after search_new. Each worker has one owner at a time.
 */
#ifndef SERVE_IMAP_SEARCH_WORK_H
#define SERVE_IMAP_SEARCH_WORK_H

#include <stdatomic.h>

#include "serve/imap/search.h"
#include "serve/imap/search_text.h"
#include "store/columns.h"

/* A key made ready. */
struct node {
	const struct imap_key *key;
	struct node           *next, *list;
	bool                   never;    /* a keyword that nobody has */
	struct ranges          set;      /* SEQ and UID: UIDs; in the arena */
	unsigned               keyword;
	size_t                 string;   /* HEADER, BODY, TEXT: index in the strings */
};

struct search_unit {
	struct ranges found;
	uint64_t      modseq, modseq_first, modseq_last;
};

struct search_worker;

struct search {
	struct view          *view;
	struct node          *root;
	struct search_strings strings;
	bool                  reads;
	bool                  sent_date;
	bool                  first_only; /* RETURN (MIN) */
	bool                  by_columns; /* they are asked first */
	bool                  beyond_columns; /* some keys are for records or texts */
	bool                  builds;     /* they are made first, which takes a while */
	unsigned              columns;    /* COLUMN_..., of the keys */
	unsigned              levels;     /* of lists in its tree */
	struct ranges         candidates;
	uint32_t              unit;       /* messages of one */
	uint32_t              n_units;
	struct search_unit   *units;
	_Atomic uint32_t      next;       /* unit that nobody has taken yet */
	_Atomic uint32_t      end;        /* units from here on do not matter any more */
	uint32_t              joined;
	struct search_worker *workers[SEARCH_WORKERS_MAX];
	struct ranges         found;
	uint64_t              modseq, modseq_first, modseq_last;
};

void search_worker_drop(struct search_worker *);

/* Which columns help? */
void search_columns_choose(struct search *);
/* Those of the UIDs that may match as far as columns tell, and no others if there is nothing beyond
 * them. E_NOT_FOUND: there are none. */
int  search_columns(const struct search *, const struct ranges *uids, struct ranges *ret);

/* Does the message match, as far as its record and what the look knows tell? */
enum search_known search_judge(const struct search *, struct search_look *, const struct message *);

#endif
