/*
 * Tests of net/: nothing that comes is forgotten. Clients write their commands in pieces of any
 * size, read the answers when they like, and end by a word or by closing their half. Each knows all
 * that it has to hear: who waits in vain has met an event that was lost.
 */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

enum {
	CLIENTS = 6,
	RUN_MS = 1500,         /* no round begins later */
	SILENCE_MS = 60 * 1000, /* an answer that takes so long is lost */
	LINE_MAX_BYTES = 60000, /* below what may wait at once */
	BIG_MAX_BYTES = 400000,
	SCRIPT_MAX = 1 << 22
};

enum way { PLAIN, TLS, STARTTLS, PROXIED, PROXIED_TLS, WAYS };

struct ways {
	int     port[WAYS];
	int64_t until;
};

struct peer {
	struct ways    *ways;
	pthread_t       thread;
	struct client   client;
	uint64_t        seed;
	enum way        way;
	struct buf      out;  /* what it says */
	struct buf      want; /* what it has to hear */
	size_t          sent, heard;
	size_t          again; /* bytes of a TLS write that is to be made again, or 0 */
	bool            halves; /* closes its half instead of QUIT */
	bool            ended;
	int             rounds;
	const char     *trouble;
};

static uint32_t
draw(struct peer *p, uint32_t n)
{
	p->seed = p->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(p->seed >> 33) % n;
}

/* Small ones most of the time. */
static size_t
draw_size(struct peer *p, size_t max)
{
	static const size_t TOPS[] = { 16, 300, 5000, SIZE_MAX };
	size_t              top = TOPS[draw(p, ARRAY_LEN(TOPS))];

	return 1 + draw(p, (uint32_t)(top < max ? top : max));
}

/* --- what is said --- */

static void
put_many(struct buf *to, char c, size_t n)
{
	char *p = buf_grow(to, n);

	if (p != NULL)
		memset(p, c, n);
}

static void
script_command(struct peer *p)
{
	size_t n;
	char   c = (char)('a' + draw(p, 26));

	switch (draw(p, 6)) {
	case 0:
		buf_str(&p->out, STR("PARK\r\n"));
		buf_str(&p->want, STR("woken\r\n"));
		break;
	case 1:
		n = draw_size(p, BIG_MAX_BYTES);
		buf_printf(&p->out, "BIG %zu\r\n", n);
		put_many(&p->want, 'x', n);
		buf_str(&p->want, STR("end\r\n"));
		break;
	default:
		n = draw_size(p, LINE_MAX_BYTES);
		buf_str(&p->out, STR("ECHO "));
		put_many(&p->out, c, n);
		buf_str(&p->out, STR("\r\n"));
		put_many(&p->want, c, n);
		buf_str(&p->want, STR("\r\n"));
		break;
	}
}

static void
script(struct peer *p)
{
	buf_reset(&p->out);
	buf_reset(&p->want);
	p->sent = p->heard = p->again = 0;
	p->ended = false;
	p->halves = draw(p, 2) == 0;
	if (p->way == PROXIED) /* in one segment with what follows */
		buf_put(&p->out, "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16);
	if (p->way != STARTTLS)
		buf_str(&p->want, STR("hi\r\n"));
	for (uint32_t n = draw(p, 12); n > 0; n--)
		script_command(p);
	if (p->halves)
		return;
	buf_str(&p->out, draw(p, 2) == 0 ? STR("QUIT\r\n") : STR("LEAVE\r\n"));
	buf_str(&p->want, STR("bye\r\n"));
}

/* --- the wire: > 0 bytes, 0: not now, -1: the end --- */

static ssize_t
result(struct peer *p, ssize_t n)
{
	int why;

	if (n > 0)
		return n;
	if (p->client.ssl == NULL)
		return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : -1;
	why = SSL_get_error(p->client.ssl, (int)n);
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static ssize_t
say_some(struct peer *p)
{
	size_t      left = p->out.n - p->sent, n = draw_size(p, left);
	const char *from = p->out.p + p->sent;
	ssize_t     r;

	if (p->client.ssl == NULL)
		return result(p, send(p->client.fd, from, n, MSG_NOSIGNAL));
	n = p->again != 0 ? p->again : n;
	r = result(p, SSL_write(p->client.ssl, from, (int)n));
	p->again = r == 0 ? n : 0;
	return r;
}

static ssize_t
hear_some(struct peer *p, char *to, size_t room)
{
	size_t n = draw_size(p, room);

	if (p->client.ssl == NULL)
		return result(p, recv(p->client.fd, to, n, 0));
	return result(p, SSL_read(p->client.ssl, to, (int)n));
}

static void
end_half(struct peer *p)
{
	p->ended = true;
	if (!p->halves)
		return;
	if (p->client.ssl != NULL)
		SSL_shutdown(p->client.ssl);
	shutdown(p->client.fd, SHUT_WR);
}

/* --- a round --- */

/* In one segment with STLS there is what must not count as said inside of TLS. */
static bool
starttls(struct peer *p)
{
	client_send(&p->client, "STLS\r\nECHO too early\r\n");
	client_expect(&p->client, "hi");
	client_expect(&p->client, "go");
	if (client_tls(&p->client, NULL) != 1)
		return false;
	buf_str(&p->want, STR("tls\r\n"));
	return true;
}

static bool
reach(struct peer *p)
{
	int fd = client_connect(p->ways->port[p->way]);

	if (fd < 0)
		return false;
	client_of(&p->client, fd);
	if (p->way == PROXIED_TLS &&
	    send(fd, "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16, MSG_NOSIGNAL) != 16)
		return false;
	if ((p->way == TLS || p->way == PROXIED_TLS) && client_tls(&p->client, NULL) != 1)
		return false;
	if (p->way == STARTTLS && !starttls(p))
		return false;
	if (p->client.ssl != NULL)
		SSL_set_mode(p->client.ssl,
		    SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

static bool
may_go_on(struct peer *p)
{
	short         events = POLLIN;
	struct pollfd at = { .fd = p->client.fd };

	if (p->sent < p->out.n)
		events |= POLLOUT;
	at.events = events;
	return poll(&at, 1, SILENCE_MS) > 0;
}

static bool
is_right(const struct peer *p, const char *bytes, size_t n)
{
	return n <= p->want.n - p->heard && memcmp(p->want.p + p->heard, bytes, n) == 0;
}

/* A turn of both directions. 1: go on, 0: the server has closed, -1: trouble. */
static int
turn(struct peer *p)
{
	char    bytes[16384];
	bool    says = p->sent < p->out.n, hears = !says || draw(p, 3) != 0;
	ssize_t said = says ? say_some(p) : 0, heard = 0;

	if (said < 0)
		return p->trouble = "cannot send", -1;
	p->sent += (size_t)said;
	if (p->sent == p->out.n && !p->ended)
		end_half(p);
	if (hears)
		heard = hear_some(p, bytes, sizeof(bytes));
	if (heard < 0)
		return 0;
	if (!is_right(p, bytes, (size_t)heard))
		return p->trouble = "heard something else", -1;
	p->heard += (size_t)heard;
	if (hears && said == 0 && heard == 0 && !may_go_on(p))
		return p->trouble = "waits in vain", -1;
	if (draw(p, 50) == 0)
		rig_nap();
	return 1;
}

static void
play(struct peer *p)
{
	int r;

	p->way = (enum way)draw(p, WAYS);
	script(p);
	if (p->way == STARTTLS) {
		struct buf commands = p->want;

		/* "tls" comes before the answers. */
		p->want = BUF_INIT(SCRIPT_MAX);
		if (!reach(p))
			p->trouble = "cannot begin";
		buf_str(&p->want, buf_view(&commands));
		buf_done(&commands);
	} else if (!reach(p)) {
		p->trouble = "cannot begin";
	}
	if (p->trouble != NULL)
		return;
	while ((r = turn(p)) > 0)
		;
	if (r == 0 && (p->heard != p->want.n || p->sent != p->out.n))
		p->trouble = "closed too early";
	client_close(&p->client);
}

static void *
many_rounds(void *arg)
{
	struct peer *p = arg;

	do {
		play(p);
		p->rounds++;
	} while (p->trouble == NULL && clock_mono_ms() < p->ways->until);
	return NULL;
}

static int
port_of(struct rig *rig, unsigned flags, struct tls *tls)
{
	return rig_listen(rig, "127.0.0.1:0", flags, tls);
}

static struct tls *
load(void)
{
	struct tls_pair pair;
	struct tls     *tls;

	rig_make_cert("stress", "DNS:stress.example");
	pair = rig_pair("stress");
	assert_int_equal(tls_new(&pair, 1, NULL, &tls), 0);
	rig_free_pair(&pair);
	return tls;
}

static void
test_nothing_is_lost(void **state)
{
	struct tls *tls = load();
	struct rig  rig;
	struct ways ways;
	struct peer peer[CLIENTS];
	uint64_t    seed = (uint64_t)clock_real_ms();
	int         rounds = 0;

	(void)state;
	rig_start(&rig, NULL);
	ways = (struct ways){
		.port = {
			[PLAIN] = port_of(&rig, 0, NULL),
			[TLS] = port_of(&rig, LISTEN_TLS, tls),
			[STARTTLS] = port_of(&rig, LISTEN_STARTTLS, tls),
			[PROXIED] = port_of(&rig, LISTEN_PROXY, NULL),
			[PROXIED_TLS] = port_of(&rig, LISTEN_PROXY | LISTEN_TLS, tls),
		},
		.until = clock_mono_ms() + RUN_MS,
	};
	for (uint64_t i = 0; i < CLIENTS; i++) {
		peer[i] = (struct peer){ .ways = &ways, .seed = seed + i,
			.out = BUF_INIT(SCRIPT_MAX), .want = BUF_INIT(SCRIPT_MAX) };
		assert_int_equal(
		    pthread_create(&peer[i].thread, NULL, many_rounds, &peer[i]), 0);
	}
	for (int i = 0; i < CLIENTS; i++) {
		pthread_join(peer[i].thread, NULL);
		if (peer[i].trouble != NULL)
			fail_msg("seed %llu, way %d, round %d, %zu of %zu said, "
			         "%zu of %zu heard: %s",
			    (unsigned long long)seed + (unsigned)i, (int)peer[i].way,
			    peer[i].rounds, peer[i].sent, peer[i].out.n, peer[i].heard,
			    peer[i].want.n, peer[i].trouble);
		rounds += peer[i].rounds;
		buf_done(&peer[i].out);
		buf_done(&peer[i].want);
	}
	print_message("%d rounds\n", rounds);
	rig_stop(&rig);
	tls_drop(tls);
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
		cmocka_unit_test(test_nothing_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, clean);
}
