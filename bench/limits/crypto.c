/* What OpenSSL does on one core: AES-GCM, and TLS 1.3 handshakes in memory. And memcpy. */
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/error.h"
#include "base/mem.h"
#include "limits/limits.h"

enum { RECORD = 16 * 1024, COPY_BYTES = 64 * 1024 * 1024, YEAR_SECONDS = 365 * 86400 };

int
limit_memcpy(const struct limits_options *o)
{
	char              *from = mem_alloc(COPY_BYTES), *to = mem_alloc(COPY_BYTES);
	struct limits_span begin, span;
	uint64_t           n = 0;

	if (from == NULL || to == NULL)
		return limits_failed("memcpy", "no memory");
	memset(from, 1, COPY_BYTES);
	memset(to, 2, COPY_BYTES);
	begin = limits_begin();
	do {
		memcpy(to, from, COPY_BYTES);
		__asm__ volatile("" : : "r"(to) : "memory"); /* the copy is wanted */
		n += COPY_BYTES;
		span = limits_since(begin);
	} while (span.seconds < o->seconds);
	mem_free(from);
	mem_free(to);
	limits_print(json_pack("{s:s,s:f}", "limit", "memcpy", "mb_per_second",
	    (double)n / span.seconds / 1e6));
	return 0;
}

/* --- AES-GCM --- */

static int
seal_record(EVP_CIPHER_CTX *ctx, uint64_t n, unsigned char *text)
{
	unsigned char iv[12] = { 0 }, tag[16], head[5] = { 23, 3, 3, 64, 0 };
	int           len;

	memcpy(iv, &n, sizeof(n));
	return EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, iv) == 1 &&
		EVP_EncryptUpdate(ctx, NULL, &len, head, sizeof(head)) == 1 &&
		EVP_EncryptUpdate(ctx, text, &len, text, RECORD) == 1 &&
		EVP_EncryptFinal_ex(ctx, text, &len) == 1 &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, sizeof(tag), tag) == 1
	    ? 0
	    : E_INTERNAL;
}

static int
measure_gcm(const EVP_CIPHER *cipher, int bits, double seconds)
{
	static unsigned char text[RECORD], key[32] = { 1, 2, 3 };
	EVP_CIPHER_CTX      *ctx = EVP_CIPHER_CTX_new();
	struct limits_span   begin = limits_begin(), span = begin;
	uint64_t             n = 0;
	int r = ctx != NULL && EVP_EncryptInit_ex(ctx, cipher, NULL, key, NULL) == 1 ? 0 : E_NOMEM;

	while (r == 0) {
		r = seal_record(ctx, n++, text);
		if (n % 64 != 0)
			continue;
		span = limits_since(begin);
		if (span.seconds >= seconds)
			break;
	}
	EVP_CIPHER_CTX_free(ctx);
	if (r < 0)
		return limits_failed("aes-gcm", "OpenSSL refused");
	limits_print(json_pack("{s:s,s:i,s:f}", "limit", "aes-gcm", "bits", bits, "mb_per_second",
	    (double)n * RECORD / span.seconds / 1e6));
	return 0;
}

int
limit_aes_gcm(const struct limits_options *o)
{
	int r = measure_gcm(EVP_aes_128_gcm(), 128, o->seconds);

	return r < 0 ? r : measure_gcm(EVP_aes_256_gcm(), 256, o->seconds);
}

/* --- handshakes --- */

struct shaking {
	SSL_CTX     *server, *client;
	SSL_SESSION *ticket; /* the last one the client was given */
	uint64_t     n, resumed;
	double       server_cpu_us;
};

static int
keep_ticket(SSL *ssl, SSL_SESSION *ticket)
{
	struct shaking *s = SSL_get_app_data(ssl);

	SSL_SESSION_free(s->ticket);
	s->ticket = ticket;
	return 1;
}

static int
use_certificate(SSL_CTX *ctx, EVP_PKEY *key)
{
	X509      *cert = X509_new();
	X509_NAME *name = cert != NULL ? X509_get_subject_name(cert) : NULL;
	int        ok;

	ok = key != NULL && name != NULL &&
	    X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const unsigned char *)"limits.test", -1, -1, 0) == 1 &&
	    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1 &&
	    X509_set_issuer_name(cert, name) == 1 &&
	    X509_gmtime_adj(X509_getm_notBefore(cert), 0) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(cert), YEAR_SECONDS) != NULL &&
	    X509_set_pubkey(cert, key) == 1 && X509_sign(cert, key, EVP_sha256()) > 0 &&
	    SSL_CTX_use_certificate(ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1;
	X509_free(cert);
	EVP_PKEY_free(key);
	return ok ? 0 : E_INTERNAL;
}

/* The server is set as that of Postrider is. */
static int
shaking_init(struct shaking *s, bool rsa)
{
	*s = (struct shaking){ .server = SSL_CTX_new(TLS_server_method()),
		.client = SSL_CTX_new(TLS_client_method()) };
	if (s->server == NULL || s->client == NULL)
		return E_NOMEM;
	SSL_CTX_set_min_proto_version(s->client, TLS1_3_VERSION);
	SSL_CTX_set_ciphersuites(s->server,
	    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
	SSL_CTX_set_options(s->server, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(s->server, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_num_tickets(s->server, 1);
	SSL_CTX_set_session_cache_mode(s->server, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_cache_mode(s->client,
	    SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(s->client, keep_ticket);
	return use_certificate(s->server,
	    rsa ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
		: EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"));
}

static void
shaking_done(struct shaking *s)
{
	SSL_SESSION_free(s->ticket);
	SSL_CTX_free(s->server);
	SSL_CTX_free(s->client);
}

/* Both ends joined by two memory BIOs. */
static int
join(SSL *server, SSL *client)
{
	BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());

	if (up == NULL || down == NULL) {
		BIO_free(up);
		BIO_free(down);
		return E_NOMEM;
	}
	BIO_up_ref(up);
	BIO_up_ref(down);
	SSL_set_bio(client, down, up);
	SSL_set_bio(server, up, down);
	return 0;
}

/* A handshake to its end: client, server, client, server; then the client reads the ticket. */
static int
shake(struct shaking *s, SSL *server, SSL *client)
{
	char   byte;
	double begin;
	int    at_server = 0, at_client = 0;

	for (unsigned turn = 0; turn < 4 && !(at_server == 1 && at_client == 1); turn++) {
		if (at_client != 1)
			at_client = SSL_connect(client);
		begin = limits_thread_cpu_us();
		if (at_server != 1)
			at_server = SSL_accept(server);
		s->server_cpu_us += limits_thread_cpu_us() - begin;
	}
	(void)SSL_read(client, &byte, 1);
	s->resumed += SSL_session_reused(client) == 1;
	return at_server == 1 && at_client == 1 ? 0 : E_INTERNAL;
}

static int
handshake(struct shaking *s, bool resume)
{
	double begin = limits_thread_cpu_us();
	SSL   *server = SSL_new(s->server), *client;
	int    r;

	s->server_cpu_us += limits_thread_cpu_us() - begin;
	client = SSL_new(s->client);
	r = server != NULL && client != NULL ? join(server, client) : E_NOMEM;
	if (r == 0) {
		SSL_set_app_data(client, s);
		if (resume && s->ticket != NULL)
			SSL_set_session(client, s->ticket);
		r = shake(s, server, client);
		SSL_set_shutdown(client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	}
	SSL_free(client);
	begin = limits_thread_cpu_us();
	SSL_free(server);
	s->server_cpu_us += limits_thread_cpu_us() - begin;
	return r;
}

static int
measure_handshakes(bool rsa, bool resume, double seconds)
{
	struct shaking     s;
	struct limits_span begin, span = { 0 };
	int                r = shaking_init(&s, rsa);

	if (r == 0 && resume)
		r = handshake(&s, true); /* for the first ticket */
	s.server_cpu_us = 0;
	for (begin = limits_begin(); r == 0 && span.seconds < seconds; s.n++) {
		r = handshake(&s, resume);
		span = limits_since(begin);
	}
	if (r == 0 && s.resumed < (resume ? s.n : 0))
		r = E_INTERNAL;
	shaking_done(&s);
	if (r < 0)
		return limits_failed("handshakes", "OpenSSL refused");
	limits_print(json_pack("{s:s,s:s,s:b,s:f,s:f,s:f}", "limit", "handshakes", "key",
	    rsa ? "rsa-2048" : "ecdsa-p256", "resumed", (int)resume, "per_second",
	    (double)s.n / span.seconds, "server_per_cpu_second",
	    (double)s.n / s.server_cpu_us * 1e6, "both_per_cpu_second",
	    (double)s.n / span.cpu_us * 1e6));
	return 0;
}

int
limit_handshakes(const struct limits_options *o)
{
	int r = 0;

	for (unsigned i = 0; i < 4 && r == 0; i++)
		r = measure_handshakes((i & 1) != 0, (i & 2) != 0, o->seconds);
	return r;
}
