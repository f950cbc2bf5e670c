/*
 * proto/imap_search.h: what SEARCH asks for, as a tree. RFC 9051 s6.4.4, RFC 3501 s6.4.4
 *
 * Shape    a key is a test or a list of keys that must all (IMAP_KEY_AND) or of which one
 *          (IMAP_KEY_OR) must hold; `negate` turns it round. UNSEEN is SEEN negated, NEW is the
 *          list (RECENT UNSEEN), FROM is HEADER with that name: fewer kinds than words.
 * Limits   IMAP_SEARCH_DEPTH_MAX, IMAP_SEARCH_KEYS_MAX.
 * Memory   the reader's arena; strings may point into the command text.
 */
#ifndef PROTO_IMAP_SEARCH_H
#define PROTO_IMAP_SEARCH_H

#include "proto/imap_set.h"

enum { IMAP_SEARCH_DEPTH_MAX = 100, IMAP_SEARCH_KEYS_MAX = 2000 };

enum imap_key_kind {
	IMAP_KEY_AND,      /* list; ALL is an empty one */
	IMAP_KEY_OR,       /* list of two or more */
	IMAP_KEY_SEQ,      /* set, message numbers */
	IMAP_KEY_UID,      /* set */
	IMAP_KEY_FLAG,     /* flag: one of enum imap_flag, IMAP_FLAG_RECENT too */
	IMAP_KEY_KEYWORD,  /* text */
	IMAP_KEY_DATE,     /* date, order, day */
	IMAP_KEY_LARGER,   /* number: more bytes than this */
	IMAP_KEY_SMALLER,
	IMAP_KEY_MODSEQ,   /* number: at least this, RFC 7162 s3.1.5 */
	IMAP_KEY_HEADER,   /* name, text; an empty text: the field is there */
	IMAP_KEY_BODY,     /* text */
	IMAP_KEY_TEXT      /* text: header or body */
};

enum imap_key_date {
	IMAP_DATE_INTERNAL, /* BEFORE ON SINCE */
	IMAP_DATE_SENT      /* SENTBEFORE SENTON SENTSINCE: the Date field */
};
enum imap_key_order { IMAP_DATE_BEFORE, IMAP_DATE_ON, IMAP_DATE_SINCE };

struct imap_key {
	enum imap_key_kind  kind;
	bool                negate;
	struct imap_key    *next; /* in its list */
	union {
		struct imap_key *list;
		struct imap_set  set;
		unsigned         flag;
		uint64_t         number;
		struct {
			enum imap_key_date  date;
			enum imap_key_order order;
			int32_t             day; /* since 1970-01-01; time and zone do not matter */
		};
		struct {
			struct str name; /* HEADER only */
			struct str text; /* in the search's charset */
		};
	};
};

enum imap_search_return { /* RFC 4731 s3.1; a set of bits */
	IMAP_RETURN_MIN = 1, IMAP_RETURN_MAX = 2, IMAP_RETURN_ALL = 4, IMAP_RETURN_COUNT = 8
};

struct imap_search {
	bool             extended;   /* RETURN was given: answer ESEARCH. RETURN () is ALL */
	unsigned         returns;    /* enum imap_search_return */
	bool             has_modseq; /* a MODSEQ key: answer with MODSEQ too, RFC 7162 s3.1.5 */
	struct str       charset;    /* as given; empty: US-ASCII (UTF-8 where that is enabled) */
	struct imap_key *key;        /* an IMAP_KEY_AND; never NULL */
};

#endif
