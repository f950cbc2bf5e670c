/*
 * store/verify.h: does what is kept of the accounts agree with itself? Counters, UIDs, quota,
 * places, threads, references of blobs are worked out anew from the messages; each difference is
 * reported. It changes nothing.
 *
 * Checked  every value can be read; counters of mailboxes and quota; UIDs below UIDNEXT, modseqs
 *          not above those of mailbox and account; names and their parents; place and message
 *          point at each other; expunged records and their places; keywords; change log; what is in
 *          memory is what is in kv; blobs are there and have as many references as messages.
 * Cost     reads all records of an account with its lock held; references are counted in memory,
 *          about 100 bytes a message.
 * Threads  any; with more than one account at work, references are checked account by account only.
 */
#ifndef STORE_VERIFY_H
#define STORE_VERIFY_H

#include "store/store.h"

struct verify {
	void (*report)(void *arg, account_id, const char *text); /* may be NULL */
	void *arg;
	bool  read_blobs; /* also the bytes of every message */
};

/* The number of differences comes back; an error means that the check itself could not be done. */
int store_verify_account(struct store *, account_id, const struct verify *, size_t *ret_faults);
/* All accounts, and that no blob has a reference too many. The store must be at rest. */
int store_verify(struct store *, const struct verify *, size_t *ret_faults);

#endif
