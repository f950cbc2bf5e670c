/*
 * store/device_view.h: the mail that one POP3 device sees, and what it removes.
 *
 * View     the messages of INBOX that are not hidden from the device, and those that left INBOX by
 *          the POP3 policy of another device within the retention time and still exist, if they are
 *          not hidden from it either. Ordered by email id, the oldest first. It is of one moment:
 *          entries stay where they are whatever others do.
 * Hidden   what the device has removed, under any policy. It does not come back to this device,
 *          also when somebody moves it into INBOX again; journal_restore unhides.
 * Left     a message that another device removed is readable while it lies in another mailbox, or
 *          is expunged by that removal; expunging it by other means ends that.
 * Memory   56 bytes a message, and 16 bytes a range of hidden ids while it loads.
 * Work     loading and removing go in parts of bounded size; no snapshot is held between them.
 * Threads  a view is its owner's.
 */
#ifndef STORE_DEVICE_VIEW_H
#define STORE_DEVICE_VIEW_H

#include "store/device.h"
#include "store/message.h"

enum { VIEW_MESSAGES_MAX = 1000000, VIEW_LOAD_PART = 8192, POP3_REMOVE_PART = 1000 };

struct view_message {
	email_id          email;
	uint64_t          size;          /* of the whole message, as stored */
	struct kv_blob_id blob;
	uint64_t          header_n;
	uint32_t          blob_header_n;
	uint32_t          wire_more;     /* all as in struct message */
	uint32_t          uid;           /* in INBOX; 0: it has left INBOX */
	bool              was_seen;      /* had \Seen, or has left INBOX */
	uint8_t           marks;         /* bits of the owner's; 0 at first */
};

/* What message_read needs. It reads a message of the view without any look at its record, wherever
 * it is by now; E_NOT_FOUND when it was purged meanwhile. */
static inline struct message
view_message_bytes(const struct view_message *vm)
{
	return (struct message){
		.uid = vm->uid,
		.email = vm->email,
		.blob = vm->blob,
		.size = vm->size,
		.header_n = vm->header_n,
		.blob_header_n = vm->blob_header_n,
	};
}

struct device_view {
	struct account      *a;      /* the caller's; must stay open */
	device_id            device;
	mailbox_id           inbox;
	struct view_message *m;      /* ascending by email once it is loaded */
	uint32_t             n, cap;
	/* loading */
	struct spans        *hidden;
	uint32_t             uid_at, uid_end; /* of INBOX */
	email_id             left_at;         /* of those that left it */
	bool                 left;
	bool                 resuming; /* a removal that a crash cut short */
	uint32_t             n_damaged; /* whose records cannot be read: not part of it */
};

/* device_view_done also after an error. The oldest VIEW_MESSAGES_MAX are taken. */
int  device_view_open(struct device_view *, struct account *, device_id);
/* A part; m and n are of use when *ret_done is true. */
int  device_view_load(struct device_view *, bool *ret_done);
void device_view_done(struct device_view *);

/* The record of a message of a view, wherever it is by now. Its uid is that of its mailbox, which
 * may be no longer INBOX; 0 when it is expunged. E_MESSAGE_GONE when it was purged. */
int device_view_message(struct account *, mailbox_id inbox, const struct view_message *,
    struct message *ret);
/* The same by email id alone; *ret_mailbox 0: expunged. */
int message_find(struct account *, email_id, struct message *ret, mailbox_id *ret_mailbox);

/* --- removing --- */

/* Filled in by the caller up to `mark`, the rest zero; the array stays put until it is done. */
struct pop3_removal {
	device_id                  device;
	const struct view_message *m;    /* of the view, ascending by email */
	uint32_t                   n;
	uint8_t                    mark; /* those with this bit are removed */
	uint32_t                   at;   /* where to go on */
	uint32_t                   removed_n; /* so far */
	uint64_t                   removed_bytes;
	/* store's own: the row of what is left, since when it is there, what of it is not in m */
	uint64_t                   pending;
	int64_t                    pending_ms;
	const struct spans        *rest;
};
/*
 * Removes a part, at most POP3_REMOVE_PART messages, in one commit: they are hidden from the
 * device, those in INBOX are treated by the policy in force, counts and alarm's watch are kept, the
 * log tells of it. Those that left INBOX meanwhile are hidden, too. Visible at once, durable after
 * account_barrier. A removal of several parts begins with a commit that writes down all of it
 * (store/pending.h): after a crash or an error between parts the rest is removed when the account
 * is read anew. Removing the same again is harmless.
 * A full quota refuses nothing. E_NOT_FOUND: no such device. When there is no mailbox to move
 * to and none can be made, messages stay in INBOX.
 */
int pop3_remove_part(struct account *, struct pop3_removal *, const struct actor *,
    bool *ret_done);
/* A part of what was cut short; *ret_done when there is no more. device_view_load does it first. */
int pop3_resume_part(struct account *, bool *ret_done);

#endif
