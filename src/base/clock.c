#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

static atomic_llong test_offset_ms;

static int64_t
now_ms(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 +
	    atomic_load_explicit(&test_offset_ms, memory_order_relaxed);
}

int64_t
clock_real_ms(void)
{
	return now_ms(CLOCK_REALTIME);
}

int64_t
clock_mono_ms(void)
{
	return now_ms(CLOCK_MONOTONIC);
}

void
clock_test_advance(int64_t ms)
{
	atomic_fetch_add(&test_offset_ms, ms);
}
