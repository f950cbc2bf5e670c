/*
 * base/arena.h: memory that is released all at once: a command's, a session's, a server's.
 *
 * Owner    whoever called arena_init; arena_done releases everything.
 * Limits   at most `max` bytes in all; beyond it, or without memory, allocation gives NULL
 *          and the caller returns E_NOMEM.
 * Reset    arena_reset forgets all allocations and keeps one small chunk for the next command;
 *          arena_done keeps nothing (an idle session costs no arena).
 * Threads  one owner at a time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/own.h"
#include "base/str.h"

struct arena_chunk;
struct arena {
	struct arena_chunk *top;
	size_t              used; /* bytes in all chunks */
	size_t              max;
};

#define ARENA_INIT(max_bytes) ((struct arena){.max = (max_bytes)})

void arena_init(struct arena *, size_t max_bytes);
void arena_done(struct arena *);
void arena_reset(struct arena *);

void      *arena_alloc(struct arena *, size_t n) __attribute__((warn_unused_result)); /* zeroed */
/* A copy of the array at p, grown from `had` to n bytes; p may be NULL. */
void      *arena_grow(struct arena *, void *p, size_t had, size_t n)
    __attribute__((warn_unused_result));
int        arena_dup(struct arena *, struct str, struct str *ret);
char      *arena_cstr(struct arena *, struct str); /* NUL-terminated copy */
char      *arena_printf(struct arena *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define ARENA_NEW(a, T) ((T *)arena_alloc((a), sizeof(T)))
#define OWN_ARENA __attribute__((cleanup(arena_done)))

#endif
