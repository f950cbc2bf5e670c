#include "env.h"
#include "kv/open.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void
env_dir_make(char dir[64])
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, 64, "%s/kv-test-XXXXXX", tmp != NULL && strlen(tmp) < 40 ? tmp : "/tmp");
	assert_non_null(mkdtemp(dir));
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
env_dir_remove(const char *dir)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int
env_rocks_open(const char *dir, struct kv **ret)
{
	const struct kv_rocks_options options = { .cache_bytes = 64 << 20,
		.memtable_bytes = 4 << 20 };
	OWN_BUF struct buf            detail = BUF_INIT(4096);
	int                           r = kv_rocks_open(dir, &options, &detail, ret);

	if (r < 0 && r != E_IN_USE)
		print_message("%.*s\n", STR_ARG(buf_view(&detail)));
	return r;
}

static int
open_rocks(struct env *e)
{
	return env_rocks_open(e->dir, &e->kv);
}

static int
open_mem(struct env *e)
{
	return kv_mem_open(&e->kv);
}

static int
open_fault(struct env *e)
{
	assert_ok(kv_mem_open(&e->inner));
	return kv_fault_open(e->inner, &e->kv);
}

static int
open_trace(struct env *e)
{
	e->trace_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_true(e->trace_fd >= 0);
	assert_ok(kv_mem_open(&e->inner));
	return kv_trace_open(e->inner, e->trace_fd, &e->kv);
}

static int
start(void **state, int (*open_engine)(struct env *))
{
	struct env *e = calloc(1, sizeof(*e));

	e->open = open_engine;
	e->trace_fd = -1;
	if (open_engine == open_rocks)
		env_dir_make(e->dir);
	assert_ok(e->open(e));
	*state = e;
	return 0;
}

int
env_rocks(void **state)
{
	return start(state, open_rocks);
}

int
env_mem(void **state)
{
	return start(state, open_mem);
}

int
env_fault(void **state)
{
	return start(state, open_fault);
}

int
env_trace(void **state)
{
	return start(state, open_trace);
}

int
env_done(void **state)
{
	struct env *e = *state;

	kv_drop(e->kv);
	if (e->trace_fd >= 0)
		close(e->trace_fd);
	if (e->dir[0] != '\0')
		env_dir_remove(e->dir);
	free(e);
	return 0;
}

uint64_t
version(struct kv *kv, struct kv_part part)
{
	uint64_t v;

	assert_ok(kv_version(kv, part, &v));
	return v;
}

kv_ticket
commit(struct kv *kv, struct kv_part part, uint64_t expect, struct kv_batch *b)
{
	kv_ticket t;

	assert_ok(kv_commit(kv, part, expect, expect + 1, b, &t));
	assert_true(t > 0);
	return t;
}

void
put1(struct kv *kv, struct kv_part part, uint64_t expect, const char *key, const char *value)
{
	OWN_BATCH struct kv_batch b;

	kv_batch_init(&b);
	kv_put(&b, str_c(key), str_c(value));
	assert_ok(kv_wait(kv, commit(kv, part, expect, &b)));
}

void
assert_value(struct kv *kv, struct kv_part part, const char *key, const char *value)
{
	OWN_BUF struct buf b = BUF_INIT(KV_VALUE_MAX);

	assert_ok(kv_get(kv, part, str_c(key), &b));
	assert_int_equal(b.n, strlen(value));
	assert_memory_equal(b.p, value, b.n);
}

void
assert_absent(struct kv *kv, struct kv_part part, const char *key)
{
	OWN_BUF struct buf b = BUF_INIT(KV_VALUE_MAX);

	assert_int_equal(kv_get(kv, part, str_c(key), &b), E_NOT_FOUND);
	assert_int_equal(b.n, 0);
}

void
assert_scan(struct kv *kv, struct kv_part part, struct str from, struct str to, bool reverse,
    const char *want)
{
	OWN_BUF struct buf got = BUF_INIT(4096);
	OWN(kv_iter)       it = NULL;
	struct str         key, value;
	int                r;

	assert_ok(kv_scan(kv, part, from, to, reverse, &it));
	while ((r = kv_iter_next(it, &key, &value)) == 1) {
		if (got.n != 0)
			buf_byte(&got, ',');
		buf_str(&got, key);
	}
	assert_int_equal(r, 0);
	assert_int_equal(kv_iter_next(it, &key, &value), 0);
	buf_byte(&got, '\0');
	assert_string_equal(got.p, want);
}

void
fill(char *p, size_t n, uint64_t off)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)((off + i) * 2654435761u >> 13);
}
