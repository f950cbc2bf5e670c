/* A connection: sockets and TLS under a feed. */
#include "load/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"

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
	if (w->ssl != NULL) {
		/* Marked as closed in order: OpenSSL throws the ticket away otherwise. */
		SSL_set_shutdown(w->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		SSL_free(w->ssl);
		w->ssl = NULL;
	}
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

static int
socket_connect(int fd, const struct endpoint *to)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	unsigned           at;
	int                on = 1;

	for (unsigned tries = 0; tries < SOURCES; tries++) {
		at = atomic_load(&source);
		if (at > 0 && to->addr.ss_family == AF_INET) {
			from.sin_addr.s_addr = htonl(0x7f000001 + at % SOURCES);
			(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
			(void)bind(fd, (const struct sockaddr *)&from, sizeof(from));
		}
		if (connect(fd, (const struct sockaddr *)&to->addr, to->addr_n) == 0 ||
		    errno == EINPROGRESS)
			return 0;
		if (errno != EADDRNOTAVAIL)
			return E_IO;
		atomic_compare_exchange_strong(&source, &at, at + 1);
	}
	return E_IO;
}

static int64_t
patience(const struct wire *w)
{
	if (w->until_us > 0)
		return w->until_us;
	return w->patient ? 0 : now_us() + WIRE_TIMEOUT_US;
}

int
wire_connect(struct wire *w, struct task *t, const struct endpoint *to)
{
	int       r, err = 0, on = 1;
	socklen_t n = sizeof(err);

	wire_close(w);
	w->fd = socket(to->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (w->fd < 0)
		return E_IO;
	(void)setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	r = socket_connect(w->fd, to);
	if (r == 0)
		r = waiter_add(&w->waiter, t, w->fd);
	if (r == 0)
		r = waiter_wait(&w->waiter, EPOLLOUT, patience(w));
	if (r == 0 && (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &err, &n) < 0 || err != 0))
		r = E_CLOSED;
	return r;
}

/* Bytes received, 0 at the end, or -1 with E_BUSY's meaning: nothing there now. */
static ssize_t
socket_recv(struct wire *w, char *to, size_t n)
{
	ssize_t got;

	if (!(w->waiter.ready & EPOLLIN)) {
		errno = EAGAIN;
		return -1;
	}
	got = recv(w->fd, to, n, 0);
	/* Fewer than asked for, or none: drained, and epoll tells of what comes after. */
	if ((got > 0 && (size_t)got < n) || (got < 0 && errno == EAGAIN))
		w->waiter.ready &= ~(unsigned)EPOLLIN;
	return got;
}

static ssize_t
socket_send(struct wire *w, const char *from, size_t n)
{
	ssize_t sent = send(w->fd, from, n, MSG_NOSIGNAL);

	if (sent < 0 && errno == EAGAIN)
		w->waiter.ready &= ~(unsigned)EPOLLOUT;
	return sent;
}

/* --- TLS over it: a BIO that knows whether the socket is drained --- */

static int
bio_read(BIO *b, char *to, int n)
{
	ssize_t got = socket_recv(BIO_get_data(b), to, (size_t)n);

	BIO_clear_retry_flags(b);
	if (got < 0 && errno == EAGAIN)
		BIO_set_retry_read(b);
	return (int)got;
}

static int
bio_write(BIO *b, const char *from, int n)
{
	ssize_t sent = socket_send(BIO_get_data(b), from, (size_t)n);

	BIO_clear_retry_flags(b);
	if (sent < 0 && errno == EAGAIN)
		BIO_set_retry_write(b);
	return (int)sent;
}

static long
bio_ctrl(BIO *b, int command, long number, void *p)
{
	(void)b, (void)number, (void)p;
	return command == BIO_CTRL_FLUSH || command == BIO_CTRL_PUSH || command == BIO_CTRL_POP;
}

static BIO_METHOD *bio_method;

/* OpenSSL hands the ticket over; the next connection of the same wire uses it. */
static int
keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct wire *w = SSL_get_app_data(ssl);

	SSL_SESSION_free(w->session);
	w->session = session;
	return 1;
}

SSL_CTX *
wire_tls_new(bool keep_sessions)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
	if (ctx == NULL || bio_method == NULL)
		return NULL;
	BIO_meth_set_read(bio_method, bio_read);
	BIO_meth_set_write(bio_method, bio_write);
	BIO_meth_set_ctrl(bio_method, bio_ctrl);
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx, 1);
	if (keep_sessions) {
		SSL_CTX_set_session_cache_mode(ctx,
		    SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(ctx, keep_session);
	} else {
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	}
	return ctx;
}

/* After a call on ssl gave r <= 0: waits for what it wants. 0 to call again. */
static int
tls_wait(struct wire *w, int r)
{
	int err = SSL_get_error(w->ssl, r);

	ERR_clear_error();
	if (err == SSL_ERROR_WANT_READ)
		return waiter_wait(&w->waiter, EPOLLIN, patience(w));
	if (err == SSL_ERROR_WANT_WRITE)
		return waiter_wait(&w->waiter, EPOLLOUT, patience(w));
	return E_CLOSED;
}

int
wire_start_tls(struct wire *w, SSL_CTX *ctx)
{
	BIO *bio = BIO_new(bio_method);
	int  r;

	w->ssl = SSL_new(ctx);
	if (bio == NULL || w->ssl == NULL) {
		BIO_free(bio);
		return E_NOMEM;
	}
	if (w->feed.p != w->feed.end) {
		BIO_free(bio);
		return E_SYNTAX; /* plain text behind the answer to STARTTLS */
	}
	BIO_set_data(bio, w);
	BIO_set_init(bio, 1);
	SSL_set_bio(w->ssl, bio, bio);
	SSL_set_app_data(w->ssl, w);
	if (w->session != NULL)
		SSL_set_session(w->ssl, w->session);
	for (;;) {
		r = SSL_connect(w->ssl);
		if (r == 1)
			return 0;
		r = tls_wait(w, r);
		if (r < 0)
			return r;
	}
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
		return r > 0 ? r : tls_wait(w, r);
	}
	got = socket_recv(w, to, n);
	if (got > 0)
		return (int)got;
	if (got == 0 || errno != EAGAIN)
		return E_CLOSED;
	return waiter_wait(&w->waiter, EPOLLIN, patience(w));
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
	if (f->end == w->in + WIRE_IN_BYTES)
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

static int
wire_write(struct wire *w, const char *from, size_t n)
{
	ssize_t sent;
	int     r;

	if (w->ssl != NULL) {
		r = SSL_write(w->ssl, from, n > OUT_SLICE ? OUT_SLICE : (int)n);
		return r > 0 ? r : tls_wait(w, r);
	}
	sent = socket_send(w, from, n > OUT_SLICE ? OUT_SLICE : n);
	if (sent > 0)
		return (int)sent;
	if (errno != EAGAIN)
		return E_CLOSED;
	return waiter_wait(&w->waiter, EPOLLOUT, patience(w));
}

int
wire_flush(struct wire *w)
{
	size_t at = 0;
	int    r;

	if (w->out.err != 0)
		return w->out.err;
	if (w->fd < 0)
		return E_CLOSED;
	while (at < w->out.n) {
		r = wire_write(w, w->out.p + at, w->out.n - at);
		if (r < 0)
			return r;
		at += (size_t)r;
	}
	buf_reset(&w->out);
	return 0;
}
