#include "kv/reserve.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>

#include "base/clock.h"

enum { PAUSE_MS = 10 };

typedef void (*new_handler)(void);
typedef new_handler (*set_new_handler)(new_handler);

static _Atomic(void *) reserve;
static set_new_handler set_handler; /* of libstdc++, which RocksDB brings along; or NULL */

static void *
map_reserve(void)
{
	void *p = mmap(NULL, RESERVE_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p != MAP_FAILED ? p : NULL;
}

/* Called by operator new, again and again until it has its memory. */
static void
out_of_memory(void)
{
	static _Thread_local int64_t since_ms, last_ms; /* it has waited */
	const struct timespec        pause = { .tv_nsec = PAUSE_MS * 1000000L };
	int64_t                      now_ms = clock_mono_ms();
	void                        *p = atomic_exchange(&reserve, NULL);

	if (p != NULL) {
		munmap(p, RESERVE_BYTES);
		return;
	}
	if (now_ms - last_ms > RESERVE_WAIT_MS)
		since_ms = now_ms; /* another time */
	last_ms = now_ms;
	if (now_ms - since_ms > RESERVE_WAIT_MS)
		set_handler(NULL); /* bad_alloc is thrown */
	else
		nanosleep(&pause, NULL);
}

static void
init_once(void)
{
	void *found = dlsym(RTLD_DEFAULT, "_ZSt15set_new_handlerPFvvE");

	if (found == NULL)
		return;
	set_handler = (set_new_handler)(uintptr_t)found;
	atomic_store(&reserve, map_reserve());
	set_handler(out_of_memory);
}

void
reserve_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, init_once);
}

bool
reserve_is_whole(void)
{
	void *none = NULL, *p;

	if (set_handler == NULL || atomic_load_explicit(&reserve, memory_order_relaxed) != NULL)
		return true;
	p = map_reserve();
	if (p == NULL)
		return false;
	if (!atomic_compare_exchange_strong(&reserve, &none, p))
		munmap(p, RESERVE_BYTES);
	return true;
}
