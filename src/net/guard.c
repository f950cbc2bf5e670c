/* Who owns a connection, and how it is woken. */
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/error.h"
#include "net/whole.h"

bool
conn_claim_event(struct conn *c, uint32_t gen, uint32_t events)
{
	LOCK_SCOPE(&c->guard.lock);

	if (c->guard.gen != gen || c->guard.state == CONN_FREE)
		return false;
	c->guard.fired |= events;
	if (c->guard.state != CONN_ARMED)
		return false; /* its owner, who is about to sleep, sees it */
	c->guard.state = CONN_OWNED;
	return true;
}

void
conn_claim_queued(struct conn *c)
{
	LOCK_SCOPE(&c->guard.lock);

	c->guard.state = CONN_OWNED;
}

/* With the lock held: does the connection sleep for what was posted? Then it is to be queued. */
static bool
wakes_up(struct conn *c)
{
	if (c->guard.state != CONN_ARMED && c->guard.state != CONN_PARKED)
		return false;
	if ((c->guard.posted & c->guard.wakes) == 0)
		return false;
	c->guard.state = CONN_QUEUED;
	return true;
}

void
conn_post(struct conn *c, unsigned bits)
{
	bool woken = false;

	lock_take(&c->guard.lock);
	if (c->guard.state != CONN_FREE) {
		c->guard.posted |= bits;
		woken = wakes_up(c);
	}
	lock_give(&c->guard.lock);
	if (woken)
		net_run(c->net, c);
}

void
conn_post_due(struct conn *c, int64_t now)
{
	bool woken = false;

	lock_take(&c->guard.lock);
	if (atomic_load(c->due) <= now &&
	    (c->guard.state == CONN_ARMED || c->guard.state == CONN_PARKED)) {
		atomic_store(c->due, INT64_MAX);
		c->guard.posted |= c->guard.state == CONN_PARKED ? WHY_WAKE : WHY_TIMEOUT;
		woken = wakes_up(c);
	}
	lock_give(&c->guard.lock);
	if (woken)
		net_run(c->net, c);
}

unsigned
conn_posted(struct conn *c)
{
	unsigned posted;
	uint32_t fired;

	lock_take(&c->guard.lock);
	posted = c->guard.posted;
	fired = c->guard.fired;
	c->guard.posted = 0;
	c->guard.fired = 0;
	atomic_store_explicit(c->due, INT64_MAX, memory_order_relaxed);
	lock_give(&c->guard.lock);
	c->why |= posted & (WHY_POKE | WHY_WAKE);
	c->in.readable |= (fired & ~(uint32_t)EPOLLOUT) != 0 || (fired != 0 && c->in.wants_out);
	return posted & ~(unsigned)(WHY_POKE | WHY_WAKE);
}

static int
arm(struct conn *c)
{
	struct epoll_event ev = {
		.events = c->want | EPOLLONESHOT,
		.data.u64 = (uint64_t)c->guard.gen << 32 | c->index,
	};
	int op = c->in_epoll ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (epoll_ctl(c->net->epoll_fd, op, c->sock.fd, &ev) < 0)
		return E_NOMEM;
	c->in_epoll = true;
	return 0;
}

int
conn_sleep(struct conn *c, unsigned wakes, int64_t due)
{
	/* Armed while still owned, so that no worker waits for this lock over a system call: an
	 * event that comes at once is noted by conn_claim_event, and seen below. */
	if (c->want != 0 && arm(c) < 0)
		return E_NOMEM;
	LOCK_SCOPE(&c->guard.lock);
	if ((c->guard.posted & wakes) != 0 || (c->want != 0 && c->guard.fired != 0))
		return 0;
	c->guard.wakes = wakes;
	c->guard.state = c->want != 0 ? CONN_ARMED : CONN_PARKED;
	atomic_store_explicit(c->due, due, memory_order_relaxed);
	return 1;
}

void
conn_requeue(struct conn *c)
{
	struct net *net = c->net;

	lock_take(&c->guard.lock);
	c->guard.state = CONN_QUEUED;
	lock_give(&c->guard.lock);
	net_run(net, c);
}
