#include "kv/gate.h"

#include <stdbool.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"

enum { CLOSED = 1 << 30, INSIST_MS = 100 };

void
gate_init(struct gate *g)
{
	atomic_init(&g->inside, 0);
	lock_init(&g->lock, LOCK_KV_GATE);
	pthread_cond_init(&g->opened, NULL);
}

void
gate_done(struct gate *g)
{
	pthread_cond_destroy(&g->opened);
	lock_done(&g->lock);
}

void
gate_enter(struct gate *g)
{
	while (atomic_fetch_add(&g->inside, 1) < 0) {
		atomic_fetch_sub(&g->inside, 1);
		LOCK_SCOPE(&g->lock);
		while (atomic_load(&g->inside) < 0)
			lock_wait(&g->lock, &g->opened);
	}
}

void
gate_leave(struct gate *g)
{
	atomic_fetch_sub(&g->inside, 1);
}

/* `empty`: what the count is when nobody is inside. Closed on success. */
static bool
await_empty(struct gate *g, long empty, int64_t until)
{
	const struct timespec pause = { .tv_nsec = 200000 };

	for (;;) {
		long is = empty;

		if (atomic_compare_exchange_strong(&g->inside, &is, -CLOSED))
			return true;
		if (clock_mono_ms() >= until)
			return false;
		nanosleep(&pause, NULL);
	}
}

int
gate_close(struct gate *g, int64_t patience_ms)
{
	int64_t now = clock_mono_ms();

	if (await_empty(g, 0, now + patience_ms))
		return 0;
	/* So many come and go that it is never empty: nobody else is let in, for a moment. */
	atomic_fetch_sub(&g->inside, CLOSED);
	if (await_empty(g, -CLOSED, clock_mono_ms() + INSIST_MS))
		return 0;
	gate_open(g);
	return E_BUSY;
}

void
gate_open(struct gate *g)
{
	LOCK_SCOPE(&g->lock);
	atomic_fetch_add(&g->inside, CLOSED);
	pthread_cond_broadcast(&g->opened);
}
