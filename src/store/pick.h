/*
 * store/pick.h: the messages of a set of UIDs, ascending, under the account's lock. Internal to
 * store/. Runs of UIDs are read by a scan, single ones by a get.
 *
 *   OWN_PICK struct pick p = { .a = a, .box = box, .in = INDEX_ALL(box), .uids = uids };
 *   while ((r = pick_next(&p, &m)) > 0) ...
 *   next = pick_rest(&p);
 *
 * Needs    the index (index_need). Neither it nor the sets change meanwhile.
 */
#ifndef STORE_PICK_H
#define STORE_PICK_H

#include "store/state.h"

struct pick {
	struct account      *a;
	struct mailbox      *box;
	const struct ranges *in;   /* UIDs that are there */
	const struct ranges *uids; /* those that are wanted; NULL: all */
	uint32_t             at;   /* where to begin */
	uint32_t             end;  /* the last one to look at; 0: no end */
	struct kv_iter      *run;  /* scan up to run_end */
	uint32_t             run_end;
	bool                 no_modseq; /* it may be 0: then memory may have the message */
};

/* 1 and the message, 0 at the end, or an error. */
int      pick_next(struct pick *, struct message *ret);
/* Where to go on; 0 when there is no more. */
uint32_t pick_rest(const struct pick *);
void     pick_done(struct pick *);
#define OWN_PICK __attribute__((cleanup(pick_done)))

#endif
