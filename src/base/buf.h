/*
 * base/buf.h: a growing byte buffer that is born with its maximum.
 *
 * Shape    n bytes at p, room for cap, never more than max.
 * Errors   the first failure (E_NOMEM, E_LIMIT) is latched in err; later puts do nothing.
 *          Check err once, when the result is used.
 * Owner    whoever called buf_init; buf_done releases. Reset keeps the memory for reuse.
 * Threads  plain value.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <string.h>

#include "base/str.h"

struct buf {
	char  *p;
	size_t n;
	size_t cap;
	size_t max;
	int    err;
};

#define BUF_INIT(max_bytes) ((struct buf){.max = (max_bytes)})

void buf_init(struct buf *, size_t max_bytes);
void buf_done(struct buf *);
void buf_reset(struct buf *); /* empty, no error, memory kept */

void buf_put_slow(struct buf *, const void *p, size_t n); /* buf_put, when memory has to grow */
void buf_u64(struct buf *, uint64_t v); /* decimal */
void buf_printf(struct buf *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* n writable bytes at the end, counted in at once; NULL when latched. */
char *buf_grow(struct buf *, size_t n);
/* Room for n more bytes without counting them in; NULL when latched. Then buf_commit(got). */
char *buf_room(struct buf *, size_t n);
void  buf_commit(struct buf *, size_t got);
void  buf_consume(struct buf *, size_t n); /* drops n bytes at the front */

static inline void
buf_put(struct buf *b, const void *p, size_t n)
{
	if (b->err < 0 || n > b->cap - b->n || b->n + n > b->max) {
		buf_put_slow(b, p, n);
		return;
	}
	if (n != 0)
		memcpy(b->p + b->n, p, n);
	b->n += n;
}

static inline void
buf_str(struct buf *b, struct str s)
{
	buf_put(b, s.p, s.n);
}

static inline void
buf_byte(struct buf *b, char c)
{
	buf_put(b, &c, 1);
}

static inline struct str
buf_view(const struct buf *b)
{
	return str_of(b->p, b->n);
}

/* A buffer that is released at the end of its scope: `OWN_BUF struct buf b = BUF_INIT(4096);` */
#define OWN_BUF __attribute__((cleanup(buf_done)))

#endif
