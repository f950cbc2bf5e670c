/*
 * auth/password.h: password hashes. Ours are Argon2id (libsodium); others come in with a site.
 *
 * Formats  "{ARGON2ID}$argon2id$...", crypt(3) as "$6$..." or "{CRYPT}$6$...", and the schemes of
 *          Dovecot: {PLAIN} {CLEARTEXT} {MD5} {PLAIN-MD5} {LDAP-MD5} {SMD5} {SHA} {SHA1} {SSHA}
 *          {SHA256} {SSHA256} {SHA512} {SSHA512} {MD5-CRYPT} {SHA256-CRYPT} {SHA512-CRYPT}
 *          {BLF-CRYPT} {DES-CRYPT} {ARGON2I} {ARGON2ID}, with .HEX, .B64 and .BASE64 endings. Names
 *          are compared without case.
 * Limits   passwords of PASSWORD_MAX bytes, without NUL; stored Argon2 hashes that ask for at most
 *          PASSWORD_MEMORY_MAX.
 * Cost     Argon2id 64 MiB, ~50 ms: call it on a job thread only. Comparison takes constant time.
 * Threads  any; no shared state.
 * Tests    tests/unit/auth/password.c
 */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include "base/arena.h"

enum { PASSWORD_MAX = 500, PASSWORD_MEMORY_MAX = 1 << 30 };

/* E_LIMIT (too long), E_SYNTAX (empty, or a NUL in it), E_NOMEM. */
int  password_hash(struct str password, struct arena *, struct str *ret);
/* 0, E_AUTH_FAILED (also for a hash that is not understood), E_NOMEM. */
int  password_check(struct str password, struct str hash);
/* The same cost as checking a password against a hash of our own; for unknown users. */
void password_check_nothing(struct str password);
/* Does a check of this hash cost what one of our own does? */
bool password_is_own(struct str hash);
/* Is it a hash that password_check understands? 0 or E_UNSUPPORTED, E_NOMEM. */
int  password_hash_check(struct str hash);
/* A random password that people can type: 4 groups of 5, about 98 bits. */
int  password_generate(struct arena *, struct str *ret);
/* The same for programs: 7 groups of 4, about 137 bits. */
int  password_generate_strong(struct arena *, struct str *ret);
/* A password as SCRAM takes it: what people see as one text is one, whatever keyboard made it.
 * ASCII stays as it is. RFC 4013 with the NFKC and the categories of utf8proc's Unicode; a text
 * that it forbids (control characters, bytes that are no UTF-8) stays as it is, as clients leave it
 * that prepare nothing. E_NOMEM. */
int  password_prepare(struct str password, struct arena *, struct str *ret);

#endif
