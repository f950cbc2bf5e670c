/*
 * store/journal.h: who did what with which message, read from the change log; and undoing what a
 * device removed. The log reaches back as far as the retention time.
 */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "store/device_view.h"

enum journal_what {
	JOURNAL_DELIVERED, /* by SMTP, LMTP or submission */
	JOURNAL_APPENDED,  /* by IMAP, an import, the server itself */
	JOURNAL_COPIED,    /* came as a copy of another message */
	JOURNAL_MOVED,     /* from `from` to `mailbox` */
	JOURNAL_READ, JOURNAL_UNREAD, JOURNAL_FLAGGED, JOURNAL_UNFLAGGED,
	JOURNAL_FLAGS,     /* others: see set and cleared; none of them: keywords */
	JOURNAL_FETCHED,   /* all of it, by POP3 */
	JOURNAL_HIDDEN,    /* removed by the device, and it stayed where it was */
	JOURNAL_REMOVED,   /* expunged; restorable */
	JOURNAL_RESTORED,  /* put back into `mailbox` */
	JOURNAL_PURGED     /* gone for good */
};

struct journal_event {
	uint64_t            modseq;   /* of the commit; one commit may have many events */
	int64_t             when_ms;
	enum journal_what   what;
	email_id            email;    /* 0: the log of that time did not tell */
	mailbox_id          mailbox;  /* where it is after it; REMOVED: where it was; 0: nowhere */
	mailbox_id          from;     /* MOVED, and RESTORED by a move; else 0 */
	uint32_t            uid;      /* in `mailbox`; 0: none */
	unsigned            set, cleared; /* system flags that changed */
	enum actor_protocol protocol;
	struct str          peer, login, device; /* valid during the call */
};

/* The log is in the order of commits, and its times are those of the clock: what it stamped while
 * it was more than this ahead of the time may be missing from what is asked for `since`. */
#define JOURNAL_CLOCK_MS ((int64_t)24 * 3600 * 1000)

struct journal_query {
	email_id email;    /* of this message alone; 0: all */
	int64_t  since_ms; /* from then on; 0: all */
	uint64_t after;    /* commits behind this modseq; 0: all */
};
/* Calls fn for each event, oldest first, until it returns nonzero (which is returned) or the log
 * ends (0). fn does not call the store. To go on later, stop at an event of another modseq than the
 * one before, and give that one's as `after`. */
int journal_scan(struct account *, const struct journal_query *,
    int (*fn)(void *arg, const struct journal_event *), void *arg);

/* Notes in one commit that messages of a view were fetched whole: those at the n indexes, ascending
 * (else the log has an item for each); JOURNAL_FETCHED_PART of them is a good number. Nobody waits
 * for it: it is durable after the next store_tend. */
enum { JOURNAL_FETCHED_PART = 1000 };
int journal_fetched(struct account *, const struct view_message *, const uint32_t *which,
    uint32_t n, const struct actor *);

/* --- putting back --- */

struct journal_restore {
	int64_t    since_ms;
	bool       any_device; /* else `device` alone */
	struct str device;     /* by name */
	/* zero at first */
	uint64_t   at;         /* modseq up to which it is done */
	uint64_t   restored;   /* messages that were put back, */
	uint64_t   unhidden;   /* that a device sees again, */
	uint64_t   unread;     /* whose \Seen of the policy "read" was taken back */
};
/*
 * Puts back a part of what the device removed since then: what it expunged returns to its mailbox;
 * what POP3's policy, or anybody, moved to the trash or by POP3 to the archive, and lies there, is
 * moved back; also when it was expunged from there later. \Seen set by the policy goes; the device
 * sees it again. Email id (so UIDL), thread and flags are as before; the UID is new. A mailbox that
 * is gone is INBOX here. What a user moved elsewhere since then is left there.
 * E_OVER_QUOTA, E_OVER_QUOTA_TEMP: what was put back so far is told by *r. Doing it again
 * is harmless.
 */
int journal_restore_part(struct account *, struct journal_restore *r, const struct actor *,
    bool *ret_done);

#endif
