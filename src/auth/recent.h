/*
 * auth/recent.h: a bounded table of what happened lately: passwords that were right, or names and
 * addresses that failed. The least recent entry goes first.
 *
 * Time     monotonic ms, given by the caller.
 * Errors   without memory an entry is not kept; nothing fails.
 * Threads  the caller's lock.
 */
#ifndef AUTH_RECENT_H
#define AUTH_RECENT_H

#include "base/list.h"
#include "base/map.h"

struct recent {
	struct map  by_key;
	struct list order; /* least recent first */
	size_t      max;
};

void recent_init(struct recent *, size_t max);
void recent_done(struct recent *);

/* --- right passwords: a proof stands for login, password and stored hash together --- */

void recent_right_put(struct recent *, struct str proof, uint64_t account, int64_t now_ms);
/* 0, or E_NOT_FOUND when there is none that is younger than max_age_ms. */
int  recent_right_get(struct recent *, struct str proof, int64_t now_ms, int64_t max_age_ms,
     uint64_t *ret_account);

/* --- failures: counted for a key, halved every RECENT_HALF_MS --- */

enum { RECENT_HALF_MS = 10 * 60 * 1000 };

/* `proof` tells tries apart: the same wrong password again (a device with an old one) is not
 * counted again. */
void     recent_fail_add(struct recent *, struct str key, uint64_t proof, int64_t now_ms);
unsigned recent_fail_count(struct recent *, struct str key, int64_t now_ms);

#endif
