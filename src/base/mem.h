/*
 * base/mem.h: the heap, through one door, so that tests can make the nth allocation fail.
 *
 * Owner    the caller; release with mem_free, which takes NULL.
 * Errors   NULL when there is no memory. The caller returns E_NOMEM; nothing aborts.
 * Threads  as malloc. mem_fault_set is for single-threaded tests.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/own.h"

void *mem_alloc(size_t n) __attribute__((malloc, warn_unused_result));
void *mem_zalloc(size_t n) __attribute__((malloc, warn_unused_result));
void *mem_realloc(void *p, size_t n) __attribute__((warn_unused_result));
void  mem_free(void *p);

#define MEM_NEW(T) ((T *)mem_zalloc(sizeof(T)))

/* Test builds (-Dfaults=true): the nth allocation from now fails, and all after it when
 * `sticky`. n = 0 switches it off. Returns how many allocations were made since the last call. */
unsigned long mem_fault_set(unsigned long nth, int sticky);

/* A plain heap pointer that is freed at the end of its scope: `OWN_MEM char *p = ...;` */
static inline void
mem_freep(void *pp)
{
	mem_free(*(void **)pp);
}
#define OWN_MEM __attribute__((cleanup(mem_freep)))

#endif
