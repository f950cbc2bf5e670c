/*
 * proto/pop3.h: the command lines of POP3, each parsed once into a struct, and the body of its
 * multi-line answers. RFC 1939, RFC 2449 s3, RFC 5034 s4
 *
 * Input    a line without its line end. Slices of the result point into it.
 * Accepts  what RFC 2449 s3 writes, and what clients send all the same: any case, more blanks than
 *          one between the arguments and at the end. The password is everything behind one blank.
 * Errors   E_SYNTAX.
 * Limits   the caller's line length bounds everything. A number that is too large is the largest.
 * Threads  plain values.
 * Tests    tests/unit/proto/pop3.c   fuzz/pop3.c
 */
#ifndef PROTO_POP3_H
#define PROTO_POP3_H

#include "base/buf.h"

/* --- commands --- */

struct pop3_auth { /* RFC 5034 s4 */
	struct str mechanism; /* empty: which are there? */
	bool       has_initial;
	struct str initial;
};

struct pop3_number {
	bool     given;
	uint32_t n; /* a message number, 0 and up */
};

struct pop3_top {
	uint32_t n;
	uint64_t lines;
};

union pop3_args {
	struct str         text; /* a name, or a password as it is */
	struct pop3_auth   auth;
	struct pop3_number number;
	struct pop3_top    top;
};

/* The verb is what stands before the first blank; args are what follows it, as they are. E_SYNTAX
 * when a control byte is in the line. */
int pop3_split(struct str line, struct str *ret_verb, struct str *ret_args);

/* What a verb's row names to parse its arguments. */
typedef int pop3_parse_fn(struct str args, union pop3_args *ret);
pop3_parse_fn pop3_parse_none;
pop3_parse_fn pop3_parse_any;      /* text: anything, also nothing */
pop3_parse_fn pop3_parse_name;     /* text; valid UTF-8, RFC 6856 s2.2 */
pop3_parse_fn pop3_parse_password; /* text; likewise */
pop3_parse_fn pop3_parse_word_or_none; /* text */
pop3_parse_fn pop3_parse_auth;
pop3_parse_fn pop3_parse_number;
pop3_parse_fn pop3_parse_number_or_none;
pop3_parse_fn pop3_parse_top;

/* --- a message on the wire --- */

/*
 * The lines of a message in pieces of any size: a dot is put before each dot that begins a line
 * (RFC 1939 s3). A bare LF becomes CRLF: else the answer would have no lines, and what clients that
 * end a line at LF take for its end would be in the hands of whoever wrote the message. NUL becomes
 * 0x80: some clients end a line there, and what follows is lost. Any other byte goes as it is. The
 * result does not depend on where pieces end.
 */
struct pop3_stuff { /* all zero: before the first byte */
	bool in_line;
	bool after_cr;
};
void pop3_stuff_put(struct pop3_stuff *, struct str piece, struct buf *to);
/* How many bytes at the front of the piece go as they are; they count as put. Of most messages that
 * is all. */
size_t pop3_stuff_plain(struct pop3_stuff *, struct str piece);
/* The line end that the last line may lack, and the dot that ends the answer. */
void pop3_stuff_end(struct pop3_stuff *, struct buf *to);

/* How many bytes of the piece belong to the next *lines lines; *lines is what is still wanted
 * behind them. */
size_t pop3_take_lines(struct str piece, uint64_t *lines);

#endif
