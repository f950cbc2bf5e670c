#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "kv/open.h"
#include "kv/reserve.h"
#include "kv/rocks.h"
#include "kv/salvage.h"

/* Half of it is for blocks, half for parts of blobs. */
enum { CACHE_BYTES = 256 << 20 };

int
rocks_error(char *text, struct buf *detail)
{
	struct str s = str_c(text);
	int        r = E_IO;

	if (str_find(s, STR("No space left")) < s.n || str_find(s, STR("quota exceeded")) < s.n)
		r = E_DISK_FULL;
	else if (str_starts(s, STR("Corruption")))
		r = E_CORRUPT;
	else if (str_find(s, STR("lock file")) < s.n && str_find(s, STR("unavailable")) < s.n)
		r = E_IN_USE;
	if (detail != NULL)
		buf_str(detail, s);
	rocksdb_free(text);
	return r;
}

/* RocksDB counts each comparison in a thread's own counters, which nobody reads: a tenth of the
 * processor time of a commit. The switch is one a thread. */
static inline void
stop_counting(void)
{
	static _Thread_local bool stopped;

	if (!stopped)
		rocksdb_set_perf_level(rocksdb_disable);
	stopped = true;
}

/* --- reading --- */

static int
rocks_get(struct flat *f, enum layout_space space, struct str key, struct flat_value *ret)
{
	struct rocks            *r = rocks_of(f);
	char                    *text = NULL;
	rocksdb_pinnableslice_t *slice;

	if (r->db == NULL)
		return E_IO;
	stop_counting();
	slice = rocksdb_get_pinned_cf(r->db, r->read, r->column[space], key.p, key.n, &text);
	if (text != NULL)
		return rocks_error(text, NULL);
	if (slice == NULL)
		return E_NOT_FOUND;
	ret->bytes.p = rocksdb_pinnableslice_value(slice, &ret->bytes.n);
	ret->pin = slice;
	return 0;
}

static void
rocks_unpin(struct flat_value *v)
{
	rocksdb_pinnableslice_destroy(v->pin);
}

struct rocks_iter {
	struct kv_iter         iter;
	struct flat           *flat;
	rocksdb_readoptions_t *options; /* points into bounds; lives as long as the iterator */
	rocksdb_iterator_t    *it;
	size_t                 strip;
	bool                   reverse;
	bool                   started;
	char                   bounds[2 * LAYOUT_KEY_MAX];
};

static void
iter_move(struct rocks_iter *it)
{
	if (!it->started && it->reverse)
		rocksdb_iter_seek_to_last(it->it);
	else if (!it->started)
		rocksdb_iter_seek_to_first(it->it);
	else if (it->reverse)
		rocksdb_iter_prev(it->it);
	else
		rocksdb_iter_next(it->it);
	it->started = true;
}

static int
rocks_iter_next(struct kv_iter *iter, struct str *key, struct str *value)
{
	struct rocks_iter *it = CONTAINER_OF(iter, struct rocks_iter, iter);
	char              *text = NULL;
	struct str         k, v;

	if (it->started && !rocksdb_iter_valid(it->it))
		return 0;
	iter_move(it);
	if (!rocksdb_iter_valid(it->it)) {
		rocksdb_iter_get_error(it->it, &text);
		return text != NULL ? rocks_error(text, NULL) : 0;
	}
	k.p = rocksdb_iter_key(it->it, &k.n);
	v.p = rocksdb_iter_value(it->it, &v.n);
	*key = str_skip(k, it->strip);
	*value = v;
	return 1;
}

static void
rocks_iter_drop(struct kv_iter *iter)
{
	struct rocks_iter *it = CONTAINER_OF(iter, struct rocks_iter, iter);
	struct flat       *f = it->flat;

	rocksdb_iter_destroy(it->it);
	rocksdb_readoptions_destroy(it->options);
	mem_free(it);
	gate_leave(&f->gate);
}

static const struct kv_iter_ops ROCKS_ITER_OPS = { rocks_iter_next, rocks_iter_drop };

static int
rocks_scan(struct flat *f, const struct flat_range *range, struct kv_iter **ret)
{
	struct rocks      *r = rocks_of(f);
	struct rocks_iter *it;
	char              *to;

	if (r->db == NULL)
		return E_IO;
	it = mem_alloc(sizeof(*it));
	if (it == NULL)
		return E_NOMEM;
	stop_counting();
	*it = (struct rocks_iter){
		.iter.ops = &ROCKS_ITER_OPS,
		.flat = f,
		.options = rocksdb_readoptions_create(),
		.strip = range->strip,
		.reverse = range->reverse,
	};
	to = it->bounds + range->from.n;
	memcpy(it->bounds, range->from.p, range->from.n);
	memcpy(to, range->to.p, range->to.n);
	rocksdb_readoptions_set_iterate_lower_bound(it->options, it->bounds, range->from.n);
	rocksdb_readoptions_set_iterate_upper_bound(it->options, to, range->to.n);
	it->it = rocksdb_create_iterator_cf(r->db, it->options, r->column[LAYOUT_RECORD]);
	*ret = &it->iter;
	return 0;
}

/* --- writes --- */

static rocksdb_writebatch_t *
batch_of(struct flat_write *w)
{
	return (rocksdb_writebatch_t *)w;
}

static struct flat_write *
rocks_write_new(struct flat *f)
{
	(void)f;
	if (!reserve_is_whole())
		return NULL;
	return (struct flat_write *)rocksdb_writebatch_create();
}

/* Without a handle the write will fail in write_apply. */
static void
rocks_write_put(struct flat *f, struct flat_write *w, enum layout_space space, struct str key,
    struct str value)
{
	rocksdb_column_family_handle_t *column = rocks_of(f)->column[space];

	if (column != NULL)
		rocksdb_writebatch_put_cf(batch_of(w), column, key.p, key.n, value.p, value.n);
}

static void
rocks_write_del(struct flat *f, struct flat_write *w, enum layout_space space, struct str key)
{
	rocksdb_column_family_handle_t *column = rocks_of(f)->column[space];

	if (column != NULL)
		rocksdb_writebatch_delete_cf(batch_of(w), column, key.p, key.n);
}

static void
rocks_write_del_range(struct flat *f, struct flat_write *w, struct str from, struct str to)
{
	rocksdb_column_family_handle_t *column = rocks_of(f)->column[LAYOUT_RECORD];

	if (column != NULL)
		rocksdb_writebatch_delete_range_cf(batch_of(w), column, from.p, from.n, to.p, to.n);
}

/* What a failed write or sync is called, whatever RocksDB calls it. text NULL: it went well. */
static int
write_error(char *text)
{
	if (text == NULL)
		return 0;
	return rocks_error(text, NULL) == E_DISK_FULL ? E_DISK_FULL : E_IO;
}

static int
rocks_write_apply(struct flat *f, struct flat_write *w)
{
	struct rocks *r = rocks_of(f);
	char         *text = NULL;

	if (r->db == NULL)
		return E_IO;
	stop_counting();
	rocksdb_write(r->db, r->write, batch_of(w), &text);
	return write_error(text);
}

static void
rocks_write_free(struct flat_write *w)
{
	rocksdb_writebatch_destroy(batch_of(w));
}

static int
rocks_sync(struct flat *f)
{
	struct rocks *r = rocks_of(f);
	char         *text = NULL;

	if (r->db == NULL)
		return E_IO;
	rocksdb_flush_wal(r->db, 1, &text);
	return write_error(text);
}

static int
rocks_snapshot(struct flat *f, const char *dir, struct buf *detail)
{
	struct rocks         *r = rocks_of(f);
	char                 *text = NULL;
	rocksdb_checkpoint_t *checkpoint;

	if (r->db == NULL)
		return E_IO;
	checkpoint = rocksdb_checkpoint_object_create(r->db, &text);
	if (text == NULL) {
		rocksdb_checkpoint_create(checkpoint, dir, 0, &text);
		rocksdb_checkpoint_object_destroy(checkpoint);
	}
	return text != NULL ? rocks_error(text, detail) : 0;
}

/* --- opening and closing --- */

static void
rocks_close(struct flat *f)
{
	struct rocks *r = rocks_of(f);

	rocks_handle_close(r);
	if (r->read != NULL)
		rocksdb_readoptions_destroy(r->read);
	if (r->write != NULL)
		rocksdb_writeoptions_destroy(r->write);
	if (r->cache != NULL)
		rocksdb_cache_destroy(r->cache);
	if (r->lock_fd >= 0)
		close(r->lock_fd);
	mem_free(r->dir);
	flat_done(f);
	mem_free(r);
}

static const struct flat_engine ROCKS_ENGINE = {
	.get = rocks_get,
	.unpin = rocks_unpin,
	.scan = rocks_scan,
	.write_new = rocks_write_new,
	.write_put = rocks_write_put,
	.write_del = rocks_write_del,
	.write_del_range = rocks_write_del_range,
	.write_apply = rocks_write_apply,
	.write_free = rocks_write_free,
	.sync = rocks_sync,
	.probe = rocks_probe,
	.reopen = rocks_reopen,
	.snapshot = rocks_snapshot,
	.close = rocks_close,
};

static int
errno_detail(const char *what, const char *path, struct buf *detail)
{
	int e = errno;

	if (detail != NULL)
		buf_printf(detail, "%s %s: %s", what, path, strerrordesc_np(e));
	return error_from_errno(e);
}

/* A store that is only read may lie on a read-only disk, or be a copy that was never opened. */
static bool
may_lack_lock(const struct rocks *r)
{
	return r->wanted.read_only && (errno == ENOENT || errno == EROFS || errno == EACCES);
}

/* One process at a time, whether it writes or not. The kernel lets go when the process ends. */
static int
lock_dir(struct rocks *r, struct buf *detail)
{
	OWN_MEM char *path = NULL;
	size_t        n = strlen(r->dir) + sizeof("/in-use");

	path = mem_alloc(n);
	if (path == NULL)
		return E_NOMEM;
	snprintf(path, n, "%s/in-use", r->dir);
	r->lock_fd = open(
	    path, r->wanted.read_only ? O_RDONLY | O_CLOEXEC : O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (r->lock_fd < 0 && may_lack_lock(r))
		return 0;
	if (r->lock_fd < 0)
		return errno_detail("cannot open", path, detail);
	if (flock(r->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return errno_detail("cannot lock", path, detail);
	if (detail != NULL)
		buf_printf(detail, "another process has %s open", r->dir);
	return E_IN_USE;
}

static int
dir_make(struct rocks *r, struct buf *detail)
{
	if (r->wanted.read_only || mkdir(r->dir, 0700) == 0 || errno == EEXIST)
		return 0;
	return errno_detail("cannot make the folder", r->dir, detail);
}

static int
open_in(struct rocks *r, struct buf *detail)
{
	int e = dir_make(r, detail);

	if (e == 0)
		e = lock_dir(r, detail);
	/* RocksDB drops what lies behind a damaged record of the log, and deletes files that a
	 * shortened MANIFEST does not name. */
	if (e == 0 && !r->wanted.read_only)
		e = kv_files_may_open(r->dir, detail);
	if (e < 0)
		return e;
	r->cache = rocksdb_cache_create_lru(r->wanted.cache_bytes / 2);
	r->read = rocksdb_readoptions_create();
	r->write = rocksdb_writeoptions_create();
	e = rocks_handle_open(r, r->wanted.read_only, detail);
	if (e == 0 && r->wanted.read_only)
		tickets_fail(&r->flat.tickets, E_READ_ONLY);
	return e;
}

int
kv_rocks_open(
    const char *dir, const struct kv_rocks_options *options, struct buf *detail, struct kv **ret)
{
	struct rocks *r = MEM_NEW(struct rocks);
	size_t        cache = CACHE_BYTES;
	int           e;

	if (options != NULL && options->cache_bytes != 0)
		cache = options->cache_bytes;
	if (r == NULL || flat_init(&r->flat, &ROCKS_ENGINE, cache / 2) < 0) {
		mem_free(r);
		return E_NOMEM;
	}
	r->lock_fd = -1;
	reserve_init();
	if (options != NULL)
		r->wanted = *options;
	r->wanted.cache_bytes = cache;
	if (r->wanted.memtable_bytes == 0)
		r->wanted.memtable_bytes = 64 << 20;
	r->dir = mem_alloc(strlen(dir) + 1);
	if (r->dir != NULL)
		memcpy(r->dir, dir, strlen(dir) + 1);
	e = r->dir != NULL ? open_in(r, detail) : E_NOMEM;
	if (e < 0) {
		rocks_close(&r->flat);
		return e;
	}
	*ret = &r->flat.kv;
	return 0;
}
