/*
 * bench/load/feed.h: bytes that come in pieces, and the small steps of reading them.
 *
 * Shape    p..end is what has come and was not read yet. `more` adds at least one byte behind it
 *          and may move all of it; it waits, so it is called in a task.
 * Views    a struct str that a function here returns is good until the next call on the feed.
 * Errors   E_SYNTAX for wrong bytes, E_LIMIT for a line longer than the buffer, what `more` gives.
 */
#ifndef LOAD_FEED_H
#define LOAD_FEED_H

#include "base/str.h"

struct feed {
	const char *p, *end;
	int (*more)(struct feed *);
};

/* Receives the bytes of a text that may be long. */
struct sink {
	void (*put)(struct sink *, struct str);
};

int feed_peek_slow(struct feed *);

/* The next byte without taking it, or a negative error. */
static inline int
feed_peek(struct feed *f)
{
	return f->p < f->end ? (unsigned char)*f->p : feed_peek_slow(f);
}

int feed_expect(struct feed *, char c);           /* takes c, or E_SYNTAX */
int feed_crlf(struct feed *);                     /* takes CR LF */
int feed_u64(struct feed *, uint64_t *ret);       /* takes decimal digits, at least one */
int feed_line(struct feed *, struct str *ret);    /* takes a line; its CR LF is not in *ret */
/* Where the two bytes stand side by side first, or NULL. */
const char *feed_find_pair(struct str, char first, char second);
int feed_bytes(struct feed *, uint64_t n, struct sink *); /* takes n bytes; the sink may be NULL */

#endif
