/* TLS of a wire by OpenSSL: a BIO that knows whether the socket is drained. */
#include <errno.h>
#include <openssl/err.h>
#include <sys/epoll.h>

#include "base/error.h"
#include "load/wire_tls.h"

static int
bio_read(BIO *b, char *to, int n)
{
	ssize_t got = wire_recv(BIO_get_data(b), to, (size_t)n);

	BIO_clear_retry_flags(b);
	if (got < 0 && errno == EAGAIN)
		BIO_set_retry_read(b);
	return (int)got;
}

static int
bio_write(BIO *b, const char *from, int n)
{
	ssize_t sent = wire_send(BIO_get_data(b), from, (size_t)n);

	BIO_clear_retry_flags(b);
	if (sent < 0 && errno == EAGAIN)
		BIO_set_retry_write(b);
	return (int)sent;
}

static long
bio_ctrl(BIO *b, int command, long number, void *p)
{
	(void)b, (void)number, (void)p;
	return command == BIO_CTRL_FLUSH || command == BIO_CTRL_PUSH || command == BIO_CTRL_POP;
}

static BIO_METHOD *bio_method;

/* OpenSSL hands the ticket over; the next connection of the same wire uses it. */
static int
keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct wire *w = SSL_get_app_data(ssl);

	SSL_SESSION_free(w->session);
	w->session = session;
	return 1;
}

SSL_CTX *
wire_tls_new(bool keep_sessions)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
	if (ctx == NULL || bio_method == NULL)
		return NULL;
	BIO_meth_set_read(bio_method, bio_read);
	BIO_meth_set_write(bio_method, bio_write);
	BIO_meth_set_ctrl(bio_method, bio_ctrl);
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx, 1);
	if (keep_sessions) {
		SSL_CTX_set_session_cache_mode(ctx,
		    SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(ctx, keep_session);
	} else {
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	}
	return ctx;
}

int
wire_ssl_wait(struct wire *w, int r)
{
	int err = SSL_get_error(w->ssl, r);

	ERR_clear_error();
	if (err == SSL_ERROR_WANT_READ)
		return waiter_wait(&w->waiter, EPOLLIN, wire_patience(w));
	if (err == SSL_ERROR_WANT_WRITE)
		return waiter_wait(&w->waiter, EPOLLOUT, wire_patience(w));
	return E_CLOSED;
}

int
wire_ssl_start(struct wire *w, SSL_CTX *ctx)
{
	BIO *bio = BIO_new(bio_method);
	int  r;

	w->ssl = SSL_new(ctx);
	if (bio == NULL || w->ssl == NULL) {
		BIO_free(bio);
		return E_NOMEM;
	}
	BIO_set_data(bio, w);
	BIO_set_init(bio, 1);
	SSL_set_bio(w->ssl, bio, bio);
	SSL_set_app_data(w->ssl, w);
	if (w->session != NULL)
		SSL_set_session(w->ssl, w->session);
	for (;;) {
		r = SSL_connect(w->ssl);
		if (r == 1)
			return 0;
		r = wire_ssl_wait(w, r);
		if (r < 0)
			return r;
	}
}

void
wire_ssl_close(struct wire *w)
{
	if (w->ssl == NULL)
		return;
	/* Marked as closed in order: OpenSSL throws the ticket away otherwise. */
	SSL_set_shutdown(w->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(w->ssl);
	w->ssl = NULL;
}
