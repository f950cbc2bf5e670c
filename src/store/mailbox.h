/*
 * store/mailbox.h: the mailboxes of an account.
 *
 * Names    UTF-8, levels separated by '/', no empty level, no control bytes, at most
 *          MAILBOX_NAME_MAX bytes and MAILBOX_DEPTH_MAX levels. "INBOX" in any case is the inbox,
 *          also as the first level ("inbox/x" is "INBOX/x"). Else names are compared byte by byte.
 * Errors   E_NO_MAILBOX, E_EXISTS, E_CANNOT (bad name, INBOX deletion), E_HAS_CHILDREN, E_LIMIT,
 *          and those of the storage.
 * Source   RFC 9051 s6.3, RFC 3501 s6.3, RFC 6154 (special use)
 */
#ifndef STORE_MAILBOX_H
#define STORE_MAILBOX_H

#include "store/store.h"

enum { MAILBOX_NAME_MAX = 1000, MAILBOX_DEPTH_MAX = 32 };
#define MAILBOX_SEPARATOR '/'

enum special_use { /* RFC 6154 s2; a set of bits */
	USE_ALL = 1, USE_ARCHIVE = 2, USE_DRAFTS = 4, USE_FLAGGED = 8, USE_JUNK = 16, USE_SENT = 32,
	USE_TRASH = 64, USE_IMPORTANT = 128
};

struct mailbox_info {
	mailbox_id id;           /* 0: the name is only subscribed, the mailbox is gone */
	struct str name;
	uint32_t   uidvalidity;
	unsigned   special_use;
	bool       subscribed;
	bool       no_select;    /* deleted while it had children: a level without messages */
	bool       has_children;
};

struct mailbox_status {
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint32_t messages;
	uint32_t unseen;         /* how many */
	uint32_t deleted;        /* how many with \Deleted */
	uint32_t recent;         /* how many no session was told of yet */
	uint32_t first_unseen;   /* UID, 0: none; only mailbox_view fills it in */
	uint32_t damaged;        /* whose records cannot be read; only mailbox_view fills it in */
	uint64_t size;           /* bytes, STATUS=SIZE */
	uint64_t highest_modseq; /* of changes in this mailbox */
};

/* All, sorted by name with INBOX first; in the arena. */
int mailbox_list(struct account *, struct arena *, struct mailbox_info **ret, size_t *ret_n);
/* E_NO_MAILBOX also for a no_select one. */
int mailbox_find(struct account *, struct str name, mailbox_id *ret);
int mailbox_find_use(struct account *, enum special_use, mailbox_id *ret);
/* Missing parents are created too. Creating a no_select name makes it a mailbox again. */
int mailbox_create(struct account *, struct str name, unsigned special_use, const struct actor *,
    mailbox_id *ret);
/* With all children. Renaming INBOX moves its messages and leaves INBOX empty (RFC 9051 s6.3.6). */
int mailbox_rename(struct account *, struct str from, struct str to, const struct actor *);
/* Its messages become restorable. With children it stays as no_select; no_select with children:
 * E_HAS_CHILDREN. The subscription goes too. */
int mailbox_delete(struct account *, struct str name, const struct actor *);
int mailbox_subscribe(struct account *, struct str name, bool on, const struct actor *);
int mailbox_status(struct account *, mailbox_id, struct mailbox_status *ret);

/* Opens a view: the UIDs and the state at one moment. *uids is the caller's (ranges_done).
 * read_write claims the recent messages for this session: in it, UIDs >= *ret_recent_from are
 * recent. */
int mailbox_view(struct account *, mailbox_id, bool read_write, struct mailbox_status *ret,
    struct ranges *ret_uids, uint32_t *ret_recent_from, uint64_t *ret_modseq);

#endif
