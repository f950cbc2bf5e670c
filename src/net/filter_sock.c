/* The socket, TCP or unix: the lowest filter. Never raises SIGPIPE. */
#include <errno.h>
#include <unistd.h>

#include "base/error.h"
#include "net/filter.h"

static ssize_t
sock_read(struct filter *f, char *to, size_t room)
{
	struct filter_sock *s = CONTAINER_OF(f, struct filter_sock, filter);
	ssize_t             n;

	do
		n = recv(s->fd, to, room, 0);
	while (n < 0 && errno == EINTR);
	s->drained = n < (ssize_t)room;
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EWOULDBLOCK ? (ssize_t)FILTER_WANT_IN : E_CLOSED;
}

static ssize_t
sock_write(struct filter *f, const char *p, size_t n)
{
	struct filter_sock *s = CONTAINER_OF(f, struct filter_sock, filter);
	int                 flags = MSG_NOSIGNAL | (s->last ? MSG_MORE : 0);
	ssize_t             sent;

	do
		sent = send(s->fd, p, n, flags);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0) {
		s->sent += (uint64_t)sent;
		return sent;
	}
	return errno == EAGAIN || errno == EWOULDBLOCK ? (ssize_t)FILTER_WANT_OUT : E_CLOSED;
}

static bool
sock_pending(struct filter *f)
{
	(void)f;
	return false;
}

static void
sock_finish(struct filter *f)
{
	shutdown(CONTAINER_OF(f, struct filter_sock, filter)->fd, SHUT_WR);
}

static void
sock_drop(struct filter *f)
{
	close(CONTAINER_OF(f, struct filter_sock, filter)->fd);
}

static const struct filter_type SOCK = {
	.name = "sock",
	.read = sock_read,
	.write = sock_write,
	.pending = sock_pending,
	.finish = sock_finish,
	.drop = sock_drop,
};

void
filter_sock_init(struct filter_sock *s, int fd)
{
	/* Not read yet: epoll will tell what is there when it hears of the socket. */
	*s = (struct filter_sock){ .filter.type = &SOCK, .fd = fd, .drained = true };
}
