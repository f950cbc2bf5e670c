#include "auth/recent.h"

#include "base/error.h"
#include "base/mem.h"

enum { PROOFS_KEPT = 4 };

struct recent_entry {
	struct list link;
	int64_t     at_ms;
	uint64_t    account;             /* right passwords */
	unsigned    count;               /* failures, as of at_ms */
	unsigned    next;                /* the proof that the next one replaces */
	uint64_t    proofs[PROOFS_KEPT];
	size_t      key_n;
	char        key[];
};

void
recent_init(struct recent *t, size_t max)
{
	map_init(&t->by_key);
	list_init(&t->order);
	t->max = max;
}

static void
drop(struct recent *t, struct recent_entry *e)
{
	list_remove(&e->link);
	map_del(&t->by_key, str_of(e->key, e->key_n));
	mem_free(e);
}

static struct recent_entry *
oldest(struct recent *t)
{
	return CONTAINER_OF(t->order.next, struct recent_entry, link);
}

void
recent_done(struct recent *t)
{
	while (!list_empty(&t->order))
		drop(t, oldest(t));
	map_done(&t->by_key);
}

/* The entry of key, made when there is none; now the most recent. NULL without memory. */
static struct recent_entry *
touch(struct recent *t, struct str key)
{
	struct recent_entry *e = map_get(&t->by_key, key);

	if (e != NULL) {
		list_remove(&e->link);
		list_push(&t->order, &e->link);
		return e;
	}
	if (t->by_key.n >= t->max)
		drop(t, oldest(t));
	e = mem_zalloc(sizeof(*e) + key.n);
	if (e == NULL)
		return NULL;
	e->key_n = key.n;
	memcpy(e->key, key.p, key.n);
	if (map_put(&t->by_key, key, e) < 0) {
		mem_free(e);
		return NULL;
	}
	list_push(&t->order, &e->link);
	return e;
}

void
recent_right_put(struct recent *t, struct str proof, uint64_t account, int64_t now_ms)
{
	struct recent_entry *e = touch(t, proof);

	if (e == NULL)
		return;
	e->account = account;
	e->at_ms = now_ms;
}

int
recent_right_get(struct recent *t, struct str proof, int64_t now_ms, int64_t max_age_ms,
    uint64_t *ret_account)
{
	struct recent_entry *e = map_get(&t->by_key, proof);

	if (e == NULL)
		return E_NOT_FOUND;
	if (now_ms - e->at_ms >= max_age_ms) {
		drop(t, e);
		return E_NOT_FOUND;
	}
	*ret_account = e->account;
	return 0;
}

static unsigned
faded(const struct recent_entry *e, int64_t now_ms)
{
	int64_t halvings = (now_ms - e->at_ms) / RECENT_HALF_MS;

	return halvings < 32 ? e->count >> halvings : 0;
}

void
recent_fail_add(struct recent *t, struct str key, uint64_t proof, int64_t now_ms)
{
	struct recent_entry *e = touch(t, key);

	if (e == NULL)
		return;
	for (size_t i = 0; i < PROOFS_KEPT; i++)
		if (e->proofs[i] == proof)
			return;
	e->proofs[e->next++ % PROOFS_KEPT] = proof;
	e->count = faded(e, now_ms) + 1;
	e->at_ms = now_ms;
}

unsigned
recent_fail_count(struct recent *t, struct str key, int64_t now_ms)
{
	struct recent_entry *e = map_get(&t->by_key, key);

	return e != NULL ? faded(e, now_ms) : 0;
}
