#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"
#include "base/mem.h"

enum { BUF_FIRST = 64 };

void
buf_init(struct buf *b, size_t max_bytes)
{
	*b = BUF_INIT(max_bytes);
}

void
buf_done(struct buf *b)
{
	mem_free(b->p);
	*b = BUF_INIT(b->max);
}

void
buf_reset(struct buf *b)
{
	b->n = 0;
	b->err = 0;
}

char *
buf_room(struct buf *b, size_t n)
{
	size_t cap = b->cap;
	char  *p;

	if (b->err < 0)
		return NULL;
	if (n > b->max || b->n > b->max - n) {
		b->err = E_LIMIT;
		return NULL;
	}
	if (b->n + n <= cap && cap != 0)
		return b->p + b->n;
	cap = cap < BUF_FIRST ? BUF_FIRST : cap * 2;
	if (cap < b->n + n)
		cap = b->n + n;
	if (cap > b->max && b->max >= BUF_FIRST)
		cap = b->max;
	p = mem_realloc(b->p, cap);
	if (p == NULL) {
		b->err = E_NOMEM;
		return NULL;
	}
	b->p = p;
	b->cap = cap;
	return b->p + b->n;
}

void
buf_commit(struct buf *b, size_t got)
{
	b->n += got;
}

char *
buf_grow(struct buf *b, size_t n)
{
	char *p = buf_room(b, n);

	if (p != NULL)
		b->n += n;
	return p;
}

void
buf_put_slow(struct buf *b, const void *p, size_t n)
{
	char *to;

	if (n == 0)
		return;
	to = buf_grow(b, n);
	if (to != NULL)
		memcpy(to, p, n);
}

void
buf_u64(struct buf *b, uint64_t v)
{
	char  digits[20];
	char *p = digits + sizeof(digits);

	do {
		*--p = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	buf_put(b, p, (size_t)(digits + sizeof(digits) - p));
}

/* vsnprintf ends with a NUL that is not counted in. Mostly the text fits into what is there. */
void
buf_printf(struct buf *b, const char *fmt, ...)
{
	size_t  left = b->err == 0 && b->cap <= b->max ? b->cap - b->n : 0;
	va_list ap;
	int     n;
	char   *to;

	va_start(ap, fmt);
	n = vsnprintf(left != 0 ? b->p + b->n : NULL, left, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < left) {
		b->n += (size_t)n;
		return;
	}
	to = n < 0 ? NULL : buf_room(b, (size_t)n + 1);
	if (to == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

void
buf_consume(struct buf *b, size_t n)
{
	if (n >= b->n) {
		b->n = 0;
		return;
	}
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}
