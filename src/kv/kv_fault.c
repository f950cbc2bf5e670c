#include <stdatomic.h>
#include <time.h>

#include "base/error.h"
#include "base/mem.h"
#include "kv/engine.h"
#include "kv/open.h"

struct fault {
	struct kv     kv;
	struct kv    *inner;
	atomic_ulong  nth; /* of `made`; 0: never */
	atomic_ulong  made;
	atomic_bool   sticky;
	atomic_int    err;
	_Atomic int64_t slow_ms;
};

static struct fault *
fault_of(struct kv *kv)
{
	return CONTAINER_OF(kv, struct fault, kv);
}

/* Counts an operation. The error that is its turn, or 0. */
static int
turn(struct fault *f)
{
	unsigned long n = atomic_fetch_add(&f->made, 1) + 1, nth = atomic_load(&f->nth);

	if (nth == 0 || n < nth || (n > nth && !atomic_load(&f->sticky)))
		return 0;
	return atomic_load(&f->err);
}

/* The error that a read has to give, or 0. */
static int
refused(struct fault *f)
{
	int r = turn(f);

	return r == E_READ_ONLY ? 0 : r;
}

/* The same for a write or a sync: after it failed nobody knows what is on disk. */
static int
refused_write(struct fault *f)
{
	int r = turn(f);

	if (r == E_READ_ONLY)
		r = E_IO; /* as the engine calls it */
	if (r == E_IO || r == E_DISK_FULL)
		f->inner->ops->set_failed(f->inner, r);
	return r;
}

static void
fault_drop(struct kv *kv)
{
	struct fault *f = fault_of(kv);

	kv_drop(f->inner);
	mem_free(f);
}

static int
fault_version(struct kv *kv, struct kv_part part, uint64_t *ret)
{
	struct fault *f = fault_of(kv);
	int           r = refused(f);

	return r < 0 ? r : f->inner->ops->version(f->inner, part, ret);
}

static int
fault_get(struct kv *kv, struct kv_part part, struct str key, struct buf *to)
{
	struct fault *f = fault_of(kv);
	int           r = refused(f);

	return r < 0 ? r : f->inner->ops->get(f->inner, part, key, to);
}

/* --- scans: opening one counts, and its first step --- */

struct fault_iter {
	struct kv_iter  iter;
	struct fault   *fault;
	struct kv_iter *inner;
	bool            stepped;
	int             err;
};

static int
fault_iter_next(struct kv_iter *iter, struct str *key, struct str *value)
{
	struct fault_iter *it = CONTAINER_OF(iter, struct fault_iter, iter);

	if (!it->stepped)
		it->err = refused(it->fault);
	it->stepped = true;
	return it->err < 0 ? it->err : kv_iter_next(it->inner, key, value);
}

static void
fault_iter_drop(struct kv_iter *iter)
{
	struct fault_iter *it = CONTAINER_OF(iter, struct fault_iter, iter);

	kv_iter_drop(it->inner);
	mem_free(it);
}

static const struct kv_iter_ops FAULT_ITER_OPS = { fault_iter_next, fault_iter_drop };

static int
fault_scan(struct kv *kv, struct kv_part part, const struct kv_range *range, struct kv_iter **ret)
{
	struct fault      *f = fault_of(kv);
	struct fault_iter *it;
	int                r = refused(f);

	if (r < 0)
		return r;
	it = MEM_NEW(struct fault_iter);
	if (it == NULL)
		return E_NOMEM;
	it->iter.ops = &FAULT_ITER_OPS;
	it->fault = f;
	r = f->inner->ops->scan(f->inner, part, range, &it->inner);
	if (r < 0) {
		mem_free(it);
		return r;
	}
	*ret = &it->iter;
	return 0;
}

static int
fault_part_next(struct kv *kv, enum kv_kind kind, uint64_t from, uint64_t *ret)
{
	struct fault *f = fault_of(kv);
	int           r = refused(f);

	return r < 0 ? r : f->inner->ops->part_next(f->inner, kind, from, ret);
}

/* --- commits --- */

static int
fault_commit(
    struct kv *kv, const struct kv_step *step, const struct kv_batch *b, kv_ticket *ret)
{
	struct fault *f = fault_of(kv);
	int           r = refused_write(f);

	return r < 0 ? r : f->inner->ops->commit(f->inner, step, b, ret);
}

static int
fault_wait(struct kv *kv, kv_ticket ticket, struct kv_waiter *w)
{
	struct fault *f = fault_of(kv);
	int64_t       ms = atomic_load(&f->slow_ms);
	int           r;

	/* What is on disk needs no sync that could fail or be slow. */
	if (f->inner->ops->is_durable(f->inner, ticket))
		return 0;
	r = refused_write(f);
	if (r < 0)
		return r;
	if (ms > 0)
		nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
	return f->inner->ops->wait(f->inner, ticket, w);
}

static bool
fault_is_durable(struct kv *kv, kv_ticket ticket)
{
	return kv_is_durable(fault_of(kv)->inner, ticket);
}

/* --- blobs --- */

static int
fault_blob_put(struct kv *kv, const struct kv_blob_id *id, uint32_t part, struct str value)
{
	struct fault *f = fault_of(kv);
	int           r = refused_write(f);

	return r < 0 ? r : f->inner->ops->blob_put(f->inner, id, part, value);
}

static int
fault_blob_header(struct kv *kv, const struct kv_blob_id *id, struct buf *to)
{
	struct fault *f = fault_of(kv);
	int           r = refused(f);

	return r < 0 ? r : kv_blob_header(f->inner, id, to);
}

static int
fault_blob_body(
    struct kv *kv, const struct kv_blob_id *id, uint64_t off, size_t n, struct buf *to)
{
	struct fault *f = fault_of(kv);
	int           r = refused(f);

	return r < 0 ? r : kv_blob_body(f->inner, id, off, n, to);
}

static int
fault_blob_read(
    struct kv *kv, const struct kv_blob_id *id, const struct kv_slice *s, struct buf *to)
{
	struct fault *f = fault_of(kv);
	int           r = refused(f);

	return r < 0 ? r : kv_blob_read(f->inner, id, s, to);
}

static int
fault_blob_refs(struct kv *kv, const struct kv_blob_id *id, uint64_t *ret)
{
	struct fault *f = fault_of(kv);
	int           r = refused(f);

	return r < 0 ? r : kv_blob_refs(f->inner, id, ret);
}

static int
fault_blob_release(struct kv *kv, const struct kv_blob_id *id)
{
	struct fault *f = fault_of(kv);
	int           r = refused_write(f);

	return r < 0 ? r : kv_blob_release(f->inner, id);
}

static int
fault_blob_collect(struct kv *kv, int64_t before_ms, size_t max, size_t *ret_removed)
{
	struct fault *f = fault_of(kv);
	int           r = refused_write(f);

	return r < 0 ? r : kv_blob_collect(f->inner, before_ms, max, ret_removed);
}

/* --- state --- */

static uint64_t
fault_generation(struct kv *kv)
{
	return kv_generation(fault_of(kv)->inner);
}

static bool
fault_healthy(struct kv *kv)
{
	return kv_healthy(fault_of(kv)->inner);
}

static void
fault_set_failed(struct kv *kv, int err)
{
	struct kv *inner = fault_of(kv)->inner;

	inner->ops->set_failed(inner, err);
}

static int
fault_heal(struct kv *kv)
{
	return kv_heal(fault_of(kv)->inner);
}

static int
fault_snapshot_to(struct kv *kv, const char *dir, struct buf *detail)
{
	struct fault *f = fault_of(kv);
	int           r = refused(f);

	return r < 0 ? r : kv_snapshot_to(f->inner, dir, detail);
}

static const struct kv_ops FAULT_OPS = {
	.drop = fault_drop,
	.version = fault_version,
	.get = fault_get,
	.scan = fault_scan,
	.part_next = fault_part_next,
	.commit = fault_commit,
	.wait = fault_wait,
	.is_durable = fault_is_durable,
	.blob_put = fault_blob_put,
	.blob_header = fault_blob_header,
	.blob_body = fault_blob_body,
	.blob_read = fault_blob_read,
	.blob_refs = fault_blob_refs,
	.blob_release = fault_blob_release,
	.blob_collect = fault_blob_collect,
	.generation = fault_generation,
	.healthy = fault_healthy,
	.set_failed = fault_set_failed,
	.heal = fault_heal,
	.snapshot_to = fault_snapshot_to,
};

int
kv_fault_open(struct kv *inner, struct kv **ret)
{
	struct fault *f = MEM_NEW(struct fault);

	if (f == NULL)
		return E_NOMEM;
	f->kv.ops = &FAULT_OPS;
	f->inner = inner;
	*ret = &f->kv;
	return 0;
}

unsigned long
kv_fault_set(struct kv *kv, unsigned long nth, bool sticky, int err)
{
	struct fault *f = fault_of(kv);
	unsigned long made;

	atomic_store(&f->nth, 0);
	made = atomic_exchange(&f->made, 0);
	atomic_store(&f->sticky, sticky);
	atomic_store(&f->err, err);
	atomic_store(&f->nth, nth);
	return made;
}

void
kv_fault_slow(struct kv *kv, int64_t sync_ms)
{
	atomic_store(&fault_of(kv)->slow_ms, sync_ms);
}
