#include "main/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "main/options.h"

enum { VALID_DAYS = 3650 };

static int
add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX      ctx;
	int             ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext != NULL && X509_add_ext(cert, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok ? 0 : E_INTERNAL;
}

static int
set_serial(X509 *cert)
{
	uint64_t serial;

	if (RAND_bytes((unsigned char *)&serial, sizeof(serial)) != 1)
		return E_INTERNAL;
	return ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1) == 1 ? 0
										      : E_INTERNAL;
}

static int
fill(X509 *cert, EVP_PKEY *key, struct str hostname)
{
	OWN_ARENA struct arena a = ARENA_INIT(1 << 16);
	X509_NAME             *name = X509_get_subject_name(cert);
	/* Common names are at most 64 bytes, RFC 5280 appendix A. */
	struct str common = hostname.n <= 64 ? hostname : STR("postrider");
	char      *alt;
	int        r;

	alt = arena_printf(&a, "DNS:%.*s,DNS:localhost,IP:127.0.0.1,IP:::1", STR_ARG(hostname));
	if (alt == NULL)
		return E_NOMEM;
	r = set_serial(cert);
	if (r < 0)
		return r;
	if (X509_set_version(cert, X509_VERSION_3) != 1 ||
	    X509_gmtime_adj(X509_getm_notBefore(cert), -3600) == NULL ||
	    X509_time_adj_ex(X509_getm_notAfter(cert), VALID_DAYS, 0, NULL) == NULL ||
	    X509_set_pubkey(cert, key) != 1 ||
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common.p,
		(int)common.n, -1, 0) != 1 ||
	    X509_set_issuer_name(cert, name) != 1)
		return E_INTERNAL;
	r = add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
	if (r == 0)
		r = add_extension(cert, NID_subject_alt_name, alt);
	if (r == 0)
		r = X509_sign(cert, key, EVP_sha256()) > 0 ? 0 : E_INTERNAL;
	return r;
}

static FILE *
create(const char *path, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	return fd >= 0 ? fdopen(fd, "w") : NULL;
}

static int
write_files(const char *cert_path, const char *key_path, X509 *cert, EVP_PKEY *key)
{
	FILE *kf = create(key_path, 0600);
	FILE *cf = kf != NULL ? create(cert_path, 0644) : NULL;
	int   ok = kf != NULL && cf != NULL &&
		 PEM_write_PrivateKey(kf, key, NULL, NULL, 0, NULL, NULL) == 1 &&
		 PEM_write_X509(cf, cert) == 1;
	int saved = errno;

	if (kf != NULL && fclose(kf) != 0)
		ok = 0;
	if (cf != NULL && fclose(cf) != 0)
		ok = 0;
	if (ok)
		return EXIT_OK;
	tell("cannot write %s and %s: %s", cert_path, key_path, strerrordesc_np(saved));
	return EXIT_FAILED;
}

int
certificate_make(const char *cert_path, const char *key_path, struct str hostname)
{
	EVP_PKEY *key;
	X509     *cert;
	int       r;

	if (access(cert_path, F_OK) == 0 || access(key_path, F_OK) == 0)
		return EXIT_OK;
	key = EVP_EC_gen("P-256");
	cert = X509_new();
	r = key != NULL && cert != NULL ? fill(cert, key, hostname) : E_NOMEM;
	if (r < 0)
		tell("cannot make a certificate: %s", error_row(r)->text);
	r = r < 0 ? EXIT_FAILED : write_files(cert_path, key_path, cert, key);
	X509_free(cert);
	EVP_PKEY_free(key);
	return r;
}
