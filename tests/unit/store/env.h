/*
 * tests/unit/store/env.h: a fresh store with one account for every test, and short words to use it.
 */
#ifndef TESTS_STORE_ENV_H
#define TESTS_STORE_ENV_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "store/message.h"
#include "store/verify.h"

enum { ACCOUNT = 7 };

struct env {
	char                 dir[64]; /* of an engine on disk; "" otherwise */
	struct store_options options;
	struct kv           *kv;    /* kv_fault around the engine; the store owns it */
	struct kv           *inner; /* the engine itself */
	struct store        *store;
	struct account      *a;
	mailbox_id           inbox;
};

/* Setup and teardown around every test. */
int env_mem(void **state);
int env_rocks(void **state);
int env_done(void **state);

/* Ends the process as a crash would, and starts again on what was durable. */
void env_crash(struct env *);
/* Closes the store in order and opens it again. */
void env_restart(struct env *);
/* Opens the account again (after a reopening of the engine, say). */
void env_account(struct env *);
/* The store agrees with itself. */
void env_verify(struct env *);

extern const struct actor ACTOR;

#define assert_ok(expr) assert_int_equal((expr), 0)
#define assert_str(s, want) assert_str_(s, want, __FILE__, __LINE__)
void assert_str_(struct str s, const char *want, const char *file, int line);

struct ingest *take_in(struct store *, struct str bytes);
int             try_append(struct env *, mailbox_id, struct str bytes, struct flags,
                struct appended *ret);
struct appended put(struct env *, mailbox_id, const char *text); /* INBOX for 0 */
struct appended put_flags(struct env *, mailbox_id, const char *text, unsigned system);
mailbox_id      box(struct env *, const char *name); /* finds or creates */
struct message  get(struct env *, mailbox_id, uint32_t uid);
struct mailbox_status status(struct env *, mailbox_id);
struct ranges   uids_of(const char *list); /* "1:3,7" */
/* The UIDs of a mailbox as a list. */
const char     *list_of(const struct ranges *);
const char     *uids_in(struct env *, mailbox_id);
void            set_flags(struct env *, mailbox_id, const char *uids, enum flag_op,
                unsigned system);
void            expunge_all(struct env *, mailbox_id, const char *uids); /* NULL: deleted ones */
/* Copies and compares what became what. */
void            copy_from_inbox(struct env *, const char *uids, mailbox_id to,
                const char *want_from, const char *want_to);
char           *noise(size_t n, unsigned seed); /* to be freed */

#endif
