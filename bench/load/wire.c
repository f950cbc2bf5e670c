/* A connection: sockets and TLS under a feed. */
#include "load/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "load/wire_tls.h"

enum { OUT_MAX = 64 * 1024 * 1024, OUT_SLICE = 256 * 1024, SOURCES = 100 };

int
wire_init(struct wire *w)
{
	*w = (struct wire){ .fd = -1, .out = BUF_INIT(OUT_MAX) };
	w->in = mem_alloc(WIRE_IN_BYTES);
	w->feed.more = wire_more;
	w->feed.p = w->feed.end = w->in;
	return w->in == NULL ? E_NOMEM : 0;
}

void
wire_done(struct wire *w)
{
	wire_close(w);
	buf_done(&w->out);
	mem_free(w->in);
	SSL_SESSION_free(w->session);
}

void
wire_close(struct wire *w)
{
	wire_ssl_close(w);
	wire_light_close(w);
	if (w->fd >= 0) {
		close(w->fd);
		w->fd = -1;
	}
	buf_reset(&w->out);
	w->feed.p = w->feed.end = w->in;
	w->waiter.ready = 0;
}

/* --- the socket --- */

/* Loopback has 28,000 ports for each source address: when they are used up, the next address. */
static atomic_uint source;

static void
bind_source(int fd, const struct endpoint *to, unsigned at)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	int                on = 1;

	if (at == 0 || to->addr.ss_family != AF_INET)
		return;
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + at % SOURCES);
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	(void)bind(fd, (const struct sockaddr *)&from, sizeof(from));
}

/* A socket on its way to be connected, or a negative error. */
static int
socket_connect(const struct endpoint *to)
{
	unsigned at;
	int      fd, failed, on = 1;

	for (unsigned tries = 0; tries < SOURCES; tries++) {
		fd = socket(to->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return E_IO;
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		at = atomic_load(&source);
		bind_source(fd, to, at);
		if (connect(fd, (const struct sockaddr *)&to->addr, to->addr_n) == 0 ||
		    errno == EINPROGRESS)
			return fd;
		failed = errno;
		close(fd);
		if (failed != EADDRNOTAVAIL)
			return E_IO;
		atomic_compare_exchange_strong(&source, &at, at + 1);
	}
	return E_IO;
}

int64_t
wire_patience(const struct wire *w)
{
	if (w->until_us > 0)
		return w->until_us;
	return w->patient ? 0 : now_us() + WIRE_TIMEOUT_US;
}

int
wire_connect(struct wire *w, struct task *t, const struct endpoint *to)
{
	int       r, err = 0;
	socklen_t n = sizeof(err);

	wire_close(w);
	w->fd = socket_connect(to);
	if (w->fd < 0)
		return E_IO;
	r = waiter_add(&w->waiter, t, w->fd);
	if (r == 0)
		r = waiter_wait(&w->waiter, EPOLLOUT, wire_patience(w));
	/* A refusal shows as an end of both sides; nothing else needs another look. */
	if (r == 0 && (w->waiter.ready & EPOLLRDHUP) &&
	    (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &err, &n) < 0 || err != 0))
		r = E_CLOSED;
	return r;
}

ssize_t
wire_recv(struct wire *w, char *to, size_t n)
{
	ssize_t got;

	if (!(w->waiter.ready & EPOLLIN)) {
		errno = EAGAIN;
		return -1;
	}
	got = recv(w->fd, to, n, 0);
	/* Fewer than asked for, or none: drained, and epoll tells of what comes after; but of the
	 * end it may have told already. */
	if (!(w->waiter.ready & EPOLLRDHUP) &&
	    ((got > 0 && (size_t)got < n) || (got < 0 && errno == EAGAIN)))
		w->waiter.ready &= ~(unsigned)EPOLLIN;
	return got;
}

ssize_t
wire_send(struct wire *w, const char *from, size_t n)
{
	ssize_t sent = send(w->fd, from, n, MSG_NOSIGNAL);

	if (sent < 0 && errno == EAGAIN)
		w->waiter.ready &= ~(unsigned)EPOLLOUT;
	return sent;
}

/* --- reading and writing --- */

/* Some bytes, or 0 to try again after a wait. */
static int
wire_read(struct wire *w, char *to, size_t n)
{
	ssize_t got;
	int     r;

	if (w->ssl != NULL) {
		r = SSL_read(w->ssl, to, (int)n);
		return r > 0 ? r : wire_ssl_wait(w, r);
	}
	if (w->light != NULL)
		return wire_light_read(w, to);
	got = wire_recv(w, to, n);
	if (got > 0)
		return (int)got;
	if (got == 0 || errno != EAGAIN)
		return E_CLOSED;
	return waiter_wait(&w->waiter, EPOLLIN, wire_patience(w));
}

int
wire_more(struct feed *f)
{
	struct wire *w = (struct wire *)f;
	size_t       have = (size_t)(f->end - f->p);
	int          r;

	if (w->fd < 0)
		return E_CLOSED;
	/* Only the rest of a piece moves: most often nothing, or part of a line. */
	if (f->p != w->in && (have == 0 || f->end - w->in > WIRE_IN_BYTES / 2)) {
		memmove(w->in, f->p, have);
		f->p = w->in;
		f->end = w->in + have;
	}
	if (w->in + WIRE_IN_BYTES - f->end < (w->light != NULL ? TLS13_RECORD_MAX : 1))
		return E_LIMIT;
	do {
		r = wire_read(w, (char *)f->end, (size_t)(w->in + WIRE_IN_BYTES - f->end));
	} while (r == 0);
	if (r < 0)
		return r;
	f->end += r;
	if (w->bytes != NULL)
		*w->bytes += (uint64_t)r;
	return 0;
}

int
wire_start_tls(struct wire *w, SSL_CTX *ctx)
{
	if (w->feed.p != w->feed.end)
		return E_SYNTAX; /* plain text behind the answer to STARTTLS */
	return ctx != NULL ? wire_ssl_start(w, ctx) : wire_light_start(w);
}

static int
wire_write(struct wire *w, const char *from, size_t n)
{
	ssize_t sent;
	int     r;

	if (w->ssl != NULL) {
		r = SSL_write(w->ssl, from, n > OUT_SLICE ? OUT_SLICE : (int)n);
		return r > 0 ? r : wire_ssl_wait(w, r);
	}
	sent = wire_send(w, from, n > OUT_SLICE ? OUT_SLICE : n);
	if (sent > 0)
		return (int)sent;
	if (errno != EAGAIN)
		return E_CLOSED;
	return waiter_wait(&w->waiter, EPOLLOUT, wire_patience(w));
}

int
wire_send_all(struct wire *w, struct str bytes)
{
	int r;

	if (w->fd < 0)
		return E_CLOSED;
	for (; bytes.n > 0; bytes = str_skip(bytes, (size_t)r)) {
		r = wire_write(w, bytes.p, bytes.n);
		if (r < 0)
			return r;
	}
	return 0;
}

int
wire_flush(struct wire *w)
{
	int r = w->out.err;

	if (r == 0)
		r = w->light != NULL ? wire_light_send(w, buf_view(&w->out))
				     : wire_send_all(w, buf_view(&w->out));
	buf_reset(&w->out);
	return r;
}
