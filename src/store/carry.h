/*
 * store/carry.h: what a message has besides bytes, flags and date, when it comes from elsewhere and
 * POP3 programs know it already: its UIDL, the devices that have removed it, and that it left the
 * Inbox by a policy. Read from an account (of a backup, say) and given to message_append of another
 * one, or of the same one later.
 *
 * Devices  are numbers of the account in question; what carry_read gives are those of its account,
 *          and the names are the caller's business (device_list, device_find).
 * Threads  a uidl_taken and a carry_reader are their owner's.
 */
#ifndef STORE_CARRY_H
#define STORE_CARRY_H

#include "store/device.h"
#include "store/uidl.h"

struct carried {
	struct str       uidl;        /* empty: one of our own */
	const device_id *hidden;      /* from these */
	size_t           n_hidden;
	enum pop3_policy left_policy; /* ARCHIVE or TRASH: it left INBOX so; else NONE. Appended to
	                               * INBOX it has come back */
	int64_t          left_ms;
	device_id        left_device; /* 0: not known any more */
};

/*
 * The UIDLs of an account, read once for many appends with a UIDL; it notices when others set some
 * meanwhile. NULL in append_options: they are read for this one.
 * Memory   some 100 bytes a UIDL of another server.
 */
struct uidl_taken;
int  uidl_taken_new(struct uidl_taken **ret);
void uidl_taken_drop(struct uidl_taken *);
OWN_DEFINE(uidl_taken)

/* --- reading --- */

/* All that is hidden and has left, in memory; the UIDLs are read one by one. */
struct carry_reader;
int  carry_reader_new(struct account *, struct carry_reader **ret);
/* Of one message; what is set in *ret is good until the next call. uidl is what POP3 shows, also
 * when it is one of our own. */
int  carry_read(struct carry_reader *, email_id, struct carried *ret);
void carry_reader_drop(struct carry_reader *);
OWN_DEFINE(carry_reader)

/* Shows the message to all devices again. */
int carry_unhide(struct account *, email_id, const struct actor *);

/* --- devices --- */

/*
 * A device as it was there: made when none has its name, as long as there is room. One that is
 * there gets what it has not: the policy, the client, and the counts of protocols by which it never
 * came. E_LIMIT: DEVICES_MAX.
 */
int device_put(struct account *, const struct device_info *, const struct actor *);

#endif
