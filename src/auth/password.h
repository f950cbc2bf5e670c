/*
 * auth/password.h: password hashes. Ours are Argon2id (libsodium); others come in with a site.
 *
 * Formats  "{ARGON2ID}$argon2id$...", crypt(3) as "$6$..." or "{CRYPT}$6$...", and Dovecot's schemes:
 *          {PLAIN} {CLEARTEXT} {MD5} {PLAIN-MD5} {SHA} {SSHA} {SHA256} {SSHA256} {SHA512} {SSHA512}
 *          {MD5-CRYPT} {SHA256-CRYPT} {SHA512-CRYPT} {BLF-CRYPT} {DES-CRYPT} {ARGON2I} {ARGON2ID},
 *          with .HEX and .B64 endings. Comparison takes constant time.
 * Cost     Argon2id 64 MiB, ~50 ms: call it on a job thread only.
 */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include "base/arena.h"

int  password_hash(struct str password, struct arena *, struct str *ret);
bool password_matches(struct str password, struct str hash);
/* Is it a hash that password_matches understands? 0 or E_UNSUPPORTED. */
int  password_hash_check(struct str hash);
/* A random password that people can type: 4 groups of 5, about 98 bits. */
int  password_generate(struct arena *, struct str *ret);

#endif
