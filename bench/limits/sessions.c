/*
 * Whole sessions between a bare server and a bare client: connect, accept, a greeting, requests and
 * answers of the sizes that IMAP has there, close. Nothing is looked at.
 */
#include <arpa/inet.h>
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

/* Each listener has an address of its own, so that ports of closed connections do not run out. */
enum { AT_A_TIME = 16, LISTENERS = 16, FDS = 1024, EVENTS = 64, ROOM = 64 * 1024, STEPS_MAX = 8 };
enum { POLL_MS = 10, BACKLOG = 64 };

/* Bytes of each request and of its answer; the greeting answers nothing. */
struct kind {
	const char *name;
	unsigned    n_steps;
	struct {
		uint16_t request, answer;
	} step[STEPS_MAX];
};

static const struct kind KINDS[] = {
	{ "login", 3, { { 0, 119 }, { 39, 201 }, { 11, 45 } } },
	{ "phone", 8, /* LIST, SELECT, 20 envelopes, a body of 4 KiB, a flag */
	    { { 0, 119 }, { 39, 201 }, { 16, 270 }, { 19, 348 }, { 63, 9266 }, { 36, 4159 },
		{ 33, 61 }, { 11, 45 } } },
};

struct side {
	const struct kind *kind;
	int                listener[LISTENERS];
	struct sockaddr_in address[LISTENERS];
	atomic_bool       *stop;
	bool               failed;
	uint64_t           done; /* sessions */
	double             cpu_us;
	struct {
		bool     open, listens;
		unsigned step;
		size_t   got; /* bytes of its answer */
	} at[FDS]; /* by file descriptor */
};

static const char ZEROS[ROOM];

/* What breaks after the end was broken by the other side's end. */
static void
side_failed(struct side *s)
{
	if (!atomic_exchange(s->stop, true))
		s->failed = true;
}

/* A connection begins. */
static int
side_add(struct side *s, int epoll, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	if (fd < 0 || fd >= FDS || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
		if (fd >= 0)
			close(fd);
		side_failed(s);
		return E_IO;
	}
	s->at[fd].open = true;
	s->at[fd].step = 0;
	s->at[fd].got = 0;
	return 0;
}

static void
side_close(struct side *s, int fd)
{
	close(fd);
	s->at[fd].open = false;
}

/* Sends n bytes; they fit a socket's buffer. */
static void
side_send(struct side *s, int fd, size_t n)
{
	if (send(fd, ZEROS, n, MSG_NOSIGNAL) != (ssize_t)n)
		side_failed(s);
}

/* The thread ends: what its connections were doing is left. */
static void
side_end(struct side *s, int epoll)
{
	s->cpu_us = limits_thread_cpu_us();
	for (int fd = 0; fd < FDS; fd++)
		if (s->at[fd].open)
			side_close(s, fd);
	close(epoll);
}

/* --- the server --- */

static void
server_accept(struct side *s, int epoll, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0 && side_add(s, epoll, fd) == 0)
		side_send(s, fd, s->kind->step[0].answer);
}

static void
server_answer(struct side *s, int fd)
{
	const struct kind *k = s->kind;
	char               request[256];
	unsigned           step = ++s->at[fd].step;

	if (recv(fd, request, sizeof(request), 0) != k->step[step].request) {
		side_failed(s);
		return;
	}
	side_send(s, fd, k->step[step].answer);
	if (step + 1 == k->n_steps)
		side_close(s, fd);
}

static void *
server_run(void *arg)
{
	struct side       *s = arg;
	struct epoll_event ev[EVENTS];
	int                epoll = epoll_create1(EPOLL_CLOEXEC), n;

	for (unsigned i = 0; i < LISTENERS; i++)
		if (side_add(s, epoll, s->listener[i]) == 0)
			s->at[s->listener[i]].listens = true;
	while (!atomic_load(s->stop)) {
		n = epoll_wait(epoll, ev, EVENTS, POLL_MS);
		for (int i = 0; i < n; i++) {
			if (s->at[ev[i].data.fd].listens)
				server_accept(s, epoll, ev[i].data.fd);
			else
				server_answer(s, ev[i].data.fd);
		}
	}
	side_end(s, epoll);
	return NULL;
}

/* --- the client --- */

static void
client_connect(struct side *s, int epoll)
{
	const struct sockaddr_in *to = &s->address[s->done % LISTENERS];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0)
		(void)connect(fd, (const struct sockaddr *)to, sizeof(*to)); /* goes on by itself */
	(void)side_add(s, epoll, fd);
}

static void
client_read(struct side *s, int epoll, int fd)
{
	static char        room[ROOM];
	const struct kind *k = s->kind;
	unsigned           step = s->at[fd].step;
	ssize_t            got = recv(fd, room, sizeof(room), 0);

	if (got <= 0) {
		side_failed(s);
		return;
	}
	s->at[fd].got += (size_t)got;
	if (s->at[fd].got < k->step[step].answer)
		return;
	if (step + 1 == k->n_steps) {
		side_close(s, fd);
		s->done++;
		client_connect(s, epoll);
		return;
	}
	s->at[fd].step = ++step;
	s->at[fd].got = 0;
	side_send(s, fd, k->step[step].request);
}

static void *
client_run(void *arg)
{
	struct side       *s = arg;
	struct epoll_event ev[EVENTS];
	int                epoll = epoll_create1(EPOLL_CLOEXEC), n;

	for (unsigned i = 0; i < AT_A_TIME; i++)
		client_connect(s, epoll);
	while (!atomic_load(s->stop)) {
		n = epoll_wait(epoll, ev, EVENTS, POLL_MS);
		for (int i = 0; i < n; i++)
			client_read(s, epoll, ev[i].data.fd);
	}
	side_end(s, epoll);
	return NULL;
}

/* --- both --- */

static int
listen_at(unsigned i, struct sockaddr_in *ret)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t          len = sizeof(at);
	int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK + i);
	if (fd < 0)
		return E_IO;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* accepted ones inherit */
	if (bind(fd, (const struct sockaddr *)&at, len) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) < 0) {
		close(fd);
		return E_IO;
	}
	*ret = at;
	return fd;
}

/* Both sides at work for a while; *ret is the time. */
static int
run_sides(struct side side[2], double seconds, double *ret)
{
	pthread_t          server, client;
	struct limits_span span = limits_begin();
	bool               served;

	served = pthread_create(&server, NULL, server_run, &side[0]) == 0;
	if (served && pthread_create(&client, NULL, client_run, &side[1]) == 0) {
		usleep((useconds_t)(seconds * 1e6));
		*ret = limits_since(span).seconds;
		atomic_store(side[0].stop, true);
		pthread_join(client, NULL);
	} else {
		side_failed(&side[0]);
	}
	if (served)
		pthread_join(server, NULL);
	return side[0].failed || side[1].failed ? E_IO : 0;
}

static int
run_kind(const struct kind *kind, struct side side[2], double seconds, double *ret)
{
	atomic_bool stop = false;
	unsigned    n = 0;
	int         fd = 0;

	side[0] = (struct side){ .kind = kind, .stop = &stop };
	for (; n < LISTENERS && fd >= 0; n++)
		fd = side[0].listener[n] = listen_at(n, &side[0].address[n]);
	side[1] = side[0];
	if (fd >= 0)
		return run_sides(side, seconds, ret); /* the server's side closes the listeners */
	while (--n > 0)
		close(side[0].listener[n - 1]);
	return E_IO;
}

int
limit_sessions(const struct limits_options *o)
{
	static struct side side[2];
	double             seconds = 0;

	for (size_t i = 0; i < ARRAY_LEN(KINDS); i++) {
		if (run_kind(&KINDS[i], side, o->seconds, &seconds) < 0 || side[1].done == 0)
			return limits_failed("sessions", "a connection broke");
		limits_print(json_pack("{s:s,s:s,s:i,s:f,s:f,s:f}", "limit", "sessions", "kind",
		    KINDS[i].name, "at_a_time", AT_A_TIME, "per_second",
		    (double)side[1].done / seconds, "server_cpu_us",
		    side[0].cpu_us / (double)side[1].done, "client_cpu_us",
		    side[1].cpu_us / (double)side[1].done));
	}
	return 0;
}
