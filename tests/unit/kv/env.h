/*
 * tests/unit/kv/env.h: a fresh store of each engine for every test, and short words to use it.
 */
#ifndef TESTS_KV_ENV_H
#define TESTS_KV_ENV_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "kv/kv.h"

struct env {
	int (*open)(struct env *); /* sets kv (and inner, of a wrapper) */
	char       dir[64];        /* of engines on disk; "" otherwise */
	struct kv *kv;
	struct kv *inner;
	int        trace_fd;
};

/* The engines. Each is a group's setup and teardown around every test. */
int env_rocks(void **state);
int env_mem(void **state);
int env_fault(void **state);
int env_trace(void **state);
int env_done(void **state);

/* A folder of its own under TMPDIR, and its removal with all that is in it. */
void env_dir_make(char dir[64]);
void env_dir_remove(const char *dir);
int  env_rocks_open(const char *dir, struct kv **ret);

/* Words for tests; they fail the test when the engine does. */
#define PART ((struct kv_part){ KV_ACCOUNT, 7 })

void       put1(struct kv *, struct kv_part, uint64_t expect, const char *key, const char *value);
void       assert_value(struct kv *, struct kv_part, const char *key, const char *value);
void       assert_absent(struct kv *, struct kv_part, const char *key);
/* The keys of a scan, joined by commas, compared with `want`. */
void       assert_scan(struct kv *, struct kv_part, struct str from, struct str to, bool reverse,
          const char *want);
kv_ticket  commit(struct kv *, struct kv_part, uint64_t expect, struct kv_batch *);
uint64_t   version(struct kv *, struct kv_part);
/* Bytes that tell their place: a wrong offset shows. */
void       fill(char *p, size_t n, uint64_t off);

#define assert_ok(expr) assert_int_equal((expr), 0)

#endif
