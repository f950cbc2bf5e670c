/*
 * serve/pop3/lock.h: one POP3 session at a time on an account, for `[pop3] lock = exclusive`.
 * RFC 1939 s4, s8
 *
 * Shape    a set of account numbers, of this process. Only POP3 sessions take part: delivery, IMAP
 *          and the rest go on.
 * Owner    the struct is the session's, zero at first, and stays put while it is held.
 * Cost     a hash, and those that hold an account with the same one.
 * Threads  any.
 */
#ifndef SERVE_POP3_LOCK_H
#define SERVE_POP3_LOCK_H

#include "base/list.h"
#include "store/store.h"

struct pop3_lock {
	struct list link; /* next NULL: not held */
	account_id  account;
};

/* False: another session has it. */
bool pop3_lock_take(struct pop3_lock *, account_id);
/* Also when it is not held. */
void pop3_lock_give(struct pop3_lock *);

#endif
