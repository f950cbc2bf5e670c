/*
 * The phases of a connection. conn_work takes one turn after another until the connection sleeps or
 * ends; each turn does the work of one phase, and says how to go on.
 */
#include <stddef.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/error.h"
#include "net/whole.h"

enum next {
	NEXT_TURN,  /* another turn at once */
	NEXT_SLEEP, /* until c->want, a post, or the time that ends the phase */
	NEXT_FREE
};

enum {
	WAKES_WIRE = POST_KILL | POST_STOP | WHY_TIMEOUT, /* while the wire is waited for */
	WAKES_RUN = WAKES_WIRE | WHY_POKE | WHY_WAKE,
	WAKES_PARK = POST_KILL | WHY_WAKE,
	WAKES_HOLD = POST_MAY_SEND
};

/* --- the end --- */

static void
close_session(struct conn *c)
{
	if (!c->opened)
		return;
	c->opened = false;
	c->type->close(c->session);
	c->session = NULL;
}

/* A session that never came to be is told of by its type. */
static void
tell_refused(struct conn *c)
{
	if (c->phase == PHASE_START && !c->had_session && c->type->refused != NULL)
		c->type->refused(c->server, c);
}

static void
drop_filters(struct conn *c)
{
	while (c->top != NULL) {
		struct filter *f = c->top;

		c->top = f->below;
		f->type->drop(f);
	}
	c->tls = NULL;
}

void
conn_free(struct conn *c)
{
	tell_refused(c);
	close_session(c);
	drop_filters(c);
	conn_drop_buffers(c);
	if (c->who.counted)
		slab_uncount(&c->net->slab, &c->who.peer);
	slab_give(&c->net->slab, c);
}

static enum next
end(struct conn *c, const char *why)
{
	c->end = why;
	return NEXT_FREE;
}

/* The wire is gone. A session that waits stays until it was woken: a job may still use it. */
static enum next
abandon(struct conn *c, const char *why)
{
	c->end = why;
	if (c->step != STEP_WAIT)
		return NEXT_FREE;
	c->dead = true;
	c->phase = PHASE_PARK;
	return NEXT_TURN;
}

/* Nothing more will come from the peer, or so its session says. */
static bool
has_ended(struct conn *c)
{
	return c->in.eof || (c->peer_ends && !c->in.readable && conn_input(c).n == 0 &&
	    !conn_has_unread(c));
}

/* Each in its own words, then the filter is gone. */
static void
finish_filters(struct conn *c)
{
	while (c->top != &c->sock.filter) {
		struct filter *f = c->top;

		f->type->finish(f);
		if (f->type->flush != NULL)
			f->type->flush(f);
		c->top = f->below;
		f->type->drop(f);
	}
	c->tls = NULL;
}

/* All is said. Bytes that are unread when a socket closes make the kernel send a reset, which can
 * overtake the last reply: so close our side, and read on until the peer has closed its own. */
static enum next
linger(struct conn *c, const char *why)
{
	bool ended = has_ended(c);

	c->end = why;
	close_session(c);
	conn_drop_buffers(c);
	finish_filters(c);
	if (ended)
		return NEXT_FREE;
	c->top->type->finish(c->top);
	c->phase = PHASE_LINGER;
	c->time.phase_end = clock_mono_ms() + LINGER_MS;
	return NEXT_TURN;
}

static enum next
turn_linger(struct conn *c, unsigned posted)
{
	ssize_t n;

	if (posted != 0 || clock_mono_ms() >= c->time.phase_end)
		return NEXT_FREE;
	/* The last read has emptied the socket: epoll tells when there is more, or the end. */
	if (!c->in.readable && !atomic_load(&c->net->stopping)) {
		c->in.readable = true;
		c->want = EPOLLIN;
		return NEXT_SLEEP;
	}
	n = c->top->type->read(c->top, c->worker->scratch, SCRATCH_BYTES);
	if (n > 0)
		return NEXT_TURN;
	if (n != FILTER_WANT_IN || atomic_load(&c->net->stopping))
		return NEXT_FREE;
	c->want = EPOLLIN;
	return NEXT_SLEEP;
}

/* --- the beginning --- */

void
conn_begin(struct conn *c, int fd)
{
	memset(&c->listener, 0, sizeof(*c) - offsetof(struct conn, listener));
	filter_sock_init(&c->sock, fd);
	c->top = &c->sock.filter;
	c->in.max = SCRATCH_BYTES;
	c->out.buf.max = CONN_OUTPUT_MAX;
	c->boundary = true;
	c->time.moved = clock_mono_ms();
	c->time.phase_end = c->time.moved + START_MS;
	c->who.id = atomic_fetch_add(&c->net->next_id, 1) + 1;
	c->phase = PHASE_START;
}

static enum next
open_session(struct conn *c)
{
	if (c->type->open(c->server, c, &c->session) < 0)
		return end(c, "no session");
	c->opened = c->had_session = true;
	c->in.readable = c->in.readable || !c->sock.drained;
	c->why |= WHY_OPEN;
	c->step = STEP_DONE;
	c->phase = PHASE_RUN;
	return NEXT_TURN;
}

static enum next
start_tls(struct conn *c)
{
	if (filter_tls_new(c->listener->opt.tls, c->top, &c->tls) < 0)
		return end(c, "no memory");
	c->top = c->tls;
	c->phase = PHASE_START;
	c->time.phase_end = clock_mono_ms() + START_MS;
	return NEXT_TURN;
}

static enum next
tls_is_on(struct conn *c)
{
	c->in.readable = conn_has_unread(c);
	if (!c->opened)
		return open_session(c);
	c->why |= WHY_TLS;
	c->step = STEP_DONE;
	c->phase = PHASE_RUN;
	return NEXT_TURN;
}

/* The header has been read: its filter leaves the stack, and the connection is the client's. */
static enum next
proxy_is_done(struct conn *c)
{
	struct filter *f = c->top;

	if (filter_proxy_result(f, &c->who.peer, &c->who.local)) {
		c->who.proxied = true;
		c->who.local_known = true;
	}
	c->top = f->below;
	f->type->drop(f);
	if (slab_count(&c->net->slab, &c->who.peer, &c->who.counted) < 0)
		return end(c, "address limit");
	return (c->listener->opt.flags & LISTEN_TLS) != 0 ? start_tls(c) : open_session(c);
}

static enum next
begin(struct conn *c)
{
	unsigned flags = c->listener != NULL ? c->listener->opt.flags : 0;

	if ((flags & LISTEN_PROXY) != 0)
		return filter_proxy_new(c->top, &c->top) < 0 ? end(c, "no memory") : NEXT_TURN;
	return (flags & LISTEN_TLS) != 0 ? start_tls(c) : open_session(c);
}

static enum next
turn_start(struct conn *c, unsigned posted)
{
	int r;

	if (posted != 0)
		return end(c, (posted & WHY_TIMEOUT) != 0 ? "timeout" : "stop");
	if (c->top == &c->sock.filter)
		return begin(c);
	r = c->top->type->start(c->top);
	if (filter_is_wait(r)) {
		c->want = r == FILTER_WANT_OUT ? EPOLLOUT : EPOLLIN;
		return NEXT_SLEEP;
	}
	if (r < 0)
		return end(c, c->top == c->tls ? filter_tls_trouble(c->tls) : "bad PROXY header");
	return c->top == c->tls ? tls_is_on(c) : proxy_is_done(c);
}

/* --- run and flush --- */

/* 0, or E_CLOSED and the like: the wire is gone. */
static int
take_input(struct conn *c)
{
	ssize_t n;

	if (c->step != STEP_NEED || !c->in.readable)
		return 0;
	n = conn_fill(c);
	if (n < 0)
		return (int)n;
	if (n > 0)
		c->why |= WHY_INPUT;
	if (c->in.eof && !c->in.eof_told) {
		c->in.eof_told = true;
		c->why |= WHY_EOF;
	}
	return 0;
}

static void
note_posted(struct conn *c, unsigned posted)
{
	if ((posted & WHY_TIMEOUT) != 0) {
		c->why |= WHY_TIMEOUT;
		int64_t now = clock_mono_ms();

		c->time.moved = now; /* a session that goes on has the idle time once more */
		if (c->time.deadline <= now)
			c->time.deadline = 0;
	}
	if (c->boundary && !c->stop_told && (c->step == STEP_NEED || c->step == STEP_DONE) &&
	    atomic_load(&c->net->stopping)) {
		c->stop_told = true;
		c->why |= WHY_SHUTDOWN;
	}
}

static enum next
turn_run(struct conn *c, unsigned posted)
{
	unsigned why;
	int      r = take_input(c);

	if (r < 0)
		return abandon(c, r == E_LIMIT ? "input limit" : "reset");
	note_posted(c, posted);
	why = c->why;
	if (why == 0 && c->step == STEP_NEED) {
		c->want = EPOLLIN | (c->in.wants_out ? EPOLLOUT : 0u);
		return NEXT_SLEEP;
	}
	c->why = 0;
	c->time.wake = 0;
	conn_borrow_output(c);
	c->step = c->type->run(c->session, why);
	if (c->out.buf.err < 0)
		return abandon(c, "output limit");
	if (c->dead && c->step != STEP_WAIT)
		return NEXT_FREE;
	if (c->step != STEP_DONE || c->out.buf.n >= CONN_OUTPUT_HIGH)
		c->phase = PHASE_FLUSH;
	return NEXT_TURN;
}

static enum next
turn_tls(struct conn *c)
{
	if (!conn_can_tls(c))
		return end(c, "no TLS here");
	/* What came before TLS must not count as said inside it. */
	conn_forget_input(c);
	return start_tls(c);
}

static enum next
after_flush(struct conn *c)
{
	c->phase = PHASE_RUN;
	c->in_pieces = c->step == STEP_MORE;
	switch (c->step) {
	case STEP_NEED:
		if (c->in.eof)
			return linger(c, "peer closed");
		break;
	case STEP_DONE:
	case STEP_MORE:
		c->why |= WHY_DRAINED;
		break;
	case STEP_WAIT:
		c->phase = PHASE_PARK;
		break;
	case STEP_TLS:
		return turn_tls(c);
	case STEP_CLOSE:
		return linger(c, c->out.taken_back ? "not durable" : "closed");
	}
	return NEXT_TURN;
}

/* What the output rests on is lost. */
static enum next
refuse(struct conn *c)
{
	if (c->type->not_durable == NULL || c->in_pieces || c->step == STEP_WAIT)
		return abandon(c, "not durable");
	conn_take_back(c);
	c->type->not_durable(c->session);
	c->step = STEP_CLOSE;
	return NEXT_TURN;
}

static enum next
turn_flush(struct conn *c, unsigned posted)
{
	int r;

	if ((posted & WHY_TIMEOUT) != 0)
		return abandon(c, "timeout");
	r = conn_flush(c);
	if (filter_is_wait(r)) {
		c->want = r == FILTER_WANT_IN ? EPOLLIN : EPOLLOUT;
		return NEXT_SLEEP;
	}
	if (r == FLUSH_HOLD) {
		c->phase = PHASE_HOLD;
		c->want = 0;
		return NEXT_SLEEP;
	}
	if (r == FLUSH_REFUSED)
		return refuse(c);
	return r < 0 ? abandon(c, "reset") : after_flush(c);
}

static enum next
turn_hold(struct conn *c, unsigned posted)
{
	if ((posted & POST_MAY_SEND) != 0) {
		c->phase = PHASE_FLUSH;
		return NEXT_TURN;
	}
	c->want = 0;
	return NEXT_SLEEP;
}

static enum next
turn_park(struct conn *c, unsigned posted)
{
	(void)posted;
	if ((c->why & WHY_WAKE) != 0) {
		c->phase = PHASE_RUN;
		return NEXT_TURN;
	}
	c->want = 0;
	return NEXT_SLEEP;
}

/* --- the phases together --- */

static const struct {
	enum next (*turn)(struct conn *, unsigned posted);
	unsigned wakes;
} PHASES[] = {
	[PHASE_START] = { turn_start, WAKES_WIRE },
	[PHASE_RUN] = { turn_run, WAKES_RUN },
	[PHASE_FLUSH] = { turn_flush, WAKES_WIRE },
	[PHASE_HOLD] = { turn_hold, WAKES_HOLD },
	[PHASE_PARK] = { turn_park, WAKES_PARK },
	[PHASE_LINGER] = { turn_linger, WAKES_WIRE },
};

static int64_t
earlier(int64_t a, int64_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

/* When the sleep of this phase ends by itself. */
static int64_t
due_time(struct conn *c)
{
	struct conn_time *t = &c->time;
	int64_t           due;

	if (c->phase == PHASE_HOLD)
		due = 0;
	else if (c->phase == PHASE_PARK)
		due = t->wake;
	else if (c->phase == PHASE_START || c->phase == PHASE_LINGER)
		due = t->phase_end;
	else
		due = earlier(t->idle_ms != 0 ? t->moved + t->idle_ms : 0, t->deadline);
	if (c->phase == PHASE_FLUSH && c->step == STEP_CLOSE)
		due = earlier(due, t->moved + CLOSE_STALL_MS);
	return due != 0 ? due : INT64_MAX;
}

static enum next
out_of_memory(struct conn *c)
{
	conn_forget_input(c);
	return abandon(c, "no memory");
}

/* Somebody may use a parked session, unless it only waits for a time to pass. */
static unsigned
wakes_of(const struct conn *c)
{
	unsigned wakes = PHASES[c->phase].wakes;

	return c->phase == PHASE_PARK && c->time.wake == 0 ? wakes & ~(unsigned)POST_KILL : wakes;
}

/* NEXT_SLEEP: it sleeps, and is no longer ours. */
static enum next
go_to_sleep(struct conn *c)
{
	int r = conn_settle(c);

	if (r == 0 && c->phase == PHASE_RUN && conn_flush_kept(c) != 0) {
		c->phase = PHASE_FLUSH;
		return NEXT_TURN;
	}

	if (r == 0)
		r = conn_sleep(c, wakes_of(c), due_time(c));
	if (r < 0)
		return out_of_memory(c);
	return r > 0 ? NEXT_SLEEP : NEXT_TURN;
}

/* Behind the others, with what it has said so far sent first. */
static enum next
give_way(struct conn *c)
{
	if (c->phase == PHASE_RUN && c->out.buf.n != 0)
		c->phase = PHASE_FLUSH;
	if (conn_settle(c) < 0)
		return out_of_memory(c);
	conn_requeue(c);
	return NEXT_SLEEP;
}

void
conn_work(struct worker *w, struct conn *c)
{
	unsigned  posted = conn_posted(c);
	enum next next = NEXT_TURN;

	c->worker = w;
	for (int turns = 0; next == NEXT_TURN && (posted & POST_KILL) == 0; turns++) {
		next = PHASES[c->phase].turn(c, posted);
		posted = 0;
		if (next == NEXT_SLEEP) {
			next = go_to_sleep(c);
			if (next == NEXT_TURN)
				posted = conn_posted(c);
		} else if (next == NEXT_TURN && turns >= TURNS_MAX) {
			next = give_way(c);
		}
	}
	if (next == NEXT_SLEEP)
		return;
	if ((posted & POST_KILL) != 0)
		c->end = "stop";
	conn_free(c);
}
