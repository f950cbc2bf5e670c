/*
 * auth/pass.h: what a session that logged in holds: good until the right to be there is taken back:
 * its app password is removed or no longer for its protocol, the account's own password is changed,
 * the account is disabled or removed.
 *
 * Way      a change of the directory says what it takes back (dir_change). After its commit each
 *          pass that this concerns is marked as ended and its session is told. The session looks
 *          at its own mark before each step: one load, no lock.
 * Between  a password was right, then its session takes a pass: what was taken back in between is
 *          found by `mark`, which was drawn before anything was read. Of so many that they are not
 *          all remembered any more: E_AUTH_TEMP.
 * Owner    the pass is the session's; it is all zero at first and stays put while it is held.
 * Cost     a hash and a lock at login and at the end; a change walks the sessions of accounts with
 *          the same hash.
 * Threads  any; LOCK_AUTH_PASSES. `tell` is called under it, from any thread, at most once a pass,
 *          never after pass_give returned: it may wake somebody, no more.
 * Tests    tests/unit/auth/pass.c
 */
#ifndef AUTH_PASS_H
#define AUTH_PASS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/list.h"
#include "base/lock.h"

enum { PASS_SLOTS = 1024, PASS_RECENT = 256 };

/* What one change takes back. */
struct taken {
	uint64_t account; /* 0: nothing */
	/* E_NOT_FOUND, E_AUTH_DISABLED: whoever is in the account. E_AUTH_FAILED: with this
	 * password. E_AUTH_PROTOCOL: with this password by other protocols than these. */
	int      why;
	uint64_t app_password; /* 0: the account's own */
	unsigned protocols;
};

struct passes {
	struct lock          lock;
	struct list          slots[PASS_SLOTS]; /* by account */
	_Atomic uint64_t     n_taken;
	struct taken         recent[PASS_RECENT]; /* the last ones; number n at n % PASS_RECENT */
};

struct pass {
	struct list    link; /* next NULL: not held */
	struct passes *of;
	uint64_t       account, app_password;
	unsigned       protocol; /* its bit, enum app_protocol */
	void         (*tell)(void *arg);
	void          *arg;
	atomic_int     ended; /* 0, or the reason */
};

void passes_init(struct passes *);
void passes_done(struct passes *);

static inline uint64_t
passes_mark(const struct passes *p)
{
	return atomic_load_explicit(&p->n_taken, memory_order_acquire);
}

void passes_take_back(struct passes *, const struct taken *);

/* account, app_password, protocol, tell and arg are set. 0; or why it was taken back since `mark`:
 * then it is not held. */
int  pass_take(struct passes *, struct pass *, uint64_t mark);
void pass_give(struct pass *); /* also when it is not held */

/* 0, or why the session has to end: a reason of struct taken. */
static inline int
pass_ended(const struct pass *p)
{
	return atomic_load_explicit(&p->ended, memory_order_acquire);
}

#endif
