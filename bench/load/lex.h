/*
 * bench/load/lex.h: the values of an IMAP answer, read from a feed as they come. RFC 9051 s9
 *
 * Shape    a word is what stands between blanks and parentheses; brackets keep theirs inside:
 *          `BODY[HEADER.FIELDS (DATE FROM)]<0>` is one word.
 * Limits   LEX_DEPTH_MAX lists inside each other; a word fits the feed's buffer.
 * Errors   as feed.h. A wrong length of a literal shows as E_SYNTAX after it.
 */
#ifndef LOAD_LEX_H
#define LOAD_LEX_H

#include "load/feed.h"

enum { LEX_DEPTH_MAX = 200 };

enum lex_kind { LEX_NIL, LEX_ATOM, LEX_STRING, LEX_LITERAL, LEX_LIST };

struct lex_value {
	enum lex_kind kind;
	uint64_t      n; /* bytes of a text, members of a list */
};

int lex_word(struct feed *, struct str *ret);
/* Takes one value. The bytes of a literal go to the sink (quoted ones without backslashes,
 * atoms as they are), if there is one. Texts inside a list are not given to it. */
int lex_value(struct feed *, struct sink *, struct lex_value *ret);
/* Takes all to the end of the answer, its CR LF too, over literals. */
int lex_rest(struct feed *);

#endif
