/*
 * store/state.h: what the process keeps of an open account. Internal to store/.
 *
 * Shape    one struct account for each open account, shared by all handles. Its records, mailboxes
 *          and subscriptions are a copy of what kv has; a commit changes kv first, then them.
 * Locks    LOCK_ACCOUNT guards everything without a remark. LOCK_STORE_TABLE guards `refs`,
 *          `linked`, `idle`, `keeping` and `kept`. LOCK_STORE_WATCH guards the watchers.
 * Stale    once the engine was reopened (kv_generation) an account is of no use any more: its calls
 *          give E_CONFLICT, the table forgets it, and a new open reads everything again.
 */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include <stdatomic.h>

#include "base/lock.h"
#include "base/map.h"
#include "store/index.h"
#include "store/recent.h"
#include "store/records.h"

enum {
	EXPUNGED_KEEP_DAYS = 30,
	ACCOUNTS_MAX = 10000,
	MAILBOXES_MAX = 10000,
	/* After a reopening the first commit skips so many versions: a commit that an account of
	 * the time before was about to make can no longer match. */
	MODSEQ_GAP = 1 << 20
};

struct store {
	struct kv           *kv;
	struct store_options options;
	uint64_t             first_generation;
	int64_t              opened_ms; /* clock_real_ms */
	struct lock          table_lock;
	struct map           accounts; /* by id (8 bytes) */
	struct list          idle;     /* accounts without handles, the longest idle first */
	struct list          keeping;  /* those of them with indexes, likewise */
	size_t               kept;     /* bytes of these indexes */
	_Atomic kv_ticket    lazy;     /* of the last commit that nobody waits for; 0: durable */
	struct parts        *messages; /* kept.h */
	_Atomic uint64_t     loads;    /* of accounts, so far */
	atomic_bool          tending;  /* one store_tend at a time; the rest is its own */
	account_id           tend_at;
};

struct mailbox {
	mailbox_id            id;
	struct mailbox_record rec; /* its name is in `name` */
	char                 *name;
	struct index          index;
};

struct account {
	struct store *store;
	account_id    id;
	uint64_t      generation;
	unsigned      refs;
	bool          linked; /* in the table */
	struct list   idle, keeping;
	size_t        kept;

	struct lock           lock;
	bool                  loaded;
	uint64_t              load;    /* which one of the store it was */
	uint64_t              load_modseq; /* of the last commit then */
	atomic_bool           removed;
	struct account_record rec;
	struct mailbox      **boxes; /* ascending by id */
	size_t                n_boxes, cap_boxes;
	struct map            by_name; /* those that are not dying */
	struct map            subscriptions;
	struct str           *keywords; /* room for KEYWORD_MAX; names are only added */
	atomic_uint           n_keywords;
	_Atomic uint64_t      modseq;
	uint64_t              gap;    /* versions that the next commit skips */
	_Atomic uint64_t      ticket; /* the last commit that somebody may wait for */
	struct recent        *recent; /* NULL: nobody read its log */
	struct ledger        *ledger; /* NULL: nobody asked for its devices */
	_Atomic int64_t       unsaved_ms; /* since when there is something to save in it; 0: none */
	unsigned char         rare[3]; /* ledger.c */
	uint64_t              uidl_stamp; /* changes with its UIDLs; carry.c */

	struct lock watch_lock;
	struct list watchers;

	/* Under the watch lock, too. */
	struct account_turn *turn; /* whose it is, or NULL */
	struct list          turns; /* who waits */
};

struct kv_part account_part(const struct account *);

/* With the lock held: is the account usable? Reads it from kv if need be. E_NOT_FOUND (removed or
 * never there), E_CONFLICT (stale). Every call begins with it. */
int account_ready(struct account *);
/* Without the lock: removed or stale? */
int account_alive(const struct account *);
/* Forgets what is in memory; account_ready reads it again. */
void account_forget(struct account *);
/* Reads records, mailboxes, subscriptions and keywords; with the lock held. */
int account_load(struct account *);

/* NULL when there is none (ids that were read in an older view). */
struct mailbox *account_box_any(const struct account *, mailbox_id);
/* The same, or E_NO_MAILBOX, also for dying ones and levels without messages. */
int account_box(const struct account *, mailbox_id, struct mailbox **ret);
struct mailbox *account_box_named(const struct account *, struct str name);

/* Makes room in the list and the map, and puts the mailbox into both. */
int  account_box_add(struct account *, struct mailbox *);
void account_box_remove(struct account *, struct mailbox *); /* and frees it */
int  mailbox_new(mailbox_id, const struct mailbox_record *, struct mailbox **ret);
void mailbox_free(struct mailbox *);

/* Calls the watchers; of all accounts: after a reopening their sessions must end. */
void account_notify(struct account *);
void store_notify_all(struct store *);

/* May n more messages of `size` bytes in all come? As account_quota_check, with the lock held. */
int account_room(const struct account *, uint64_t size, uint64_t n);
/* Adds a keyword to the table in memory. */
int account_keyword_add(struct account *, unsigned number, struct str name);

/* As message_get, in a call that has begun already; of the facts the whole record. */
int message_fetch(struct account *, mailbox_id, uint32_t uid, struct message *ret);
int message_fetch_facts(struct account *, mailbox_id, uint32_t uid, struct buf *to);
/* Takes out what no message can have. */
void flags_clip(const struct account *, struct flags *);

/* The account with one more reference, perhaps not read yet; NULL without memory. */
struct account *table_take(struct store *, account_id);
/* Deletes a part of what a removed account left; *ret_done when nothing is left. */
int account_remove_part(struct store *, account_id, bool *ret_done);

/* The usual beginning of a call: takes the lock until the end of the scope. */
#define ACCOUNT_SCOPE(a) LOCK_SCOPE(&(a)->lock)

#endif
