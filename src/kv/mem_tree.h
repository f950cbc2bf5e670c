/*
 * kv/mem_tree.h: an ordered map whose old states stay readable: a treap that is never changed in
 * place. A state is a root; who keeps a root keeps that state.
 *
 * Cost     find, put and delete O(log n); a snapshot is one counter.
 * Owner    each root that a function returns, and each mem_tree_keep, is paired with mem_tree_drop.
 *          NULL is the empty map.
 * Threads  counters are atomic; one root may be read by many threads.
 */
#ifndef KV_MEM_TREE_H
#define KV_MEM_TREE_H

#include <stdatomic.h>

#include "base/own.h"
#include "base/str.h"

struct mem_entry {
	atomic_size_t uses;
	size_t        key_n, value_n;
	char          bytes[]; /* key, value */
};

struct mem_tree;

struct mem_tree *mem_tree_keep(struct mem_tree *);
void             mem_tree_drop(struct mem_tree *);
OWN_DEFINE(mem_tree)

/* A new state from an old one, which stays as it is. 0 or E_NOMEM. */
int mem_tree_put(struct mem_tree *, struct str key, struct str value, struct mem_tree **ret);
int mem_tree_del(struct mem_tree *, struct str key, struct mem_tree **ret);

/* The entry of key; of the smallest key >= it; of the largest key < it. NULL when there is none. */
const struct mem_entry *mem_tree_find(const struct mem_tree *, struct str key);
const struct mem_entry *mem_tree_at_least(const struct mem_tree *, struct str key);
const struct mem_entry *mem_tree_below(const struct mem_tree *, struct str key);

/* Keeps an entry beyond its map. */
void mem_entry_keep(const struct mem_entry *);
void mem_entry_drop(const struct mem_entry *);

static inline struct str
mem_entry_key(const struct mem_entry *e)
{
	return str_of(e->bytes, e->key_n);
}

static inline struct str
mem_entry_value(const struct mem_entry *e)
{
	return str_of(e->bytes + e->key_n, e->value_n);
}

#endif
