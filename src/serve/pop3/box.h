/*
 * serve/pop3/box.h: INBOX as one POP3 session sees it: the messages of one moment, which of them
 * are marked as deleted, and which were fetched.
 *
 * Shape    message number i is e[i - 1]; ascending by UID. Numbers stay as they are.
 * Lock     none: other sessions go on. What they expunge meanwhile is E_MESSAGE_GONE here.
 * Memory   56 bytes a message; at most POP3_MESSAGES_MAX, the oldest ones.
 * Work     loading and updating go in parts of bounded size.
 * Threads  the session's.
 */
#ifndef SERVE_POP3_BOX_H
#define SERVE_POP3_BOX_H

#include "store/message.h"

enum { POP3_MESSAGES_MAX = 1000000, POP3_LOAD_PART = 8192 };

struct pop3_entry {
	email_id          email;
	uint64_t          size;
	struct kv_blob_id blob;
	uint64_t          header_n;
	uint32_t          blob_header_n; /* all as in struct message */
	uint32_t          uid;
	bool              deleted;
	bool              fetched;  /* all of it was sent: it becomes \Seen */
	bool              was_seen; /* it was so at the beginning */
};

struct pop3_box {
	struct account    *account; /* NULL: not open */
	mailbox_id         inbox;
	uint64_t           modseq;    /* of the account, when it was known what is there */
	bool               looked;    /* once more since the loading, */
	struct ranges      present;   /* and this was there */
	struct pop3_entry *e;
	uint32_t           n, cap;
	uint32_t           n_left;    /* not marked as deleted */
	uint64_t           size_left;
	/* loading */
	uint32_t           uid_at;    /* where to go on */
	uint32_t           uid_end;   /* later messages are not part of it */
	uint32_t           n_damaged; /* whose records cannot be read: not part of it either */
	/* updating */
	bool               begun;
	struct ranges      gone;      /* to expunge, */
	uint32_t           gone_at;   /* from here on; 0: done */
	struct ranges      seen;
	uint32_t           seen_at;
};

/* Takes the account over, also on error. Then pop3_box_load until it is done. */
int  pop3_box_open(struct pop3_box *, struct account *);
int  pop3_box_load(struct pop3_box *, bool *ret_done);
void pop3_box_done(struct pop3_box *);

/* E_NOT_FOUND when there is no such number, or it is marked as deleted. Valid until done. */
int  pop3_box_find(struct pop3_box *, uint32_t number, struct pop3_entry **ret);
/* What message_read needs, without a look at the store unless something was changed there:
 * E_MESSAGE_GONE when somebody else has expunged it. */
int  pop3_box_message(struct pop3_box *, const struct pop3_entry *, struct message *ret);
void pop3_box_delete(struct pop3_box *, struct pop3_entry *);
void pop3_box_reset(struct pop3_box *);

/* Expunges what is marked (restorable, as everywhere), then sets \Seen on the rest that was
 * fetched; a part at each call. Both are visible at once, and durable after account_barrier. */
int  pop3_box_update(struct pop3_box *, const struct actor *, bool *ret_done);

#endif
