/*
 * store/store.h: the mail model: accounts, their state in this process, and who watches them.
 *
 * Account  a numeric id that is never used again. An account is one partition of kv; its version
 *          is the modseq of IMAP and the state of JMAP: every commit raises it.
 * Durable  changes are visible at once and durable when account_barrier has returned. A session
 *          calls it (or store_wait with the ticket of an append) before it sends a reply:
 *          whatever was read or done on this account rests on disk then.
 * Locks    one per account, held over read, build and commit of one change; never over a sync.
 * Threads  any.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/list.h"
#include "base/ranges.h"
#include "kv/kv.h"

struct store;
struct account; /* an open account: state shared by all sessions on it */

typedef uint64_t account_id;
typedef uint32_t mailbox_id; /* within an account, never used again; 0: none */
typedef uint64_t email_id;   /* within an account, never used again */

struct store_options {
	int64_t retention_ms;    /* expunged mail stays restorable; 0: 30 days */
	size_t  accounts_max;    /* open accounts kept in memory; 0: 10000 */
	size_t  mailboxes_max;   /* per account; 0: 10000 */
};

/* Takes the kv over (also on error). E_FORMAT_NEWER when a newer program wrote it,
 * E_FORMAT_OLDER when it was one whose data this program does not read. */
int  store_open(struct kv *, const struct store_options *, struct buf *detail, struct store **ret);
void store_drop(struct store *);
OWN_DEFINE(store)
struct kv *store_kv(struct store *);

/* Waits until all commits up to the ticket are on disk. */
int store_wait(struct store *, kv_ticket);
/* The same without a thread that waits: 1 when the waiter will be woken, see kv.h. */
int store_wait_or_wake(struct store *, kv_ticket, struct kv_waiter *);
/* Housekeeping, for a timer: purges what the retention time has passed for, collects unreferenced
 * blobs, heals a failed engine. Bounded work a call. */
int store_tend(struct store *);

/* Who does something, for the change log and the journal. Strings are borrowed for the call. */
enum actor_protocol {
	ACTOR_SYSTEM, ACTOR_SMTP, ACTOR_LMTP, ACTOR_SUBMISSION, ACTOR_IMAP, ACTOR_POP3, ACTOR_ADMIN
};
enum { ACTOR_PROTOCOLS = ACTOR_ADMIN + 1 };
struct actor {
	enum actor_protocol protocol;
	uint64_t            session; /* conn_id */
	struct str          peer;    /* address of the other end */
	struct str          login;   /* as typed, with its +tag */
	struct str          device;  /* name of the app password, else the +tag, else empty */
};

/* --- accounts --- */

struct quota {
	uint64_t storage_max; /* bytes; 0: no limit */
	uint64_t count_max;   /* messages; 0: no limit */
};
struct quota_usage {
	uint64_t storage; /* bytes of all messages that are not expunged */
	uint64_t count;
};

/* Makes the account's partition with INBOX, Drafts, Sent, Archive, Junk and Trash (special use, all
 * subscribed). E_EXISTS. The id comes from the directory. */
int  account_create(struct store *, account_id, const struct quota *, const struct actor *);
/* E_NOT_FOUND. Every open is paired with a drop. */
int  account_open(struct store *, account_id, struct account **ret);
void account_drop(struct account *);
OWN_DEFINE(account)
/* Deletes everything of it, at once. Open handles get E_NOT_FOUND from then on. */
int  account_remove(struct store *, account_id);

account_id account_number(const struct account *);
uint64_t   account_modseq(struct account *); /* of the last change; atomic load */
/* Waits until all that this process has seen of the account is on disk. E_IO and the like: the
 * session must end without sending. */
int        account_barrier(struct account *);
/* The same without a thread that waits: 1 when the waiter will be woken, see kv.h. */
int        account_barrier_or_wake(struct account *, struct kv_waiter *);
/* kv_generation at which this handle's state was read; when it is no longer the store's, a session
 * must end (see kv.h, Failure). account_barrier checks it too (E_CONFLICT). */
void       account_quota(struct account *, struct quota *ret, struct quota_usage *ret_usage);
int        account_quota_set(struct account *, const struct quota *, const struct actor *);
/* May `size` more bytes come? E_OVER_QUOTA: bigger than the whole quota; E_OVER_QUOTA_TEMP: full
 * now. */
int        account_quota_check(struct account *, uint64_t size);

/* --- watching --- */

/* notify(arg) is called after each change of the account, under the watch lock, from any thread:
 * it may only set something and poke. The struct is the caller's and stays put while registered. */
struct watch {
	struct list  link;
	void       (*notify)(void *arg);
	void        *arg;
};
void account_watch(struct account *, struct watch *);
void account_unwatch(struct account *, struct watch *); /* no call is under way after it returns */

/* --- taking turns --- */

/* Heavy work on one account is done by one at a time, in turns, so that the sessions of one account
 * do not take all job threads. Zero at first, but for go; the caller's, until it has left. */
struct account_turn {
	/* Your turn: called under a lock, it may only poke. */
	void      (*go)(struct account_turn *);
	struct list link; /* the rest is the account's */
	bool        waits;
};
/* True: it is your turn, until account_turn_leave. False: go will be called when it is. */
bool account_turn_take(struct account *, struct account_turn *);
/* Also for who only waits, or does not. */
void account_turn_leave(struct account *, struct account_turn *);

/* --- the change log --- */

enum change_kind {
	CHANGE_APPEND = 1,     /* mailbox, uids */
	CHANGE_FLAGS = 2,      /* mailbox, uids */
	CHANGE_EXPUNGE = 3,    /* mailbox, uids (also the source of a MOVE) */
	CHANGE_MAILBOX = 4,    /* mailbox: created, renamed, deleted, subscribed, uidvalidity */
	/* for store/journal.h alone */
	CHANGE_FETCHED = 5,    /* mailbox, uids (0: it is in another one) */
	CHANGE_HIDDEN = 6,     /* likewise: from the actor's device */
	CHANGE_PURGED = 7      /* no mailbox, no uids */
};
enum change_way {          /* of what came or went */
	CHANGE_PLAIN, CHANGE_BY_COPY, CHANGE_BY_MOVE, CHANGE_BY_RESTORE
};
struct change {
	uint64_t         modseq;
	enum change_kind kind;
	enum change_way  way;
	mailbox_id       mailbox;
	uint32_t         uid_lo, uid_hi; /* inclusive; 0 where there are none */
	uint32_t         n;              /* messages; 1 for CHANGE_MAILBOX */
	email_id         email;          /* of the first, the others follow on; 0: not known */
	unsigned         set, cleared;   /* system flags that all of them got or lost */
};

/* Calls fn for each change with modseq > since of a kind up to CHANGE_MAILBOX, oldest first, until
 * it returns nonzero (which is returned) or the log ends (0). mailbox 0: of all. fn does not call
 * the store. The `upto` that was covered comes back in *ret_modseq. E_NOT_FOUND when the log no
 * longer reaches back to `since`. */
int change_scan(struct account *, uint64_t since, mailbox_id,
    int (*fn)(void *arg, const struct change *), void *arg, uint64_t *ret_modseq);

#endif
