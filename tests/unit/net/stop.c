/* Tests of net/: stopping in every state, and under load: pokes, parks, many connections. */
#include "rig.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

static void *
stop_main(void *arg)
{
	net_stop(((struct rig *)arg)->net);
	return NULL;
}

static void
test_stop(void **state)
{
	struct net_options o = { .workers = 3, .job_threads = 1, .shutdown_grace_ms = 600000 };
	struct rig         rig;
	struct client      idle, body, parked, reader, piped;
	pthread_t          thread;
	int                port;

	(void)state;
	rig_start(&rig, &o);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	client_open(&idle, port);
	client_expect(&idle, "hi");
	client_open(&body, port);
	client_expect(&body, "hi");
	client_send(&body, "BODY\r\nline\r\n");
	atomic_store(&rig.hold_jobs, 1);
	client_open(&parked, port);
	client_expect(&parked, "hi");
	client_send(&parked, "PARK\r\n");
	client_open(&reader, port);
	client_expect(&reader, "hi");
	client_send(&reader, "BIG 20000000\r\n");
	client_skip(&reader, 10);
	client_open(&piped, port);
	client_expect(&piped, "hi");
	client_send(&piped, "PARK\r\nECHO too late\r\n");
	WAIT_FOR(atomic_load(&rig.entered) == 3);
	pthread_create(&thread, NULL, stop_main, &rig);
	client_expect(&idle, "shutdown");
	assert_true(client_is_closed(&idle));
	assert_int_equal(client_connect(port), -1);
	assert_true(net_stopping(rig.net));
	client_send(&body, "more\r\n.\r\n");
	client_expect(&body, "stored");
	client_expect(&body, "shutdown");
	assert_true(client_is_closed(&body));
	client_skip(&reader, 20000000 - 10);
	client_expect(&reader, "end");
	client_expect(&reader, "shutdown");
	WAIT_FOR(atomic_load(&rig.open) == 2);
	atomic_store(&rig.hold_jobs, 0);
	client_expect(&parked, "woken");
	client_expect(&parked, "shutdown");
	client_expect(&piped, "woken");
	/* Nothing new is begun. */
	client_expect(&piped, "shutdown");
	pthread_join(thread, NULL);
	client_close(&idle);
	client_close(&body);
	client_close(&parked);
	client_close(&reader);
	client_close(&piped);
	rig_stop(&rig);
}

/* Those that do not end in time are closed; a job that runs is waited for. */
static void
test_grace(void **state)
{
	struct net_options o = { .workers = 2, .job_threads = 1, .shutdown_grace_ms = 200 };
	struct rig         rig;
	struct client      body, parked, delayed, reader;
	pthread_t          thread;
	int                port;

	(void)state;
	rig_start(&rig, &o);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	client_open(&body, port);
	client_send(&body, "BODY\r\n");
	client_expect(&body, "hi");
	client_open(&delayed, port);
	client_send(&delayed, "DELAY 100000\r\n");
	client_expect(&delayed, "hi");
	client_open(&reader, port);
	client_send(&reader, "BIG 100000000\r\n");
	client_expect(&reader, "hi");
	atomic_store(&rig.hold_jobs, 1);
	client_open(&parked, port);
	client_send(&parked, "PARK\r\n");
	client_expect(&parked, "hi");
	WAIT_FOR(atomic_load(&rig.entered) == 3 &&
	    atomic_load(&rig.max_output) >= CONN_OUTPUT_HIGH);
	pthread_create(&thread, NULL, stop_main, &rig);
	for (int i = 0; i < 400; i++)
		rig_nap();
	assert_int_equal(atomic_load(&rig.open), 4); /* the job may use any of them */
	atomic_store(&rig.hold_jobs, 0);
	pthread_join(thread, NULL);
	assert_int_equal(atomic_load(&rig.open), 0);
	assert_int_equal(atomic_load(&rig.jobs), 1);
	client_close(&body);
	client_close(&delayed);
	client_close(&parked);
	client_close(&reader);
	rig_stop(&rig);
}

static void
never(void *arg)
{
	(void)arg;
	fail_msg("a job ran though nothing was started");
}

static void
test_not_started(void **state)
{
	struct net_options    o = { .workers = 1 };
	struct rig            rig = { 0 };
	struct listen_options l = { .name = "x", .address = STR("127.0.0.1:0"), .type = &LINE_TYPE,
		.server = &rig };
	struct net           *net;
	int                   fds[2], port;

	(void)state;
	assert_int_equal(net_new(&o, &net), 0);
	assert_int_equal(net_listen(net, &l, &port), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(net_adopt(net, fds[0], &LINE_TYPE, &rig), 0);
	assert_int_equal(net_job(net, never, NULL), 0);
	net_drop(net);
	close(fds[1]);
	/* Adopted before the start, run after it; nothing after the stop. */
	assert_int_equal(net_new(&o, &rig.net), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(net_adopt(rig.net, fds[0], &LINE_TYPE, &rig), 0);
	assert_int_equal(net_start(rig.net), 0);
	WAIT_FOR(atomic_load(&rig.open) == 1);
	net_stop(rig.net);
	net_stop(rig.net);
	close(fds[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(net_adopt(rig.net, fds[0], &LINE_TYPE, &rig), E_SHUTDOWN);
	assert_int_equal(net_listen(rig.net, &l, &port), E_SHUTDOWN);
	assert_int_equal(net_job(rig.net, never, NULL), E_BUSY);
	close(fds[1]);
	net_drop(rig.net);
	net_drop(NULL);
}

/* --- load --- */

enum { POKERS = 4, POKES = 20000 };

static void *
poke_main(void *arg)
{
	struct rig *rig = arg;

	for (int i = 0; i < POKES; i++) {
		atomic_fetch_add(&rig->value, 1);
		conn_poke(atomic_load(&rig->idle));
	}
	return NULL;
}

/* However pokes and commands meet: what was set before the last poke is seen. */
static void
test_pokes(void **state)
{
	pthread_t     threads[POKERS];
	struct rig    rig;
	struct client c;
	char          last[64];
	int           port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	client_open(&c, port);
	client_expect(&c, "hi");
	client_ask(&c, "IDLE", "idle");
	for (int i = 0; i < POKERS; i++)
		pthread_create(&threads[i], NULL, poke_main, &rig);
	for (int i = 0; i < 200; i++)
		client_send(&c, "ECHO x\r\n");
	for (int i = 0; i < POKERS; i++)
		pthread_join(threads[i], NULL);
	WAIT_FOR(atomic_load(&rig.seen) == POKERS * POKES);
	snprintf(last, sizeof(last), "poke %d\r\n", POKERS * POKES);
	/* One by one, each on a sleeping session. */
	client_send(&c, "ECHO end\r\n");
	while (memmem(c.in, c.n, "end\r\n", 5) == NULL) {
		ssize_t n;

		if (c.n > sizeof(c.in) / 2) {
			memmove(c.in, c.in + c.n - 100, 100);
			c.n = 100;
		}
		n = recv(c.fd, c.in + c.n, sizeof(c.in) - c.n, 0);
		assert_true(n > 0);
		c.n += (size_t)n;
	}
	c.n = 0;
	for (int i = 1; i <= 2000; i++) {
		snprintf(last, sizeof(last), "poke %d", POKERS * POKES + i);
		atomic_fetch_add(&rig.value, 1);
		conn_poke(atomic_load(&rig.idle));
		client_expect(&c, last);
	}
	client_close(&c);
	rig_stop(&rig);
}

/* A poke reaches a session whose output has drained later, and one that was parked. */
static void
test_poke_later(void **state)
{
	struct rig    rig;
	struct client c;
	int           port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	client_open(&c, port);
	client_expect(&c, "hi");
	client_ask(&c, "IDLE", "idle");
	atomic_store(&rig.hold_jobs, 1);
	client_send(&c, "PARK\r\n");
	WAIT_FOR(atomic_load(&rig.entered) == 1);
	atomic_store(&rig.value, 5);
	conn_poke(atomic_load(&rig.idle));
	for (int i = 0; i < 30; i++)
		rig_nap();
	assert_int_equal(atomic_load(&rig.seen), 0);
	atomic_store(&rig.hold_jobs, 0);
	client_expect(&c, "woken");
	client_expect(&c, "poke 5");
	client_send(&c, "BIG 30000000\r\n");
	client_skip(&c, 1000);
	for (int i = 0; i < 30; i++)
		rig_nap();
	client_skip(&c, 30000000 - 1000);
	client_expect(&c, "end");
	atomic_store(&rig.value, 6);
	conn_poke(atomic_load(&rig.idle));
	client_expect(&c, "poke 6");
	client_close(&c);
	rig_stop(&rig);
}

struct crowd {
	int        port;
	int        rounds;
	pthread_t  thread;
};

static void *
crowd_main(void *arg)
{
	struct crowd *crowd = arg;
	struct client c;

	for (int i = 0; i < crowd->rounds; i++) {
		client_open(&c, crowd->port);
		client_expect(&c, "hi");
		for (int k = 0; k < 10; k++) {
			client_ask(&c, "PARK", "woken");
			client_ask(&c, "ECHO x", "x");
		}
		if (i % 2 == 0)
			client_ask(&c, "QUIT", "bye");
		client_close(&c);
	}
	return NULL;
}

static void
test_crowd(void **state)
{
	struct crowd crowd[16];
	struct rig   rig;
	int          port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	for (size_t i = 0; i < ARRAY_LEN(crowd); i++) {
		crowd[i] = (struct crowd){ .port = port, .rounds = 20 };
		pthread_create(&crowd[i].thread, NULL, crowd_main, &crowd[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(crowd); i++)
		pthread_join(crowd[i].thread, NULL);
	assert_int_equal(atomic_load(&rig.opened), 16 * 20);
	assert_int_equal(atomic_load(&rig.jobs), 16 * 20 * 10);
	WAIT_FOR(net_conns(rig.net) == 0);
	rig_stop(&rig);
}

static void
test_2000(void **state)
{
	enum { N = 2000 };
	struct rig     rig;
	struct client *c = calloc(N, sizeof(*c));
	int            port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	for (int i = 0; i < N; i++)
		client_open(&c[i], port);
	for (int i = 0; i < N; i++)
		client_expect(&c[i], "hi");
	for (int i = 0; i < N; i++)
		client_send(&c[i], "TIMEOUT 60000\r\n");
	for (int i = 0; i < N; i++)
		client_expect(&c[i], "ok");
	assert_int_equal(net_conns(rig.net), N);
	/* All at once by the clock, but those that spoke. */
	clock_test_advance(40000);
	for (int i = 0; i < N; i += 2)
		client_ask(&c[i], "ECHO x", "x");
	clock_test_advance(30000);
	for (int i = 1; i < N; i += 2)
		client_expect(&c[i], "timeout");
	for (int i = 0; i < N; i += 2)
		client_ask(&c[i], "ECHO y", "y");
	for (int i = 1; i < N; i += 2)
		client_close(&c[i]);
	WAIT_FOR(net_conns(rig.net) == N / 2);
	net_stop(rig.net);
	for (int i = 0; i < N; i += 2) {
		client_expect(&c[i], "shutdown");
		client_close(&c[i]);
	}
	free(c);
	rig_stop(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_grace),
		cmocka_unit_test(test_not_started),
		cmocka_unit_test(test_pokes),
		cmocka_unit_test(test_poke_later),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_2000),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
