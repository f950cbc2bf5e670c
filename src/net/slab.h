/*
 * net/slab.h: the slots of all connections, and how many each address has.
 *
 * Shape    chunks of slots that are made when needed and stay until slab_done; a free list. Beside
 *          the slots of a chunk lies a dense array of their due times, which the sweeper reads.
 * Limits   conns_max in all; per_address_max for one address (loopback and unix are exempt).
 * Threads  any; LOCK_NET_TABLE.
 */
#ifndef NET_SLAB_H
#define NET_SLAB_H

#include <stdatomic.h>

#include "base/lock.h"
#include "base/map.h"
#include "net/conn.h"

enum { SLAB_CHUNK = 256 };

struct slab_chunk;
struct slab {
	struct net                  *net; /* of every slot */
	struct lock                  lock;
	_Atomic(struct slab_chunk *) *chunks;
	size_t                       chunks_max;
	atomic_size_t                chunks_n;
	struct list                  free; /* by guard.queue */
	atomic_size_t                used;
	size_t                       conns_max;
	size_t                       per_address_max;
	struct map                   counts; /* net_addr_key to a size_t */
	bool                         shut;   /* no new connections */
	int                          empty_fd; /* eventfd: told when shut and used becomes 0 */
};

int  slab_init(struct slab *, struct net *, size_t conns_max, size_t per_address_max);
void slab_done(struct slab *);

/* A free slot, owned by the caller. E_BUSY (over a limit), E_SHUTDOWN, E_NOMEM. */
int  slab_take(struct slab *, struct conn **ret);
void slab_give(struct slab *, struct conn *);
/* Counts one more connection of an address: E_BUSY over the limit. *ret_counted: to be undone. */
int  slab_count(struct slab *, const struct net_addr *, bool *ret_counted);
void slab_uncount(struct slab *, const struct net_addr *);

/* The slot of an index that was given out once; NULL otherwise. */
struct conn *slab_slot(struct slab *, uint32_t index);
/* Refuses new connections from now on. */
void slab_shut(struct slab *);
/* Posts bits to every open connection. */
void slab_post_all(struct slab *, unsigned bits);
/* Wakes those whose time has come. */
void slab_sweep(struct slab *, int64_t now);
/* Any open connection, or NULL: to close them when no worker runs. */
struct conn *slab_any(struct slab *);

#endif
