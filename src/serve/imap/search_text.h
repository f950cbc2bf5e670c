/*
 * serve/imap/search_text.h: the strings of a SEARCH, looked for in the text of one message after
 * the other.
 *
 * Matching  substrings, by the case map of codec/casefold.h, in the texts of store/text.h. RFC 9051
 *           s6.4.4: a HEADER string lies in the value of a field of the message's own header, a
 *           BODY string in a text part, a TEXT string in a text part or any field of any header.
 * Use       search_strings_add for each string; then each thread has a search_look, and for each
 *           message: search_look_begin, then what is at hand of it (search_look_text, or the pieces
 *           of search_look_sink and search_look_end); search_look_known asks, and looks only then.
 * Limits    SEARCH_STRINGS_MAX, SEARCH_STRING_MAX bytes each.
 * Threads   the strings are shared and do not change once the search began; a look has one owner.
 */
#ifndef SERVE_IMAP_SEARCH_TEXT_H
#define SERVE_IMAP_SEARCH_TEXT_H

#include "codec/find.h"
#include "store/text.h"

enum { SEARCH_STRINGS_MAX = 100, SEARCH_STRING_MAX = 4096 };

enum search_known { SEARCH_UNKNOWN, SEARCH_NO, SEARCH_YES };
enum search_where { SEARCH_IN_FIELD, SEARCH_IN_BODY, SEARCH_IN_TEXT }; /* text: header or body */

struct search_string {
	enum search_where where;
	struct str        field; /* IN_FIELD: its name, in capitals */
	struct find       find;  /* what is looked for, folded */
};

struct search_strings {
	struct search_string *s; /* in the arena of the search */
	size_t                n;
	size_t                longest; /* bytes of the longest, folded */
	bool                  in_top;  /* one of them is IN_FIELD */
	bool                  beyond;  /* one of them is not */
};

/* text: UTF-8, or nearly so. The arena outlives the search. *ret is the string's index. E_LIMIT,
 * E_NOMEM. */
struct search_new_string {
	enum search_where where;
	struct str        field;
	struct str        text;
};
int search_strings_add(struct search_strings *, const struct search_new_string *, struct arena *,
    size_t *ret);

/* What is known of the message at hand. */
struct search_look {
	const struct search_strings *strings;
	enum search_known            known[SEARCH_STRINGS_MAX];
	bool                         has_date;
	struct text_date             date;
	bool                         has_text;
	bool                         top_only; /* of the text only its first region is there */
	struct text                  text;
	struct buf                   carry;    /* of a body, what a string may have begun in */
};

void search_look_init(struct search_look *, const struct search_strings *);
void search_look_done(struct search_look *);
/* Nothing is known of the next message. */
void search_look_begin(struct search_look *);
/* The text is borrowed until the next call. */
void search_look_text(struct search_look *, const struct text *, bool top_only);
/* For text_decode, where a text is too large to be had at once; ends early when all is known. */
struct text_sink search_look_sink(struct search_look *);
void search_look_date(struct search_look *, const struct text_date *);
/* All pieces came: what was not found is not there. */
void search_look_end(struct search_look *, bool top_only);

enum search_known search_look_known(struct search_look *, size_t string);

#endif
