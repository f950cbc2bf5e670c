/*
 * proto/imap_fetch.h: what FETCH asks for. RFC 9051 s6.4.5, RFC 3501 s6.4.5, RFC 3516 (BINARY)
 *
 * Shape    items in client order; those without a section once each; ALL, FAST and FULL are spelt
 *          out. A partial range is cut so that off + n < 2^63; n is as asked, 0 too, not yet cut to
 *          the message; "<5>" has the greatest n.
 * Limits   IMAP_FETCH_ITEMS_MAX; IMAP_SECTION_DEPTH_MAX numbers in a path; IMAP_SECTION_FIELDS_MAX.
 * Memory   the reader's arena; field names may point into the command text.
 */
#ifndef PROTO_IMAP_FETCH_H
#define PROTO_IMAP_FETCH_H

#include "proto/imap_set.h"

enum { IMAP_FETCH_ITEMS_MAX = 1000, IMAP_SECTION_DEPTH_MAX = 100, IMAP_SECTION_FIELDS_MAX = 1000 };

enum imap_fetch_kind {
	IMAP_FETCH_FLAGS,
	IMAP_FETCH_UID,
	IMAP_FETCH_INTERNALDATE,
	IMAP_FETCH_SIZE,          /* RFC822.SIZE */
	IMAP_FETCH_MODSEQ,
	IMAP_FETCH_ENVELOPE,
	IMAP_FETCH_BODY,          /* BODY without section: structure without extension data */
	IMAP_FETCH_BODYSTRUCTURE,
	IMAP_FETCH_RFC822,        /* answered by that name, else as BODY[] */
	IMAP_FETCH_RFC822_HEADER, /* as BODY.PEEK[HEADER] */
	IMAP_FETCH_RFC822_TEXT,   /* as BODY[TEXT] */
	IMAP_FETCH_SECTION,       /* BODY[...], BODY.PEEK[...] */
	IMAP_FETCH_BINARY,        /* BINARY[...], BINARY.PEEK[...]: the path only */
	IMAP_FETCH_BINARY_SIZE
};

enum imap_section_text {
	IMAP_SECTION_ALL,        /* [], [1.2] */
	IMAP_SECTION_HEADER,     /* [HEADER], [1.2.HEADER] */
	IMAP_SECTION_FIELDS,     /* [HEADER.FIELDS (a b)] */
	IMAP_SECTION_FIELDS_NOT, /* [HEADER.FIELDS.NOT (a b)] */
	IMAP_SECTION_TEXT,       /* [TEXT] */
	IMAP_SECTION_MIME        /* [1.2.MIME] */
};

struct imap_section {
	enum imap_section_text text;
	const uint32_t        *path; /* "1.2": numbers from 1; for message_part_find */
	size_t                 n_path;
	const struct str      *fields;
	size_t                 n_fields;
};

struct imap_fetch_item {
	enum imap_fetch_kind kind;
	bool                 peek;       /* does not set \Seen */
	bool                 partial;    /* <off.n> was given; answer with <off> */
	uint64_t             off, n;
	struct imap_section  section;    /* SECTION, BINARY, BINARY_SIZE */
};

struct imap_fetch {
	struct imap_set         set;
	struct imap_fetch_item *items;
	size_t                  n_items;
	bool                    has_changed_since; /* RFC 7162 s3.1.4; MODSEQ is an item then */
	uint64_t                changed_since;     /* 0 is accepted */
};

#endif
