#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"
#include "base/mem.h"

enum { CHUNK_MIN = 2048, CHUNK_KEEP = 8192, ALIGN = 16 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t              cap;
	size_t              n;
	_Alignas(ALIGN) char bytes[];
};

void
arena_init(struct arena *a, size_t max_bytes)
{
	*a = ARENA_INIT(max_bytes);
}

static void
free_chunks(struct arena *a, struct arena_chunk *c)
{
	while (c != NULL) {
		struct arena_chunk *next = c->next;

		a->used -= c->cap;
		mem_free(c);
		c = next;
	}
}

void
arena_done(struct arena *a)
{
	free_chunks(a, a->top);
	*a = ARENA_INIT(a->max);
}

void
arena_reset(struct arena *a)
{
	struct arena_chunk *keep = a->top;

	if (keep == NULL)
		return;
	if (keep->cap > CHUNK_KEEP) {
		arena_done(a);
		return;
	}
	free_chunks(a, keep->next);
	keep->next = NULL;
	keep->n = 0;
}

static struct arena_chunk *
add_chunk(struct arena *a, size_t need)
{
	size_t              cap = a->top != NULL ? a->top->cap * 2 : CHUNK_MIN;
	struct arena_chunk *c;

	if (cap > 65536)
		cap = 65536;
	if (cap < need)
		cap = need;
	if (need > a->max || a->used > a->max - need)
		return NULL;
	if (cap > a->max - a->used)
		cap = need;
	c = mem_alloc(sizeof(*c) + cap);
	if (c == NULL)
		return NULL;
	c->next = a->top;
	c->cap = cap;
	c->n = 0;
	a->top = c;
	a->used += cap;
	return c;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	struct arena_chunk *c = a->top;
	size_t              need;
	void               *p;

	if (n > SIZE_MAX - ALIGN)
		return NULL;
	need = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (c == NULL || c->cap - c->n < need) {
		c = add_chunk(a, need);
		if (c == NULL)
			return NULL;
	}
	p = c->bytes + c->n;
	c->n += need;
	return memset(p, 0, need);
}

void *
arena_grow(struct arena *a, void *p, size_t had, size_t n)
{
	void *q;

	if (n <= had && p != NULL)
		return p;
	q = arena_alloc(a, n);
	if (q != NULL && had != 0)
		memcpy(q, p, had);
	return q;
}

char *
arena_cstr(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (p != NULL && s.n != 0)
		memcpy(p, s.p, s.n);
	return p;
}

int
arena_dup(struct arena *a, struct str s, struct str *ret)
{
	char *p = arena_cstr(a, s);

	if (p == NULL)
		return E_NOMEM;
	*ret = str_of(p, s.n);
	return 0;
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	int     n;
	char   *p;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
	if (p != NULL)
		vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}
