/*
 * store/left.h: messages that left INBOX by a POP3 policy ('q' rows). Internal to store/.
 *
 * Rule     a row is there from the removal until the message comes back into INBOX, is expunged by
 *          other means, is purged, or the retention time has passed. So other devices may read what
 *          has a row, and nothing needs to be looked up to know it.
 */
#ifndef STORE_LEFT_H
#define STORE_LEFT_H

#include "store/device_records.h"
#include "store/edit.h"

void left_put(struct edit *, email_id, const struct left_record *);
/* The row goes, if there is one. */
void left_forget(struct edit *, email_id);
/* The account's INBOX? */
bool left_is_inbox(const struct account *, const struct mailbox *);

/* The rows from an email on: 1 and the next, 0 at the end, or an error. Damaged ones are passed
 * over. */
int  left_scan(struct account *, email_id from, struct kv_iter **ret);
int  left_next(struct kv_iter *, email_id *ret_email, struct left_record *ret);

/* Rows that are older than the time go; what was moved to the trash by POP3 then, and still lies
 * there, is expunged: a part. *ret_done when there is no more. */
int  left_tend_part(struct account *, int64_t before_ms, bool *ret_done);

/* With the lock held: may `size` bytes come when trash that POP3 filled is expunged?
 * E_OVER_QUOTA_TEMP. With `free` it is, the oldest messages first, as much as needed. */
int  left_make_room(struct account *, uint64_t size, bool free);

#endif
