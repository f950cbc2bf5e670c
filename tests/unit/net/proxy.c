/* Tests of net/: the PROXY protocol, and the limits on connections. */
#include "rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

struct header {
	char   p[1024];
	size_t n;
};

static struct header
header(int version_command, int family, const char *body, size_t n)
{
	struct header h = { .n = 16 + n };

	memcpy(h.p, SIGNATURE, 12);
	h.p[12] = (char)version_command;
	h.p[13] = (char)family;
	h.p[14] = (char)(n >> 8);
	h.p[15] = (char)n;
	memcpy(h.p + 16, body, n);
	return h;
}

static struct header
header_v4(uint8_t last)
{
	char body[12] = { (char)192, 0, 2, (char)last, (char)198, 51, 100, 2, 0x30, 0x39, 0, 25 };

	return header(0x21, 0x11, body, 12);
}

static struct header
header_v6(uint8_t net, uint8_t last)
{
	char body[36] = { 0x20, 0x01, 0x0d, (char)0xb8 };

	body[7] = (char)net;
	body[15] = (char)last;
	body[16] = 0x20;
	body[31] = 9;
	body[33] = 99;
	return header(0x21, 0x21, body, 36);
}

static void
send_header(struct client *c, struct header h, size_t step)
{
	for (size_t i = 0; i < h.n; i += step) {
		size_t n = h.n - i < step ? h.n - i : step;

		assert_int_equal(send(c->fd, h.p + i, n, MSG_NOSIGNAL), (ssize_t)n);
		if (step < 16)
			rig_nap();
	}
}

static void
expect_who(int port, struct header h, size_t step, const char *who)
{
	struct client c;

	client_open(&c, port);
	send_header(&c, h, step);
	client_expect(&c, "hi");
	client_ask(&c, "WHO", who);
	client_close(&c);
}

static void
test_headers(void **state)
{
	char          unix_body[216] = { 0 };
	char          extra[400] = { 0 };
	struct header h = header_v4(7), more;
	struct rig    rig;
	int           port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", LISTEN_PROXY, NULL);
	expect_who(port, h, 1024, "192.0.2.7 port 198.51.100.2 remote");
	expect_who(port, h, 1, "192.0.2.7 port 198.51.100.2 remote");
	expect_who(port, header_v6(1, 5), 1024, "2001:db8:0:1::5 port 2000::9 remote");
	expect_who(port, header_v6(1, 5), 3, "2001:db8:0:1::5 port 2000::9 remote");
	expect_who(port, header(0x20, 0, "", 0), 1024, "127.0.0.1 port 127.0.0.1 local");
	/* LOCAL: what it says is not looked at. */
	expect_who(port, header(0x20, 0x11, h.p + 16, 12), 5, "127.0.0.1 port 127.0.0.1 local");
	expect_who(port, header(0x21, 0, "", 0), 1024, "127.0.0.1 port 127.0.0.1 local");
	expect_who(port, header(0x21, 0x31, unix_body, 216), 1024, "unix - unix remote");
	/* Extensions behind the addresses are skipped. */
	memcpy(extra, h.p + 16, 12);
	more = header(0x21, 0x11, extra, sizeof(extra));
	expect_who(port, more, 1024, "192.0.2.7 port 198.51.100.2 remote");
	expect_who(port, more, 7, "192.0.2.7 port 198.51.100.2 remote");
	rig_stop(&rig);
}

static void
expect_refused(int port, struct header h)
{
	struct client c;

	client_open(&c, port);
	send_header(&c, h, 1024);
	assert_true(client_is_closed(&c));
	client_close(&c);
}

static void
test_malformed(void **state)
{
	struct header h = header_v4(7);
	struct rig    rig;
	struct client c;
	int           port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", LISTEN_PROXY, NULL);
	h.p[3] = 'x';
	expect_refused(port, h);
	expect_refused(port, header(0x11, 0x11, h.p + 16, 12)); /* version */
	expect_refused(port, header(0x22, 0x11, h.p + 16, 12)); /* command */
	expect_refused(port, header(0x21, 0x12, h.p + 16, 12)); /* UDP */
	expect_refused(port, header(0x21, 0x41, h.p + 16, 12)); /* family */
	expect_refused(port, header(0x21, 0x11, h.p + 16, 11)); /* too short */
	expect_refused(port, header(0x21, 0x21, h.p + 16, 35));
	expect_refused(port, header(0x21, 0x31, h.p + 16, 100));
	/* Version 1, and none at all. */
	client_open(&c, port);
	client_send(&c, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
	assert_true(client_is_closed(&c));
	client_close(&c);
	rig_expect_end(&rig, "bad PROXY header");
	client_open(&c, port);
	WAIT_FOR(net_conns(rig.net) == 1);
	WAIT_FOR((clock_test_advance(31000), net_conns(rig.net) == 0));
	assert_true(client_is_closed(&c));
	client_close(&c);
	assert_int_equal(atomic_load(&rig.opened), 0);
	rig_stop(&rig);
}

static void
test_then_tls(void **state)
{
	struct tls_pair pair = rig_pair("one");
	struct tls     *tls;
	struct rig      rig;
	struct client   c;
	int             port;

	(void)state;
	rig_make_cert("one", "DNS:one.example");
	assert_int_equal(tls_new(&pair, 1, NULL, &tls), 0);
	rig_free_pair(&pair);
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", LISTEN_PROXY | LISTEN_TLS, tls);
	client_open(&c, port);
	send_header(&c, header_v4(9), 1024);
	assert_int_equal(client_tls(&c, NULL), 1);
	client_expect(&c, "hi");
	client_ask(&c, "WHO", "192.0.2.9 port 198.51.100.2 remote");
	client_close(&c);
	rig_stop(&rig);
	tls_drop(tls);
}

/* --- limits --- */

static bool
is_let_in(struct client *c, int port, const struct header *h)
{
	char byte;

	client_open(c, port);
	if (h != NULL)
		send_header(c, *h, 1024);
	if (recv(c->fd, &byte, 1, MSG_PEEK) == 1) {
		client_expect(c, "hi");
		return true;
	}
	client_close(c);
	return false;
}

static void
test_limits(void **state)
{
	struct net_options o = { .workers = 2, .job_threads = 1, .conns_max = 10,
		.conns_per_address_max = 3 };
	struct header      v4 = header_v4(1), other = header_v4(2), v6 = header_v6(1, 1);
	struct rig         rig;
	struct client      c[10], one;
	int                plain, proxied;

	(void)state;
	rig_start(&rig, &o);
	plain = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	proxied = rig_listen(&rig, "127.0.0.1:0", LISTEN_PROXY, NULL);
	for (int i = 0; i < 3; i++)
		assert_true(is_let_in(&c[i], proxied, &v4));
	assert_false(is_let_in(&one, proxied, &v4));
	WAIT_FOR(atomic_load(&rig.refused) == 1);
	assert_true(is_let_in(&c[3], proxied, &other));
	/* An IPv6 network of one customer counts as one. */
	for (int i = 4; i < 7; i++) {
		v6 = header_v6(1, (uint8_t)i);
		assert_true(is_let_in(&c[i], proxied, &v6));
	}
	assert_false(is_let_in(&one, proxied, &v6));
	for (int i = 0; i < 7; i++)
		client_close(&c[i]);
	WAIT_FOR(net_conns(rig.net) == 0);
	assert_true(is_let_in(&one, proxied, &v4));
	client_close(&one);
	WAIT_FOR(net_conns(rig.net) == 0);
	/* The same host is not counted, but there is an end. */
	for (int i = 0; i < 10; i++)
		assert_true(is_let_in(&c[i], plain, NULL));
	assert_false(is_let_in(&one, plain, NULL));
	client_close(&c[0]);
	WAIT_FOR(net_conns(rig.net) == 9);
	assert_true(is_let_in(&c[0], plain, NULL));
	for (int i = 0; i < 10; i++)
		client_close(&c[i]);
	rig_stop(&rig);
}

static int64_t
cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* No file descriptors left: no spinning, and those that wait are served when there are some. */
static void
test_no_fds(void **state)
{
	enum { N = 24, SPARE = 4 };
	struct rlimit      was, few;
	struct rig         rig;
	struct client      c[N];
	int64_t            cpu;
	int                port, probe;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	for (int i = 0; i < N; i++)
		client_of(&c[i], socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	probe = fcntl(0, F_DUPFD_CLOEXEC, 0);
	close(probe);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = was;
	few.rlim_cur = (rlim_t)probe + SPARE;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (int i = 0; i < N; i++)
		assert_int_equal(client_reach(c[i].fd, port), 0);
	WAIT_FOR(net_conns(rig.net) == SPARE);
	cpu = cpu_ms();
	for (int i = 0; i < 300; i++)
		rig_nap();
	assert_in_range(cpu_ms() - cpu, 0, 150);
	assert_int_equal(net_conns(rig.net), SPARE);
	for (int i = 0; i < N; i++) {
		client_expect(&c[i], "hi");
		client_ask(&c[i], "QUIT", "bye");
		client_close(&c[i]);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	rig_stop(&rig);
}

static void
test_addresses(void **state)
{
	static const char *const BAD[] = { "", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", ":25",
		"::1:25", "[::1]", "host:25", "1.2.3.4.5:6", "127.0.0.1:x", "unix:" };
	OWN_BUF struct buf    detail = BUF_INIT(1000);
	struct listen_options o = { .name = "test", .type = &LINE_TYPE, .detail = &detail };
	struct rig            rig;
	char                  text[64];
	struct client         c;
	int                   port, fd;

	(void)state;
	rig_start(&rig, NULL);
	o.server = &rig;
	for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
		o.address = str_c(BAD[i]);
		buf_reset(&detail);
		assert_true(net_listen(rig.net, &o, &port) < 0);
		assert_int_not_equal(detail.n, 0);
	}
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	snprintf(text, sizeof(text), "127.0.0.1:%d", port);
	o.address = str_c(text);
	buf_reset(&detail);
	assert_int_equal(net_listen(rig.net, &o, &port), E_IN_USE);
	assert_true(str_find(buf_view(&detail), STR("in use")) < detail.n);
	/* Both families on one socket; an IPv4 peer is shown as one. */
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	if (fd >= 0) {
		close(fd);
		port = rig_listen(&rig, "*:0", 0, NULL);
		client_open(&c, port);
		client_expect(&c, "hi");
		client_ask(&c, "WHO", "127.0.0.1 port 127.0.0.1 local");
		client_close(&c);
		rig_listen(&rig, "[::1]:0", 0, NULL);
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
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_then_tls),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_no_fds),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, clean);
}
