/* Tests of net/: each allocation fails once. Needs -Dfaults=true; else there is nothing to do. */
#include "rig.h"

#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"

static void
do_nothing(void *arg)
{
	(void)arg;
}

static int
make_all(struct rig *rig, struct tls *tls)
{
	struct net_options    few = { .workers = 2, .job_threads = 1 };
	struct listen_options o = { .name = "test", .address = STR("127.0.0.1:0"),
		.flags = LISTEN_STARTTLS, .type = &LINE_TYPE, .server = rig, .tls = tls };
	int                   r = net_new(&few, &rig->net);

	if (r == 0)
		r = net_start(rig->net);
	if (r == 0)
		r = net_listen(rig->net, &o, NULL);
	if (r == 0)
		r = net_every(rig->net, 1000, do_nothing, NULL);
	return r;
}

static void
test_making(void **state)
{
	struct tls_pair pair = rig_pair("one");
	struct tls     *tls = NULL, *again = NULL;
	bool            ended = false;

	(void)state;
	rig_make_cert("one", "DNS:one.example,DNS:two.example");
	assert_int_equal(tls_new(&pair, 1, NULL, &tls), 0);
	for (unsigned long nth = 1; nth < 1000 && !ended; nth++) {
		struct rig rig = { 0 };
		int        r;

		mem_fault_set(nth, 0);
		r = make_all(&rig, tls);
		mem_fault_set(0, 0);
		net_drop(rig.net);
		ended = r == 0;
		assert_true(r == 0 || r == E_NOMEM);
	}
	assert_true(ended);
	for (unsigned long nth = 1; nth < 1000; nth++) {
		int r;

		mem_fault_set(nth, 0);
		r = tls_new(&pair, 1, NULL, &again);
		if (r == 0)
			r = tls_reload(again, NULL);
		mem_fault_set(0, 0);
		if (again != NULL)
			tls_drop(TAKE(again));
		if (r == 0)
			break;
		assert_int_equal(r, E_NOMEM);
	}
	tls_drop(tls);
	rig_free_pair(&pair);
}

/* Says it all, and reads until the server closes: no fault may leave the peer waiting. */
static void
converse(int port)
{
	static const char *const PARTS[] = { "ECHO a\r\nECHO ha", "lf\r\nBIG 600000\r\nPARK\r\nFA",
		"T 70000\r\nIDLE\r\nQUIT\r\n" };
	static char              skip[65536];
	struct client            c;

	client_open(&c, port);
	for (size_t i = 0; i < ARRAY_LEN(PARTS); i++) {
		(void)!send(c.fd, PARTS[i], strlen(PARTS[i]), MSG_NOSIGNAL);
		rig_nap();
	}
	for (;;) {
		ssize_t n = recv(c.fd, skip, sizeof(skip), 0);

		if (n <= 0) {
			assert_true(client_is_closed(&c));
			break;
		}
	}
	client_close(&c);
}

static void
test_talking(void **state)
{
	struct rig rig;
	int        port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	for (unsigned long nth = 0; nth < 60; nth++) {
		mem_fault_set(nth, 0);
		converse(port);
		mem_fault_set(0, 0);
		WAIT_FOR(net_conns(rig.net) == 0);
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
		cmocka_unit_test(test_making),
		cmocka_unit_test(test_talking),
	};

	return cmocka_run_group_tests(tests, NULL, clean);
}
