/* Tasks on one epoll loop: stacks, sleeping, waking. */
#include "load/task.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

enum { GUARD_BYTES = 4096, EVENTS_MAX = 256 };

int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int
loop_init(struct loop *l, size_t n_tasks)
{
	size_t bytes = n_tasks * TASK_STACK_BYTES;

	*l = (struct loop){ .n_tasks = n_tasks, .gate_free = GATE_ROOM };
	list_init(&l->sleepers);
	list_init(&l->gate_waiters);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0)
		return E_IO;
	l->stacks = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (l->stacks == MAP_FAILED) {
		close(l->epoll);
		return E_NOMEM;
	}
	for (size_t i = 0; i < n_tasks; i++) {
		if (mprotect(l->stacks + i * TASK_STACK_BYTES, GUARD_BYTES, PROT_NONE) < 0)
			return E_NOMEM;
	}
	return 0;
}

void
loop_done(struct loop *l)
{
	munmap(l->stacks, l->n_tasks * TASK_STACK_BYTES);
	close(l->epoll);
}

/* --- switching --- */

static void
task_resume(struct task *t)
{
	task_place_switch(&t->loop->home, &t->here);
}

static void
task_yield(struct task *t)
{
	task_place_switch(&t->here, &t->loop->home);
}

/* makecontext hands over int arguments only: the pointer travels in two halves. */
static void
task_main(unsigned high, unsigned low)
{
	struct task *t = (struct task *)(((uintptr_t)high << 32) | low);

	t->run(t);
	t->loop->n_running--;
	task_yield(t); /* for good */
}

static void
task_start(struct loop *l, struct task *t, size_t index)
{
	ucontext_t *context = &t->here.context;
	uintptr_t   at = (uintptr_t)t;

	t->loop = l;
	list_init(&t->sleep);
	getcontext(context);
	context->uc_stack.ss_sp = l->stacks + index * TASK_STACK_BYTES + GUARD_BYTES;
	context->uc_stack.ss_size = TASK_STACK_BYTES - GUARD_BYTES;
	context->uc_link = NULL;
	makecontext(context, (void (*)(void))task_main, 2, (unsigned)(at >> 32), (unsigned)at);
	task_place_begin(&l->home, &t->here);
}

/* --- waiting --- */

static void
sleepers_add(struct task *t, int64_t at_us)
{
	struct list *after = t->loop->sleepers.prev;

	t->wake_at_us = at_us;
	while (after != &t->loop->sleepers &&
	       CONTAINER_OF(after, struct task, sleep)->wake_at_us > at_us)
		after = after->prev;
	list_push(after->next, &t->sleep);
}

int
waiter_add(struct waiter *w, struct task *t, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.ptr = w };

	*w = (struct waiter){ .task = t };
	return epoll_ctl(t->loop->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? E_IO : 0;
}

int
waiter_wait(struct waiter *w, unsigned wanted, int64_t until_us)
{
	struct task *t = w->task;

	if (w->ready & wanted)
		return 0;
	t->timed_out = false;
	w->wanted = wanted;
	if (until_us > 0)
		sleepers_add(t, until_us);
	task_yield(t);
	w->wanted = 0;
	list_remove(&t->sleep);
	return t->timed_out ? E_TIMEOUT : 0;
}

void
task_sleep_until(struct task *t, int64_t at_us)
{
	sleepers_add(t, at_us);
	task_yield(t);
}

void
gate_enter(struct task *t)
{
	if (t->loop->gate_free > 0) {
		t->loop->gate_free--;
		return;
	}
	list_push(&t->loop->gate_waiters, &t->sleep);
	task_yield(t); /* whoever leaves hands its place over */
}

void
gate_leave(struct task *t)
{
	struct list *next = list_pop(&t->loop->gate_waiters);

	if (next == NULL) {
		t->loop->gate_free++;
		return;
	}
	list_init(next);
	sleepers_add(CONTAINER_OF(next, struct task, sleep), 1);
}

/* --- the loop --- */

/* Wakes the tasks whose time has come; returns milliseconds to the next, -1 for none. */
static int
loop_wake_sleepers(struct loop *l)
{
	int64_t now = 0;

	while (!list_empty(&l->sleepers)) {
		struct task *t = CONTAINER_OF(l->sleepers.next, struct task, sleep);

		if (t->wake_at_us > now)
			now = now_us();
		if (t->wake_at_us > now)
			return (int)((t->wake_at_us - now + 999) / 1000);
		list_remove(&t->sleep);
		t->timed_out = true;
		task_resume(t);
	}
	return -1;
}

static void
loop_event(const struct epoll_event *ev)
{
	struct waiter *w = ev->data.ptr;

	w->ready |= ev->events & (EPOLLIN | EPOLLOUT);
	if (ev->events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))
		w->ready |= EPOLLIN | EPOLLOUT | EPOLLRDHUP;
	if (w->ready & w->wanted)
		task_resume(w->task);
}

int
loop_run(struct loop *l, struct task *first, size_t task_bytes)
{
	struct epoll_event events[EVENTS_MAX];
	int                n, wait_ms;

	l->n_running = l->n_tasks;
	for (size_t i = 0; i < l->n_tasks; i++)
		task_start(l, (struct task *)((char *)first + i * task_bytes), i);
	for (;;) {
		wait_ms = loop_wake_sleepers(l);
		if (l->n_running == 0)
			return 0;
		n = epoll_wait(l->epoll, events, EVENTS_MAX, wait_ms);
		if (n < 0 && errno != EINTR)
			return E_IO;
		for (int i = 0; i < n; i++)
			loop_event(&events[i]);
	}
}
