/* TLS as server, on top of any filter. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "net/filter.h"
#include "net/tls.h"

/* Records are gathered up to this, and sent at once: a flight of the handshake, the ticket with
 * the greeting, eight full records of a long answer, its end, the last answer with the goodbye. */
enum {
	GATHER_BYTES = 128 << 10,
	/* And the record that passes it, and the answer's end. */
	GATHER_MAX = GATHER_BYTES + (40 << 10),
	RECORD_EXTRA = 1 << 10 /* more than what eight records add */
};

struct filter_tls {
	struct filter   filter;
	struct tls_set *set;
	SSL            *ssl;
	struct buf      out;    /* records that are not sent: out.p[sent..out.n) */
	size_t          sent;
	bool            eof;    /* the filter below has no more */
	bool            failed; /* no goodbye after a fatal error, SSL_shutdown(3) */
	bool            bidden; /* the goodbye was said */
	unsigned long   code;   /* of the fatal error, or 0 */
};

/* --- a BIO whose other side is the filter below --- */

static BIO_METHOD    *bio_method;
static pthread_once_t bio_once = PTHREAD_ONCE_INIT;

static int
bio_read(BIO *bio, char *to, size_t room, size_t *ret_n)
{
	struct filter_tls *t = BIO_get_data(bio);
	ssize_t            n = t->filter.below->type->read(t->filter.below, to, room);

	BIO_clear_retry_flags(bio);
	if (n == FILTER_WANT_IN)
		BIO_set_retry_read(bio);
	else if (n == FILTER_WANT_OUT)
		BIO_set_retry_write(bio);
	else if (n <= 0)
		t->eof = true;
	*ret_n = n > 0 ? (size_t)n : 0;
	return n > 0;
}

/* Sends what is gathered. */
static int
push(struct filter_tls *t)
{
	struct filter *below = t->filter.below;

	while (t->sent < t->out.n) {
		ssize_t n = below->type->write(below, t->out.p + t->sent, t->out.n - t->sent);

		if (n < 0)
			return (int)n;
		t->sent += (size_t)n;
	}
	buf_done(&t->out);
	t->sent = 0;
	return 0;
}

static int
bio_write(BIO *bio, const char *p, size_t len, size_t *ret_n)
{
	struct filter_tls *t = BIO_get_data(bio);
	int                r = t->out.n + len > GATHER_MAX ? push(t) : 0;

	BIO_clear_retry_flags(bio);
	*ret_n = 0;
	if (r == FILTER_WANT_OUT)
		BIO_set_retry_write(bio);
	if (r < 0)
		return 0;
	buf_put(&t->out, p, len);
	if (t->out.err < 0)
		return 0;
	*ret_n = len;
	return 1;
}

static long
bio_ctrl(BIO *bio, int what, long num, void *ptr)
{
	struct filter_tls *t = BIO_get_data(bio);

	(void)num;
	(void)ptr;
	switch (what) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return t->eof;
	default:
		return 0;
	}
}

static void
make_bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "filter");

	if (m == NULL || !BIO_meth_set_read_ex(m, bio_read) ||
	    !BIO_meth_set_write_ex(m, bio_write) || !BIO_meth_set_ctrl(m, bio_ctrl)) {
		BIO_meth_free(m);
		return;
	}
	bio_method = m;
}

/* --- the filter --- */

static struct filter_tls *
tls_of(struct filter *f)
{
	return CONTAINER_OF(f, struct filter_tls, filter);
}

/* SSL_get_error(3) wants the thread's error queue empty before a call. It is, nearly always: to see
 * that costs a quarter of clearing it. */
static void
forget_errors(void)
{
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}

/* What a call of OpenSSL that did not succeed means. */
static int
result_of(struct filter_tls *t, int ok)
{
	int why = SSL_get_error(t->ssl, ok);

	if (why == SSL_ERROR_WANT_READ)
		return FILTER_WANT_IN;
	if (why == SSL_ERROR_WANT_WRITE)
		return FILTER_WANT_OUT;
	if (why == SSL_ERROR_ZERO_RETURN)
		return 0;
	t->failed = true;
	t->code = ERR_peek_error();
	ERR_clear_error();
	push(t); /* the alert that tells the peer */
	return E_CLOSED;
}

static int
tls_start(struct filter *f)
{
	struct filter_tls *t = tls_of(f);
	int                ok, r;

	r = push(t);
	if (r < 0)
		return r;
	forget_errors();
	ok = SSL_accept(t->ssl);
	if (ok == 1)
		return 0; /* a ticket may be kept: it goes with the greeting */
	r = result_of(t, ok);
	if (r == 0)
		r = E_CLOSED;
	if (r != FILTER_WANT_IN)
		return r;
	ok = push(t); /* a flight of the handshake */
	return ok < 0 ? ok : r;
}

static ssize_t
tls_read(struct filter *f, char *to, size_t room)
{
	struct filter_tls *t = tls_of(f);
	size_t             n;
	int                ok;

	forget_errors();
	ok = SSL_read_ex(t->ssl, to, room, &n);
	return ok == 1 ? (ssize_t)n : result_of(t, ok);
}

static ssize_t
tls_write(struct filter *f, const char *p, size_t len)
{
	struct filter_tls *t = tls_of(f);
	size_t             n;
	int                ok, r;

	r = t->out.n >= GATHER_BYTES && len > SSL3_RT_MAX_PLAIN_LENGTH ? push(t) : 0;
	if (r < 0)
		return r;
	if (t->out.n == 0)
		buf_room(&t->out, len < GATHER_BYTES ? len + RECORD_EXTRA : GATHER_MAX);
	forget_errors();
	ok = SSL_write_ex(t->ssl, p, len, &n);
	if (ok == 1)
		return (ssize_t)n;
	r = result_of(t, ok);
	return r == 0 ? E_CLOSED : r;
}

static int
tls_flush(struct filter *f)
{
	return push(tls_of(f));
}

static bool
tls_pending(struct filter *f)
{
	return SSL_has_pending(tls_of(f)->ssl) == 1;
}

static void
tls_finish(struct filter *f)
{
	struct filter_tls *t = tls_of(f);

	if (t->failed || t->bidden || !SSL_is_init_finished(t->ssl))
		return;
	t->bidden = true;
	forget_errors();
	SSL_shutdown(t->ssl);
	forget_errors();
}

static void
tls_filter_drop(struct filter *f)
{
	struct filter_tls *t = tls_of(f);

	SSL_free(t->ssl);
	buf_done(&t->out);
	if (t->set != NULL)
		tls_set_put(t->set);
	mem_free(t);
}

static const struct filter_type TLS = {
	.name = "tls",
	.start = tls_start,
	.read = tls_read,
	.write = tls_write,
	.pending = tls_pending,
	.flush = tls_flush,
	.finish = tls_finish,
	.drop = tls_filter_drop,
};

static int
make_ssl(struct filter_tls *t)
{
	BIO *bio;

	pthread_once(&bio_once, make_bio_method);
	t->ssl = SSL_new(tls_set_ctx(t->set));
	if (t->ssl == NULL || bio_method == NULL)
		return E_NOMEM;
	bio = BIO_new(bio_method);
	if (bio == NULL)
		return E_NOMEM;
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	SSL_set_accept_state(t->ssl);
	return 0;
}

int
filter_tls_new(struct tls *tls, struct filter *below, struct filter **ret)
{
	struct filter_tls *t = MEM_NEW(struct filter_tls);

	if (t == NULL)
		return E_NOMEM;
	t->filter = (struct filter){ .type = &TLS, .below = below };
	buf_init(&t->out, GATHER_MAX);
	t->set = tls_set_get(tls);
	if (make_ssl(t) < 0) {
		tls_filter_drop(&t->filter);
		ERR_clear_error();
		return E_NOMEM;
	}
	*ret = &t->filter;
	return 0;
}

const char *
filter_tls_trouble(struct filter *f)
{
	const char *reason = ERR_reason_error_string(tls_of(f)->code);

	return reason != NULL ? reason : "the peer closed";
}

struct str
filter_tls_version(struct filter *f)
{
	return str_c(SSL_get_version(tls_of(f)->ssl));
}

struct str
filter_tls_cipher(struct filter *f)
{
	return str_c(SSL_get_cipher_name(tls_of(f)->ssl));
}

/* --- channel bindings --- */

/* RFC 9266 s2. Older versions would need more care than their last years are worth. */
static int
bind_exporter(SSL *ssl, struct buf *to)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	unsigned char     data[32];

	if (SSL_version(ssl) < TLS1_3_VERSION)
		return E_UNSUPPORTED;
	if (SSL_export_keying_material(ssl, data, sizeof(data), label, sizeof(label) - 1,
		(const unsigned char *)"", 0, 1) != 1)
		return E_UNSUPPORTED;
	buf_put(to, data, sizeof(data));
	return to->err;
}

/* RFC 5929 s4.1: the hash of the certificate's own signature, but SHA-256 for MD5 and SHA-1. */
static int
bind_certificate(SSL *ssl, struct buf *to)
{
	X509         *cert = SSL_get_certificate(ssl);
	const EVP_MD *md;
	unsigned char data[EVP_MAX_MD_SIZE];
	unsigned      n;
	int           nid;

	if (cert == NULL || X509_get_signature_info(cert, &nid, NULL, NULL, NULL) != 1)
		return E_UNSUPPORTED;
	if (nid == NID_md5 || nid == NID_sha1)
		nid = NID_sha256;
	md = EVP_get_digestbynid(nid);
	if (md == NULL || X509_digest(cert, md, data, &n) != 1)
		return E_UNSUPPORTED;
	buf_put(to, data, n);
	return to->err;
}

/* RFC 5929 s3.1: the first Finished message of the handshake: the client's, or after a resumption
 * the server's. Without the extended master secret two channels may have the same (RFC 7627 s1). */
static int
bind_unique(SSL *ssl, struct buf *to)
{
	unsigned char data[EVP_MAX_MD_SIZE];
	size_t        n;

	if (SSL_version(ssl) != TLS1_2_VERSION || SSL_get_extms_support(ssl) != 1)
		return E_UNSUPPORTED;
	n = SSL_session_reused(ssl) == 1 ? SSL_get_finished(ssl, data, sizeof(data)) :
					   SSL_get_peer_finished(ssl, data, sizeof(data));
	if (n == 0 || n > sizeof(data))
		return E_UNSUPPORTED;
	buf_put(to, data, n);
	return to->err;
}

int
filter_tls_binding(struct filter *f, struct str type, struct buf *to)
{
	SSL *ssl = tls_of(f)->ssl;
	int  r = E_UNSUPPORTED;

	if (str_eq(type, STR("tls-exporter")))
		r = bind_exporter(ssl, to);
	else if (str_eq(type, STR("tls-server-end-point")))
		r = bind_certificate(ssl, to);
	else if (str_eq(type, STR("tls-unique")))
		r = bind_unique(ssl, to);
	forget_errors();
	return r;
}
