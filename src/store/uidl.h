/*
 * store/uidl.h: UIDLs (RFC 1939 s7) that were moved in from another server. A message without one
 * has the UIDL that POP3 makes from account number and email id.
 *
 * Belongs  to the email id: MOVE and restore keep it, a COPY has none, a purge ends it.
 * Limits   1..70 bytes 0x21..0x7e; unique within the account, also beside those that POP3 makes
 *          (16 hex digits of the account, 16 of the email id): one of these is free when its
 *          message was purged, so that it can be put back from a backup with its UIDL.
 * Threads  set: any. A reader is its owner's.
 */
#ifndef STORE_UIDL_H
#define STORE_UIDL_H

#include "base/buf.h"
#include "store/message.h"

enum { UIDL_MAX = 70, UIDL_OWN_LEN = 32 };

/* Has it a UIDL's length and bytes? */
bool uidl_is_valid(struct str);

struct uidl {
	email_id   email;
	struct str text;
};

/*
 * Sets UIDLs; any number, best all of an account at once (each call reads those that are there).
 * Checked before the first is set: E_SYNTAX, E_EXISTS (another message, or another entry, has it),
 * E_NOT_FOUND (no such message); *ret_bad is the index of the entry. An entry of an email that
 * has one replaces it. Long lists take several commits: cut off in between, do it again.
 */
int uidl_set(struct account *, const struct uidl *, size_t n, const struct actor *,
    size_t *ret_bad);

/* One message's, appended to *to. E_NOT_FOUND. */
int uidl_get(struct account *, email_id, struct buf *to);
/* All, ascending by email; fn does not call the store. Nonzero stops and is returned. */
int uidl_scan(struct account *, int (*fn)(void *arg, const struct uidl *), void *arg);

/* Reading in the order of a view: a few hundred at once, no snapshot in between. Zero at first. */
struct uidl_reader {
	struct buf hold; /* rows that were read, */
	size_t     pos;  /* those from here on are not used yet */
	email_id   end;  /* all rows below it were read */
};
/* The UIDL of an email, ascending from call to call: 1 (valid until the next call), 0 when it has
 * none, or an error. */
int  uidl_read(struct uidl_reader *, struct account *, email_id, struct str *ret);
void uidl_reader_done(struct uidl_reader *);

#endif
