/* What a session may ask of its connection. */
#include "net/conn.h"

#include "base/clock.h"
#include "base/error.h"
#include "net/whole.h"

struct str
conn_input(struct conn *c)
{
	return c->in.n == 0 ? STR_NONE : str_of(c->in.p + c->in.off, c->in.n - c->in.off);
}

void
conn_consume(struct conn *c, size_t n)
{
	size_t left = c->in.n - c->in.off;

	c->in.off += n < left ? n : left;
}

void
conn_input_max(struct conn *c, size_t bytes)
{
	c->in.max = bytes;
}

struct buf *
conn_output(struct conn *c)
{
	return &c->out.buf;
}

bool
conn_output_full(struct conn *c)
{
	return c->out.buf.n >= CONN_OUTPUT_HIGH;
}

bool
conn_is_tls(struct conn *c)
{
	return c->tls != NULL;
}

bool
conn_can_tls(struct conn *c)
{
	return c->tls == NULL && c->listener != NULL && c->listener->opt.tls != NULL &&
	    (c->listener->opt.flags & LISTEN_STARTTLS) != 0;
}

/* Few sessions ask for it, so accepting does not pay for it. */
static void
learn_local(struct conn *c)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t               n = sizeof(ss);

	if (c->who.local_known)
		return;
	c->who.local_known = true;
	if (getsockname(c->sock.fd, (struct sockaddr *)&ss, &n) == 0)
		net_addr_of_sock(&ss, &c->who.local);
}

bool
conn_is_local(struct conn *c)
{
	if (c->who.proxied)
		return false; /* the way between the proxy and us may be long */
	if (net_addr_is_loopback(&c->who.peer))
		return true;
	learn_local(c);
	return net_addr_same_host(&c->who.peer, &c->who.local);
}

uint64_t
conn_id(struct conn *c)
{
	return c->who.id;
}

struct str
conn_peer(struct conn *c)
{
	if (c->who.peer_text[0] == '\0')
		net_addr_text(&c->who.peer, c->who.peer_text);
	return str_c(c->who.peer_text);
}

int
conn_peer_port(struct conn *c)
{
	return c->who.peer.port;
}

struct str
conn_local(struct conn *c)
{
	learn_local(c);
	if (c->who.local_text[0] == '\0')
		net_addr_text(&c->who.local, c->who.local_text);
	return str_c(c->who.local_text);
}

const char *
conn_listener(struct conn *c)
{
	return c->listener != NULL ? c->listener->name : c->type->name;
}

struct str
conn_tls_version(struct conn *c)
{
	return c->tls != NULL ? filter_tls_version(c->tls) : STR_NONE;
}

struct str
conn_tls_cipher(struct conn *c)
{
	return c->tls != NULL ? filter_tls_cipher(c->tls) : STR_NONE;
}

int
conn_tls_binding(struct conn *c, struct str type, struct buf *to)
{
	return c->tls != NULL ? filter_tls_binding(c->tls, type, to) : E_UNSUPPORTED;
}

void
conn_timeout(struct conn *c, int64_t idle_ms)
{
	c->time.idle_ms = idle_ms;
	c->time.moved = clock_mono_ms();
}

void
conn_deadline(struct conn *c, int64_t ms)
{
	c->time.deadline = ms != 0 ? clock_mono_ms() + ms : 0;
}

void
conn_wake_after(struct conn *c, int64_t ms)
{
	c->time.wake = clock_mono_ms() + ms;
}

void
conn_at_boundary(struct conn *c, bool yes)
{
	c->boundary = yes;
}

void
conn_peer_ends(struct conn *c)
{
	c->peer_ends = true;
}

void
conn_poke(struct conn *c)
{
	conn_post(c, WHY_POKE);
}

void
conn_wake(struct conn *c)
{
	conn_post(c, WHY_WAKE);
}

void
conn_may_send(struct conn *c)
{
	conn_post(c, POST_MAY_SEND);
}

struct str
conn_end(struct conn *c)
{
	return str_c(c->end);
}

struct net *
conn_net(struct conn *c)
{
	return c->net;
}
