#include "rig.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"

/* --- the line protocol --- */

struct line_session {
	struct rig *rig;
	struct conn *conn;
	size_t       big;   /* bytes still to say */
	bool         is_big, parked, delayed, idle, body, spin;
	atomic_int   inside;
	bool         may_send;
};

static int
line_open(void *server, struct conn *conn, void **ret)
{
	struct line_session *s = MEM_NEW(struct line_session);

	if (s == NULL)
		return E_NOMEM;
	s->rig = server;
	s->conn = conn;
	atomic_fetch_add(&s->rig->open, 1);
	atomic_fetch_add(&s->rig->opened, 1);
	*ret = s;
	return 0;
}

static void
line_close(void *session)
{
	struct line_session *s = session;

	if (s->idle)
		atomic_store(&s->rig->idle, NULL);
	assert_true(conn_peer(s->conn).n > 0);
	atomic_store(&s->rig->end, conn_end(s->conn).p);
	atomic_fetch_sub(&s->rig->open, 1);
	mem_free(s);
}

static void
line_refused(void *server, struct conn *conn)
{
	struct rig *rig = server;

	atomic_store(&rig->end, conn_end(conn).p);
	atomic_fetch_add(&rig->refused, 1);
}

static void
allow_job(void *arg)
{
	struct line_session *s = arg;

	while (atomic_load(&s->rig->hold_jobs) != 0)
		rig_nap();
	s->may_send = true;
	conn_may_send(s->conn);
}

static int
line_before_send(void *session)
{
	struct line_session *s = session;

	atomic_fetch_add(&s->rig->sends, 1);
	if (atomic_load(&s->rig->send_later) != 0 && !s->may_send)
		return net_job(conn_net(s->conn), allow_job, s) < 0 ? E_BUSY : 1;
	s->may_send = false;
	return atomic_load(&s->rig->send_error);
}

static void
line_not_durable(void *session)
{
	struct line_session *s = session;

	if (atomic_load(&s->rig->tell_lost) != 0)
		buf_str(conn_output(s->conn), STR("lost\r\n"));
}

static void
park_job(void *arg)
{
	struct line_session *s = arg;

	while (atomic_load(&s->rig->hold_jobs) != 0)
		rig_nap();
	atomic_fetch_add(&s->rig->jobs, 1);
	conn_wake(s->conn);
}

static void
say(struct line_session *s, const char *text)
{
	buf_printf(conn_output(s->conn), "%s\r\n", text);
}

static enum step
say_big(struct line_session *s)
{
	struct buf *out = conn_output(s->conn);

	while (s->big > 0 && !conn_output_full(s->conn)) {
		size_t n = s->big < 4096 ? s->big : 4096;
		char  *p = buf_grow(out, n);

		if (p == NULL)
			return STEP_CLOSE;
		memset(p, 'x', n);
		s->big -= n;
	}
	if (s->big > 0)
		return STEP_MORE;
	s->is_big = false;
	say(s, "end");
	return STEP_DONE;
}

static void
say_who(struct line_session *s)
{
	buf_printf(conn_output(s->conn), "%.*s %s %.*s %s\r\n", STR_ARG(conn_peer(s->conn)),
	    conn_peer_port(s->conn) != 0 ? "port" : "-", STR_ARG(conn_local(s->conn)),
	    conn_is_local(s->conn) ? "local" : "remote");
}

static uint64_t
number(struct str s)
{
	uint64_t v = 0;

	str_to_u64(s, &v);
	return v;
}

static enum step
line_wait(struct line_session *s, struct str word, struct str rest)
{
	if (str_eq(word, STR("FAT"))) {
		size_t n = number(rest);
		char  *p = buf_grow(conn_output(s->conn), n);

		if (p != NULL)
			memset(p, 'x', n);
	}
	if (!str_eq(word, STR("DELAY"))) {
		if (net_job(conn_net(s->conn), park_job, s) < 0) {
			say(s, "busy");
			return STEP_DONE;
		}
		s->parked = true;
	} else {
		conn_wake_after(s->conn, (int64_t)number(rest));
		s->delayed = true;
	}
	conn_at_boundary(s->conn, false);
	atomic_fetch_add(&s->rig->entered, 1);
	return STEP_WAIT;
}

static enum step
line_setting(struct line_session *s, struct str word, struct str rest)
{
	if (str_eq(word, STR("TIMEOUT")))
		conn_timeout(s->conn, (int64_t)number(rest));
	else if (str_eq(word, STR("DEADLINE")))
		conn_deadline(s->conn, (int64_t)number(rest));
	else if (str_eq(word, STR("MAX")))
		conn_input_max(s->conn, number(rest));
	else {
		say(s, "what?");
		return STEP_DONE;
	}
	say(s, "ok");
	return STEP_DONE;
}

static enum step
line_command(struct line_session *s, struct str word, struct str rest)
{
	if (str_eq(word, STR("ECHO"))) {
		buf_printf(conn_output(s->conn), "%.*s\r\n", STR_ARG(rest));
	} else if (str_eq(word, STR("BIG"))) {
		s->big = number(rest);
		s->is_big = true;
	} else if (str_eq(word, STR("STLS"))) {
		say(s, "go");
		return STEP_TLS;
	} else if (str_eq(word, STR("PARK")) || str_eq(word, STR("DELAY")) ||
	    str_eq(word, STR("FAT"))) {
		return line_wait(s, word, rest);
	} else if (str_eq(word, STR("IDLE"))) {
		s->idle = true;
		say(s, "idle");
		atomic_store(&s->rig->idle, s->conn);
	} else if (str_eq(word, STR("BODY"))) {
		s->body = true;
		conn_at_boundary(s->conn, false);
		atomic_fetch_add(&s->rig->entered, 1);
	} else if (str_eq(word, STR("WHO"))) {
		say_who(s);
	} else if (str_eq(word, STR("TLS"))) {
		buf_printf(conn_output(s->conn), "%.*s\r\n",
		    STR_ARG(conn_is_tls(s->conn) ? conn_tls_version(s->conn) : STR("-")));
	} else if (str_eq(word, STR("SLIP"))) {
		ERR_raise(ERR_LIB_USER, ERR_R_PASSED_INVALID_ARGUMENT);
	} else if (str_eq(word, STR("SPIN"))) {
		s->spin = true;
	} else if (str_eq(word, STR("QUIT")) || str_eq(word, STR("LEAVE"))) {
		if (word.p[0] == 'L')
			conn_peer_ends(s->conn);
		say(s, "bye");
		return STEP_CLOSE;
	} else {
		return line_setting(s, word, rest);
	}
	return STEP_DONE;
}

static enum step
line_body(struct line_session *s, struct str line)
{
	if (!str_eq(line, STR(".")))
		return STEP_DONE;
	s->body = false;
	conn_at_boundary(s->conn, true);
	say(s, "stored");
	return STEP_DONE;
}

static enum step
line_input(struct line_session *s)
{
	struct str in = conn_input(s->conn);
	size_t     at = str_find_byte(in, '\n');
	struct str line, rest;
	char       copy[70000];

	if (at == in.n)
		return STEP_NEED;
	line = str_trim(str_head(in, at));
	if (line.n > sizeof(copy))
		return STEP_CLOSE;
	if (line.n != 0)
		memcpy(copy, line.p, line.n);
	conn_consume(s->conn, at + 1);
	rest = str_of(copy, line.n);
	if (s->body)
		return line_body(s, rest);
	line = str_cut(&rest, ' ');
	return line_command(s, line, rest);
}

static void
see_poke(struct line_session *s)
{
	unsigned long v = atomic_load(&s->rig->value);

	if (v == atomic_load(&s->rig->seen))
		return;
	atomic_store(&s->rig->seen, v);
	buf_printf(conn_output(s->conn), "poke %lu\r\n", v);
}

static enum step
line_step(struct line_session *s, unsigned why)
{
	if ((why & WHY_OPEN) != 0)
		say(s, "hi");
	if ((why & WHY_TLS) != 0)
		say(s, "tls");
	if ((why & (WHY_TIMEOUT | WHY_SHUTDOWN)) != 0) {
		say(s, (why & WHY_TIMEOUT) != 0 ? "timeout" : "shutdown");
		return STEP_CLOSE;
	}
	if ((s->parked || s->delayed) && (why & WHY_WAKE) == 0)
		return STEP_WAIT;
	if (s->parked || s->delayed) {
		say(s, s->parked ? "woken" : "late");
		s->parked = s->delayed = false;
		conn_at_boundary(s->conn, true);
		return STEP_DONE;
	}
	if (s->idle)
		see_poke(s);
	if (s->spin) {
		s->spin = atomic_load(&s->rig->release) == 0;
		if (!s->spin)
			say(s, "spun");
		return STEP_DONE;
	}
	return s->is_big ? say_big(s) : line_input(s);
}

static enum step
line_run(void *session, unsigned why)
{
	struct line_session *s = session;
	enum step            step;
	int                  n;

	if (atomic_exchange(&s->inside, 1) != 0)
		atomic_fetch_add(&s->rig->wrong_thread, 1);
	step = line_step(s, why);
	n = (int)conn_output(s->conn)->n;
	if (n > atomic_load(&s->rig->max_output))
		atomic_store(&s->rig->max_output, n);
	atomic_store(&s->inside, 0);
	return step;
}

const struct session_type LINE_TYPE = {
	.name = "line",
	.open = line_open,
	.run = line_run,
	.before_send = line_before_send,
	.not_durable = line_not_durable,
	.close = line_close,
	.refused = line_refused,
};

/* --- the net --- */

void
rig_nap(void)
{
	struct timespec t = { .tv_nsec = 1000000 };

	nanosleep(&t, NULL);
}

void
rig_start(struct rig *rig, const struct net_options *o)
{
	struct net_options few = { .workers = 4, .job_threads = 2 };

	memset(rig, 0, sizeof(*rig));
	assert_int_equal(net_new(o != NULL ? o : &few, &rig->net), 0);
	assert_int_equal(net_start(rig->net), 0);
}

int
rig_listen(struct rig *rig, const char *address, unsigned flags, struct tls *tls)
{
	struct listen_options o = {
		.name = "test", .address = str_c(address), .flags = flags,
		.type = &LINE_TYPE, .server = rig, .tls = tls,
	};
	int port;

	assert_int_equal(net_listen(rig->net, &o, &port), 0);
	return port;
}

void
rig_stop(struct rig *rig)
{
	net_stop(rig->net);
	net_drop(rig->net);
	assert_int_equal(atomic_load(&rig->open), 0);
	assert_int_equal(atomic_load(&rig->wrong_thread), 0);
}

void
rig_expect_end(struct rig *rig, const char *why)
{
	const char *end = NULL;

	/* The last client may not have been accepted yet. */
	for (int i = 0; i < 10000; i++) {
		end = atomic_load(&rig->end);
		if (net_conns(rig->net) == 0 && end != NULL && strcmp(end, why) == 0) {
			atomic_store(&rig->end, NULL);
			return;
		}
		rig_nap();
	}
	fail_msg("ended by '%s', not '%s'", end != NULL ? end : "", why);
}

/* --- clients --- */

void
client_of(struct client *c, int fd)
{
	struct timeval limit = { .tv_sec = 10 };

	*c = (struct client){ .fd = fd };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

int
client_reach(int fd, int port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	return connect(fd, (struct sockaddr *)&a, sizeof(a));
}

int
client_connect(int port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && client_reach(fd, port) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

void
client_open(struct client *c, int port)
{
	int fd = client_connect(port);

	assert_true(fd >= 0);
	client_of(c, fd);
}

void
client_close(struct client *c)
{
	if (c->ssl != NULL) {
		SSL_shutdown(c->ssl);
		SSL_free(c->ssl);
	}
	close(c->fd);
	*c = (struct client){ .fd = -1 };
}

int
client_tls(struct client *c, const char *sni)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int      r;

	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	c->ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	SSL_set_fd(c->ssl, c->fd);
	if (sni != NULL)
		SSL_set_tlsext_host_name(c->ssl, sni);
	r = SSL_connect(c->ssl);
	return r;
}

void
client_send(struct client *c, const char *text)
{
	size_t n = strlen(text);

	if (c->ssl != NULL)
		assert_int_equal(SSL_write(c->ssl, text, (int)n), (int)n);
	else
		assert_int_equal(send(c->fd, text, n, MSG_NOSIGNAL), (ssize_t)n);
}

static ssize_t
get(struct client *c, char *to, size_t room)
{
	if (c->ssl != NULL)
		return SSL_read(c->ssl, to, (int)room);
	return recv(c->fd, to, room, 0);
}

void
client_expect(struct client *c, const char *line)
{
	char  *end;
	size_t n;

	while ((end = memchr(c->in, '\n', c->n)) == NULL) {
		ssize_t got;

		assert_true(c->n < sizeof(c->in));
		got = get(c, c->in + c->n, sizeof(c->in) - c->n);
		if (got <= 0)
			fail_msg("no line '%s': %zd, errno %d", line, got, errno);
		c->n += (size_t)got;
	}
	n = (size_t)(end - c->in);
	if (n == 0 || c->in[n - 1] != '\r' || n - 1 != strlen(line) ||
	    memcmp(c->in, line, n - 1) != 0)
		fail_msg("expected '%s', got '%.*s'", line, (int)n, c->in);
	c->n -= n + 1;
	memmove(c->in, end + 1, c->n);
}

void
client_ask(struct client *c, const char *command, const char *line)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s\r\n", command);
	client_send(c, text);
	client_expect(c, line);
}

void
client_skip(struct client *c, size_t n)
{
	size_t take = n < c->n ? n : c->n;
	char   skip[65536];

	c->n -= take;
	memmove(c->in, c->in + take, c->n);
	for (n -= take; n > 0;) {
		ssize_t got = get(c, skip, n < sizeof(skip) ? n : sizeof(skip));

		assert_true(got > 0);
		n -= (size_t)got;
	}
}

bool
client_is_closed(struct client *c)
{
	char byte;

	return c->n == 0 && (get(c, &byte, 1) == 0 || errno == ECONNRESET);
}

/* --- certificates --- */

static char folder[64];

const char *
rig_folder(void)
{
	if (folder[0] == '\0') {
		snprintf(folder, sizeof(folder), "/tmp/test-net-XXXXXX");
		assert_non_null(mkdtemp(folder));
	}
	return folder;
}

void
rig_clean(void)
{
	DIR           *d = folder[0] != '\0' ? opendir(folder) : NULL;
	struct dirent *e;
	char           path[512];

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		unlink(path);
	}
	closedir(d);
	rmdir(folder);
}

static void
add_alt_names(X509 *cert, const char *names)
{
	char            value[512];
	X509_EXTENSION *ext;

	snprintf(value, sizeof(value), "%s", names);
	ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, value);
	assert_non_null(ext);
	X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
}

static void
write_pair(const char *file, X509 *cert, EVP_PKEY *key)
{
	struct tls_pair p = rig_pair(file);
	FILE           *f;

	f = fopen(p.cert_path, "w");
	assert_non_null(f);
	PEM_write_X509(f, cert);
	fclose(f);
	f = fopen(p.key_path, "w");
	assert_non_null(f);
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	rig_free_pair(&p);
}

void
rig_make_cert(const char *file, const char *names)
{
	EVP_PKEY  *key = EVP_EC_gen("P-256");
	X509      *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);

	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_set_version(cert, 2);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_ASC, (const unsigned char *)file, -1, -1, 0);
	X509_set_issuer_name(cert, name);
	if (names != NULL)
		add_alt_names(cert, names);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	write_pair(file, cert, key);
	X509_free(cert);
	EVP_PKEY_free(key);
}

struct tls_pair
rig_pair(const char *file)
{
	char *cert = NULL, *key = NULL;

	assert_true(asprintf(&cert, "%s/%s.pem", rig_folder(), file) > 0);
	assert_true(asprintf(&key, "%s/%s.key", rig_folder(), file) > 0);
	return (struct tls_pair){ cert, key };
}

void
rig_free_pair(struct tls_pair *p)
{
	free((char *)p->cert_path);
	free((char *)p->key_path);
}

void
rig_move_key(const char *from, const char *to)
{
	struct tls_pair a = rig_pair(from), b = rig_pair(to);

	assert_int_equal(rename(a.key_path, b.key_path), 0);
	rig_free_pair(&a);
	rig_free_pair(&b);
}

void
rig_move_pair(const char *from, const char *to)
{
	struct tls_pair a = rig_pair(from), b = rig_pair(to);

	assert_int_equal(rename(a.cert_path, b.cert_path), 0);
	rig_free_pair(&a);
	rig_free_pair(&b);
	rig_move_key(from, to);
}
