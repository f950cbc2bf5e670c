/* Tests of net/: sessions over every kind of wire, output, parking, poking, timeouts. */
#include "rig.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

static void
talk(struct client *c)
{
	client_ask(c, "ECHO one", "one");
	client_send(c, "ECHO a\r\nECHO b\r\nEC");
	client_expect(c, "a");
	client_expect(c, "b");
	client_send(c, "HO c\r\n");
	client_expect(c, "c");
	client_ask(c, "QUIT", "bye");
	assert_true(client_is_closed(c));
	client_close(c);
}

static void
test_plain(void **state)
{
	struct rig    rig;
	struct client c;
	int           port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	client_open(&c, port);
	client_expect(&c, "hi");
	client_ask(&c, "WHO", "127.0.0.1 port 127.0.0.1 local");
	client_ask(&c, "TLS", "-");
	talk(&c);
	rig_expect_end(&rig, "closed");
	rig_stop(&rig);
}

static void
test_socketpair(void **state)
{
	struct rig    rig;
	struct client c;
	int           fds[2];

	(void)state;
	rig_start(&rig, NULL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(net_adopt(rig.net, fds[0], &LINE_TYPE, &rig), 0);
	client_of(&c, fds[1]);
	client_expect(&c, "hi");
	client_ask(&c, "WHO", "unix - unix local");
	talk(&c);
	rig_stop(&rig);
}

static void
test_unix(void **state)
{
	struct sockaddr_un    un = { .sun_family = AF_UNIX };
	char                  address[160];
	struct rig            rig, second;
	struct client         c;
	struct stat           st;
	int                   fd;
	struct listen_options o = { .name = "test", .type = &LINE_TYPE };

	(void)state;
	snprintf(un.sun_path, sizeof(un.sun_path), "%s/sock", rig_folder());
	snprintf(address, sizeof(address), "unix:%s", un.sun_path);
	/* A file that a process left behind is replaced. */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	close(fd);
	rig_start(&rig, NULL);
	rig_listen(&rig, address, 0, NULL);
	assert_int_equal(stat(un.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	client_of(&c, fd);
	client_expect(&c, "hi");
	client_ask(&c, "WHO", "unix - unix local");
	talk(&c);
	/* A file that is in use is not. */
	rig_start(&second, NULL);
	o.address = str_c(address);
	o.server = &second;
	assert_int_equal(net_listen(second.net, &o, NULL), E_IN_USE);
	rig_stop(&second);
	rig_stop(&rig);
	assert_int_not_equal(stat(un.sun_path, &st), 0);
}

static void
test_eof(void **state)
{
	struct rig    rig;
	struct client c;
	int           port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	client_open(&c, port);
	client_send(&c, "ECHO a\r\nPARK\r\nECHO b\r\nBIG 600000\r\nECHO c\r\n");
	shutdown(c.fd, SHUT_WR);
	client_expect(&c, "hi");
	client_expect(&c, "a");
	client_expect(&c, "woken");
	client_expect(&c, "b");
	client_skip(&c, 600000);
	client_expect(&c, "end");
	client_expect(&c, "c");
	assert_true(client_is_closed(&c));
	client_close(&c);
	rig_expect_end(&rig, "peer closed");
	/* A reset in the middle of everything. */
	for (int i = 0; i < 20; i++) {
		struct linger hard = { .l_onoff = 1 };

		client_open(&c, port);
		client_send(&c, i % 2 == 0 ? "BIG 50000000\r\n" : "PARK\r\nBIG 90000000\r\n");
		setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		client_close(&c);
	}
	rig_expect_end(&rig, "reset");
	rig_stop(&rig);
}

/* A client that keeps on talking gets the last reply and an orderly end, not a reset. */
static void
test_last_words(void **state)
{
	struct rig    rig;
	struct client c;
	char         *text = malloc(400001);
	int           port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	memset(text, 'x', 400000);
	text[400000] = '\0';
	memcpy(text, "QUIT\r\n", 6);
	client_open(&c, port);
	client_send(&c, text);
	client_expect(&c, "hi");
	client_expect(&c, "bye");
	client_send(&c, text);
	assert_int_equal(recv(c.fd, text, 1, 0), 0);
	/* But not for ever. */
	WAIT_FOR((clock_test_advance(3000), net_conns(rig.net) == 0));
	client_close(&c);
	free(text);
	rig_stop(&rig);
}

/* A producer of 64 MB to a slow reader: the memory in use stays at the mark. */
/* Who has asked for the end need not close first; who talks on all the same is read on. */
static void
test_peer_ends(void **state)
{
	struct rig    rig;
	struct client c;
	int64_t       from;
	int           port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	from = clock_mono_ms();
	for (int i = 0; i < 10; i++) {
		client_open(&c, port);
		client_expect(&c, "hi");
		client_ask(&c, "LEAVE", "bye");
		WAIT_FOR(net_conns(rig.net) == 0);
		assert_true(client_is_closed(&c));
		client_close(&c);
	}
	assert_true(clock_mono_ms() - from < 10000); /* two seconds each, if it waited */
	client_open(&c, port);
	client_send(&c, "LEAVE\r\nECHO a\r\n");
	client_expect(&c, "hi");
	client_expect(&c, "bye");
	assert_int_equal(recv(c.fd, c.in, 1, 0), 0); /* an orderly end */
	assert_int_equal(net_conns(rig.net), 1);
	client_close(&c);
	rig_expect_end(&rig, "closed");
	rig_stop(&rig);
}

static void
test_big(void **state)
{
	struct rig    rig;
	struct client c;
	int           port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	client_open(&c, port);
	client_expect(&c, "hi");
	client_send(&c, "BIG 67108864\r\nECHO after\r\n");
	for (int i = 0; i < 64; i++) {
		client_skip(&c, 1 << 20);
		if (i < 20)
			rig_nap();
	}
	client_expect(&c, "end");
	client_expect(&c, "after");
	assert_in_range(atomic_load(&rig.max_output), CONN_OUTPUT_HIGH, CONN_OUTPUT_HIGH + 65536);
	client_close(&c);
	rig_stop(&rig);
}

static void
test_input_max(void **state)
{
	struct rig    rig;
	struct client c;
	char         *line = malloc(70000);
	int           port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	client_open(&c, port);
	client_expect(&c, "hi");
	/* A token that comes in many pieces grows a buffer of its own, and gives it back. */
	memset(line, 'y', 70000);
	memcpy(line, "ECHO ", 5);
	memcpy(line + 60000, "\r\n", 3);
	for (size_t i = 0; i < 60002; i += 7001) {
		char piece[8000];

		snprintf(piece, 7002, "%s", line + i);
		client_send(&c, piece);
		rig_nap();
	}
	client_skip(&c, 60000 - 5 + 2);
	client_ask(&c, "MAX 100", "ok");
	client_ask(&c, "ECHO short", "short");
	/* Over the limit without a line end: closed. */
	memset(line, 'z', 300);
	line[300] = '\0';
	client_send(&c, line);
	assert_true(client_is_closed(&c));
	client_close(&c);
	rig_expect_end(&rig, "input limit");
	free(line);
	rig_stop(&rig);
}

static void
test_park(void **state)
{
	struct rig    rig;
	struct client c, other;
	int           port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	client_open(&c, port);
	client_expect(&c, "hi");
	for (int i = 0; i < 200; i++)
		client_ask(&c, "PARK", "woken");
	assert_int_equal(atomic_load(&rig.jobs), 200);
	/* Input that comes while it is parked waits. */
	atomic_store(&rig.hold_jobs, 1);
	client_send(&c, "PARK\r\nECHO x\r\n");
	client_send(&c, "ECHO y\r\n");
	rig_nap();
	atomic_store(&rig.hold_jobs, 0);
	client_expect(&c, "woken");
	client_expect(&c, "x");
	client_expect(&c, "y");
	/* A delay, moved by the clock: a day, so that no real time counts. Two shorter ones of
	 * another client that are over tell that the long one was looked at. */
	client_open(&other, port);
	client_expect(&other, "hi");
	client_send(&c, "DELAY 86400000\r\n");
	WAIT_FOR(atomic_load(&rig.entered) == 202);
	for (int i = 0; i < 2; i++) {
		client_send(&other, "DELAY 30000000\r\n");
		WAIT_FOR(atomic_load(&rig.entered) == 203 + i);
		clock_test_advance(30000000);
		client_expect(&other, "late");
	}
	assert_int_equal(recv(c.fd, c.in, sizeof(c.in), MSG_DONTWAIT), -1);
	clock_test_advance(30000000);
	client_expect(&c, "late");
	client_close(&other);
	client_close(&c);
	rig_stop(&rig);
}

/* A client that is gone while its session is parked: the session stays until it was woken. */
static void
test_gone_while_parked(void **state)
{
	struct linger hard = { .l_onoff = 1 };
	struct rig    rig;
	struct client c;
	int           port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	atomic_store(&rig.hold_jobs, 1);
	client_open(&c, port);
	client_expect(&c, "hi");
	/* Output is waiting when the session parks, and cannot be sent. */
	client_send(&c, "FAT 30000000\r\n");
	WAIT_FOR(atomic_load(&rig.entered) == 1);
	client_skip(&c, 100);
	setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	client_close(&c);
	client_open(&c, port);
	client_expect(&c, "hi");
	client_send(&c, "ECHO x\r\nPARK\r\n");
	WAIT_FOR(atomic_load(&rig.entered) == 2);
	setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	client_close(&c);
	for (int i = 0; i < 50; i++)
		rig_nap();
	assert_int_equal(atomic_load(&rig.open), 2);
	/* A reader that stands still past the deadline is no other case. */
	client_open(&c, port);
	client_expect(&c, "hi");
	client_ask(&c, "TIMEOUT 60000", "ok");
	client_send(&c, "FAT 30000000\r\n");
	WAIT_FOR(atomic_load(&rig.entered) == 3);
	for (int i = 0; i < 5; i++) {
		clock_test_advance(61000);
		for (int k = 0; k < 50; k++)
			rig_nap();
	}
	assert_int_equal(atomic_load(&rig.open), 3);
	client_close(&c);
	atomic_store(&rig.hold_jobs, 0);
	WAIT_FOR(net_conns(rig.net) == 0);
	rig_stop(&rig);
}

static void
test_timeouts(void **state)
{
	struct rig    rig;
	struct client c, idle;
	int           port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	client_open(&c, port);
	client_expect(&c, "hi");
	client_ask(&c, "TIMEOUT 60000", "ok");
	client_open(&idle, port);
	client_expect(&idle, "hi");
	clock_test_advance(59000);
	client_ask(&c, "ECHO still", "still"); /* starts the time anew */
	clock_test_advance(59000);
	client_ask(&c, "ECHO here", "here");
	clock_test_advance(61000);
	client_expect(&c, "timeout");
	assert_true(client_is_closed(&c));
	client_close(&c);
	/* A deadline is not moved by a trickle of bytes. */
	client_open(&c, port);
	client_expect(&c, "hi");
	client_ask(&c, "TIMEOUT 600000", "ok");
	client_ask(&c, "DEADLINE 90000", "ok");
	clock_test_advance(50000);
	client_send(&c, "E");
	rig_nap();
	clock_test_advance(50000);
	client_expect(&c, "timeout");
	assert_true(client_is_closed(&c));
	client_close(&c);
	/* Without a timeout nothing happens. */
	client_ask(&idle, "ECHO x", "x");
	client_close(&idle);
	rig_stop(&rig);
}

/* A reader that stands still past the deadline is closed, without a word to the session. */
static void
test_slow_reader(void **state)
{
	struct rig    rig;
	struct client c;
	int           port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	client_open(&c, port);
	client_expect(&c, "hi");
	client_ask(&c, "TIMEOUT 60000", "ok");
	client_send(&c, "BIG 100000000\r\n");
	client_skip(&c, 1000);
	WAIT_FOR((clock_test_advance(61000), net_conns(rig.net) == 0));
	rig_expect_end(&rig, "timeout");
	client_close(&c);
	rig_stop(&rig);
}

static void
test_before_send(void **state)
{
	struct rig    rig;
	struct client c;
	int           port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	client_open(&c, port);
	client_expect(&c, "hi");
	client_ask(&c, "ECHO a", "a");
	assert_int_equal(atomic_load(&rig.sends), 2);
	/* Bytes that drain slowly are spoken for once: 20 MB are 80 rounds of 256 KiB. */
	client_send(&c, "BIG 20971520\r\n");
	for (int i = 0; i < 20 * 16; i++) {
		client_skip(&c, 65536);
		if (i % 8 == 0)
			rig_nap();
	}
	client_expect(&c, "end");
	assert_in_range(atomic_load(&rig.sends), 82, 83);
	atomic_store(&rig.send_error, E_IO);
	client_send(&c, "ECHO never\r\n");
	assert_true(client_is_closed(&c));
	client_close(&c);
	rig_expect_end(&rig, "not durable");
	rig_stop(&rig);
}

/* Instead of what is not durable its session says so; but not inside of an answer in pieces. */
static void
test_not_durable(void **state)
{
	struct rig    rig;
	struct client c;
	char          tail[6] = "";
	char          got[65536];
	ssize_t       n;
	int           port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	atomic_store(&rig.tell_lost, 1);
	client_open(&c, port);
	client_ask(&c, "ECHO a", "hi");
	client_expect(&c, "a");
	atomic_store(&rig.send_error, E_IO);
	client_send(&c, "ECHO never\r\nECHO ever\r\n");
	client_expect(&c, "lost");
	assert_true(client_is_closed(&c));
	client_close(&c);
	rig_expect_end(&rig, "not durable");
	atomic_store(&rig.send_error, 0);
	client_open(&c, port);
	client_send(&c, "BIG 50000000\r\n");
	client_expect(&c, "hi");
	client_skip(&c, 65536);
	atomic_store(&rig.send_error, E_IO);
	while ((n = recv(c.fd, got, sizeof(got), 0)) > 0)
		memcpy(tail, got + n - (n < 5 ? n : 5), n < 5 ? (size_t)n : 5);
	assert_string_equal(tail, "xxxxx");
	client_close(&c);
	rig_expect_end(&rig, "not durable");
	rig_stop(&rig);
}

/* before_send may let a connection wait without its worker; nothing leaves before it allows. */
static void
test_send_later(void **state)
{
	struct net_options one = { .workers = 1, .job_threads = 1 };
	struct rig         rig;
	struct client      c, gone;
	char               byte;
	int                port;

	(void)state;
	rig_start(&rig, &one);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	client_open(&c, port);
	client_expect(&c, "hi");
	client_open(&gone, port);
	client_expect(&gone, "hi");
	atomic_store(&rig.send_later, 1);
	atomic_store(&rig.hold_jobs, 1);
	client_send(&c, "ECHO a\r\nECHO b\r\n");
	client_send(&gone, "ECHO a\r\n");
	WAIT_FOR(atomic_load(&rig.sends) == 4); /* the one worker came to both */
	client_close(&gone);
	rig_nap();
	assert_int_equal(recv(c.fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK), -1);
	atomic_store(&rig.hold_jobs, 0);
	client_expect(&c, "a");
	client_expect(&c, "b");
	client_ask(&c, "ECHO again", "again");
	client_send(&c, "PARK\r\n");
	client_expect(&c, "woken");
	client_close(&c);
	WAIT_FOR(atomic_load(&rig.open) == 0);
	rig_stop(&rig);
}

/* A session that never stops talking to itself does not keep the only worker. */
static void
test_greedy(void **state)
{
	struct net_options one = { .workers = 1, .job_threads = 1 };
	struct rig         rig;
	struct client      greedy, c;
	int                port;

	(void)state;
	rig_start(&rig, &one);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	client_open(&greedy, port);
	client_expect(&greedy, "hi");
	client_open(&c, port);
	client_expect(&c, "hi");
	client_send(&greedy, "ECHO before\r\nSPIN\r\n");
	client_expect(&greedy, "before");
	for (int i = 0; i < 10; i++)
		client_ask(&c, "ECHO x", "x");
	atomic_store(&rig.release, 1);
	client_expect(&greedy, "spun");
	client_close(&greedy);
	client_close(&c);
	rig_stop(&rig);
}

/* Halves of lines keep apart, though all are read by one worker. */
static void
test_halves(void **state)
{
	enum { N = 30 };
	struct net_options one = { .workers = 1, .job_threads = 1 };
	struct rig         rig;
	struct client      c[N];
	char               text[64];
	int                port;

	(void)state;
	rig_start(&rig, &one);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	for (int i = 0; i < N; i++) {
		client_open(&c[i], port);
		client_expect(&c[i], "hi");
	}
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < N; i++) {
			snprintf(text, sizeof(text), "ECHO x\r\nECHO %d", i);
			client_send(&c[i], text);
			client_expect(&c[i], "x");
		}
		for (int i = 0; i < N; i++) {
			snprintf(text, sizeof(text), "%d-%d", i, i);
			client_send(&c[i], text + strcspn(text, "-"));
			client_send(&c[i], "\r\n");
			client_expect(&c[i], text);
		}
	}
	for (int i = 0; i < N; i++)
		client_close(&c[i]);
	rig_stop(&rig);
}

/* --- jobs --- */

static void
count(void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

/* Counts itself in, then waits for 0. */
static void
hold(void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
	while (atomic_load((atomic_int *)arg) != 0)
		rig_nap();
}

static void
test_jobs(void **state)
{
	struct net_options few = { .workers = 1, .job_threads = 2, .jobs_max = 8 };
	struct rig         rig;
	atomic_int         n = 0, wait = 1, rounds = 0;
	int                added = 0;

	(void)state;
	rig_start(&rig, &few);
	net_job(rig.net, hold, &wait);
	net_job(rig.net, hold, &wait);
	WAIT_FOR(atomic_load(&wait) == 3);
	while (net_job(rig.net, count, &n) == 0)
		added++;
	assert_int_equal(added, 8);
	assert_int_equal(net_job(rig.net, count, &n), E_BUSY);
	atomic_store(&wait, 0);
	WAIT_FOR(atomic_load(&n) == 8);
	assert_int_equal(net_every(rig.net, 3600000, count, &rounds), 0);
	for (int i = 1; i < 4; i++) {
		WAIT_FOR((clock_test_advance(3600000), atomic_load(&rounds) >= i));
	}
	rig_stop(&rig);
}

static int
clean(void **state)
{
	(void)state;
	rig_clean();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_socketpair),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_eof),
		cmocka_unit_test(test_last_words),
		cmocka_unit_test(test_peer_ends),
		cmocka_unit_test(test_big),
		cmocka_unit_test(test_input_max),
		cmocka_unit_test(test_park),
		cmocka_unit_test(test_gone_while_parked),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_before_send),
		cmocka_unit_test(test_not_durable),
		cmocka_unit_test(test_send_later),
		cmocka_unit_test(test_greedy),
		cmocka_unit_test(test_halves),
		cmocka_unit_test(test_jobs),
	};

	return cmocka_run_group_tests(tests, NULL, clean);
}
