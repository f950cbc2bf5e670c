#include "auth/pass.h"

#include "base/error.h"

void
passes_init(struct passes *p)
{
	lock_init(&p->lock, LOCK_AUTH_PASSES);
	for (size_t i = 0; i < PASS_SLOTS; i++)
		list_init(&p->slots[i]);
	atomic_init(&p->n_taken, 0);
}

void
passes_done(struct passes *p)
{
	lock_done(&p->lock);
}

static bool
concerns(const struct taken *t, const struct pass *p)
{
	if (t->account != p->account)
		return false;
	if (t->why == E_NOT_FOUND || t->why == E_AUTH_DISABLED)
		return true;
	if (t->app_password != p->app_password)
		return false;
	return t->why != E_AUTH_PROTOCOL || (t->protocols & p->protocol) == 0;
}

static void
end(struct pass *p, int why)
{
	if (pass_ended(p) != 0)
		return;
	atomic_store_explicit(&p->ended, why, memory_order_release);
	p->tell(p->arg);
}

void
passes_take_back(struct passes *all, const struct taken *t)
{
	struct list *slot = &all->slots[t->account % PASS_SLOTS];
	uint64_t     n;

	if (t->account == 0)
		return;
	LOCK_SCOPE(&all->lock);
	n = atomic_load_explicit(&all->n_taken, memory_order_relaxed);
	all->recent[n % PASS_RECENT] = *t;
	atomic_store_explicit(&all->n_taken, n + 1, memory_order_release);
	LIST_EACH (it, slot) {
		struct pass *p = CONTAINER_OF(it, struct pass, link);

		if (concerns(t, p))
			end(p, t->why);
	}
}

/* With the lock held. */
static int
taken_since(const struct passes *all, const struct pass *p, uint64_t mark)
{
	uint64_t n = atomic_load_explicit(&all->n_taken, memory_order_relaxed);

	if (n - mark > PASS_RECENT)
		return E_AUTH_TEMP;
	for (; mark < n; mark++)
		if (concerns(&all->recent[mark % PASS_RECENT], p))
			return all->recent[mark % PASS_RECENT].why;
	return 0;
}

int
pass_take(struct passes *all, struct pass *p, uint64_t mark)
{
	int r;

	LOCK_SCOPE(&all->lock);
	r = taken_since(all, p, mark);
	if (r < 0)
		return r;
	p->of = all;
	atomic_init(&p->ended, 0);
	list_push(&all->slots[p->account % PASS_SLOTS], &p->link);
	return 0;
}

void
pass_give(struct pass *p)
{
	/* Not by its link: that is its neighbours' to change. */
	if (p->of == NULL)
		return;
	lock_take(&p->of->lock);
	list_remove(&p->link);
	lock_give(&p->of->lock);
	p->of = NULL;
}
