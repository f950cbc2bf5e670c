/*
 * proto/imap_read.h: the pieces of which imap_parse_* are made ("ir": IMAP reader). Private to the
 * folder.
 *
 * Shape    each takes its piece off r->left. The first error is latched in the reader, with its
 *          words in r->what: nothing is left then, and what is read after it is empty. ir_finish
 *          checks it once at the end; a loop ends at an error because ir_more says so.
 * Errors   E_SYNTAX, E_LIMIT, E_NOMEM; E_CANNOT for a mailbox name that does not decode.
 * Source   RFC 9051 s9 names the rules; wider than those where clients need it (proto/imap.h).
 */
#ifndef PROTO_IMAP_READ_H
#define PROTO_IMAP_READ_H

#include "proto/imap.h"

/* A word of the grammar and what it stands for. */
struct imap_name {
	struct str name;
	unsigned   value;
};
enum { IMAP_FLAG_COUNT = 6 };
extern const struct imap_name IMAP_FLAG_NAMES[IMAP_FLAG_COUNT]; /* "\Seen": enum imap_flag */
/* In any case; NULL when it is none of them. */
const struct imap_name *ir_name_find(const struct imap_name *, size_t n, struct str name);

void ir_latch(struct imap_reader *, int err, const char *what);
void ir_fail(struct imap_reader *, const char *what);    /* E_SYNTAX */
void ir_missing(struct imap_reader *, const char *what); /* or "argument missing", at the end */

static inline bool
ir_peek(const struct imap_reader *r, char c)
{
	return r->left.n > 0 && r->left.p[0] == c;
}

/* Takes the byte c when it is next. */
static inline bool
ir_take(struct imap_reader *r, char c)
{
	if (!ir_peek(r, c))
		return false;
	r->left = str_skip(r->left, 1);
	return true;
}

bool ir_at_end(const struct imap_reader *); /* nothing but blanks and the line's end is left */
void ir_skip_sp(struct imap_reader *);      /* blanks: none or more */
void ir_sp(struct imap_reader *);           /* one or more */
/* The line's end. *ret = *args, or the latched error. */
int  ir_finish(struct imap_reader *, const struct imap_args *args, struct imap_args *ret);

/* ir_open takes "(", or fails with `what`; then `while (ir_more(r))` reads one member after the
 * other, with blanks between them, up to and with ")". */
void ir_open(struct imap_reader *, const char *what);
bool ir_more(struct imap_reader *);

/* The word in any case, and it ends there: takes it. */
bool       ir_take_word(struct imap_reader *, struct str word);
struct str ir_word(struct imap_reader *);      /* an atom that ends before "[" and "<" */
struct str ir_atom(struct imap_reader *);
struct str ir_string(struct imap_reader *);    /* quoted or literal */
struct str ir_astring(struct imap_reader *);
struct str ir_nstring(struct imap_reader *);   /* NIL: p == NULL; atoms too */
uint64_t   ir_u64(struct imap_reader *);       /* number64: up to 2^63-1 */
void       ir_set(struct imap_reader *, struct imap_set *);
struct str ir_mailbox(struct imap_reader *);   /* UTF-8 */
/* A pattern that does not decode stays as it is: it matches nothing. */
struct str ir_pattern(struct imap_reader *);
/* "(\Seen foo)"; bare: flags without parentheses too (STORE). */
void       ir_flags(struct imap_reader *, bool bare, struct imap_flags *);
unsigned   ir_status_items(struct imap_reader *); /* "(MESSAGES UNSEEN)" */

/* Lists grow in the arena. Room for one more of n members of `size` bytes; NULL: latched. */
void *ir_room(struct imap_reader *, void *array, size_t n, size_t size);
void  ir_strs_add(struct imap_reader *, struct imap_strs *, struct str, size_t max);

#endif
