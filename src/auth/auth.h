/*
 * auth/auth.h: is this password right, and how long must the answer wait?
 *
 * Cache    a right password is remembered for AUTH_CACHE_MS as a keyed hash in memory; a change of
 *          the stored hash makes the entry useless at once.
 * Delay    failures per login name and per address grow the delay of the answer: 1, 2, 4 ... 16 s
 *          after the third; they fade with time (half in ten minutes). The same wrong password
 *          again counts once. A wrong user costs the same time as a wrong password. Addresses of
 *          IPv6 are counted by their /64; this host itself is not counted.
 * Hold     somebody who does not wait for the answer gains nothing: after AUTH_HOLD_AFTER failures
 *          of an address its next tries wait before they are checked.
 * Memory   both tables are bounded; the oldest go first. At most AUTH_HASHES_MAX passwords are
 *          hashed at a time, 64 MiB each.
 * Threads  any. auth_check blocks (job thread); the others do not.
 * Tests    tests/unit/auth/auth.c
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "auth/directory.h"

enum {
	AUTH_CACHE_MS = 5 * 60 * 1000,
	AUTH_CACHE_MAX = 16384,
	AUTH_FAILURES_MAX = 32768,
	AUTH_HASHES_MAX = 4,
	AUTH_FREE_FAILURES = 3,
	AUTH_HOLD_AFTER = 20,
	AUTH_DELAY_MAX_MS = 16 * 1000
};

struct auth;
int  auth_new(struct directory *borrowed, struct auth **ret);
void auth_drop(struct auth *);
OWN_DEFINE(auth)

struct auth_try {
	struct str login;    /* address, perhaps with +tag */
	struct str password;
	struct str peer;     /* address of the other end; "" or "unix" is not counted */
};
/* 0 and the account; E_AUTH_FAILED, E_AUTH_DISABLED (right password), E_AUTH_TEMP. */
int     auth_check(struct auth *, const struct auth_try *, uint64_t *ret_account);
/* The same from the cache: 0, or E_NOT_FOUND: ask auth_check. */
int     auth_check_cached(struct auth *, const struct auth_try *, uint64_t *ret_account);
/* How long the answer to a try that just failed has to wait. */
int64_t auth_delay_ms(struct auth *, const struct auth_try *);
/* How long a try that the cache does not know has to wait before it is checked; mostly 0. */
int64_t auth_hold_ms(struct auth *, const struct auth_try *);

#endif
