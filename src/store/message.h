/*
 * store/message.h: messages: taking them in, reading them, changing and removing them.
 *
 * A message is in exactly one mailbox. A COPY is a new message (new email id) on the same blob; a
 * MOVE keeps email id and thread id. UIDs grow strictly and are never used again.
 */
#ifndef STORE_MESSAGE_H
#define STORE_MESSAGE_H

#include "store/mailbox.h"

enum message_flag { /* RFC 9051 s2.3.2; a set of bits */
	FLAG_SEEN = 1, FLAG_ANSWERED = 2, FLAG_FLAGGED = 4, FLAG_DELETED = 8, FLAG_DRAFT = 16,
	FLAG_SYSTEM_ALL = 31
};

/* Keywords are numbers in a table of the account, at most KEYWORD_MAX; compared without case, kept
 * as first written, never removed. */
enum { KEYWORD_MAX = 256, KEYWORD_NAME_MAX = 255 };
struct flags {
	unsigned system;
	uint64_t keywords[KEYWORD_MAX / 64];
};

/* The number of a keyword; with `create` a new one is added. E_NOT_FOUND, E_LIMIT (table full),
 * E_SYNTAX (not an IMAP atom). */
int        keyword_number(struct account *, struct str name, bool create, const struct actor *,
           unsigned *ret);
/* Number of keywords in use; their names, valid as long as the account is open. */
unsigned   keyword_count(struct account *);
struct str keyword_name(struct account *, unsigned number);

struct message {
	uint32_t          uid;
	uint64_t          modseq;      /* of its last change */
	struct flags      flags;
	int64_t           internal_ms; /* INTERNALDATE, real time */
	int16_t           internal_zone_min; /* as given by APPEND, to be shown so */
	int64_t           save_ms;     /* when it came into this mailbox, RFC 8514 */
	email_id          email;
	uint64_t          thread;
	struct kv_blob_id blob;
	uint64_t          size;        /* of the whole message */
	uint64_t          header_n;    /* bytes of the header section; the body begins there */
	uint32_t          blob_header_n; /* kept as the blob's header: for message_read alone */
	uint32_t          wire_more;   /* bytes that it has more as whole lines with CRLF */
};

/* What was found out at delivery; slices point into the iterator or the buf that was given. */
struct message_facts {
	struct str envelope;       /* IMAP wire bytes, see mime/message.h */
	struct str body;
	struct str body_structure;
	struct str parts;          /* message_parts_unpack */
	struct str fields;         /* store/fields.h; may be empty */
};

/* --- reading --- */

/* E_MESSAGE_GONE when it is not there, both. */
int message_get(struct account *, mailbox_id, uint32_t uid, struct message *ret);
int message_get_facts(struct account *, mailbox_id, uint32_t uid, struct buf *hold,
    struct message_facts *ret);

/* What a scan reads. Of messages without their record, uid is set, and flags if asked for. */
enum message_parts {
	SCAN_RECORDS,
	SCAN_RECORDS_FACTS,
	SCAN_FLAGS,        /* from memory */
	SCAN_FACTS,
	SCAN_FLAGS_FACTS,
	SCAN_KEPT,         /* as SCAN_RECORDS, but modseq may be 0: then from memory */
	SCAN_KEPT_FACTS
};

/* Ascending by UID over [lo, hi]. Holds a snapshot: drop it before anything is sent, and go on with
 * a new one from the next UID. A long scan of flags goes through several moments. */
struct message_iter;
int  message_scan(struct account *, mailbox_id, uint32_t lo, uint32_t hi, enum message_parts,
     struct message_iter **ret);
/* 1 and the message (facts only if asked for; ret_facts may be NULL), 0 at the end, or an error.
 * E_CORRUPT: the message ret->uid cannot be read; the next call goes on behind it. */
int  message_iter_next(struct message_iter *, struct message *ret, struct message_facts *ret_facts);
void message_iter_drop(struct message_iter *);
OWN_DEFINE(message_iter)

/* Appends bytes [off, off+n) of the message (header and body) to *to; short at its end. */
int message_read(struct account *, const struct message *, uint64_t off, size_t n, struct buf *to);

/* --- taking in --- */

/* A message on its way in: parsed and written to its blob while it comes, in bounded memory. */
struct ingest;
/* size_max: E_TOO_BIG beyond it. */
int  ingest_new(struct store *, uint64_t size_max, struct ingest **ret);
int  ingest_write(struct ingest *, struct str bytes); /* an error is latched */
int  ingest_end(struct ingest *);                     /* no more bytes; then append it */
uint64_t ingest_size(const struct ingest *);
void ingest_drop(struct ingest *); /* what no message refers to is garbage */
OWN_DEFINE(ingest)

struct append_options {
	struct flags flags;
	int64_t      internal_ms;       /* 0: now */
	int16_t      internal_zone_min;
	bool         ignore_quota;
	const struct carried *carried; /* what POP3 programs know of it, or NULL: store/carry.h */
	struct uidl_taken    *taken;   /* for many with a UIDL, or NULL */
};
struct appended {
	uint32_t  uid;
	uint32_t  uidvalidity;
	email_id  email;
	uint64_t  modseq;
	kv_ticket ticket; /* store_wait before the sender is told */
	int       uidl_err; /* it is there, without its UIDL: E_SYNTAX, E_EXISTS (another has it) */
};
/* May be called for many mailboxes and accounts with one ingest: they share its blob. */
int message_append(struct account *, mailbox_id, struct ingest *, const struct append_options *,
    const struct actor *, struct appended *ret);

/* --- changing; each call does a bounded part --- */

/* uids: those of the set that are gone are passed over. `from` is where to begin (0 at first);
 * *ret_next is where to go on, 0 when all is done. */
enum flag_op { FLAGS_REPLACE, FLAGS_ADD, FLAGS_REMOVE };
struct flag_change {
	enum flag_op op;
	struct flags flags;
	/* CONDSTORE, RFC 7162 s3.1.3: later ones are left alone. */
	bool           has_unchanged_since;
	uint64_t       unchanged_since;
	struct ranges *modified; /* gets the UIDs that failed the condition; may be NULL */
};
/* *changed (may be NULL) gets the UIDs whose flags are different now. The last part gives E_CORRUPT
 * when some of the set cannot be read: all others were changed. */
int message_change_flags(struct account *, mailbox_id, const struct ranges *uids, uint32_t from,
    const struct flag_change *, const struct actor *, struct ranges *changed, uint32_t *ret_next);

/* COPYUID: the i-th number of `from` became the i-th of `to`. Empty sets at first; they grow. */
struct copied {
	struct ranges from;
	struct ranges to;
	uint32_t      uidvalidity; /* of the destination */
};
/* All or nothing (RFC 9051 s6.4.7). Copies keep flags and internal date. */
int message_copy(struct account *, mailbox_id from, const struct ranges *uids, mailbox_id to,
    const struct actor *, struct copied *ret);
int message_move(struct account *, mailbox_id from, const struct ranges *uids, uint32_t at,
    mailbox_id to, const struct actor *, struct copied *ret, uint32_t *ret_next);

/* Expunges those of the set (NULL: all) that have \Deleted, or all of it with `any`. They stay
 * restorable. *removed may be NULL. */
int message_expunge(struct account *, mailbox_id, const struct ranges *uids, bool any,
    uint32_t from, const struct actor *, struct ranges *removed, uint32_t *ret_next);

/* --- what was expunged --- */

struct expunged {
	struct message      message; /* as it was */
	mailbox_id          mailbox; /* where it was */
	int64_t             when_ms;
	enum actor_protocol protocol;
	struct str          peer, login; /* valid during the call */
};
int expunged_scan(struct account *, int (*fn)(void *arg, const struct expunged *), void *arg);
/* Puts it back with its email id, date and flags (but \Deleted), under a new UID. E_NOT_FOUND,
 * E_OVER_QUOTA. */
int expunged_restore(struct account *, email_id, mailbox_id to, const struct actor *,
    struct appended *ret);

#endif
