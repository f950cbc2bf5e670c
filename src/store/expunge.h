/*
 * store/expunge.h: parts of removals, for the calls of message.h, mailbox deletion and the
 * housekeeping. Internal to store/.
 */
#ifndef STORE_EXPUNGE_H
#define STORE_EXPUNGE_H

#include "store/edit.h"

/* The message becomes an expunged record; it keeps its blob's reference. */
int expunge_message(struct edit *, struct edit_box *, const struct message *);
/* Where a message is. E_NOT_FOUND. */
int place_fetch(struct account *, email_id, struct place_record *ret);
/* The expunged_record of an email, appended to *to. E_NOT_FOUND: it is not expunged. */
int expunged_fetch(struct account *, email_id, struct buf *to, int64_t *ret_when_ms);
/* It comes back into a mailbox, without \Deleted. E_NOT_FOUND; E_OVER_QUOTA(_TEMP) when it does
 * not fit beside `more`, that comes in this commit already. */
int expunged_put_back(struct edit *, struct mailbox *, email_id, const struct quota_usage *more,
    struct message *ret);
/* Deletes what is left of mailboxes that were deleted: a part; *ret_done when there is none. */
int bury_part(struct account *, mailbox_id, const struct actor *, bool *ret_done);
/* Deletes for good what was expunged before the time: a part; *ret_done when there is no more. */
int purge_part(struct account *, int64_t before_ms, bool *ret_done);

#endif
