/*
 * base/lock.h: mutexes with a rank from base/lock.def.
 *
 * Threads  lock_take asserts (debug builds) that every lock this thread holds ranks lower.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <pthread.h>

enum lock_rank {
#define LOCK(name, rank) LOCK_##name = (rank),
#include "base/lock.def"
#undef LOCK
};

struct lock {
	pthread_mutex_t mutex;
	enum lock_rank  rank;
};

void lock_init(struct lock *, enum lock_rank);
void lock_done(struct lock *);
void lock_take(struct lock *);
void lock_give(struct lock *);
/* Waits on cond; the lock is given meanwhile and held again on return. */
void lock_wait(struct lock *, pthread_cond_t *);

/* Holds the lock until the end of the scope: `LOCK_SCOPE(&a->lock);` */
static inline void
lock_give_scope(struct lock **l)
{
	lock_give(*l);
}
#define LOCK_SCOPE(l)                                                                            \
	__attribute__((cleanup(lock_give_scope))) struct lock *scope_lock_ = (l);                \
	lock_take(scope_lock_)

#endif
