#include "net/slab.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"

struct slab_chunk {
	_Atomic int64_t due[SLAB_CHUNK];
	struct conn     slots[SLAB_CHUNK];
};

int
slab_init(struct slab *s, struct net *net, size_t conns_max, size_t per_address_max)
{
	*s = (struct slab){
		.net = net, .conns_max = conns_max, .per_address_max = per_address_max
	};
	lock_init(&s->lock, LOCK_NET_TABLE);
	list_init(&s->free);
	map_init(&s->counts);
	s->empty_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	s->chunks_max = (conns_max + SLAB_CHUNK - 1) / SLAB_CHUNK;
	s->chunks = mem_zalloc(s->chunks_max * sizeof(*s->chunks));
	if (s->chunks == NULL || s->empty_fd < 0) {
		slab_done(s);
		return E_NOMEM;
	}
	return 0;
}

void
slab_done(struct slab *s)
{
	size_t n = s->chunks != NULL ? atomic_load(&s->chunks_n) : 0;

	for (size_t i = 0; i < n; i++) {
		struct slab_chunk *chunk = atomic_load(&s->chunks[i]);

		for (size_t k = 0; k < SLAB_CHUNK; k++)
			lock_done(&chunk->slots[k].guard.lock);
		mem_free(chunk);
	}
	mem_free(s->chunks);
	for (struct map_at at = { 0 }; map_next(&s->counts, &at);)
		mem_free(at.value);
	map_done(&s->counts);
	if (s->empty_fd >= 0)
		close(s->empty_fd);
	lock_done(&s->lock);
	*s = (struct slab){ 0 };
}

static int
add_chunk(struct slab *s)
{
	size_t             at = atomic_load(&s->chunks_n);
	struct slab_chunk *chunk;

	if (at == s->chunks_max)
		return E_BUSY;
	chunk = mem_zalloc(sizeof(*chunk));
	if (chunk == NULL)
		return E_NOMEM;
	for (size_t k = 0; k < SLAB_CHUNK; k++) {
		struct conn *c = &chunk->slots[k];

		lock_init(&c->guard.lock, LOCK_NET_CONN);
		c->index = (uint32_t)(at * SLAB_CHUNK + k);
		c->net = s->net;
		c->due = &chunk->due[k];
		atomic_init(c->due, INT64_MAX);
		list_push(&s->free, &c->guard.queue);
	}
	atomic_store(&s->chunks[at], chunk);
	atomic_store(&s->chunks_n, at + 1);
	return 0;
}

int
slab_take(struct slab *s, struct conn **ret)
{
	LOCK_SCOPE(&s->lock);
	struct list *item;
	struct conn *c;

	if (s->shut)
		return E_SHUTDOWN;
	if (atomic_load(&s->used) >= s->conns_max)
		return E_BUSY;
	if (list_empty(&s->free)) {
		int r = add_chunk(s);

		if (r < 0)
			return r;
	}
	item = list_pop(&s->free);
	c = CONTAINER_OF(item, struct conn, guard.queue);
	lock_take(&c->guard.lock);
	c->guard.state = CONN_OWNED;
	c->guard.posted = 0;
	c->guard.fired = 0;
	lock_give(&c->guard.lock);
	atomic_fetch_add(&s->used, 1);
	*ret = c;
	return 0;
}

void
slab_give(struct slab *s, struct conn *c)
{
	LOCK_SCOPE(&s->lock);

	lock_take(&c->guard.lock);
	c->guard.state = CONN_FREE;
	c->guard.gen++;
	c->guard.posted = 0;
	lock_give(&c->guard.lock);
	atomic_store(c->due, INT64_MAX);
	/* The one that was used last is the one in the cache. */
	list_push(s->free.next, &c->guard.queue);
	if (atomic_fetch_sub(&s->used, 1) == 1 && s->shut)
		eventfd_write(s->empty_fd, 1);
}

int
slab_count(struct slab *s, const struct net_addr *a, bool *ret_counted)
{
	char       text[NET_ADDR_KEY_MAX];
	struct str key;
	size_t    *n;

	*ret_counted = false;
	if ((a->family != AF_INET && a->family != AF_INET6) || net_addr_is_loopback(a))
		return 0;
	key = net_addr_key(a, text);
	LOCK_SCOPE(&s->lock);
	n = map_get(&s->counts, key);
	if (n == NULL) {
		n = MEM_NEW(size_t);
		if (n == NULL || map_put(&s->counts, key, n) < 0) {
			mem_free(n);
			return E_NOMEM;
		}
	}
	if (*n >= s->per_address_max)
		return E_BUSY;
	++*n;
	*ret_counted = true;
	return 0;
}

void
slab_uncount(struct slab *s, const struct net_addr *a)
{
	char       text[NET_ADDR_KEY_MAX];
	struct str key = net_addr_key(a, text);
	size_t    *n;

	LOCK_SCOPE(&s->lock);
	n = map_get(&s->counts, key);
	if (--*n == 0)
		mem_free(map_del(&s->counts, key));
}

struct conn *
slab_slot(struct slab *s, uint32_t index)
{
	struct slab_chunk *chunk;

	if (index / SLAB_CHUNK >= atomic_load(&s->chunks_n))
		return NULL;
	chunk = atomic_load(&s->chunks[index / SLAB_CHUNK]);
	return &chunk->slots[index % SLAB_CHUNK];
}

void
slab_shut(struct slab *s)
{
	LOCK_SCOPE(&s->lock);

	s->shut = true;
	if (atomic_load(&s->used) == 0)
		eventfd_write(s->empty_fd, 1);
}

void
slab_post_all(struct slab *s, unsigned bits)
{
	uint32_t n = (uint32_t)(atomic_load(&s->chunks_n) * SLAB_CHUNK);

	for (uint32_t i = 0; i < n; i++)
		conn_post(slab_slot(s, i), bits);
}

void
slab_sweep(struct slab *s, int64_t now)
{
	size_t n = atomic_load(&s->chunks_n);

	for (size_t i = 0; i < n; i++) {
		struct slab_chunk *chunk = atomic_load(&s->chunks[i]);

		for (size_t k = 0; k < SLAB_CHUNK; k++)
			if (atomic_load_explicit(&chunk->due[k], memory_order_relaxed) <= now)
				conn_post_due(&chunk->slots[k], now);
	}
}

struct conn *
slab_any(struct slab *s)
{
	uint32_t n = (uint32_t)(atomic_load(&s->chunks_n) * SLAB_CHUNK);

	for (uint32_t i = 0; i < n; i++) {
		struct conn *c = slab_slot(s, i);
		bool         open;

		lock_take(&c->guard.lock);
		open = c->guard.state != CONN_FREE;
		lock_give(&c->guard.lock);
		if (open)
			return c;
	}
	return NULL;
}
