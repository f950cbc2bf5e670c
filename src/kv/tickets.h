/*
 * kv/tickets.h: the order of commits, which of them are on disk, and the sync they share.
 *
 * Ticket   generation in the upper 16 bits, number of the write in the lower 48.
 *          A generation ends when the engine was reopened after a failure; the tickets of it that
 *          were not durable are lost, for good.
 * Sync     of the threads that wait one becomes the leader: it notes the latest ticket, syncs for
 *          all up to there, and wakes them. Who comes meanwhile shares the next sync; only one of
 *          them is woken to lead it. Commits go on during a sync.
 * Waiters  who waits without a thread leads too when nobody does, else it is put into a list. The
 *          end of each sync wakes those whom it covers; for the others a thread of the engine goes
 *          on syncing, until nobody is left.
 * Failure  the first error is latched. Then nothing new is staged, and who waits for what is not
 *          durable gets the error, until tickets_restart.
 * Threads  any; the lock ranks KV_SYNC.
 */
#ifndef KV_TICKETS_H
#define KV_TICKETS_H

#include <stdatomic.h>

#include "base/lock.h"
#include "kv/kv.h"

enum { TICKETS_ENDS = 64 };

struct tickets {
	_Atomic kv_ticket staged;  /* the latest, written under the engine's write lock */
	_Atomic kv_ticket durable; /* all of this generation up to here are on disk */
	atomic_int        err;     /* 0 while healthy */
	struct lock       lock;    /* guards what follows */
	bool              leading; /* a sync is under way, for all tickets up to target */
	kv_ticket         target;
	unsigned          round;   /* who waits for the running sync waits on done[round] */
	pthread_cond_t    done[2];
	struct list       waiters; /* kv_wait_or_wake */
	pthread_cond_t    serve;   /* the thread that syncs for them waits here */
	bool              quit;
	kv_ticket         ends[TICKETS_ENDS]; /* last durable ticket of ended generations */
};

/* Who waits for what; waiter NULL: the thread itself. */
struct tickets_wish {
	kv_ticket         ticket;
	struct kv_waiter *waiter;
};

void tickets_init(struct tickets *);
void tickets_done(struct tickets *);

/* The ticket of a write that has just been applied. Under the write lock. */
kv_ticket tickets_stage(struct tickets *);
/* sync(arg) is called by the leader, without the lock. */
int       tickets_wait(struct tickets *, const struct tickets_wish *, int (*sync)(void *arg),
          void *arg);
/* For the thread that syncs for waiters: blocks until one waits and nobody leads, false when it is
 * to end; then leads, if that is still so. */
bool      tickets_await(struct tickets *);
void      tickets_serve(struct tickets *, int (*sync)(void *arg), void *arg);
void      tickets_quit(struct tickets *);
bool      tickets_durable(struct tickets *, kv_ticket);
void      tickets_fail(struct tickets *, int err);
/* A new generation. err: 0, or what it begins with when the engine is not well yet. Nobody else
 * may be waiting or staging. */
void      tickets_restart(struct tickets *, int err);

static inline uint64_t
tickets_generation(struct tickets *t)
{
	return (atomic_load(&t->durable) >> 48) + 1;
}

/* Is something visible that is not known to be on disk? */
static inline bool
tickets_open(struct tickets *t)
{
	return atomic_load(&t->staged) > atomic_load(&t->durable);
}

static inline int
tickets_err(struct tickets *t)
{
	return atomic_load_explicit(&t->err, memory_order_acquire);
}

/* Without the lock: surely on disk? */
static inline bool
tickets_settled(struct tickets *t, kv_ticket ticket)
{
	kv_ticket durable = atomic_load_explicit(&t->durable, memory_order_acquire);

	return ticket == 0 || (ticket <= durable && ticket >> 48 == durable >> 48);
}

#endif
