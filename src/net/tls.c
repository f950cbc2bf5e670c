/* Certificates: loading, choosing by name, loading again. */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/lock.h"
#include "base/map.h"
#include "base/mem.h"

/* The room is rounded up: gcc's vectorizer warns of the tail of an odd one. */
enum { NAME_MAX_BYTES = 255, NAME_ROOM = 256 };

/* Forward secrecy and AEAD first; CBC last, for clients of ten years ago. Keys of 128 bits before
 * those of 256: a quarter less time for each byte, and nobody breaks either. */
static const char CIPHERS[] = "ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20:"
			      "DHE+AESGCM+AES128:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:"
			      "!aNULL:!eNULL:!PSK:!SRP";
static const char SUITES[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
			     "TLS_CHACHA20_POLY1305_SHA256";

/* Tells one state of a file from another. */
struct file_mark {
	dev_t           dev;
	ino_t           ino;
	struct timespec mtime;
};

struct tls_set {
	atomic_uint       refs;
	size_t            n;
	SSL_CTX         **ctx;   /* the first is the default */
	struct file_mark *marks; /* two a pair: certificate, key */
	struct map        names; /* lower case; "*.example.org" too */
};

struct tls {
	struct lock      lock;
	struct tls_set  *set; /* the current one */
	struct tls_pair *pairs;
	size_t           n;
};

/* --- sets --- */

void
tls_set_put(struct tls_set *s)
{
	if (atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	for (size_t i = 0; i < s->n; i++)
		SSL_CTX_free(s->ctx[i]);
	map_done(&s->names);
	mem_free(s->ctx);
	mem_free(s->marks);
	mem_free(s);
}

struct tls_set *
tls_set_get(struct tls *tls)
{
	LOCK_SCOPE(&tls->lock);

	atomic_fetch_add(&tls->set->refs, 1);
	return tls->set;
}

SSL_CTX *
tls_set_ctx(struct tls_set *s)
{
	return s->ctx[0];
}

static struct tls_set *
new_set(size_t n)
{
	struct tls_set *s = MEM_NEW(struct tls_set);

	if (s == NULL)
		return NULL;
	atomic_init(&s->refs, 1);
	map_init(&s->names);
	s->ctx = mem_zalloc(n * sizeof(*s->ctx));
	s->marks = mem_zalloc(2 * n * sizeof(*s->marks));
	s->n = s->ctx != NULL ? n : 0;
	if (s->ctx == NULL || s->marks == NULL) {
		tls_set_put(s);
		return NULL;
	}
	return s;
}

/* --- names --- */

/* Lower case, without the dot that some clients leave at the end. E_SYNTAX when unfit. */
static int
fold_name(struct str name, char to[NAME_ROOM], struct str *ret)
{
	if (name.n != 0 && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n == 0 || name.n > NAME_MAX_BYTES)
		return E_SYNTAX;
	for (size_t i = 0; i < name.n; i++)
		to[i] = ascii_lower(name.p[i]);
	*ret = str_of(to, name.n);
	return 0;
}

/* The first pair that serves a name keeps it. */
static int
add_name(struct tls_set *s, struct str name, SSL_CTX *ctx)
{
	char       text[NAME_ROOM];
	struct str folded;

	if (fold_name(name, text, &folded) < 0 || map_get(&s->names, folded) != NULL)
		return 0;
	return map_put(&s->names, folded, ctx);
}

static struct str
asn1_text(const ASN1_STRING *a)
{
	return str_of((const char *)ASN1_STRING_get0_data(a), (size_t)ASN1_STRING_length(a));
}

static int
add_common_name(struct tls_set *s, X509 *cert, SSL_CTX *ctx)
{
	X509_NAME *subject = X509_get_subject_name(cert);
	int        at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	if (at < 0)
		return 0;
	return add_name(
	    s, asn1_text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))), ctx);
}

static int
add_names(struct tls_set *s, SSL_CTX *ctx)
{
	X509          *cert = SSL_CTX_get0_certificate(ctx);
	GENERAL_NAMES *alt = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int            r = 0;

	if (alt == NULL)
		return add_common_name(s, cert, ctx);
	for (int i = 0; i < sk_GENERAL_NAME_num(alt) && r == 0; i++) {
		GENERAL_NAME *name = sk_GENERAL_NAME_value(alt, i);

		if (name->type == GEN_DNS)
			r = add_name(s, asn1_text(name->d.dNSName), ctx);
	}
	GENERAL_NAMES_free(alt);
	return r;
}

/* By full name, then by "*" for the first label. RFC 6125 s6.4.3 */
static SSL_CTX *
find_name(struct tls_set *s, struct str name)
{
	char       text[NAME_ROOM];
	struct str folded;
	size_t     dot;
	SSL_CTX   *ctx;

	if (fold_name(name, text, &folded) < 0)
		return NULL;
	ctx = map_get(&s->names, folded);
	dot = str_find_byte(folded, '.');
	if (ctx != NULL || dot == 0 || dot == folded.n)
		return ctx;
	text[dot - 1] = '*';
	return map_get(&s->names, str_skip(folded, dot - 1));
}

static int
on_servername(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	SSL_CTX    *ctx = name != NULL ? find_name(arg, str_c(name)) : NULL;

	(void)alert;
	if (ctx != NULL && ctx != SSL_get_SSL_CTX(ssl))
		SSL_set_SSL_CTX(ssl, ctx);
	/* A name we do not have gets the default: the client decides what it thinks of it. */
	return SSL_TLSEXT_ERR_OK;
}

/* --- loading --- */

/* A key with a passphrase must not stop the server to ask the terminal. */
static int
no_passphrase(char *to, int room, int writing, void *arg)
{
	(void)to;
	(void)room;
	(void)writing;
	(void)arg;
	return 0;
}

static int
fail(struct buf *detail, const char *path, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	const char   *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

	if (detail != NULL) {
		buf_printf(detail, "%s: %s", path, what);
		if (reason != NULL)
			buf_printf(detail, " (%s)", reason);
	}
	ERR_clear_error();
	return E_CANNOT;
}

static void
set_policy(SSL_CTX *ctx)
{
	static const unsigned char id[] = "postrider";

	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
		SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* The chain is what the file says: none is looked for at each handshake. */
	SSL_CTX_set_mode(ctx,
	    SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_cipher_list(ctx, CIPHERS);
	SSL_CTX_set_ciphersuites(ctx, SUITES);
	SSL_CTX_set_dh_auto(ctx, 1);
	SSL_CTX_set_read_ahead(ctx, 1);
	/* Tickets carry the session; nothing is kept here. One a connection: each costs time. */
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
}

static int
load_files(SSL_CTX *ctx, const struct tls_pair *p, struct buf *detail)
{
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ctx, p->cert_path) != 1)
		return fail(detail, p->cert_path, "no usable certificate");
	if (SSL_CTX_use_PrivateKey_file(ctx, p->key_path, SSL_FILETYPE_PEM) != 1)
		return fail(detail, p->key_path, "no usable key for this certificate");
	if (SSL_CTX_check_private_key(ctx) != 1)
		return fail(detail, p->key_path, "the key is not that of the certificate");
	return 0;
}

static struct file_mark
mark_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return (struct file_mark){ 0 };
	return (struct file_mark){ st.st_dev, st.st_ino, st.st_mtim };
}

static int
load_pair(struct tls_set *s, size_t i, const struct tls_pair *p, struct buf *detail)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	int      r;

	if (ctx == NULL)
		return E_NOMEM;
	s->ctx[i] = ctx;
	/* Before the reading: a file that changes meanwhile is seen as changed. */
	s->marks[2 * i] = mark_of(p->cert_path);
	s->marks[2 * i + 1] = mark_of(p->key_path);
	set_policy(ctx);
	r = load_files(ctx, p, detail);
	if (r < 0)
		return r;
	SSL_CTX_set_tlsext_servername_callback(ctx, on_servername);
	SSL_CTX_set_tlsext_servername_arg(ctx, s);
	return add_names(s, ctx);
}

static int
load_set(const struct tls_pair *pairs, size_t n, struct buf *detail, struct tls_set **ret)
{
	struct tls_set *s = new_set(n);
	int             r = s != NULL ? 0 : E_NOMEM;

	for (size_t i = 0; i < n && r == 0; i++)
		r = load_pair(s, i, &pairs[i], detail);
	if (r < 0) {
		if (s != NULL)
			tls_set_put(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* --- the public face --- */

static char *
dup_path(const char *path)
{
	size_t n = strlen(path) + 1;
	char  *copy = mem_alloc(n);

	return copy != NULL ? memcpy(copy, path, n) : NULL;
}

static int
copy_pairs(struct tls *t, const struct tls_pair *pairs, size_t n)
{
	t->pairs = mem_zalloc(n * sizeof(*pairs));
	if (t->pairs == NULL)
		return E_NOMEM;
	t->n = n;
	for (size_t i = 0; i < n; i++) {
		t->pairs[i].cert_path = dup_path(pairs[i].cert_path);
		t->pairs[i].key_path = dup_path(pairs[i].key_path);
		if (t->pairs[i].cert_path == NULL || t->pairs[i].key_path == NULL)
			return E_NOMEM;
	}
	return 0;
}

int
tls_new(const struct tls_pair *pairs, size_t n, struct buf *detail, struct tls **ret)
{
	OWN(tls) t = NULL;
	int      r;

	if (n == 0)
		return E_CANNOT;
	t = MEM_NEW(struct tls);
	if (t == NULL)
		return E_NOMEM;
	lock_init(&t->lock, LOCK_NET_TLS);
	r = copy_pairs(t, pairs, n);
	if (r < 0)
		return r;
	r = load_set(t->pairs, n, detail, &t->set);
	if (r < 0)
		return r;
	*ret = TAKE(t);
	return 0;
}

int
tls_reload(struct tls *t, struct buf *detail)
{
	struct tls_set *fresh, *old;
	int             r;

	r = load_set(t->pairs, t->n, detail, &fresh);
	if (r < 0)
		return r;
	lock_take(&t->lock);
	old = t->set;
	t->set = fresh;
	lock_give(&t->lock);
	tls_set_put(old);
	return 0;
}

static bool
same_mark(const struct file_mark *a, const struct file_mark *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->mtime.tv_sec == b->mtime.tv_sec &&
	    a->mtime.tv_nsec == b->mtime.tv_nsec;
}

bool
tls_changed(struct tls *t)
{
	struct tls_set *s = tls_set_get(t);
	bool            changed = false;

	for (size_t i = 0; i < t->n && !changed; i++) {
		struct file_mark cert = mark_of(t->pairs[i].cert_path);
		struct file_mark key = mark_of(t->pairs[i].key_path);

		changed = !same_mark(&cert, &s->marks[2 * i]) ||
		    !same_mark(&key, &s->marks[2 * i + 1]);
	}
	tls_set_put(s);
	return changed;
}

void
tls_drop(struct tls *t)
{
	if (t == NULL)
		return;
	if (t->set != NULL)
		tls_set_put(t->set);
	for (size_t i = 0; i < t->n; i++) {
		mem_free((char *)t->pairs[i].cert_path);
		mem_free((char *)t->pairs[i].key_path);
	}
	mem_free(t->pairs);
	lock_done(&t->lock);
	mem_free(t);
}
