/*
 * proto/imap.h: an IMAP command, from bytes to a typed struct. RFC 9051 s6 and s9, RFC 3501
 *
 *   struct imap_reader r;
 *   imap_reader_init(&r, buf_view(&frame.text), arena);     frame: proto/imap_frame.h
 *   err = imap_read_head(&r, &head);                        tag and name; then the verb's row:
 *   err = row->parse(&r, &args);                            imap_parse_*, all of the rest
 *
 * Input    a complete command as imap_frame gives it, literals included; the last CRLF may lack.
 * Errors   E_SYNTAX, E_LIMIT, E_NOMEM; E_CANNOT for a mailbox name that does not decode: a tagged
 *          NO. r.what says in a few words what was wrong. *ret is written on success only.
 * Memory   arrays and decoded strings are in the arena, other strings point into the text: both
 *          must live as long as the args are used.
 * Lenient  where clients need it: several blanks between words, blanks at the end, any case, 8-bit
 *          bytes in quoted strings, raw UTF-8 mailbox names.
 * Cost     linear in the text; nesting is bounded.
 * Threads  plain value.
 * Tests    tests/unit/proto/imap_command.c and its neighbours   fuzz/imap.c
 */
#ifndef PROTO_IMAP_H
#define PROTO_IMAP_H

#include "proto/imap_fetch.h"
#include "proto/imap_search.h"

struct imap_reader {
	struct str    left;  /* not read yet */
	struct arena *arena;
	bool          utf8;  /* UTF8=ACCEPT or IMAP4rev2 is enabled: mailbox names are UTF-8 */
	const char   *what;  /* after an error: a few words */
	int           err;   /* private: the first error; nothing is read after it */
};

struct imap_head {
	struct str tag;  /* "a1" */
	struct str name; /* as sent, "fetch" */
	bool       uid;  /* "UID FETCH": name is "FETCH" */
};

enum imap_flag { /* RFC 9051 s2.3.2; a set of bits, those of store/message.h in the same order */
	IMAP_FLAG_SEEN = 1, IMAP_FLAG_ANSWERED = 2, IMAP_FLAG_FLAGGED = 4, IMAP_FLAG_DELETED = 8,
	IMAP_FLAG_DRAFT = 16,
	IMAP_FLAG_RECENT = 32 /* SEARCH and answers only: refused in STORE, passed over in APPEND */
};
enum { IMAP_KEYWORDS_MAX = 1000 }; /* in one flag list */

struct imap_strs {
	struct str *s;
	size_t      n;
};

struct imap_flags {
	unsigned         system;   /* enum imap_flag */
	struct imap_strs keywords; /* atoms, as sent; "$Junk" */
};

enum imap_status_item { /* RFC 9051 s6.3.11, RFC 7162, RFC 8438; a set of bits */
	IMAP_STATUS_MESSAGES = 1, IMAP_STATUS_RECENT = 2, IMAP_STATUS_UIDNEXT = 4,
	IMAP_STATUS_UIDVALIDITY = 8, IMAP_STATUS_UNSEEN = 16, IMAP_STATUS_DELETED = 32,
	IMAP_STATUS_SIZE = 64, IMAP_STATUS_HIGHESTMODSEQ = 128
};

enum imap_list_option { /* RFC 9051 s6.3.9, RFC 6154 s5.3; a set of bits */
	IMAP_LIST_SUBSCRIBED = 1, IMAP_LIST_REMOTE = 2, IMAP_LIST_RECURSIVEMATCH = 4,
	IMAP_LIST_SPECIAL_USE = 8, IMAP_LIST_CHILDREN = 16, IMAP_LIST_STATUS = 32
};

/* Mailbox names are UTF-8: decoded from modified UTF-7 where utf8 is off. INBOX is as sent: the
 * store knows its case rule. */
struct imap_args {
	union {
		struct str       mailbox;  /* DELETE SUBSCRIBE UNSUBSCRIBE */
		struct imap_set  set;      /* UID EXPUNGE */
		struct imap_strs words;    /* ENABLE: upper case is not enforced */
		struct imap_fetch  fetch;
		struct imap_search search;
		struct { struct str user, password; } login;
		struct {
			struct str mechanism;
			bool       has_initial;
			struct str initial; /* base64; "=" came: empty. RFC 4959 */
		} authenticate;
		struct { struct str mailbox; bool condstore; } select; /* EXAMINE too */
		struct {
			struct str       mailbox;
			struct imap_strs use; /* "\Drafts", RFC 6154 s3 */
		} create;
		struct { struct str from, to; } rename;
		struct {
			unsigned         select;  /* enum imap_list_option before the reference */
			unsigned         returns; /* after RETURN */
			unsigned         status;  /* with IMAP_LIST_STATUS: enum imap_status_item */
			bool             extended; /* any of RFC 5258's syntax was used */
			struct str       reference;
			struct imap_strs patterns; /* UTF-8, for imap_match.h */
		} list; /* LSUB too: one pattern, no options */
		struct {
			struct str mailbox;
			unsigned   items; /* enum imap_status_item */
		} status;
		struct imap_append {
			struct str        mailbox;   /* of imap_parse_append only */
			bool              last;      /* imap_parse_append_next: no more messages */
			struct imap_flags flags;
			bool              has_date;
			int64_t           date_ms;   /* since 1970 UTC */
			int16_t           zone_min;
			bool              binary;    /* ~{n} or UTF8 (~{n} */
			bool              utf8;      /* UTF8 (~{n}...), RFC 6855 s4 */
		} append;
		struct {
			struct imap_set   set;
			enum { IMAP_STORE_REPLACE, IMAP_STORE_ADD, IMAP_STORE_REMOVE } op;
			bool              silent;
			struct imap_flags flags;
			bool              has_unchanged_since; /* RFC 7162 s3.1.3 */
			uint64_t          unchanged_since;
		} store;
		struct {
			struct imap_set set;
			struct str      mailbox;
		} copy; /* MOVE too */
		struct {
			struct imap_strs names;  /* none for NIL */
			struct imap_strs values; /* p == NULL for NIL */
		} id;
	};
};

void imap_reader_init(struct imap_reader *, struct str text, struct arena *);
/* Tag and name. On error head->tag is set all the same when the tag was good (else empty). */
int  imap_read_head(struct imap_reader *, struct imap_head *ret);
/* The tag of a command that was cut off or is bad; empty when there is none: answer "* BAD". */
struct str imap_tag_of(struct str text);

typedef int imap_parse_fn(struct imap_reader *, struct imap_args *ret);
/* CAPABILITY NOOP LOGOUT STARTTLS CHECK CLOSE UNSELECT EXPUNGE IDLE NAMESPACE */
imap_parse_fn imap_parse_none;
imap_parse_fn imap_parse_id, imap_parse_enable, imap_parse_login, imap_parse_authenticate;
imap_parse_fn imap_parse_mailbox, imap_parse_select, imap_parse_create, imap_parse_rename;
imap_parse_fn imap_parse_list, imap_parse_lsub, imap_parse_status;
/* Up to and with the "{n}" of the message: for IMAP_FRAME_MESSAGE. */
imap_parse_fn imap_parse_append;
/* What follows a message literal: the end, or flags, date and "{n}" of the next (RFC 3502). */
imap_parse_fn imap_parse_append_next;
imap_parse_fn imap_parse_search, imap_parse_fetch, imap_parse_store, imap_parse_copy;
imap_parse_fn imap_parse_uid_expunge;

#endif
