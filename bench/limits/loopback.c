/* What TCP on loopback carries: bytes, and requests with their answers. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/own.h"
#include "limits/limits.h"

enum { CONNECTIONS_MAX = 64, PIECE = 128 * 1024, REQUEST = 64 };

/* Pairs of connected sockets. The server's ends are [0], the client's [1]. */
struct pairs {
	unsigned    n;
	int         fd[2][CONNECTIONS_MAX];
	bool        copy;     /* the server's side only reads */
	atomic_bool stop;
	uint64_t    received; /* bytes, by the server's side */
	uint64_t    answered; /* requests, seen by the client's side */
};

static int
connect_pair(int listener, const struct sockaddr_in *at, struct pairs *p)
{
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server, on = 1;

	if (client < 0)
		return E_IO;
	if (connect(client, (const struct sockaddr *)at, sizeof(*at)) < 0 ||
	    (server = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0) {
		close(client);
		return E_IO;
	}
	(void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	p->fd[0][p->n] = server;
	p->fd[1][p->n++] = client;
	return 0;
}

static int
pairs_open(struct pairs *p, unsigned n)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t          len = sizeof(at);
	int                listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r = 0;

	if (listener < 0 || bind(listener, (const struct sockaddr *)&at, len) < 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &len) < 0 || listen(listener, 64) < 0)
		r = E_IO;
	while (r == 0 && p->n < n)
		r = connect_pair(listener, &at, p);
	if (listener >= 0)
		close(listener);
	return r;
}

static void
pairs_close(struct pairs *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		close(p->fd[0][i]);
		close(p->fd[1][i]);
	}
}

static int
watch(const struct pairs *p, unsigned side, unsigned events)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	for (unsigned i = 0; i < p->n && epoll >= 0; i++) {
		struct epoll_event ev = { .events = events, .data.fd = p->fd[side][i] };

		if (epoll_ctl(epoll, EPOLL_CTL_ADD, p->fd[side][i], &ev) < 0) {
			close(epoll);
			return -1;
		}
	}
	return epoll;
}

/* Reads; answers each request unless it is a copy. Ends when a client has closed. */
static void *
serve(void *arg)
{
	struct pairs      *p = arg;
	static char        piece[PIECE];
	struct epoll_event ev[CONNECTIONS_MAX];
	int                epoll = watch(p, 0, EPOLLIN), n;
	ssize_t            got = 1;

	while (epoll >= 0 && got > 0) {
		n = epoll_wait(epoll, ev, CONNECTIONS_MAX, -1);
		for (int i = 0; i < n && got > 0; i++) {
			got = recv(ev[i].data.fd, piece, p->copy ? PIECE : REQUEST, 0);
			p->received += got > 0 ? (uint64_t)got : 0;
			if (got > 0 && !p->copy)
				got = send(ev[i].data.fd, piece, (size_t)got, MSG_NOSIGNAL);
		}
	}
	if (epoll >= 0)
		close(epoll);
	return NULL;
}

/* Sends as much as goes, on whichever connection has room. */
static void *
pour(void *arg)
{
	struct pairs      *p = arg;
	static char        piece[PIECE];
	struct epoll_event ev[CONNECTIONS_MAX];
	int                epoll = watch(p, 1, EPOLLOUT), n;

	while (epoll >= 0 && !atomic_load(&p->stop)) {
		n = epoll_wait(epoll, ev, CONNECTIONS_MAX, 10);
		for (int i = 0; i < n; i++)
			(void)send(ev[i].data.fd, piece, PIECE, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	if (epoll >= 0)
		close(epoll);
	shutdown(p->fd[1][0], SHUT_WR);
	return NULL;
}

/* One request outstanding on each connection. */
static void *
ask(void *arg)
{
	struct pairs      *p = arg;
	char               text[REQUEST] = { 0 };
	struct epoll_event ev[CONNECTIONS_MAX];
	int                epoll = watch(p, 1, EPOLLIN), n;

	for (unsigned i = 0; i < p->n; i++)
		(void)send(p->fd[1][i], text, REQUEST, MSG_NOSIGNAL);
	while (epoll >= 0 && !atomic_load(&p->stop)) {
		n = epoll_wait(epoll, ev, CONNECTIONS_MAX, 10);
		for (int i = 0; i < n; i++) {
			if (recv(ev[i].data.fd, text, REQUEST, 0) != REQUEST)
				break;
			p->answered++;
			(void)send(ev[i].data.fd, text, REQUEST, MSG_NOSIGNAL);
		}
	}
	if (epoll >= 0)
		close(epoll);
	shutdown(p->fd[1][0], SHUT_WR);
	return NULL;
}

/* Runs both sides for a while; *ret is what it took. */
static int
run_pairs(struct pairs *p, unsigned n, double seconds, struct limits_span *ret)
{
	pthread_t          server, client;
	struct limits_span span;

	if (pairs_open(p, n) < 0) {
		pairs_close(p);
		return E_IO;
	}
	span = limits_begin();
	if (pthread_create(&server, NULL, serve, p) != 0 ||
	    pthread_create(&client, NULL, p->copy ? pour : ask, p) != 0)
		return E_NOMEM;
	usleep((useconds_t)(seconds * 1e6));
	atomic_store(&p->stop, true);
	pthread_join(client, NULL);
	*ret = limits_since(span);
	pthread_join(server, NULL);
	pairs_close(p);
	return 0;
}

static const unsigned CONNECTIONS[] = { 1, CONNECTIONS_MAX };

int
limit_loopback_copy(const struct limits_options *o)
{
	for (size_t i = 0; i < ARRAY_LEN(CONNECTIONS); i++) {
		struct pairs       p = { .copy = true };
		struct limits_span span;

		if (run_pairs(&p, CONNECTIONS[i], o->seconds, &span) < 0)
			return limits_failed("loopback-copy", "no connections");
		limits_print(json_pack("{s:s,s:i,s:f,s:f}", "limit", "loopback-copy", "connections",
		    CONNECTIONS[i], "mb_per_second", (double)p.received / span.seconds / 1e6,
		    "cpu_ns_per_kb", span.cpu_us * 1e6 / (double)p.received));
	}
	return 0;
}

int
limit_round_trips(const struct limits_options *o)
{
	for (size_t i = 0; i < ARRAY_LEN(CONNECTIONS); i++) {
		struct pairs       p = { .copy = false };
		struct limits_span span;

		if (run_pairs(&p, CONNECTIONS[i], o->seconds, &span) < 0)
			return limits_failed("round-trips", "no connections");
		limits_print(json_pack("{s:s,s:i,s:f,s:f}", "limit", "round-trips", "connections",
		    CONNECTIONS[i], "per_second", (double)p.answered / span.seconds, "cpu_us",
		    span.cpu_us / (double)p.answered));
	}
	return 0;
}
