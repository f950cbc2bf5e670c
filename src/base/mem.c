#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#ifdef POSTRIDER_FAULTS

static atomic_ulong fault_at;
static atomic_ulong made;
static atomic_int   fault_sticky;

static int
refused(void)
{
	unsigned long at = atomic_load_explicit(&fault_at, memory_order_relaxed);
	unsigned long n = atomic_fetch_add_explicit(&made, 1, memory_order_relaxed) + 1;

	if (at == 0)
		return 0;
	return n == at || (n > at && atomic_load_explicit(&fault_sticky, memory_order_relaxed));
}

unsigned long
mem_fault_set(unsigned long nth, int sticky)
{
	unsigned long n = atomic_exchange(&made, 0);

	atomic_store(&fault_sticky, sticky);
	atomic_store(&fault_at, nth);
	return n;
}

#else

static inline int
refused(void)
{
	return 0;
}

unsigned long
mem_fault_set(unsigned long nth, int sticky)
{
	(void)nth;
	(void)sticky;
	return 0;
}

#endif

void *
mem_alloc(size_t n)
{
	return refused() ? NULL : malloc(n != 0 ? n : 1);
}

void *
mem_zalloc(size_t n)
{
	return refused() ? NULL : calloc(1, n != 0 ? n : 1);
}

void *
mem_realloc(void *p, size_t n)
{
	return refused() ? NULL : realloc(p, n != 0 ? n : 1);
}

void
mem_free(void *p)
{
	free(p);
}
