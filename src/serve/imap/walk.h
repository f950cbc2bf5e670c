/*
 * serve/imap/walk.h: the messages of a set that are in the store, ascending by UID, in slices that
 * hold no snapshot between them.
 *
 *   walk_init(&w, account, mailbox, &uids, SCAN_RECORDS);
 *   while ((r = walk_next(&w, &m, &facts)) == 1) ...    0: all of the set was seen
 *   walk_pause(&w);                                     before anything is sent; then go on
 *
 * Owner    the set is borrowed and must not change while the walk is not paused.
 * Cost     one scan per stretch of the set, or one look-up where it is a single UID; small gaps are
 *          read over.
 */
#ifndef SERVE_IMAP_WALK_H
#define SERVE_IMAP_WALK_H

#include "store/message.h"

struct walk {
	struct account      *account;
	mailbox_id           mailbox;
	const struct ranges *set;
	enum message_parts   parts;
	uint32_t             next;    /* UID to go on with; 0: all was seen */
	size_t               at;      /* index of the range that next is in or before */
	struct message_iter *iter;
	uint32_t             iter_hi; /* last UID of the scan */
	struct buf           hold;    /* facts that were looked up */
};

void walk_init(struct walk *, struct account *, mailbox_id, const struct ranges *,
     enum message_parts);
/* 1 and the message, 0 at the end, or an error. Slices of facts are valid until the next call.
 * E_CORRUPT: the message ret->uid cannot be read; the next call goes on behind it. */
int  walk_next(struct walk *, struct message *ret, struct message_facts *ret_facts);
void walk_pause(struct walk *);

#endif
