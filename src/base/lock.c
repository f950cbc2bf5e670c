#include "base/lock.h"

#include <assert.h>

#ifndef NDEBUG

enum { HELD_MAX = 16 };

static _Thread_local enum lock_rank held[HELD_MAX];
static _Thread_local int            n_held;

static void
note_take(enum lock_rank rank)
{
	for (int i = 0; i < n_held; i++)
		assert(held[i] < rank);
	assert(n_held < HELD_MAX);
	held[n_held++] = rank;
}

static void
note_give(enum lock_rank rank)
{
	int i = n_held;

	while (i > 0 && held[i - 1] != rank)
		i--;
	assert(i > 0);
	for (; i < n_held; i++)
		held[i - 1] = held[i];
	n_held--;
}

#else

static void
note_take(enum lock_rank rank)
{
	(void)rank;
}

static void
note_give(enum lock_rank rank)
{
	(void)rank;
}

#endif

void
lock_init(struct lock *l, enum lock_rank rank)
{
	pthread_mutex_init(&l->mutex, NULL);
	l->rank = rank;
}

void
lock_done(struct lock *l)
{
	pthread_mutex_destroy(&l->mutex);
}

void
lock_take(struct lock *l)
{
	note_take(l->rank);
	pthread_mutex_lock(&l->mutex);
}

void
lock_give(struct lock *l)
{
	pthread_mutex_unlock(&l->mutex);
	note_give(l->rank);
}

void
lock_wait(struct lock *l, pthread_cond_t *cond)
{
	note_give(l->rank);
	pthread_cond_wait(cond, &l->mutex);
	note_take(l->rank);
}
