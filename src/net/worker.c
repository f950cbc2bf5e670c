/* The worker threads: wait for one event, work on its connection, wait again. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/error.h"
#include "base/mem.h"
#include "net/whole.h"

int
worker_init(struct worker *w, struct net *net)
{
	*w = (struct worker){ .net = net, .spare = BUF_INIT(CONN_OUTPUT_MAX) };
	w->scratch = mem_alloc(SCRATCH_BYTES);
	return w->scratch != NULL ? 0 : E_NOMEM;
}

void
worker_done(struct worker *w)
{
	mem_free(w->scratch);
	buf_done(&w->spare);
}

void
net_signal(struct net *net)
{
	eventfd_write(net->run_fd, 1);
}

void
net_run(struct net *net, struct conn *c)
{
	bool call;

	lock_take(&net->run_lock);
	list_push(&net->run, &c->guard.queue);
	call = !net->run_called;
	net->run_called = true;
	lock_give(&net->run_lock);
	if (call)
		net_signal(net);
}

/* Takes one connection; when more are there, another worker is called to help. `answers`: this
 * worker has been called. */
static struct conn *
next_queued(struct net *net, bool answers)
{
	struct list *item;
	bool         call;

	lock_take(&net->run_lock);
	if (answers)
		net->run_called = false;
	item = list_pop(&net->run);
	call = !list_empty(&net->run) && !net->run_called;
	net->run_called |= call;
	lock_give(&net->run_lock);
	if (call)
		net_signal(net);
	return item != NULL ? CONTAINER_OF(item, struct conn, guard.queue) : NULL;
}

static void
on_run(struct worker *w)
{
	for (int i = 0; i < RUN_TURNS; i++) {
		struct conn *c = next_queued(w->net, i == 0);

		if (c == NULL)
			return;
		conn_claim_queued(c);
		conn_work(w, c);
	}
}

static void
on_listener(struct worker *w, struct listener *l)
{
	struct conn *c = listener_accept(l);

	if (c != NULL)
		conn_work(w, c);
}

static void
on_conn(struct worker *w, const struct epoll_event *ev)
{
	struct conn *c = slab_slot(&w->net->slab, (uint32_t)ev->data.u64);

	if (c != NULL && conn_claim_event(c, (uint32_t)(ev->data.u64 >> 32), ev->events))
		conn_work(w, c);
}

static void
on_event(struct worker *w, const struct epoll_event *ev)
{
	uint32_t index = (uint32_t)ev->data.u64;

	if (index == TAG_RUN)
		on_run(w);
	else if (index >= TAG_LISTENER)
		on_listener(w, w->net->listeners[index - TAG_LISTENER]);
	else
		on_conn(w, ev);
}

/* One event at a time: a connection never waits behind another that this worker has taken too. */
void *
worker_main(void *arg)
{
	struct worker     *w = arg;
	struct epoll_event ev;

	while (!atomic_load(&w->net->quitting)) {
		int n = epoll_wait(w->net->epoll_fd, &ev, 1, -1);

		if (n == 1)
			on_event(w, &ev);
		else if (n < 0 && errno != EINTR)
			break;
	}
	net_signal(w->net); /* the next one quits too */
	return NULL;
}
