/*
 * store/kept.h: what never changes of messages that were read lately, in memory: the record but for
 * flags and modseq, and the facts. With the flags of the index (store/index.h) it answers the FETCH
 * of what a client shows first without the engine. Internal to store/.
 *
 * Shape    the table of kv/parts.h, by the account's load, the mailbox and the UID.
 * Stale    none: as long as an account stays loaded, a UID is never another message's. After each
 *          reading of an account (`load`) all is looked for anew; what nobody finds any more is the
 *          first to go. Whether a message is still there the index knows.
 * Limits   KEPT_BYTES for all accounts together.
 * Cost     0.1 us to find one; two reads through the engine are 8 us.
 * Threads  all of it from any thread, also under an account's lock.
 */
#ifndef STORE_KEPT_H
#define STORE_KEPT_H

#include "kv/parts.h"
#include "store/message.h"

enum { KEPT_BYTES = 32 << 20 };

struct kept_at {
	uint64_t   load;
	mailbox_id mailbox;
	uint32_t   uid;
};

/* The message without flags and modseq, and its facts_record; the part is held for as long as
 * *ret_facts (may be NULL) is used. NULL when it is not here. */
struct part *kept_get(struct parts *, const struct kept_at *, struct message *ret,
             struct str *ret_facts);
void         kept_put(struct parts *, const struct kept_at *, const struct message *,
             struct str facts);

#endif
