/* TLS 1.3: the key shares. X25519 is offered first; P-256 is for servers that know no other. */
#include <openssl/evp.h>
#include <sodium.h>

#include "base/error.h"
#include "load/tls13_keys.h"

enum { P256_BYTES = 65 };

static unsigned char x25519_private[32], x25519_public[32];
static EVP_PKEY     *p256;
static unsigned char p256_public[P256_BYTES];

static int
p256_setup(void)
{
	unsigned char *encoded = NULL;
	size_t         n;

	p256 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	n = p256 != NULL ? EVP_PKEY_get1_encoded_public_key(p256, &encoded) : 0;
	if (n == P256_BYTES)
		memcpy(p256_public, encoded, n);
	OPENSSL_free(encoded);
	return n == P256_BYTES ? 0 : E_UNSUPPORTED;
}

int
tls13_share_setup(void)
{
	if (sodium_init() < 0)
		return E_INTERNAL;
	randombytes_buf(x25519_private, sizeof(x25519_private));
	if (crypto_scalarmult_base(x25519_public, x25519_private) != 0)
		return E_INTERNAL;
	return p256_setup();
}

/* supported_groups and key_share. RFC 8446 s4.2.7, s4.2.8 */
void
tls13_put_shares(struct buf *to)
{
	static const unsigned char head[] = { 0, 10, 0, 6, 0, 4, 0, 29, 0, 23, 0, 51, 0, 107, 0,
		105 };

	buf_put(to, head, sizeof(head));
	buf_put(to, "\0\x1d\0\x20", 4);
	buf_put(to, x25519_public, sizeof(x25519_public));
	buf_put(to, "\0\x17\0\x41", 4);
	buf_put(to, p256_public, sizeof(p256_public));
}

static int
p256_shared(struct str share, unsigned char ret[32])
{
	EVP_PKEY     *peer = EVP_PKEY_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(p256, NULL);
	size_t        n = 32;
	bool          ok;

	ok = peer != NULL && ctx != NULL && EVP_PKEY_copy_parameters(peer, p256) == 1 &&
	    EVP_PKEY_set1_encoded_public_key(peer, (const unsigned char *)share.p, share.n) == 1 &&
	    EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
	    EVP_PKEY_derive(ctx, ret, &n) == 1 && n == 32;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
	return ok ? 0 : E_SYNTAX;
}

int
tls13_shared(size_t group, struct str share, unsigned char ret[32])
{
	if (group == TLS13_P256)
		return share.n == P256_BYTES ? p256_shared(share, ret) : E_SYNTAX;
	if (group != TLS13_X25519 || share.n != 32)
		return E_UNSUPPORTED;
	return crypto_scalarmult(ret, x25519_private, (const unsigned char *)share.p) == 0
	    ? 0
	    : E_SYNTAX;
}
