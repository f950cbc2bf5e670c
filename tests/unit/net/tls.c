/* Tests of net/: TLS from the first byte and by STEP_TLS, names, reloading, bad peers. */
#include "rig.h"

#include <openssl/x509.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

static struct tls *
load(size_t n, const char *const *files)
{
	struct tls_pair pairs[4] = { 0 };
	OWN_BUF struct buf detail = BUF_INIT(1000);
	struct tls     *tls;

	for (size_t i = 0; i < n; i++)
		pairs[i] = rig_pair(files[i]);
	if (tls_new(pairs, n, &detail, &tls) < 0)
		fail_msg("%.*s", STR_ARG(buf_view(&detail)));
	for (size_t i = 0; i < n; i++)
		rig_free_pair(&pairs[i]);
	return tls;
}

static struct tls *
load_one(void)
{
	static const char *const FILES[] = { "one" };

	rig_make_cert("one", "DNS:one.example,DNS:*.wild.example");
	return load(1, FILES);
}

static void
open_tls(struct client *c, int port, const char *sni)
{
	client_open(c, port);
	assert_int_equal(client_tls(c, sni), 1);
	client_expect(c, "hi");
}

static void
test_implicit(void **state)
{
	struct tls   *tls = load_one();
	struct rig    rig;
	struct client c;
	int           port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", LISTEN_TLS, tls);
	open_tls(&c, port, NULL);
	client_ask(&c, "TLS", "TLSv1.3");
	client_send(&c, "ECHO a\r\nECHO b\r\n");
	client_expect(&c, "a");
	client_expect(&c, "b");
	/* A key update, with an answer asked for. */
	assert_int_equal(SSL_key_update(c.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	client_ask(&c, "ECHO c", "c");
	client_ask(&c, "STLS", "go");
	assert_true(client_is_closed(&c)); /* no TLS in TLS */
	client_close(&c);
	open_tls(&c, port, NULL);
	/* A close_notify, not just an end. */
	SSL_clear_options(c.ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
	client_ask(&c, "QUIT", "bye");
	assert_true(client_is_closed(&c));
	assert_int_equal(SSL_get_shutdown(c.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
	client_close(&c);
	rig_stop(&rig);
	tls_drop(tls);
}

/* Commands that were injected before TLS are thrown away. */
static void
test_starttls(void **state)
{
	struct tls   *tls = load_one();
	struct rig    rig;
	struct client c;
	int           port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", LISTEN_STARTTLS, tls);
	client_open(&c, port);
	client_expect(&c, "hi");
	client_ask(&c, "ECHO clear", "clear");
	client_send(&c, "STLS\r\nECHO injected\r\nECHO half");
	client_expect(&c, "go");
	assert_int_equal(c.n, 0);
	assert_int_equal(client_tls(&c, NULL), 1);
	client_expect(&c, "tls");
	client_ask(&c, "ECHO inside", "inside");
	client_ask(&c, "TLS", "TLSv1.3");
	client_close(&c);
	/* Not offered: closed. */
	port = rig_listen(&rig, "127.0.0.1:0", 0, NULL);
	client_open(&c, port);
	client_expect(&c, "hi");
	client_ask(&c, "STLS", "go");
	assert_true(client_is_closed(&c));
	client_close(&c);
	rig_stop(&rig);
	tls_drop(tls);
}

static void
test_big(void **state)
{
	struct tls   *tls = load_one();
	struct rig    rig;
	struct client c;
	int           port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", LISTEN_TLS, tls);
	open_tls(&c, port, NULL);
	client_send(&c, "BIG 16777216\r\nECHO after\r\n");
	client_send(&c, "ECHO more\r\n");
	client_skip(&c, 16777216);
	client_expect(&c, "end");
	client_expect(&c, "after");
	client_expect(&c, "more");
	assert_in_range(atomic_load(&rig.max_output), CONN_OUTPUT_HIGH, CONN_OUTPUT_HIGH + 65536);
	/* Input of many records. */
	for (int i = 0; i < 1000; i++)
		client_send(&c, "ECHO 0123456789\r\n");
	for (int i = 0; i < 1000; i++)
		client_expect(&c, "0123456789");
	client_close(&c);
	rig_stop(&rig);
	tls_drop(tls);
}

/* Puts a line on the wire in two parts; `between` is answered meanwhile. */
static void
send_in_halves(struct client *c, const char *line, struct client *between)
{
	BIO  *kept = BIO_new(BIO_s_mem());
	char *p;
	long  n;

	assert_non_null(kept);
	SSL_set0_wbio(c->ssl, kept);
	client_send(c, line);
	n = BIO_get_mem_data(kept, &p);
	assert_int_equal(write(c->fd, p, (size_t)n / 2), n / 2);
	client_ask(between, "ECHO between", "between");
	assert_int_equal(write(c->fd, p + n / 2, (size_t)(n - n / 2)), n - n / 2);
	SSL_set0_wbio(c->ssl, BIO_new_socket(c->fd, BIO_NOCLOSE));
}

/* What other code leaves in the thread's error queue is not taken for an error of the wire. */
static void
test_slips(void **state)
{
	struct tls        *tls = load_one();
	struct net_options opt = { .workers = 1 };
	struct rig         rig;
	struct client      c, d;
	int                port;

	(void)state;
	rig_start(&rig, &opt);
	port = rig_listen(&rig, "127.0.0.1:0", LISTEN_TLS, tls);
	open_tls(&c, port, NULL);
	open_tls(&d, port, NULL);
	for (int i = 0; i < 3; i++) {
		client_send(&d, "SLIP\r\n");
		send_in_halves(&c, "ECHO whole\r\n", &d);
		client_expect(&c, "whole");
	}
	client_close(&c);
	client_close(&d);
	rig_stop(&rig);
	tls_drop(tls);
}

/* --- names --- */

static void
expect_cert(int port, const char *sni, const char *cn)
{
	struct client c;
	char          got[64];
	X509         *cert;

	open_tls(&c, port, sni);
	cert = SSL_get1_peer_certificate(c.ssl);
	assert_non_null(cert);
	assert_true(X509_NAME_get_text_by_NID(
	    X509_get_subject_name(cert), NID_commonName, got, sizeof(got)) > 0);
	X509_free(cert);
	assert_string_equal(got, cn);
	client_close(&c);
}

static void
test_names(void **state)
{
	static const char *const FILES[] = { "one", "two", "three.example" };
	struct tls              *tls;
	struct rig               rig;
	int                      port;

	(void)state;
	rig_make_cert("one", "DNS:one.example,DNS:both.example");
	rig_make_cert("two", "DNS:Two.Example,DNS:*.wild.example,DNS:both.example");
	rig_make_cert("three.example", NULL);
	tls = load(3, FILES);
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", LISTEN_TLS, tls);
	expect_cert(port, NULL, "one");
	expect_cert(port, "one.example", "one");
	expect_cert(port, "two.example", "two");
	expect_cert(port, "TWO.example", "two");
	expect_cert(port, "two.example.", "two");
	expect_cert(port, "a.wild.example", "two");
	expect_cert(port, "a.b.wild.example", "one");
	expect_cert(port, "wild.example", "one");
	expect_cert(port, "both.example", "one");
	expect_cert(port, "three.example", "three.example");
	expect_cert(port, "unknown.example", "one");
	expect_cert(port, ".", "one");
	rig_stop(&rig);
	tls_drop(tls);
}

static void
test_reload(void **state)
{
	OWN_BUF struct buf detail = BUF_INIT(1000);
	struct tls_pair    pair = rig_pair("one");
	struct tls        *tls = load_one();
	struct rig         rig;
	struct client      before;
	int                port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", LISTEN_TLS, tls);
	open_tls(&before, port, NULL);
	assert_false(tls_changed(tls));
	rig_make_cert("two", "DNS:two.example");
	rig_move_pair("two", "one");
	assert_true(tls_changed(tls));
	assert_int_equal(tls_reload(tls, &detail), 0);
	assert_false(tls_changed(tls));
	expect_cert(port, NULL, "two");
	client_ask(&before, "ECHO old", "old");
	/* A broken file leaves things as they are. */
	assert_int_equal(truncate(pair.cert_path, 100), 0);
	assert_true(tls_changed(tls));
	assert_int_equal(tls_reload(tls, &detail), E_CANNOT);
	assert_true(str_find(buf_view(&detail), str_c(pair.cert_path)) < detail.n);
	expect_cert(port, NULL, "two");
	/* A key that is another's. */
	rig_make_cert("one", "DNS:one.example");
	rig_make_cert("other", "DNS:one.example");
	rig_move_key("other", "one");
	assert_true(tls_reload(tls, &detail) < 0);
	expect_cert(port, NULL, "two");
	assert_int_equal(unlink(pair.key_path), 0);
	assert_true(tls_reload(tls, NULL) < 0);
	client_ask(&before, "ECHO old", "old");
	client_close(&before);
	rig_stop(&rig);
	tls_drop(tls);
	assert_true(tls_new(&pair, 1, NULL, &tls) < 0);
	assert_true(tls_new(&pair, 0, NULL, &tls) < 0);
	rig_free_pair(&pair);
}

/* --- versions, tickets, certificates of clients --- */

static int
connect_with(int port, SSL_CTX *ctx, SSL_SESSION *session, struct client *c)
{
	client_open(c, port);
	c->ssl = SSL_new(ctx);
	SSL_set_fd(c->ssl, c->fd);
	if (session != NULL)
		SSL_set_session(c->ssl, session);
	return SSL_connect(c->ssl);
}

static void
resume(int port, SSL_CTX *ctx)
{
	SSL_SESSION  *session;
	struct client c;

	assert_int_equal(connect_with(port, ctx, NULL, &c), 1);
	client_expect(&c, "hi");
	client_ask(&c, "QUIT", "bye");
	session = SSL_get1_session(c.ssl);
	client_close(&c);
	assert_int_equal(connect_with(port, ctx, session, &c), 1);
	assert_int_equal(SSL_session_reused(c.ssl), 1);
	client_expect(&c, "hi");
	client_close(&c);
	SSL_SESSION_free(session);
}

static int
no_client_cert(SSL *ssl, X509 **cert, EVP_PKEY **key)
{
	(void)ssl;
	(void)cert;
	(void)key;
	fail_msg("a certificate was asked for");
	return 0;
}

static void
test_versions(void **state)
{
	struct tls   *tls = load_one();
	SSL_CTX      *ctx = SSL_CTX_new(TLS_client_method());
	struct rig    rig;
	struct client c;
	int           port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", LISTEN_TLS, tls);
	SSL_CTX_set_client_cert_cb(ctx, no_client_cert);
	resume(port, ctx);
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	resume(port, ctx);
	/* Renegotiation is refused, and nothing breaks. */
	assert_int_equal(connect_with(port, ctx, NULL, &c), 1);
	client_expect(&c, "hi");
	client_ask(&c, "TLS", "TLSv1.2");
	SSL_renegotiate(c.ssl);
	assert_int_not_equal(SSL_do_handshake(c.ssl), 1);
	client_close(&c);
	WAIT_FOR(net_conns(rig.net) == 0);
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
	assert_int_not_equal(connect_with(port, ctx, NULL, &c), 1);
	client_close(&c);
	rig_expect_end(&rig, "unsupported protocol");
	SSL_CTX_free(ctx);
	rig_stop(&rig);
	tls_drop(tls);
}

/* --- bad peers --- */

static void
test_bad_peers(void **state)
{
	struct tls   *tls = load_one();
	struct rig    rig;
	struct client c, silent;
	int           port;

	(void)state;
	rig_start(&rig, NULL);
	port = rig_listen(&rig, "127.0.0.1:0", LISTEN_TLS, tls);
	client_open(&c, port);
	client_send(&c, "GET / HTTP/1.0\r\n\r\n");
	rig_expect_end(&rig, "http request");
	client_close(&c);
	/* Gone in the middle of the handshake. */
	client_open(&c, port);
	client_send(&c, "\x16\x03\x01\x02");
	client_close(&c);
	rig_expect_end(&rig, "the peer closed");
	/* Gone without a close_notify; what it said is still done. */
	open_tls(&c, port, NULL);
	client_send(&c, "ECHO last\r\nEC");
	shutdown(c.fd, SHUT_WR);
	client_expect(&c, "last");
	assert_true(client_is_closed(&c));
	client_close(&c);
	/* Garbage inside. */
	open_tls(&c, port, NULL);
	assert_int_equal(
	    send(c.fd, "\x17\x03\x03\x00\x10garbagegarbagega", 21, MSG_NOSIGNAL), 21);
	assert_true(client_is_closed(&c));
	client_close(&c);
	/* Never begins. */
	client_open(&silent, port);
	WAIT_FOR(net_conns(rig.net) >= 1);
	WAIT_FOR((clock_test_advance(31000), net_conns(rig.net) == 0));
	assert_true(client_is_closed(&silent));
	rig_expect_end(&rig, "timeout");
	assert_int_equal(atomic_load(&rig.refused), 3);
	client_close(&silent);
	assert_int_equal(atomic_load(&rig.opened), 2);
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
		cmocka_unit_test(test_implicit),
		cmocka_unit_test(test_starttls),
		cmocka_unit_test(test_big),
		cmocka_unit_test(test_slips),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_bad_peers),
	};

	return cmocka_run_group_tests(tests, NULL, clean);
}
