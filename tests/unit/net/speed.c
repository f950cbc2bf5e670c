/*
 * What net/ costs, for `meson test --benchmark`: round trips of one line, connections, handshakes,
 * and the memory of connections that wait. The clients are another process, so that the CPU time
 * shown is the server's.
 *
 *   echo CONNECTIONS SECONDS [tls]      open SECONDS [tls]      idle CONNECTIONS [tls]
 */
#include "rig.h"

#include <stdio.h>
#include <string.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 8 };

struct load {
	int    port, conns;
	bool   tls;
	double seconds;
	long   done;
	void *(*main)(void *load);
	pthread_t thread;
};

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double
cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static long
resident_kib(void)
{
	char  line[256];
	long  kib = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return kib;
}

static void
greet(struct client *c, const struct load *l)
{
	client_open(c, l->port);
	if (l->tls)
		client_tls(c, NULL);
	client_expect(c, "hi");
}

static void *
echo_main(void *arg)
{
	struct load   *l = arg;
	struct client *c = calloc((size_t)l->conns, sizeof(*c));
	double         end;

	for (int i = 0; i < l->conns; i++)
		greet(&c[i], l);
	end = now() + l->seconds;
	while (now() < end) {
		for (int i = 0; i < l->conns; i++)
			client_send(&c[i], "ECHO 0123456789\r\n");
		for (int i = 0; i < l->conns; i++)
			client_expect(&c[i], "0123456789");
		l->done += l->conns;
	}
	for (int i = 0; i < l->conns; i++)
		client_close(&c[i]);
	free(c);
	return NULL;
}

static void *
open_main(void *arg)
{
	struct load  *l = arg;
	struct client c;
	double        end = now() + l->seconds;

	for (; now() < end; l->done++) {
		greet(&c, l);
		client_ask(&c, "QUIT", "bye");
		client_close(&c);
	}
	return NULL;
}

static void *
idle_main(void *arg)
{
	struct load   *l = arg;
	struct client *c = calloc((size_t)l->conns, sizeof(*c));

	for (int i = 0; i < l->conns; i++)
		greet(&c[i], l);
	for (int i = 0; i < l->conns; i++)
		client_ask(&c[i], "IDLE", "idle");
	l->done = l->conns;
	return c; /* left open for the parent to look at */
}

/* --- the two processes --- */

struct stage {
	struct rig  rig;
	struct tls *tls;
	int         to_child[2], to_parent[2];
	pid_t       pid;
	double      start, cpu;
	long        kib;
};

static void
put(int fd, const void *p, size_t n)
{
	if (write(fd, p, n) != (ssize_t)n)
		_exit(1);
}

static void
get(int fd, void *p, size_t n)
{
	if (read(fd, p, n) != (ssize_t)n)
		_exit(1);
}

/* The child: waits for the port, runs the load in threads, writes how much was done, waits. */
static void
drive(struct stage *s, const struct load *all)
{
	struct load l[THREADS];
	int         n = all->conns < THREADS ? all->conns : THREADS, port;
	long        done = 0;

	get(s->to_child[0], &port, sizeof(port));
	for (int i = 0; i < n; i++) {
		l[i] = *all;
		l[i].port = port;
		l[i].conns = all->conns / n;
		pthread_create(&l[i].thread, NULL, all->main, &l[i]);
	}
	for (int i = 0; i < n; i++) {
		pthread_join(l[i].thread, NULL);
		done += l[i].done;
	}
	put(s->to_parent[1], &done, sizeof(done));
	get(s->to_child[0], &port, sizeof(port));
	_exit(0);
}

static void
begin(struct stage *s, const struct load *l)
{
	struct tls_pair pair = rig_pair("speed");
	int             port;

	rig_make_cert("speed", "DNS:localhost");
	assert_int_equal(pipe(s->to_child), 0);
	assert_int_equal(pipe(s->to_parent), 0);
	fflush(stdout);
	s->pid = fork(); /* before there are threads */
	if (s->pid == 0)
		drive(s, l);
	rig_start(&s->rig, &(struct net_options){ 0 });
	assert_int_equal(tls_new(&pair, 1, NULL, &s->tls), 0);
	rig_free_pair(&pair);
	port = rig_listen(&s->rig, "127.0.0.1:0", l->tls ? LISTEN_TLS : 0, s->tls);
	s->kib = resident_kib();
	s->start = now();
	s->cpu = cpu();
	put(s->to_child[1], &port, sizeof(port));
}

static void
end(struct stage *s)
{
	int go = 0;

	put(s->to_child[1], &go, sizeof(go));
	waitpid(s->pid, NULL, 0);
	rig_stop(&s->rig);
	tls_drop(s->tls);
	for (int i = 0; i < 2; i++) {
		close(s->to_child[i]);
		close(s->to_parent[i]);
	}
}

static void
measure(const char *what, struct load l)
{
	struct stage s = { 0 };
	long         done = 0;

	begin(&s, &l);
	get(s.to_parent[0], &done, sizeof(done));
	if (l.main == idle_main)
		printf("%s%s, %ld connections: %.1f KiB each\n", what,
		    l.tls ? " over TLS" : "", done,
		    (double)(resident_kib() - s.kib) / (double)done);
	else
		printf("%s%s, %d connections: %.0f/s, %.1f us of server CPU each\n", what,
		    l.tls ? " over TLS" : "", l.conns, (double)done / (now() - s.start),
		    (cpu() - s.cpu) / (double)done * 1e6);
	end(&s);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "all";
	int         n = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
	bool        tls = argc > 1 && strcmp(argv[argc - 1], "tls") == 0;

	if (strcmp(what, "echo") == 0 && argc > 3)
		measure("echo", (struct load){ .main = echo_main, .conns = n, .tls = tls,
			.seconds = strtod(argv[3], NULL) });
	else if (strcmp(what, "open") == 0 && argc > 2)
		measure("open", (struct load){ .main = open_main, .conns = THREADS, .tls = tls,
			.seconds = n });
	else if (strcmp(what, "idle") == 0 && argc > 2)
		measure("idle", (struct load){ .main = idle_main, .conns = n, .tls = tls });
	else
		for (int i = 0; i < 2; i++) {
			struct load l = { .main = echo_main, .conns = 1, .tls = i, .seconds = 2 };

			measure("echo", l);
			l.conns = 64;
			measure("echo", l);
			l.main = open_main;
			l.conns = THREADS;
			measure("open", l);
			l.main = idle_main;
			l.conns = 2000;
			measure("idle", l);
		}
	rig_clean();
	return 0;
}
