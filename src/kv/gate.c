#include "kv/gate.h"

#include <time.h>

#include "base/clock.h"
#include "base/error.h"

enum { CLOSED = 1 << 30 };

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

int
gate_close(struct gate *g, int64_t patience_ms)
{
	const struct timespec pause = { .tv_nsec = 200000 };
	int64_t               until = clock_mono_ms() + patience_ms;

	for (;;) {
		long nobody = 0;

		if (atomic_compare_exchange_strong(&g->inside, &nobody, -CLOSED))
			return 0;
		if (clock_mono_ms() >= until)
			return E_BUSY;
		nanosleep(&pause, NULL);
	}
}

void
gate_open(struct gate *g)
{
	LOCK_SCOPE(&g->lock);
	atomic_fetch_add(&g->inside, CLOSED);
	pthread_cond_broadcast(&g->opened);
}
