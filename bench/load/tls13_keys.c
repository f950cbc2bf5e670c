/* TLS 1.3: secrets, keys, and the sealing of records. */
#include "load/tls13_keys.h"

#include "base/error.h"

static EVP_CIPHER   *cipher; /* fetched once: a fetch costs more than a record */
static unsigned char hash_of_nothing[SECRET];

int
tls13_keys_setup(void)
{
	crypto_hash_sha256(hash_of_nothing, NULL, 0);
	cipher = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
	return cipher == NULL ? E_UNSUPPORTED : 0;
}

static void
hmac(struct str key, struct str text, struct str more, unsigned char ret[SECRET])
{
	crypto_auth_hmacsha256_state st;

	crypto_auth_hmacsha256_init(&st, (const unsigned char *)key.p, key.n);
	crypto_auth_hmacsha256_update(&st, (const unsigned char *)text.p, text.n);
	crypto_auth_hmacsha256_update(&st, (const unsigned char *)more.p, more.n);
	crypto_auth_hmacsha256_final(&st, ret);
}

static struct str
secret_str(const unsigned char *secret)
{
	return str_of((const char *)secret, SECRET);
}

/* One block is enough for all that TLS wants here. RFC 5869 s2.3 */
void
tls13_expand(const unsigned char secret[SECRET], const char *label, struct str context,
    unsigned char *ret, size_t n)
{
	char          info[100];
	unsigned char block[SECRET];
	size_t        label_n = strlen(label), at = 0;

	info[at++] = 0;
	info[at++] = (char)n;
	info[at++] = (char)(6 + label_n);
	memcpy(info + at, "tls13 ", 6);
	memcpy(info + at + 6, label, label_n);
	at += 6 + label_n;
	info[at++] = (char)context.n;
	if (context.n > 0)
		memcpy(info + at, context.p, context.n);
	at += context.n;
	hmac(secret_str(secret), str_of(info, at), STR("\x01"), block);
	memcpy(ret, block, n);
}

void
tls13_next_secret(const unsigned char *from, const unsigned char *input, unsigned char ret[SECRET])
{
	static const unsigned char zeros[SECRET];
	unsigned char              salt[SECRET] = { 0 };

	if (from != NULL)
		tls13_expand(from, "derived", secret_str(hash_of_nothing), salt, SECRET);
	hmac(secret_str(salt), secret_str(input != NULL ? input : zeros), STR_NONE, ret);
}

void
tls13_finished(const unsigned char secret[SECRET], const unsigned char hash[SECRET],
    unsigned char ret[SECRET])
{
	unsigned char key[SECRET];

	tls13_expand(secret, "finished", STR_NONE, key, SECRET);
	hmac(secret_str(key), secret_str(hash), STR_NONE, ret);
}

/* --- records --- */

int
tls13_half_init(struct tls13_half *h)
{
	*h = (struct tls13_half){ .ctx = EVP_CIPHER_CTX_new() };
	return h->ctx == NULL ? E_NOMEM : 0;
}

void
tls13_half_done(struct tls13_half *h)
{
	EVP_CIPHER_CTX_free(h->ctx);
}

int
tls13_half_key(struct tls13_half *h, const unsigned char secret[SECRET], bool seals)
{
	unsigned char key[16];

	tls13_expand(secret, "key", STR_NONE, key, sizeof(key));
	tls13_expand(secret, "iv", STR_NONE, h->iv, sizeof(h->iv));
	h->count = 0;
	return EVP_CipherInit_ex(h->ctx, cipher, NULL, key, NULL, seals) == 1 ? 0 : E_INTERNAL;
}

/* Nonce and header of the next record. RFC 8446 s5.3 */
static bool
next_record(struct tls13_half *h, struct str head)
{
	unsigned char nonce[12];
	int           n;

	memcpy(nonce, h->iv, sizeof(nonce));
	for (unsigned i = 0; i < 8; i++)
		nonce[11 - i] ^= (unsigned char)(h->count >> (8 * i));
	h->count++;
	return EVP_CipherInit_ex(h->ctx, NULL, NULL, NULL, nonce, -1) == 1 &&
	    EVP_CipherUpdate(h->ctx, NULL, &n, (const unsigned char *)head.p, (int)head.n) == 1;
}

int
tls13_seal(struct tls13_half *h, struct str head, struct str text, char *to)
{
	unsigned char *at = (unsigned char *)to;
	int            n;

	if (!next_record(h, head) ||
	    EVP_CipherUpdate(h->ctx, at, &n, (const unsigned char *)text.p, (int)text.n) != 1 ||
	    EVP_CipherFinal_ex(h->ctx, at + text.n, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(h->ctx, EVP_CTRL_GCM_GET_TAG, TAG, at + text.n) != 1)
		return E_INTERNAL;
	return 0;
}

int
tls13_unseal(struct tls13_half *h, struct str head, struct str text, char *to)
{
	const unsigned char *from = (const unsigned char *)text.p;
	unsigned char       *at = (unsigned char *)to;
	size_t               inner = text.n - TAG;
	int                  n;

	if (!next_record(h, head) || EVP_CipherUpdate(h->ctx, at, &n, from, (int)inner) != 1 ||
	    EVP_CIPHER_CTX_ctrl(h->ctx, EVP_CTRL_GCM_SET_TAG, TAG, (void *)(from + inner)) != 1 ||
	    EVP_CipherFinal_ex(h->ctx, at + inner, &n) != 1)
		return E_CORRUPT;
	return 0;
}
