#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "store/left.h"

struct kv_part
account_part(const struct account *a)
{
	return (struct kv_part){ KV_ACCOUNT, a->id };
}

account_id
account_number(const struct account *a)
{
	return a->id;
}

uint64_t
account_modseq(struct account *a)
{
	return atomic_load_explicit(&a->modseq, memory_order_acquire);
}

int
account_alive(const struct account *a)
{
	if (atomic_load_explicit(&a->removed, memory_order_acquire))
		return E_NOT_FOUND;
	if (a->generation != kv_generation(a->store->kv))
		return E_CONFLICT;
	return 0;
}

int
account_ready(struct account *a)
{
	int r = account_alive(a);

	if (r < 0 || a->loaded)
		return r;
	r = account_load(a);
	if (r < 0)
		account_forget(a);
	return r;
}

/* The last commit that somebody may have seen. */
static kv_ticket
last_ticket(struct account *a)
{
	kv_ticket ticket;

	/* A commit is visible a moment before its ticket is noted: the lock outwaits that. */
	lock_take(&a->lock);
	ticket = atomic_load_explicit(&a->ticket, memory_order_relaxed);
	lock_give(&a->lock);
	return ticket;
}

int
account_barrier(struct account *a)
{
	int r = account_alive(a);

	if (r == 0)
		r = kv_wait(a->store->kv, last_ticket(a));
	return r < 0 ? r : account_alive(a);
}

int
account_barrier_or_wake(struct account *a, struct kv_waiter *w)
{
	int r = account_alive(a);

	if (r == 0)
		r = kv_wait_or_wake(a->store->kv, last_ticket(a), w);
	/* A waiter that is registered has to be woken first, whatever became of the account. */
	return r != 0 ? r : account_alive(a);
}

/* --- watching --- */

void
account_watch(struct account *a, struct watch *w)
{
	LOCK_SCOPE(&a->watch_lock);
	list_push(&a->watchers, &w->link);
}

void
account_unwatch(struct account *a, struct watch *w)
{
	LOCK_SCOPE(&a->watch_lock);
	list_remove(&w->link);
}

void
account_notify(struct account *a)
{
	LOCK_SCOPE(&a->watch_lock);
	LIST_EACH (it, &a->watchers) {
		struct watch *w = CONTAINER_OF(it, struct watch, link);

		w->notify(w->arg);
	}
}

/* --- quota --- */

void
account_quota(struct account *a, struct quota *ret, struct quota_usage *ret_usage)
{
	ACCOUNT_SCOPE(a);
	/* Of one that cannot be read again these are the last that were. */
	(void)account_ready(a);
	*ret = a->rec.quota;
	*ret_usage = a->rec.usage;
}

int
account_quota_set(struct account *a, const struct quota *quota, const struct actor *actor)
{
	OWN_EDIT struct edit e = { 0 };
	int                  r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r < 0)
		return r;
	edit_begin(&e, a, actor);
	e.rec.quota = *quota;
	return edit_commit(&e, EDIT_DURABLE);
}

int
account_room(const struct account *a, uint64_t size, uint64_t n)
{
	const struct quota       *max = &a->rec.quota;
	const struct quota_usage *use = &a->rec.usage;

	if (max->storage_max != 0 && size > max->storage_max)
		return E_OVER_QUOTA;
	if (max->count_max != 0 && n > max->count_max)
		return E_OVER_QUOTA;
	if (max->storage_max != 0 && use->storage > max->storage_max - size)
		return E_OVER_QUOTA_TEMP;
	if (max->count_max != 0 && use->count > max->count_max - n)
		return E_OVER_QUOTA_TEMP;
	return 0;
}

int
account_quota_check(struct account *a, uint64_t size)
{
	int r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r == 0)
		r = account_room(a, size, 1);
	return r == E_OVER_QUOTA_TEMP ? left_make_room(a, size, false) : r;
}
