/* Who owns a connection, and how it is woken. */
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/error.h"
#include "net/whole.h"

/* With the lock held. */
static bool
ends_sleep(const struct conn *c, uint32_t events)
{
	return (events & (c->guard.want | EPOLLERR | EPOLLHUP)) != 0;
}

bool
conn_claim_event(struct conn *c, uint32_t gen, uint32_t events)
{
	LOCK_SCOPE(&c->guard.lock);

	if (c->guard.gen != gen || c->guard.state == CONN_FREE)
		return false;
	c->guard.fired |= events;
	/* Its owner, who is about to sleep, sees it; or it is of no use now, and kept for later. */
	if (c->guard.state != CONN_ARMED || !ends_sleep(c, events))
		return false;
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
	c->in.hung_up |= (fired & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	return posted & ~(unsigned)(WHY_POKE | WHY_WAKE);
}

/* Once for input, and once more for the first output that has to wait: then each event is told of
 * once, as it comes, and no request pays for arming. Input is always looked for, so that nothing
 * is armed for less than before; only slow peers are watched for output, since a close would wake
 * a worker for it. */
static int
arm(struct conn *c)
{
	uint32_t           events = c->armed | EPOLLIN | EPOLLRDHUP | EPOLLET | c->want;
	struct epoll_event ev = {
		.events = events,
		.data.u64 = (uint64_t)c->guard.gen << 32 | c->index,
	};
	int op = c->armed != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (events == c->armed)
		return 0;
	if (epoll_ctl(c->net->epoll_fd, op, c->sock.fd, &ev) < 0)
		return E_NOMEM;
	c->armed = events;
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
	c->guard.want = c->want;
	if ((c->guard.posted & wakes) != 0 || (c->want != 0 && ends_sleep(c, c->guard.fired)))
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
