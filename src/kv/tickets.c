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
	pthread_cond_init(&t->serve, NULL);
	list_init(&t->waiters);
}

void
tickets_done(struct tickets *t)
{
	pthread_cond_destroy(&t->done[0]);
	pthread_cond_destroy(&t->done[1]);
	pthread_cond_destroy(&t->serve);
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

/* With the lock: takes out those who are to ask again, all or the covered ones. */
static void
take_waiters(struct tickets *t, bool all, kv_ticket upto, struct list *to)
{
	list_init(to);
	LIST_EACH_SAFE (it, &t->waiters) {
		if (!all && CONTAINER_OF(it, struct kv_waiter, link)->ticket > upto)
			continue;
		list_remove(it);
		list_push(to, it);
	}
}

/* Without the lock. A waiter is its owner's again, and perhaps gone, once it was woken. */
static void
wake_all(struct list *waiters)
{
	struct list *it;

	while ((it = list_pop(waiters)) != NULL) {
		struct kv_waiter *w = CONTAINER_OF(it, struct kv_waiter, link);

		w->wake(w);
	}
}

/* The end of a sync, with the lock held: who waits for it, and who leads the next one. */
static void
tell_threads(struct tickets *t)
{
	pthread_cond_broadcast(&t->done[t->round]);
	if (tickets_err(t) == 0)
		pthread_cond_signal(&t->done[t->round ^ 1]);
	else
		pthread_cond_broadcast(&t->done[t->round ^ 1]);
	if (!list_empty(&t->waiters))
		pthread_cond_signal(&t->serve);
}

static void
lead(struct tickets *t, int (*sync)(void *arg), void *arg)
{
	kv_ticket   target = atomic_load_explicit(&t->staged, memory_order_acquire);
	struct list woken;
	int         r;

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
	take_waiters(t, tickets_err(t) < 0, target, &woken);
	tell_threads(t);
	lock_give(&t->lock);
	wake_all(&woken);
	lock_take(&t->lock);
}

int
tickets_wait(struct tickets *t, const struct tickets_wish *wish, int (*sync)(void *arg), void *arg)
{
	kv_ticket ticket = wish->ticket;

	if (tickets_settled(t, ticket))
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
		if (!t->leading) {
			lead(t, sync, arg);
		} else if (wish->waiter != NULL) {
			wish->waiter->ticket = ticket;
			list_push(&t->waiters, &wish->waiter->link);
			return 1;
		} else {
			lock_wait(&t->lock, &t->done[t->round ^ (ticket > t->target)]);
		}
	}
}

bool
tickets_await(struct tickets *t)
{
	LOCK_SCOPE(&t->lock);

	while (!t->quit && (t->leading || list_empty(&t->waiters)))
		lock_wait(&t->lock, &t->serve);
	return !t->quit;
}

void
tickets_serve(struct tickets *t, int (*sync)(void *arg), void *arg)
{
	LOCK_SCOPE(&t->lock);

	if (!t->leading && !list_empty(&t->waiters) && tickets_err(t) == 0)
		lead(t, sync, arg);
}

void
tickets_quit(struct tickets *t)
{
	LOCK_SCOPE(&t->lock);

	t->quit = true;
	pthread_cond_signal(&t->serve);
}

bool
tickets_durable(struct tickets *t, kv_ticket ticket)
{
	kv_ticket durable;

	if (tickets_settled(t, ticket))
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
	struct list woken;

	lock_take(&t->lock);
	if (tickets_err(t) == 0)
		atomic_store(&t->err, err);
	pthread_cond_broadcast(&t->done[0]);
	pthread_cond_broadcast(&t->done[1]);
	take_waiters(t, true, 0, &woken);
	lock_give(&t->lock);
	wake_all(&woken);
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
