#include "kv/tickets.h"

#include "base/error.h"

static inline uint64_t
generation_of(kv_ticket t)
{
	return t >> 48;
}

void
tickets_init(struct tickets *t)
{
	*t = (struct tickets){ 0 };
	lock_init(&t->lock, LOCK_KV_SYNC);
	pthread_cond_init(&t->done[0], NULL);
	pthread_cond_init(&t->done[1], NULL);
}

void
tickets_done(struct tickets *t)
{
	pthread_cond_destroy(&t->done[0]);
	pthread_cond_destroy(&t->done[1]);
	lock_done(&t->lock);
}

kv_ticket
tickets_stage(struct tickets *t)
{
	kv_ticket ticket = atomic_load_explicit(&t->staged, memory_order_relaxed) + 1;

	/* Release: a leader that sees this number syncs after the write it stands for. */
	atomic_store_explicit(&t->staged, ticket, memory_order_release);
	return ticket;
}

/* Under the lock, for a ticket of an older generation: was it durable when that ended? */
static bool
survived(const struct tickets *t, kv_ticket ticket, kv_ticket durable)
{
	uint64_t generation = generation_of(ticket);

	return generation_of(durable) - generation < TICKETS_ENDS &&
	    ticket <= t->ends[generation % TICKETS_ENDS];
}

/* Without the lock: surely on disk? */
static inline bool
is_settled(struct tickets *t, kv_ticket ticket)
{
	kv_ticket durable = atomic_load_explicit(&t->durable, memory_order_acquire);

	return ticket == 0 ||
	    (ticket <= durable && generation_of(ticket) == generation_of(durable));
}

static void
lead(struct tickets *t, int (*sync)(void *arg), void *arg)
{
	kv_ticket target = atomic_load_explicit(&t->staged, memory_order_acquire);
	int       r;

	t->leading = true;
	t->target = target;
	t->round ^= 1;
	lock_give(&t->lock);
	r = sync(arg);
	lock_take(&t->lock);
	t->leading = false;
	if (r == 0 && tickets_err(t) == 0)
		atomic_store_explicit(&t->durable, target, memory_order_release);
	else if (tickets_err(t) == 0)
		atomic_store(&t->err, r);
	pthread_cond_broadcast(&t->done[t->round]);
	if (tickets_err(t) == 0)
		pthread_cond_signal(&t->done[t->round ^ 1]);
	else
		pthread_cond_broadcast(&t->done[t->round ^ 1]);
}

int
tickets_wait(struct tickets *t, kv_ticket ticket, int (*sync)(void *arg), void *arg)
{
	if (is_settled(t, ticket))
		return 0;
	LOCK_SCOPE(&t->lock);
	for (;;) {
		kv_ticket durable = atomic_load(&t->durable);

		if (generation_of(ticket) != generation_of(durable))
			return survived(t, ticket, durable) ? 0 : E_IO;
		if (ticket <= durable)
			return 0;
		if (tickets_err(t) < 0)
			return tickets_err(t);
		if (!t->leading)
			lead(t, sync, arg);
		else
			lock_wait(&t->lock, &t->done[t->round ^ (ticket > t->target)]);
	}
}

bool
tickets_durable(struct tickets *t, kv_ticket ticket)
{
	kv_ticket durable;

	if (is_settled(t, ticket))
		return true;
	LOCK_SCOPE(&t->lock);
	durable = atomic_load(&t->durable);
	if (generation_of(ticket) == generation_of(durable))
		return ticket <= durable;
	return survived(t, ticket, durable);
}

void
tickets_fail(struct tickets *t, int err)
{
	LOCK_SCOPE(&t->lock);
	if (tickets_err(t) == 0)
		atomic_store(&t->err, err);
	pthread_cond_broadcast(&t->done[0]);
	pthread_cond_broadcast(&t->done[1]);
}

void
tickets_restart(struct tickets *t, int err)
{
	kv_ticket durable, first;

	LOCK_SCOPE(&t->lock);
	durable = atomic_load(&t->durable);
	t->ends[generation_of(durable) % TICKETS_ENDS] = durable;
	first = (generation_of(durable) + 1) << 48;
	atomic_store(&t->staged, first);
	atomic_store(&t->durable, first);
	atomic_store(&t->err, err);
}
