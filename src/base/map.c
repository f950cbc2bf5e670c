#include "base/map.h"

#include <pthread.h>
#include <sodium.h>

#include "base/error.h"
#include "base/mem.h"

struct map_node {
	struct map_node *next;
	void            *value;
	uint64_t         hash;
	size_t           n;
	char             key[];
};

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static unsigned char  hash_key[crypto_shorthash_KEYBYTES];

static void
draw_key(void)
{
	randombytes_buf(hash_key, sizeof(hash_key));
}

static uint64_t
hash_of(struct str key)
{
	static const unsigned char none[1];
	unsigned char              out[crypto_shorthash_BYTES];
	uint64_t                   h;

	crypto_shorthash(out, key.n != 0 ? (const unsigned char *)key.p : none, key.n, hash_key);
	memcpy(&h, out, sizeof(h));
	return h;
}

void
map_init(struct map *m)
{
	pthread_once(&key_once, draw_key);
	*m = (struct map){ 0 };
}

void
map_done(struct map *m)
{
	for (size_t i = 0; i < m->n_slots; i++) {
		struct map_node *node = m->slots[i];

		while (node != NULL) {
			struct map_node *next = node->next;

			mem_free(node);
			node = next;
		}
	}
	mem_free(m->slots);
	*m = (struct map){ 0 };
}

/* The link that points at the node of key, or at the NULL where it would be. */
static struct map_node **
link_of(const struct map *m, struct str key, uint64_t hash)
{
	struct map_node **link = &m->slots[hash & (m->n_slots - 1)];

	while (*link != NULL &&
	    ((*link)->hash != hash || !str_eq(str_of((*link)->key, (*link)->n), key)))
		link = &(*link)->next;
	return link;
}

void *
map_get(const struct map *m, struct str key)
{
	struct map_node *node;

	if (m->n == 0)
		return NULL;
	node = *link_of(m, key, hash_of(key));
	return node != NULL ? node->value : NULL;
}

static int
grow(struct map *m)
{
	size_t            n_slots = m->n_slots != 0 ? m->n_slots * 2 : 16;
	struct map_node **slots = mem_zalloc(n_slots * sizeof(*slots));

	if (slots == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < m->n_slots; i++) {
		struct map_node *node = m->slots[i];

		while (node != NULL) {
			struct map_node  *next = node->next;
			struct map_node **to = &slots[node->hash & (n_slots - 1)];

			node->next = *to;
			*to = node;
			node = next;
		}
	}
	mem_free(m->slots);
	m->slots = slots;
	m->n_slots = n_slots;
	return 0;
}

int
map_put(struct map *m, struct str key, void *value)
{
	uint64_t          hash = hash_of(key);
	struct map_node **link, *node;

	if (m->n >= m->n_slots && grow(m) < 0)
		return E_NOMEM;
	link = link_of(m, key, hash);
	if (*link != NULL) {
		(*link)->value = value;
		return 0;
	}
	node = mem_alloc(sizeof(*node) + key.n);
	if (node == NULL)
		return E_NOMEM;
	*node = (struct map_node){ .value = value, .hash = hash, .n = key.n };
	if (key.n != 0)
		memcpy(node->key, key.p, key.n);
	*link = node;
	m->n++;
	return 0;
}

void *
map_del(struct map *m, struct str key)
{
	struct map_node **link, *node;
	void             *value;

	if (m->n == 0)
		return NULL;
	link = link_of(m, key, hash_of(key));
	node = *link;
	if (node == NULL)
		return NULL;
	*link = node->next;
	value = node->value;
	mem_free(node);
	m->n--;
	return value;
}

bool
map_next(const struct map *m, struct map_at *at)
{
	struct map_node *node = at->node_ != NULL ? at->node_->next : NULL;

	while (node == NULL) {
		if (at->slot_ >= m->n_slots)
			return false;
		node = m->slots[at->slot_++];
	}
	at->node_ = node;
	at->key = str_of(node->key, node->n);
	at->value = node->value;
	return true;
}
