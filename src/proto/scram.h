/*
 * proto/scram.h: the keys and proofs of SCRAM. RFC 5802 s3, RFC 7677
 *
 *   SaltedPassword  = PBKDF2(password, salt, iterations)
 *   ClientKey       = HMAC(SaltedPassword, "Client Key")      StoredKey = H(ClientKey)
 *   ServerKey       = HMAC(SaltedPassword, "Server Key")
 *   ClientProof     = ClientKey XOR HMAC(StoredKey, AuthMessage)
 *   ServerSignature = HMAC(ServerKey, AuthMessage)
 *
 * Shape    keys of SHA-1 fill the first 20 bytes of their 32; the rest is zero.
 * Cost     scram_derive is slow by design: a job thread only. A check is one HMAC and one hash.
 * Text     the caller prepares the password (auth/password.h); the bytes are taken as they are.
 * Errors   E_NOMEM when OpenSSL has none.
 * Threads  plain values.
 * Tests    tests/unit/proto/scram.c
 */
#ifndef PROTO_SCRAM_H
#define PROTO_SCRAM_H

#include "base/str.h"

enum scram_hash { SCRAM_SHA256, SCRAM_SHA1 };
enum { SCRAM_HASHES = 2, SCRAM_KEY_MAX = 32, SCRAM_SALT_MAX = 64 };

struct scram_keys {
	unsigned char stored[SCRAM_KEY_MAX], server[SCRAM_KEY_MAX];
};

struct scram_salt {
	uint32_t      iterations;
	size_t        n;
	unsigned char b[SCRAM_SALT_MAX];
};

/* Bytes of a key or proof. */
size_t scram_key_n(enum scram_hash);
int    scram_derive(enum scram_hash, struct str password, const struct scram_salt *,
       struct scram_keys *ret);
/* 0 when the proof was made with the password of these keys; else E_AUTH_FAILED. */
int    scram_check(enum scram_hash, const struct scram_keys *, struct str auth_message,
       struct str proof);
/* Puts scram_key_n bytes. */
int    scram_sign(enum scram_hash, const struct scram_keys *, struct str auth_message,
       unsigned char to[SCRAM_KEY_MAX]);

#endif
