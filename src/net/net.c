/* The whole: made, started, stopped, dropped. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "net/whole.h"

/* --- made --- */

static void
fill_in(struct net_options *o)
{
	int cores = (int)sysconf(_SC_NPROCESSORS_ONLN);

	if (o->workers <= 0)
		o->workers = cores > 2 ? cores * 2 : 4;
	if (o->job_threads <= 0)
		o->job_threads = cores > 2 ? cores : 2;
	if (o->jobs_max <= 0)
		o->jobs_max = 4096;
	if (o->conns_max <= 0)
		o->conns_max = 50000;
	if (o->conns_per_address_max <= 0)
		o->conns_per_address_max = 1000;
	if (o->shutdown_grace_ms <= 0)
		o->shutdown_grace_ms = 10 * 1000;
}

static int
open_fds(struct net *net)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.u64 = TAG_RUN };

	net->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	net->run_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (net->epoll_fd < 0 || net->run_fd < 0 ||
	    epoll_ctl(net->epoll_fd, EPOLL_CTL_ADD, net->run_fd, &ev) < 0)
		return E_IO;
	net->sweep_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return net->sweep_fd < 0 ? E_IO : 0;
}

int
net_new(const struct net_options *o, struct net **ret)
{
	OWN(net) net = MEM_NEW(struct net);
	int      r;

	if (net == NULL)
		return E_NOMEM;
	net->opt = *o;
	fill_in(&net->opt);
	net->epoll_fd = net->run_fd = net->sweep_fd = -1;
	lock_init(&net->run_lock, LOCK_NET_RUN);
	lock_init(&net->listen_lock, LOCK_NET_TABLE);
	list_init(&net->run);
	r = slab_init(&net->slab, net, (size_t)net->opt.conns_max,
	    (size_t)net->opt.conns_per_address_max);
	if (r < 0)
		return r;
	r = jobs_init(&net->jobs, (size_t)net->opt.jobs_max);
	if (r < 0)
		return r;
	r = open_fds(net);
	if (r < 0)
		return r;
	signal(SIGPIPE, SIG_IGN);
	*ret = TAKE(net);
	return 0;
}

/* --- started --- */

static int
start_workers(struct net *net)
{
	net->workers = mem_zalloc((size_t)net->opt.workers * sizeof(*net->workers));
	if (net->workers == NULL)
		return E_NOMEM;
	for (int i = 0; i < net->opt.workers; i++) {
		struct worker *w = &net->workers[i];

		if (worker_init(w, net) < 0 ||
		    pthread_create(&w->thread, NULL, worker_main, w) != 0) {
			worker_done(w);
			return E_NOMEM;
		}
		net->workers_n++;
	}
	return 0;
}

static int
start_threads(struct net *net)
{
	int r = jobs_start(&net->jobs, net->opt.job_threads);

	if (r == 0)
		r = start_workers(net);
	if (r == 0 && pthread_create(&net->sweeper, NULL, timer_main, net) != 0)
		r = E_NOMEM;
	net->sweeping = r == 0;
	return r;
}

int
net_start(struct net *net)
{
	sigset_t all, old;
	int      r;

	/* Signals are for the thread that called us. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = start_threads(net);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r < 0)
		net_stop(net);
	return r;
}

/* --- stopped --- */

static void
close_listeners(struct net *net)
{
	LOCK_SCOPE(&net->listen_lock);
	size_t n = atomic_load(&net->listeners_n);

	atomic_store(&net->stopping, true);
	for (size_t i = 0; i < n; i++)
		listener_close(net->listeners[i]);
}

/* Waits until no connection is open, up to ms; -1: as long as it takes. */
static void
wait_empty(struct net *net, int64_t ms)
{
	struct pollfd p = { .fd = net->slab.empty_fd, .events = POLLIN };
	int64_t       end = clock_mono_ms() + ms;

	while (atomic_load(&net->slab.used) != 0 && (ms < 0 || clock_mono_ms() < end))
		poll(&p, 1, 50);
}

static void
end_threads(struct net *net)
{
	atomic_store(&net->quitting, true);
	net_signal(net);
	for (int i = 0; i < net->workers_n; i++) {
		pthread_join(net->workers[i].thread, NULL);
		worker_done(&net->workers[i]);
	}
	net->workers_n = 0;
	if (net->sweeping) {
		eventfd_write(net->sweep_fd, 1);
		pthread_join(net->sweeper, NULL);
		net->sweeping = false;
	}
}

void
net_stop(struct net *net)
{
	struct conn *c;

	if (net->stopped)
		return;
	net->stopped = true;
	close_listeners(net);
	slab_shut(&net->slab);
	slab_post_all(&net->slab, POST_STOP);
	if (net->workers_n > 0)
		wait_empty(net, net->opt.shutdown_grace_ms);
	/* A job may use the session that waits for it: first the jobs, then the sessions. */
	jobs_stop(&net->jobs);
	slab_post_all(&net->slab, POST_KILL);
	if (net->workers_n > 0)
		wait_empty(net, -1);
	end_threads(net);
	while ((c = slab_any(&net->slab)) != NULL) /* no worker ever ran */
		conn_free(c);
}

void
net_drop(struct net *net)
{
	size_t n;

	if (net == NULL)
		return;
	n = atomic_load(&net->listeners_n);
	if (net->sweep_fd >= 0)
		net_stop(net);
	for (size_t i = 0; i < n; i++)
		listener_drop(net->listeners[i]);
	if (net->jobs.ring != NULL)
		jobs_done(&net->jobs);
	if (net->slab.chunks != NULL)
		slab_done(&net->slab);
	mem_free(net->workers);
	lock_done(&net->run_lock);
	lock_done(&net->listen_lock);
	if (net->epoll_fd >= 0)
		close(net->epoll_fd);
	if (net->run_fd >= 0)
		close(net->run_fd);
	if (net->sweep_fd >= 0)
		close(net->sweep_fd);
	mem_free(net);
}

/* --- the rest --- */

int
net_adopt(struct net *net, int fd, const struct session_type *type, void *server)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t               n = sizeof(ss);
	struct conn            *c;
	int                     r;

	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0) {
		close(fd);
		return E_IO;
	}
	r = slab_take(&net->slab, &c);
	if (r < 0) {
		close(fd);
		return r;
	}
	conn_begin(c, fd);
	c->type = type;
	c->server = server;
	if (getpeername(fd, (struct sockaddr *)&ss, &n) == 0)
		net_addr_of_sock(&ss, &c->who.peer);
	conn_requeue(c);
	return 0;
}

size_t
net_conns(struct net *net)
{
	return atomic_load(&net->slab.used);
}

bool
net_stopping(struct net *net)
{
	return atomic_load(&net->stopping);
}

int
net_job(struct net *net, void (*fn)(void *), void *arg)
{
	return jobs_add(&net->jobs, fn, arg);
}

int
net_every(struct net *net, int64_t every_ms, void (*fn)(void *), void *arg)
{
	return jobs_every(&net->jobs, every_ms, fn, arg);
}
