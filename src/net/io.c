/*
 * Bytes in and out of one connection. Input is read into memory that the worker lends; only what
 * the session leaves is copied into a buffer of the connection's own. Output is a buffer that the
 * worker lends too, until the peer is slow.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "net/whole.h"

/* --- input --- */

static size_t
left(const struct conn_in *in)
{
	return in->n - in->off;
}

static void
release(struct conn_in *in)
{
	if (!in->lent)
		mem_free(in->p);
	in->p = NULL;
	in->off = in->n = in->cap = 0;
	in->lent = false;
}

void
conn_forget_input(struct conn *c)
{
	release(&c->in);
}

void
conn_drop_buffers(struct conn *c)
{
	release(&c->in);
	buf_done(&c->out.buf);
}

/* Moves what is left into memory of its own, of `cap` bytes. */
static int
move_own(struct conn_in *in, size_t cap)
{
	size_t n = left(in);
	char  *p = mem_alloc(cap);

	if (p == NULL)
		return E_NOMEM;
	if (n != 0)
		memcpy(p, in->p + in->off, n);
	release(in);
	in->p = p;
	in->n = n;
	in->cap = cap;
	return 0;
}

static void
move_lent(struct conn_in *in, char *scratch)
{
	size_t n = left(in);

	if (n != 0)
		memcpy(scratch, in->p + in->off, n);
	release(in);
	in->p = scratch;
	in->n = n;
	in->cap = SCRATCH_BYTES;
	in->lent = true;
}

static void
move_front(struct conn_in *in)
{
	memmove(in->p, in->p + in->off, left(in));
	in->n = left(in);
	in->off = 0;
}

/* Makes room for a read: 0, E_LIMIT or E_NOMEM. */
static int
make_room(struct conn *c)
{
	struct conn_in *in = &c->in;

	if (left(in) >= in->max)
		return E_LIMIT;
	if (!in->lent && left(in) <= SCRATCH_BYTES / 2)
		move_lent(in, c->worker->scratch);
	else if (in->off != 0)
		move_front(in);
	if (in->n < in->cap)
		return 0;
	return move_own(in, in->cap * 2 < in->max ? in->cap * 2 : in->max);
}

/* Epoll tells of an event once. It will tell of nothing that is here already. */
bool
conn_has_unread(struct conn *c)
{
	return !c->sock.drained || c->in.hung_up || c->top->type->pending(c->top);
}

static ssize_t
read_once(struct conn *c)
{
	struct conn_in *in = &c->in;
	int             r = make_room(c);
	size_t          room;
	ssize_t         n;

	if (r < 0)
		return r;
	room = in->cap - in->n;
	if (room > in->max - in->n)
		room = in->max - in->n;
	n = c->top->type->read(c->top, in->p + in->n, room);
	in->wants_out = n == FILTER_WANT_OUT;
	if (n > 0) {
		in->n += (size_t)n;
		c->time.moved = clock_mono_ms();
	}
	in->eof = n == 0;
	in->readable = n > 0 && conn_has_unread(c);
	return n;
}

ssize_t
conn_fill(struct conn *c)
{
	ssize_t total = 0, n;

	do {
		n = read_once(c);
		if (n > 0)
			total += n;
	} while (n > 0 && c->top->type->pending(c->top) && left(&c->in) < c->in.max);
	if (n < 0 && !filter_is_wait(n) && total == 0)
		return n;
	/* An error after some bytes shows again when they are used up. */
	if (n < 0 && !filter_is_wait(n))
		c->in.readable = true;
	return total;
}

/* --- output --- */

void
conn_borrow_output(struct conn *c)
{
	struct buf *spare = &c->worker->spare;

	if (c->out.buf.p != NULL)
		return;
	c->out.buf.p = spare->p;
	c->out.buf.cap = spare->cap;
	spare->p = NULL;
	spare->cap = 0;
}

static void
return_output(struct conn *c)
{
	struct buf *b = &c->out.buf, *spare = &c->worker->spare;

	if (spare->p == NULL && b->cap <= SPARE_OUT_BYTES) {
		spare->p = b->p;
		spare->cap = b->cap;
		b->p = NULL;
		b->cap = 0;
	}
	buf_done(b);
}

static void
output_is_sent(struct conn_out *o)
{
	buf_reset(&o->buf);
	o->sent = o->cleared = 0;
}

/* In one segment with what was said last. */
static void
say_goodbye(struct conn *c)
{
	for (struct filter *f = c->top; f != &c->sock.filter; f = f->below)
		f->type->finish(f);
}

int
conn_flush_kept(struct conn *c)
{
	return c->top->type->flush != NULL && !c->dead ? c->top->type->flush(c->top) : 0;
}

static int
write_out(struct conn *c)
{
	struct conn_out *o = &c->out;
	int              r;

	c->sock.last = c->step == STEP_CLOSE;
	while (o->sent < o->buf.n) {
		ssize_t n = c->top->type->write(
		    c->top, o->buf.p + o->sent, o->buf.n - o->sent);

		if (n < 0)
			return (int)n;
		o->sent += (size_t)n;
	}
	if (c->step == STEP_CLOSE && !c->dead)
		say_goodbye(c);
	r = conn_flush_kept(c);
	if (r == 0)
		output_is_sent(o);
	return r;
}

int
conn_flush(struct conn *c)
{
	struct conn_out *o = &c->out;
	const uint64_t   before = c->sock.sent;
	int64_t          now;
	int              r;

	if (c->dead)
		output_is_sent(o);
	if (!o->taken_back && o->buf.n > o->cleared && c->type->before_send != NULL) {
		r = c->type->before_send(c->session);
		if (r != 0)
			return r < 0 ? FLUSH_REFUSED : FLUSH_HOLD;
	}
	o->cleared = o->buf.n;
	now = clock_mono_ms();
	r = write_out(c);
	if (c->sock.sent != before)
		c->time.moved = now;
	return r;
}

void
conn_take_back(struct conn *c)
{
	c->out.buf.n = c->out.cleared;
	c->out.taken_back = true;
}

int
conn_settle(struct conn *c)
{
	struct conn_in *in = &c->in;

	if (left(in) == 0)
		release(in);
	else if (in->lent && move_own(in, left(in)) < 0)
		return E_NOMEM;
	if (c->out.buf.n == 0 && c->out.buf.p != NULL)
		return_output(c);
	return 0;
}
