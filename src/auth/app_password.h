/*
 * auth/app_password.h: passwords for one device or program each: given by the server, shown once,
 * taken back without touching any other.
 *
 * Secret   7 groups of 4 characters, 137 random bits. What is stored is a fast hash (BLAKE2b of the
 *          account's number and the secret) and the keys of SCRAM. Slow hashing exists to make
 *          guesses dear where the guesses are few: words, dates, passwords of other sites. There is
 *          no list of 2^137 guesses to try, so Argon2id would add cost and no safety.
 * Finding  the hash is the key of the record: whether an account has one app password or a hundred,
 *          a login looks once. Half of the hash is the key, half is compared in constant time.
 * Bounds   a login with an app password needs no job thread and no cache, so taking one back counts
 *          for the very next login, and ends the sessions that are open (auth/pass.h).
 * Limits   APP_PASSWORDS_MAX an account; names 1 to APP_NAME_MAX bytes of UTF-8 without
 *          characters that are not seen (address_is_visible), unique in the account.
 * Used     the time of the last use is written at most once in APP_USED_EVERY_MS, and no sync waits
 *          for it: after a crash it may be the one before.
 * Errors   E_NOT_FOUND, E_EXISTS (the name), E_LIMIT (too many), E_PARAM (the name), the storage's.
 * Threads  any. app_password_add derives keys (10 to 20 ms): a job thread.
 * Tests    tests/unit/auth/app_password.c
 */
#ifndef AUTH_APP_PASSWORD_H
#define AUTH_APP_PASSWORD_H

#include "auth/directory.h"
#include "proto/scram.h"

enum { APP_PASSWORDS_MAX = 100, APP_NAME_MAX = 64, APP_USED_EVERY_MS = 60 * 60 * 1000 };

/* What it may be used for; a set of bits. The bits that have no name yet are for later protocols:
 * a password without a restriction has them all. */
enum app_protocol { APP_IMAP = 1, APP_POP3 = 2, APP_SUBMISSION = 4, APP_ANY = 0xff };

/* "imap", "pop3", "submission"; 0 for another name. */
unsigned   app_protocol_of(struct str name);
/* The i-th name; empty past the last. */
struct str app_protocol_name(size_t i);

struct app_password {
	uint64_t          id;           /* in its account; never used again */
	struct str        name;
	unsigned          protocols;
	int64_t           created_ms;
	int64_t           last_used_ms; /* 0: never */
	unsigned char     where[16];    /* of its record */
	struct scram_keys keys[SCRAM_HASHES];
};

/* Makes a secret; *ret is the only copy. */
int app_password_add(struct directory *, struct str address, const struct app_password *wanted,
    struct arena *, struct str *ret);
int app_password_remove(struct directory *, struct str address, struct str name);
/* What it may be used for from now on; its sessions in other protocols end. */
int app_password_set_protocols(struct directory *, struct str address, struct str name,
    unsigned protocols);
/* Ordered by id. */
int app_password_list(struct directory *, struct str address, struct arena *,
    struct app_password **ret, size_t *ret_n);

/* --- for a login; `account` is its number --- */

/* Whose secret is this? E_NOT_FOUND. Without last_used_ms. */
int app_password_find(struct directory *, uint64_t account, struct str secret, struct arena *,
    struct app_password *ret);
/* All, in any order, without last_used_ms. */
int app_password_all(struct directory *, uint64_t account, struct arena *,
    struct app_password **ret, size_t *ret_n);
int app_password_last_used(struct directory *, uint64_t account, uint64_t id, int64_t *ret_ms);
/* Not durable when it returns. E_NOT_FOUND: it was taken back. */
int app_password_set_used(struct directory *, uint64_t account, const struct app_password *,
    int64_t now_ms);

#endif
