/*
 * store/thread.h: which thread a message belongs to. Internal to store/.
 *
 * Rule     the thread of the first message that is known among those of In-Reply-To, References
 *          (the last MSGID_REFS_MAX, nearest first) and the own Message-ID; else a new thread,
 *          whose id is the email id. RFC 5322 s3.6.4
 */
#ifndef STORE_THREAD_H
#define STORE_THREAD_H

#include "store/edit.h"

enum { MSGID_REFS_MAX = 10 };

struct message_links {
	bool              has_own;
	struct msgid_hash own;
	struct msgid_hash refs[MSGID_REFS_MAX]; /* in the order of the search */
	size_t            n_refs;
};

struct message_summary;
void message_links_read(const struct message_summary *, struct message_links *ret);
/* The thread of a message that is about to come, and its own entry put into the commit. */
int  thread_join(struct edit *, const struct message_links *, email_id, uint64_t *ret);
/* A message with that Message-ID comes again as `email` (a copy), or goes for ever. */
void thread_keep(struct edit *, const struct msgid_hash *, uint64_t thread, email_id);
void thread_leave(struct edit *, const struct msgid_hash *, email_id);

#endif
