/*
 * store/edit.h: one commit of an account while it is built. Internal to store/.
 *
 *   edit_begin(&e, a, actor);            with the account's lock held
 *   slot = edit_box(&e, box);            the mailboxes whose messages change, at most EDIT_BOXES
 *   e.rec..., slot->rec...               the records as they shall be
 *   edit_message_...(&e, ...)            messages that come, change and go
 *   r = edit_commit(&e, EDIT_DURABLE);   kv_commit, then the state in memory, then the watchers
 *   edit_done(&e);                       OWN_EDIT does it at the end of the scope
 *
 * Errors   building latches the first error; edit_commit gives it. A failed commit leaves the
 *          account as it was.
 * Counters edit_message_* alone change the counters of mailboxes and the use of the quota.
 */
#ifndef STORE_EDIT_H
#define STORE_EDIT_H

#include "store/state.h"

enum {
	EDIT_BOXES = 2,
	EDIT_MESSAGES = 1000,    /* of a commit that does a part of a long change */
	EDIT_BYTES = 4 << 20,    /* likewise */
	ACTOR_STRING_MAX = 255   /* of peer and login; what is longer is cut */
};

struct edit_box {
	struct mailbox       *box;
	struct mailbox_record rec;
	struct index_delta    delta;
};

struct edit {
	struct account       *a;
	const struct actor   *actor;
	int64_t               now_ms;
	uint64_t              modseq; /* of this commit */
	struct account_record rec;
	struct edit_box       boxes[EDIT_BOXES];
	size_t                n_boxes;
	struct kv_batch       batch;
	struct buf            value; /* scratch of one record */
	struct buf            log;   /* items of the log entry */
	struct change         last[EDIT_BOXES]; /* of the log, not put yet; kind 0: none */
	enum change_way       way;   /* how messages of this commit come and go */
	int                   err;
	kv_ticket             ticket; /* after edit_commit */
};

extern const struct actor ACTOR_NOBODY; /* the store itself */

enum edit_wait {
	EDIT_DURABLE, /* account_barrier waits for it */
	EDIT_LAZY     /* nobody does; store_tend sees to it */
};

void edit_begin(struct edit *, struct account *, const struct actor *);
void edit_done(struct edit *);
int  edit_commit(struct edit *, enum edit_wait);
#define OWN_EDIT __attribute__((cleanup(edit_done)))

/* The slot of a mailbox whose messages change; the same one when it is there already. */
struct edit_box *edit_box(struct edit *, struct mailbox *);
void             edit_fail(struct edit *, int err);
/* Has the commit grown to the size of a part? */
bool             edit_is_full(const struct edit *);

/* A UIDVALIDITY that the account never had: the time, or the one after the last. */
uint32_t edit_uidvalidity(struct edit *);

/* Puts e->value under the key; edit_value empties it first. */
struct buf *edit_value(struct edit *);
void        edit_put(struct edit *, const struct key *);
void        edit_del(struct edit *, const struct key *);
void        edit_put_mailbox(struct edit *, mailbox_id, const struct mailbox_record *);

/* Messages that follow on by UID and email id become one item, also when changes of two kinds take
 * turns. modseq and uid_hi are not looked at; n is 1. */
void edit_log(struct edit *, const struct change *);
void edit_log_mailbox(struct edit *, mailbox_id);

/*
 * A message comes: it gets the next UID and the modseq, its record, facts and place are put, and it
 * is counted and logged. m->uid and m->modseq are set. `facts` is a facts_record.
 */
void edit_message_add(struct edit *, struct edit_box *, struct message *m, struct str facts);
/* Its flags become *flags. */
void edit_message_flags(
    struct edit *, struct edit_box *, struct message *m, const struct flags *flags);
/* It goes from this mailbox: record and facts are deleted; its place is the caller's business. */
void edit_message_remove(struct edit *, struct edit_box *, const struct message *m);
/* It moves to another mailbox of the account, where it gets a new UID. */
int  edit_message_move(struct edit *, struct edit_box *from, struct edit_box *to,
     struct message *m);
/* The quota's use. */
void edit_use_more(struct edit *, const struct message *m);
void edit_use_less(struct edit *, const struct message *m);

#endif
