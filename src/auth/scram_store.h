/*
 * auth/scram_store.h: what SCRAM needs of an account beside its app passwords: the salt, and if the
 * site wants it the keys of the main password. RFC 5802 s2.2, RFC 7677
 *
 * Salt     one for an account: its main password and all app passwords share it, so that the proof
 *          of a client can be tried against each. It is a keyed hash of the address, made with a
 *          key of this directory alone; a name that does not exist gets a salt in the same way, and
 *          nothing tells the two apart, now, later, or after a restart.
 * Cost     keys that are stored let whoever steals the directory guess passwords at the speed of
 *          SCRAM_ITERATIONS rounds of HMAC: thousands of times the speed of Argon2id. That is
 *          nothing to random secrets, and much to passwords that people choose. So the main
 *          password's keys are stored only where the site says so ([auth] scram = all), and never
 *          those of SHA-1.
 * Truth    the keys count only together with the stored hash they were made with: a new password,
 *          however it is set, makes them void at once.
 * Errors   E_NOT_FOUND (no such account), E_NOMEM, and the storage's.
 * Threads  any. directory_scram_set_main derives: a job thread.
 * Tests    tests/unit/auth/scram.c
 */
#ifndef AUTH_SCRAM_STORE_H
#define AUTH_SCRAM_STORE_H

#include "auth/change.h"

enum { SCRAM_ITERATIONS = 16384, SCRAM_SALT_N = 16 };

/* The salt of an account, or of a name without one (id 0). `name` is normalised. */
int directory_scram_salt(struct directory *, uint64_t id, struct str name, struct scram_salt *ret);
/* Stores the keys of the password whose hash was set just before. E_BUSY when another was set
 * meanwhile. */
int directory_scram_set_main(struct directory *, struct str address, struct str password,
    struct str hash);
/* The main password's keys. E_NOT_FOUND when none are stored for this hash. */
int directory_scram_main(struct directory *, uint64_t id, struct str hash, struct scram_keys *ret);

/* Within a change: the account's record, or a fresh one; and taking its keys out. */
int dir_scram_get(struct directory *, uint64_t id, struct str name, struct dir_scram *ret);
void dir_scram_put(struct dir_change *, uint64_t id, const struct dir_scram *);
int dir_scram_forget_main(struct dir_change *, uint64_t id);

#endif
