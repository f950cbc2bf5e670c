#include "proto/scram.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>

#include "base/error.h"

static const EVP_MD *
md_of(enum scram_hash h)
{
	return h == SCRAM_SHA1 ? EVP_sha1() : EVP_sha256();
}

size_t
scram_key_n(enum scram_hash h)
{
	return h == SCRAM_SHA1 ? 20 : 32;
}

static int
hmac(enum scram_hash h, const unsigned char *key, struct str text, unsigned char *to)
{
	unsigned n;

	return HMAC(md_of(h), key, (int)scram_key_n(h), (const unsigned char *)text.p, text.n, to,
		   &n) != NULL ? 0 : E_NOMEM;
}

static int
hash(enum scram_hash h, const unsigned char *from, unsigned char *to)
{
	return EVP_Digest(from, scram_key_n(h), to, NULL, md_of(h), NULL) == 1 ? 0 : E_NOMEM;
}

int
scram_derive(enum scram_hash h, struct str password, const struct scram_salt *salt,
    struct scram_keys *ret)
{
	struct scram_keys k = { 0 };
	unsigned char     salted[SCRAM_KEY_MAX], client[SCRAM_KEY_MAX];
	int               r;

	r = PKCS5_PBKDF2_HMAC(password.p, (int)password.n, salt->b, (int)salt->n,
		(int)salt->iterations, md_of(h), (int)scram_key_n(h), salted) == 1 ? 0 : E_NOMEM;
	if (r == 0)
		r = hmac(h, salted, STR("Client Key"), client);
	if (r == 0)
		r = hash(h, client, k.stored);
	if (r == 0)
		r = hmac(h, salted, STR("Server Key"), k.server);
	if (r == 0)
		*ret = k;
	sodium_memzero(salted, sizeof(salted));
	sodium_memzero(client, sizeof(client));
	sodium_memzero(&k, sizeof(k));
	return r;
}

int
scram_check(enum scram_hash h, const struct scram_keys *k, struct str auth_message,
    struct str proof)
{
	unsigned char client[SCRAM_KEY_MAX], stored[SCRAM_KEY_MAX];
	size_t        n = scram_key_n(h);
	int           r;

	if (proof.n != n)
		return E_AUTH_FAILED;
	r = hmac(h, k->stored, auth_message, client);
	for (size_t i = 0; i < n; i++)
		client[i] ^= (unsigned char)proof.p[i];
	if (r == 0)
		r = hash(h, client, stored);
	if (r == 0 && sodium_memcmp(stored, k->stored, n) != 0)
		r = E_AUTH_FAILED;
	sodium_memzero(client, sizeof(client));
	return r;
}

int
scram_sign(enum scram_hash h, const struct scram_keys *k, struct str auth_message,
    unsigned char to[SCRAM_KEY_MAX])
{
	return hmac(h, k->server, auth_message, to);
}
