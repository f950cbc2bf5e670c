/*
 * bench/load/tls13_keys.h: the key schedule and the records of TLS 1.3. RFC 8446 s7.1, s5.2
 *
 * Shape    SHA-256 secrets of 32 bytes; a half is one direction's AES-128-GCM key with its count.
 */
#ifndef LOAD_TLS13_KEYS_H
#define LOAD_TLS13_KEYS_H

#include <openssl/evp.h>
#include <sodium.h>

#include "base/buf.h"

enum { SECRET = 32, TAG = 16 };
enum { TLS13_P256 = 23, TLS13_X25519 = 29 };

struct tls13_half {
	EVP_CIPHER_CTX *ctx;
	unsigned char   iv[12];
	uint64_t        count; /* records under this key */
};

int  tls13_keys_setup(void);
int  tls13_half_init(struct tls13_half *);
void tls13_half_done(struct tls13_half *);
int  tls13_half_key(struct tls13_half *, const unsigned char secret[SECRET], bool seals);

/* Derive-Secret, or HKDF-Expand-Label with `context` for n <= 32 bytes. */
void tls13_expand(const unsigned char secret[SECRET], const char *label, struct str context,
    unsigned char *ret, size_t n);
/* The secret of the next stage: Derive-Secret(from, "derived", "") and Extract. `input` of 32
 * bytes, or NULL for zeros; `from` NULL for the first stage. */
void tls13_next_secret(const unsigned char *from, const unsigned char *input,
    unsigned char ret[SECRET]);
/* HMAC with the finished key of the secret over the transcript's hash. */
void tls13_finished(const unsigned char secret[SECRET], const unsigned char hash[SECRET],
    unsigned char ret[SECRET]);

/* Shares: one pair of keys of each group for the whole run. */
int  tls13_share_setup(void);
enum { TLS13_SHARES_BYTES = 16 + 4 + 32 + 4 + 65 };
void tls13_put_shares(struct buf *); /* the extensions supported_groups and key_share */
/* The secret shared with the server's share. */
int  tls13_shared(size_t group, struct str share, unsigned char ret[32]);

/* `head` is the record's 5 bytes. Sealing writes n bytes and the tag to `to`. */
int tls13_seal(struct tls13_half *, struct str head, struct str text, char *to);
/* `text` ends with the tag; text.n - TAG bytes go to `to`. E_CORRUPT when the tag is wrong. */
int tls13_unseal(struct tls13_half *, struct str head, struct str text, char *to);

#endif
