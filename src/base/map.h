/*
 * base/map.h: a hash table from byte strings to pointers.
 *
 * Shape    keys are copied; values are the caller's. Order is not defined.
 * Cost     SipHash with a key drawn at start: keys from outside cannot be made to collide.
 * Errors   map_put gives E_NOMEM and leaves the map as it was.
 * Threads  the caller's lock.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map_node;
struct map {
	struct map_node **slots;
	size_t            n_slots; /* a power of two, or 0 */
	size_t            n;
};

void  map_init(struct map *);
void  map_done(struct map *); /* frees keys and table, not the values */
void *map_get(const struct map *, struct str key);
/* Sets the value of key. A value that was there is replaced (and still the caller's). */
int   map_put(struct map *, struct str key, void *value);
void *map_del(struct map *, struct str key); /* the value, or NULL */

/* for (struct map_at at = {0}; map_next(m, &at);) use at.key, at.value. No change meanwhile. */
struct map_at {
	struct str       key;
	void            *value;
	size_t           slot_;
	struct map_node *node_;
};
bool map_next(const struct map *, struct map_at *);

#endif
