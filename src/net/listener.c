/* Listening sockets: opening, accepting, pausing when file descriptors run out. */
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "net/whole.h"

/* --- epoll --- */

/* With l->lock held. One worker at a time accepts. */
static int
arm(struct listener *l, int op)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLONESHOT, .data.u64 = l->tag };

	return epoll_ctl(l->net->epoll_fd, op, l->fd, &ev) < 0 ? E_IO : 0;
}

void
listener_resume(struct listener *l)
{
	LOCK_SCOPE(&l->lock);

	if (l->paused && l->fd >= 0) {
		l->paused = false;
		arm(l, EPOLL_CTL_MOD);
	}
}

/* --- accepting --- */

/* Errors of one connection, or none waiting: the next may be accepted at once. */
static bool
is_passing(int err)
{
	return err == EAGAIN || err == ECONNABORTED || err == EPROTO || err == EPERM;
}

/* The new fd, or -1. Arms the listener again, so that the next worker accepts the next. */
static int
accept_one(struct listener *l, struct sockaddr_storage *ss)
{
	LOCK_SCOPE(&l->lock);
	socklen_t n = sizeof(*ss);
	int       fd;

	if (l->fd < 0)
		return -1;
	do
		fd = accept4(l->fd, (struct sockaddr *)ss, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	/* Out of file descriptors, mostly. The sweeper tries again: no spinning. */
	l->paused = fd < 0 && !is_passing(errno);
	if (!l->paused)
		arm(l, EPOLL_CTL_MOD);
	return fd;
}

struct conn *
listener_accept(struct listener *l)
{
	struct sockaddr_storage ss = { 0 };
	struct net_addr         peer;
	struct conn            *c;
	bool                    counted = false;
	int                     fd = accept_one(l, &ss);

	if (fd < 0)
		return NULL;
	net_addr_of_sock(&ss, &peer);
	/* Behind a proxy the address that counts comes later. */
	if ((l->opt.flags & LISTEN_PROXY) == 0 &&
	    slab_count(&l->net->slab, &peer, &counted) < 0) {
		close(fd);
		return NULL;
	}
	if (slab_take(&l->net->slab, &c) < 0) {
		if (counted)
			slab_uncount(&l->net->slab, &peer);
		close(fd);
		return NULL;
	}
	conn_begin(c, fd);
	c->listener = l;
	c->type = l->opt.type;
	c->server = l->opt.server;
	c->who.peer = peer;
	c->who.counted = counted;
	return c;
}

/* --- opening --- */

static int
fail(const struct listen_options *o, const char *what, int err)
{
	if (o->detail != NULL)
		buf_printf(o->detail, "%.*s: %s: %s", STR_ARG(o->address), what,
		    strerrordesc_np(err));
	if (err == EADDRINUSE)
		return E_IN_USE;
	return err == EACCES || err == EPERM ? E_NO_PERMISSION : error_from_errno(err);
}

static void
set_option(int fd, int level, int name, int value)
{
	setsockopt(fd, level, name, &value, sizeof(value));
}

/* Accepted sockets inherit these. */
static void
set_options(int fd, int family, bool both)
{
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !both);
}

static int
open_tcp(const struct listen_options *o, int *ret)
{
	struct sockaddr_storage ss;
	socklen_t               n;
	bool                    both;
	int                     fd, r;

	r = net_addr_parse(o->address, &ss, &n, &both);
	if (r < 0) {
		if (o->detail != NULL)
			buf_printf(o->detail, "%.*s: not an address and port",
			    STR_ARG(o->address));
		return r;
	}
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(o, "cannot make a socket", errno);
	set_options(fd, ss.ss_family, both);
	if (bind(fd, (struct sockaddr *)&ss, n) < 0) {
		r = fail(o, "cannot listen", errno);
		close(fd);
		return r;
	}
	*ret = fd;
	return 0;
}

/* Removes a socket file that nobody answers on. */
static int
remove_stale(const struct listen_options *o, const struct sockaddr_un *un)
{
	int         fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;
	int         r = 0;

	if (fd < 0)
		return fail(o, "cannot make a socket", errno);
	if (connect(fd, (const struct sockaddr *)un, sizeof(*un)) == 0)
		r = fail(o, "cannot listen", EADDRINUSE);
	else if (errno == ECONNREFUSED && lstat(un->sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(un->sun_path);
	close(fd);
	return r;
}

static int
bind_unix(const struct listen_options *o, struct listener *l, int fd)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct stat        st;
	int                r;

	memcpy(un.sun_path, l->path, strlen(l->path) + 1);
	r = remove_stale(o, &un);
	if (r < 0)
		return r;
	/* The file is born with the mode of the socket: at no moment may others connect. */
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
		return fail(o, "cannot listen", errno);
	l->ino = stat(l->path, &st) == 0 ? st.st_ino : 0;
	return 0;
}

static int
open_unix(const struct listen_options *o, struct listener *l, int *ret)
{
	struct str path = str_skip(o->address, strlen("unix:"));
	int        fd, r;

	if (path.n == 0 || path.n >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return fail(o, "cannot listen", ENAMETOOLONG);
	l->path = mem_zalloc(path.n + 1);
	if (l->path == NULL)
		return E_NOMEM;
	memcpy(l->path, path.p, path.n);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(o, "cannot make a socket", errno);
	r = bind_unix(o, l, fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret = fd;
	return 0;
}

static int
port_of(int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t               n = sizeof(ss);
	struct net_addr         a;

	if (getsockname(fd, (struct sockaddr *)&ss, &n) < 0)
		return 0;
	net_addr_of_sock(&ss, &a);
	return a.port;
}

void
listener_close(struct listener *l)
{
	struct stat st;

	LOCK_SCOPE(&l->lock);
	if (l->fd < 0)
		return;
	close(l->fd);
	l->fd = -1;
	if (l->path != NULL && l->ino != 0 && stat(l->path, &st) == 0 && st.st_ino == l->ino)
		unlink(l->path);
}

void
listener_drop(struct listener *l)
{
	listener_close(l);
	lock_done(&l->lock);
	mem_free(l->name);
	mem_free(l->path);
	mem_free(l);
}

/* Puts it into the table and the epoll set. */
static int
enlist(struct net *net, struct listener *l)
{
	LOCK_SCOPE(&net->listen_lock);
	size_t at = atomic_load(&net->listeners_n);

	if (atomic_load(&net->stopping))
		return E_SHUTDOWN;
	if (at == LISTENERS_MAX)
		return E_LIMIT;
	l->tag = TAG_LISTENER + (uint32_t)at;
	net->listeners[at] = l;
	if (listen(l->fd, SOMAXCONN) < 0)
		return fail(&l->opt, "cannot listen", errno);
	if (arm(l, EPOLL_CTL_ADD) < 0)
		return E_NOMEM;
	atomic_store(&net->listeners_n, at + 1);
	return 0;
}

static int
open_listener(struct listener *l, const struct listen_options *o)
{
	size_t n = strlen(o->name);

	if ((o->flags & (LISTEN_TLS | LISTEN_STARTTLS)) != 0 && o->tls == NULL)
		return E_CANNOT;
	l->name = mem_zalloc(n + 1);
	if (l->name == NULL)
		return E_NOMEM;
	memcpy(l->name, o->name, n);
	if (str_starts(o->address, STR("unix:")))
		return open_unix(o, l, &l->fd);
	return open_tcp(o, &l->fd);
}

int
net_listen(struct net *net, const struct listen_options *o, int *ret_port)
{
	struct listener *l = MEM_NEW(struct listener);
	int              port, r;

	if (l == NULL)
		return E_NOMEM;
	lock_init(&l->lock, LOCK_NET_CONN);
	l->fd = -1;
	l->net = net;
	l->opt = *o;
	r = open_listener(l, o);
	port = r == 0 ? port_of(l->fd) : 0;
	if (r == 0)
		r = enlist(net, l);
	if (r < 0) {
		listener_drop(l);
		return r;
	}
	/* What the caller lent for this call. */
	l->opt.address = STR_NONE;
	l->opt.detail = NULL;
	if (ret_port != NULL)
		*ret_port = port;
	return 0;
}
