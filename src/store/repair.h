/*
 * store/repair.h: a sound store from what can be read of a damaged one.
 *
 * Way      1. kv_salvage hands out what the files hold; it goes into the new store as it is.
 *          2. Each account is made to agree with itself: counters, quota, places, references and
 *             keywords are worked out anew; what cannot be read goes.
 *          3. A message whose bytes are there and whose record is lost comes back: in its mailbox
 *             when its place is known, else in the mailbox "Recovered", with a new UID and without
 *             flags.
 * Lost     a message of which bytes are missing is removed and reported, with subject and date when
 *          they are known. Where its header is left, a message with this header and a notice takes
 *          its place, under a new UID.
 * Ids      when records may be lost, UIDNEXT, email ids, mailbox ids and modseq jump ahead, so that
 *          none is used again. A mailbox whose own record is lost gets a new UIDVALIDITY.
 * Devices  their records, hidden ids, policies and UIDLs are kept. A message that came back without
 *          its record has a new email id, so a new UIDL, and is hidden from nobody.
 * Derived  kept texts for searching are left out; they are made again.
 */
#ifndef STORE_REPAIR_H
#define STORE_REPAIR_H

#include "kv/salvage.h"
#include "store/store.h"

struct store_repair {
	void (*report)(void *arg, account_id, const char *text);
	void *arg;
	/* filled in */
	uint64_t accounts, messages; /* kept as they were */
	uint64_t recovered;          /* came back without their records */
	uint64_t lost;
	uint64_t mended;             /* other records that were made anew or dropped */
};

/* `to` is a new, empty store, which is taken over (also on error). `scratch` is a folder that does
 * not exist. */
int store_repair(const char *from, const char *scratch, struct kv *to, struct kv_files *,
    struct store_repair *);

/*
 * For a store that was put back from a backup, while clients may know later states of it: every
 * mailbox gets a new UIDVALIDITY, and email ids (POP3's UIDL), mailbox ids and modseq jump ahead.
 * The kv is taken over (also on error).
 */
int store_renew(struct kv *, struct store_repair *);

#endif
