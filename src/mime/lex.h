/*
 * mime/lex.h: the words of structured header fields. RFC 5322 s3.2, RFC 2045 s5.1
 *
 * Shape    every function takes from the front of *s what it names and leaves the rest. Line ends
 *          count as blanks: values come folded.
 * Cost     linear in what is taken.
 * Threads  plain values.
 */
#ifndef MIME_LEX_H
#define MIME_LEX_H

#include "base/buf.h"

/* Blanks, line ends and comments. *ret_comment (may be NULL) becomes the inside of the last
 * comment, raw. False when a comment does not end; it is taken all the same. */
bool lex_cfws(struct str *s, struct str *ret_comment);
/* atext and 8-bit bytes (RFC 6532 s3.2); empty when there is none. */
struct str lex_atom(struct str *s);
/* The same and dots. */
struct str lex_dot_atom(struct str *s);
/* token of RFC 2045, and 8-bit bytes. */
struct str lex_token(struct str *s);
/* What stands between quotes, without the quotes, raw; *s begins with '"'. False when the closing
 * quote is missing; all is taken then. */
bool lex_quoted(struct str *s, struct str *ret);
/* A domain literal with its brackets, *s begins with '['. False when ']' is missing. */
bool lex_literal(struct str *s, struct str *ret);

/* Puts the inside of a quoted string or a comment: backslashes and line ends removed. */
void lex_put_unquoted(struct str raw, struct buf *to);

static inline bool
lex_peek(struct str s, char c)
{
	return s.n != 0 && s.p[0] == c;
}

static inline bool
lex_take(struct str *s, char c)
{
	if (!lex_peek(*s, c))
		return false;
	*s = str_skip(*s, 1);
	return true;
}

#endif
