/*
 * bench/load/task.h: many conversations on one thread, each written straight down.
 *
 * Shape    a loop is one thread with one epoll set; a task is a function with a stack of its own
 *          that gives the thread away while it waits. A waiter is what epoll wakes.
 * Order    tasks of one loop never run at the same time; they share data without locks.
 * Owner    the caller owns tasks and waiters; they stay where they are until loop_run returned.
 */
#ifndef LOAD_TASK_H
#define LOAD_TASK_H

#include <stdint.h>

#include "base/list.h"
#include "load/task_place.h"

struct loop {
	int         epoll;
	struct task_place home;
	char       *stacks;
	size_t      n_tasks;
	size_t      n_running;    /* not finished yet */
	struct list sleepers;     /* tasks with a time, the earliest first */
	struct list gate_waiters;
	unsigned    gate_free;    /* how many more may be inside the gate */
};

struct task {
	struct loop *loop;
	struct task_place here;
	void       (*run)(struct task *);
	struct list  sleep;       /* in sleepers, gate_waiters or nowhere */
	int64_t      wake_at_us;
	bool         timed_out;
};

/* A file descriptor in the loop's epoll set, edge-triggered. */
struct waiter {
	struct task *task;
	unsigned     ready;       /* EPOLLIN, EPOLLOUT: not yet found drained or full; EPOLLRDHUP:
				   * the other side has closed */
	unsigned     wanted;      /* what the task waits for; 0 when it runs */
};

int64_t now_us(void);

int  loop_init(struct loop *, size_t n_tasks);
void loop_done(struct loop *);
/* Runs the function of each task to its end. E_IO when epoll fails. */
int  loop_run(struct loop *, struct task *first, size_t task_bytes);

int  waiter_add(struct waiter *, struct task *, int fd);
/* 0 when one of `wanted` is ready, E_TIMEOUT at until_us (0: never). */
int  waiter_wait(struct waiter *, unsigned wanted, int64_t until_us);
void task_sleep_until(struct task *, int64_t at_us);
/* At most GATE_ROOM tasks of a loop are inside: so that ten thousand do not connect at once. */
void gate_enter(struct task *);
void gate_leave(struct task *);

enum { TASK_STACK_BYTES = 128 * 1024, GATE_ROOM = 64 };

#endif
