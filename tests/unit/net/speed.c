/*
 * What net/ costs, for `meson test --benchmark`: round trips of one line, connections, handshakes, and
 * the memory of connections that wait. The clients are another process, so that the CPU time
 * shown is the server's.
 *
 *   speed echo CONNECTIONS SECONDS [tls]      speed open SECONDS [tls]      speed idle CONNECTIONS [tls]
 */
#include "rig.h"

#include <stdio.h>
#include <string.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 8 };

struct load {
	int    port, conns;
	bool   tls;
	double seconds;
	long   done;
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

/* In the child: runs the load and writes how much was done. */
static void
drive(void *(*fn)(void *), const struct load *all, int fd)
{
	struct load l[THREADS];
	int         n = all->conns < THREADS ? all->conns : THREADS;
	long        done = 0;

	for (int i = 0; i < n; i++) {
		l[i] = *all;
		l[i].conns = all->conns / n;
		pthread_create(&l[i].thread, NULL, fn, &l[i]);
	}
	for (int i = 0; i < n; i++) {
		pthread_join(l[i].thread, NULL);
		done += l[i].done;
	}
	_exit(write(fd, &done, sizeof(done)) == sizeof(done) ? 0 : 1);
}

static void
measure(const char *what, void *(*fn)(void *), struct load l)
{
	double start, cpu_start, wall, busy;
	long   done = 0;
	int    fds[2], port_fds[2];
	pid_t  pid;
	struct rig      rig;
	struct tls     *tls = NULL;
	struct tls_pair pair = rig_pair("speed");

	rig_make_cert("speed", "DNS:localhost");
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pipe(port_fds), 0);
	fflush(stdout);
	pid = fork(); /* before there are threads */
	if (pid == 0) {
		if (read(port_fds[0], &l.port, sizeof(l.port)) != sizeof(l.port))
			_exit(1);
		drive(fn, &l, fds[1]);
	}
	rig_start(&rig, &(struct net_options){ 0 });
	assert_int_equal(tls_new(&pair, 1, NULL, &tls), 0);
	l.port = rig_listen(&rig, "127.0.0.1:0", l.tls ? LISTEN_TLS : 0, tls);
	start = now();
	cpu_start = cpu();
	assert_int_equal(write(port_fds[1], &l.port, sizeof(l.port)), sizeof(l.port));
	assert_int_equal(read(fds[0], &done, sizeof(done)), sizeof(done));
	wall = now() - start;
	busy = cpu() - cpu_start;
	waitpid(pid, NULL, 0);
	printf("%s%s, %d connections: %.0f/s, %.1f us of server CPU each\n", what,
	    l.tls ? " over TLS" : "", l.conns, (double)done / wall, busy / (double)done * 1e6);
	rig_stop(&rig);
	tls_drop(tls);
	rig_free_pair(&pair);
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
	return NULL; /* left open for the parent to look at */
}

static void
measure_idle(struct load l)
{
	long   before, done = 0;
	int    fds[2], port_fds[2];
	pid_t  pid;
	struct rig      rig;
	struct tls     *tls = NULL;
	struct tls_pair pair = rig_pair("speed");

	rig_make_cert("speed", "DNS:localhost");
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pipe(port_fds), 0);
	pid = fork();
	if (pid == 0) {
		if (read(port_fds[0], &l.port, sizeof(l.port)) != sizeof(l.port))
			_exit(1);
		idle_main(&l);
		if (write(fds[1], &l.done, sizeof(l.done)) < 0 ||
		    read(port_fds[0], &l.port, sizeof(l.port)) < 0)
			_exit(1);
		_exit(0);
	}
	rig_start(&rig, &(struct net_options){ 0 });
	assert_int_equal(tls_new(&pair, 1, NULL, &tls), 0);
	l.port = rig_listen(&rig, "127.0.0.1:0", l.tls ? LISTEN_TLS : 0, tls);
	before = resident_kib();
	assert_int_equal(write(port_fds[1], &l.port, sizeof(l.port)), sizeof(l.port));
	assert_int_equal(read(fds[0], &done, sizeof(done)), sizeof(done));
	printf("idle%s, %ld connections: %.1f KiB each\n", l.tls ? " over TLS" : "", done,
	    (double)(resident_kib() - before) / (double)done);
	assert_int_equal(write(port_fds[1], &l.port, sizeof(l.port)), sizeof(l.port));
	waitpid(pid, NULL, 0);
	rig_stop(&rig);
	tls_drop(tls);
	rig_free_pair(&pair);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "all";
	bool        tls = argc > 1 && strcmp(argv[argc - 1], "tls") == 0;

	if (strcmp(what, "echo") == 0 && argc > 3)
		measure("echo", echo_main, (struct load){ .conns = (int)strtol(argv[2], NULL, 10), .tls = tls,
			.seconds = strtod(argv[3], NULL) });
	else if (strcmp(what, "open") == 0 && argc > 2)
		measure("open", open_main, (struct load){ .conns = THREADS, .tls = tls,
			.seconds = strtod(argv[2], NULL) });
	else if (strcmp(what, "idle") == 0 && argc > 2)
		measure_idle((struct load){ .conns = (int)strtol(argv[2], NULL, 10), .tls = tls });
	else {
		for (int i = 0; i < 2; i++) {
			measure("echo", echo_main, (struct load){ .conns = 1, .tls = i, .seconds = 2 });
			measure("echo", echo_main, (struct load){ .conns = 64, .tls = i, .seconds = 2 });
			measure("open", open_main, (struct load){ .conns = 8, .tls = i, .seconds = 2 });
			measure_idle((struct load){ .conns = 2000, .tls = i });
		}
	}
	rig_clean();
	return 0;
}
