/*
 * serve/imap/search_text.h: the strings of a SEARCH, looked for in one message after the other.
 *
 * Matching  substrings, by the case map of codec/casefold.h. RFC 9051 s6.4.4
 *           Header fields are unfolded, their encoded words decoded, a run of blanks is one blank;
 *           From, To, Cc and Bcc match as they stand and as "Name <mailbox@domain>". Of bodies the
 *           text parts (text, and message parts that are not taken apart) are looked at, decoded
 *           from transfer encoding and charset.
 * Use       search_text_add for each string; then for each message search_text_begin, and as far as
 *           the answer needs it, search_text_header and search_text_body; search_text_known asks.
 * Cost      one pass over header and body for all strings; memory: one header section and one piece
 *           of a body.
 * Limits    SEARCH_STRINGS_MAX, SEARCH_STRING_MAX bytes each; SEARCH_HEADER_MAX bytes of a header.
 * Threads   one owner at a time.
 */
#ifndef SERVE_IMAP_SEARCH_TEXT_H
#define SERVE_IMAP_SEARCH_TEXT_H

#include "store/message.h"

enum { SEARCH_STRINGS_MAX = 100, SEARCH_STRING_MAX = 4096, SEARCH_HEADER_MAX = 1 << 20 };

enum search_known { SEARCH_UNKNOWN, SEARCH_NO, SEARCH_YES };
enum search_where { SEARCH_IN_FIELD, SEARCH_IN_BODY, SEARCH_IN_TEXT }; /* text: header or body */

struct search_string {
	enum search_where where;
	struct str        field;  /* IN_FIELD: its name */
	struct str        folded;
	enum search_known known;  /* in the message at hand */
};

struct search_text {
	struct account       *account;
	mailbox_id            mailbox;
	struct search_string *strings;
	size_t                n;
	size_t                longest;  /* bytes of the longest, folded */
	enum search_known     has_date; /* of the Date field, in the message at hand */
	int32_t               date_day; /* in the field's own zone */
	struct buf            header, folded, utf8, facts;
	struct buf            piece;    /* the bytes of the body from piece_off on */
	uint64_t              piece_off;
	struct arena          scratch;
};

void search_text_init(struct search_text *, struct account *, mailbox_id);
void search_text_done(struct search_text *);

/* text: UTF-8, or nearly so. The arena outlives the search. *ret is the string's index. E_LIMIT,
 * E_NOMEM. */
int  search_text_add(struct search_text *, enum search_where, struct str field, struct str text,
     struct arena *, size_t *ret);

/* Nothing is known of the next message. */
void search_text_begin(struct search_text *);
/* Afterwards the date and the IN_FIELD strings are known. E_MESSAGE_GONE, errors of the storage. */
int  search_text_header(struct search_text *, const struct message *);
/* Afterwards all strings are known. */
int  search_text_body(struct search_text *, const struct message *);

#endif
