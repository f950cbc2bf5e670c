/*
 * auth/auth.h: is this password right, whose is it, and how long must the answer wait?
 *
 * Order    the account's own password if it is known to be right; an app password, which takes one
 *          look however many there are; then the hash of the account's own password.
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
 * SCRAM    the caller runs the exchange (proto/sasl.h) and asks here for salt and keys. A name that
 *          does not exist gets a salt like any other, and no keys.
 * Threads  any. auth_check blocks (job thread); the others do not.
 * Tests    tests/unit/auth/auth.c
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "auth/app_password.h"
#include "auth/pass.h"

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
	struct str protocol; /* "imap": for app passwords */
};

/* Who logged in, and with what. */
struct auth_who {
	uint64_t account;
	uint64_t app_password; /* its id; 0: the account's own password */
	size_t   device_n;     /* the app password's name, else the login's tag, else nothing */
	char     device[APP_NAME_MAX];
	uint64_t mark; /* what was taken back later is not known here: see auth/pass.h */
};

static inline struct str
auth_device(const struct auth_who *w)
{
	return str_of(w->device, w->device_n);
}

/* 0 and who it is; E_AUTH_FAILED; with a right password E_AUTH_DISABLED, E_AUTH_PROTOCOL (the app
 * password is for others); E_AUTH_TEMP. */
int     auth_check(struct auth *, const struct auth_try *, struct auth_who *ret);
/* The same without hashing: 0, E_AUTH_PROTOCOL, or E_NOT_FOUND: ask auth_check. */
int     auth_check_cached(struct auth *, const struct auth_try *, struct auth_who *ret);
/* How long the answer to a try that just failed has to wait. */
int64_t auth_delay_ms(struct auth *, const struct auth_try *);
/* How long a try that the cache does not know has to wait before it is checked; mostly 0. */
int64_t auth_hold_ms(struct auth *, const struct auth_try *);

/* The session goes on: `pass` tells it when it has to end, by tell(arg) (auth/pass.h). 0;
 * E_AUTH_FAILED, E_AUTH_DISABLED, E_AUTH_PROTOCOL: it was taken back meanwhile; E_AUTH_TEMP. */
struct auth_told {
	void (*tell)(void *arg);
	void  *arg;
};
int auth_pass_take(struct auth *, const struct auth_who *, struct str protocol,
    const struct auth_told *, struct pass *);

/* --- SCRAM --- */

/* Whose keys are kept, and whether SCRAM is offered. Set before sessions begin. */
enum auth_scram { AUTH_SCRAM_OFF, AUTH_SCRAM_APPS, AUTH_SCRAM_ALL };
void            auth_set_scram(struct auth *, enum auth_scram);
enum auth_scram auth_scram(const struct auth *);

/* 0, or E_AUTH_TEMP. */
int auth_scram_salt(struct auth *, struct str login, struct scram_salt *ret);

/* All that the client may have proved to know: the account's own password, app passwords. */
struct auth_keys {
	struct scram_keys       *keys;
	size_t                   n;
	struct app_password     *apps; /* those of the last n_apps keys */
	size_t                   n_apps;
	struct directory_account account;
	struct str               tag;
	uint64_t                 mark;
};
/* The password of the try is not looked at. 0 (also for nobody: n = 0), or E_AUTH_TEMP. */
int  auth_scram_keys(struct auth *, const struct auth_try *, enum scram_hash, struct arena *,
     struct auth_keys *ret);
/* Key number `which` was proved: 0, E_AUTH_DISABLED, E_AUTH_PROTOCOL. */
int  auth_scram_right(struct auth *, const struct auth_try *, const struct auth_keys *,
     size_t which, struct auth_who *ret);
/* None was: counts the failure, each one. */
void auth_scram_wrong(struct auth *, const struct auth_try *);

#endif
