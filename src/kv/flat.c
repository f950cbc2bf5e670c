#include "kv/flat.h"

#include <assert.h>

#include "base/error.h"
#include "base/mem.h"

enum { HEAL_PATIENCE_MS = 500 };

static const struct kv_ops FLAT_OPS;

static void syncer_stop(struct flat *);

int
flat_init(struct flat *f, const struct flat_engine *engine, size_t parts_bytes)
{
	f->versions = mem_zalloc(FLAT_VERSIONS * sizeof(*f->versions));
	if (f->versions == NULL || parts_init(&f->parts, parts_bytes) < 0) {
		mem_free(f->versions);
		return E_NOMEM;
	}
	f->kv.ops = &FLAT_OPS;
	f->engine = engine;
	gate_init(&f->gate);
	tickets_init(&f->tickets);
	lock_init(&f->write_lock, LOCK_KV_WRITE);
	return 0;
}

void
flat_done(struct flat *f)
{
	mem_free(f->versions);
	parts_done(&f->parts);
	gate_done(&f->gate);
	tickets_done(&f->tickets);
	lock_done(&f->write_lock);
}

static void
flat_drop(struct kv *kv)
{
	struct flat *f = flat_of(kv);

	syncer_stop(f);
	/* An iterator that outlives its engine is a bug of the caller. */
	assert(atomic_load(&f->gate.inside) == 0);
	f->engine->close(f);
}

/* --- versions --- */

static struct flat_version *
version_slot(struct flat *f, struct kv_part part)
{
	uint64_t h = (part.id + ((uint64_t)part.kind << 56)) * 0x9E3779B97F4A7C15u;

	return &f->versions[h >> 32 & (FLAT_VERSIONS - 1)];
}

int
flat_version_read(struct flat *f, struct kv_part part, uint64_t *ret)
{
	struct layout_key key;
	struct flat_value value;
	struct unpack     u;
	int               r;

	layout_version(&key, part);
	r = f->engine->get(f, LAYOUT_RECORD, layout_view(&key), &value);
	if (r == E_NOT_FOUND) {
		*ret = 0;
		return 0;
	}
	if (r < 0)
		return r;
	u = unpack_of(value.bytes);
	*ret = unpack_u64(&u);
	f->engine->unpin(&value);
	return unpack_ok(&u) ? 0 : E_CORRUPT;
}

static int
flat_version(struct kv *kv, struct kv_part part, uint64_t *ret)
{
	struct flat *f = flat_of(kv);

	GATE_SCOPE(&f->gate);
	return flat_version_read(f, part, ret);
}

/* Under the write lock: is the partition at `expect`? */
static int
version_check(struct flat *f, const struct kv_step *step)
{
	const struct flat_version *slot = version_slot(f, step->part);
	uint64_t                   version = slot->version;
	int                        r;

	if (version == 0 || slot->part.kind != step->part.kind || slot->part.id != step->part.id) {
		r = flat_version_read(f, step->part, &version);
		if (r < 0)
			return r;
	}
	return version == step->expect ? 0 : E_CONFLICT;
}

/* --- reading --- */

static int
flat_get(struct kv *kv, struct kv_part part, struct str key, struct buf *to)
{
	struct flat      *f = flat_of(kv);
	struct layout_key full;
	struct flat_value value;
	int               r;

	if (key.n == 0 || key.n > KV_KEY_MAX)
		return E_NOT_FOUND;
	layout_record(&full, part, key);
	GATE_SCOPE(&f->gate);
	r = f->engine->get(f, LAYOUT_RECORD, layout_view(&full), &value);
	if (r < 0)
		return r;
	buf_str(to, value.bytes);
	f->engine->unpin(&value);
	return to->err;
}

int
flat_scan_raw(struct flat *f, const struct flat_range *range, struct kv_iter **ret)
{
	int r;

	gate_enter(&f->gate);
	r = f->engine->scan(f, range, ret);
	if (r < 0)
		gate_leave(&f->gate);
	return r;
}

static int
flat_scan(struct kv *kv, struct kv_part part, const struct kv_range *range, struct kv_iter **ret)
{
	struct layout_key from, to;
	struct flat_range full = { .reverse = range->reverse, .strip = LAYOUT_PART_N };

	if (range->from.n > KV_KEY_MAX || range->to.n > KV_KEY_MAX)
		return E_LIMIT;
	layout_range(part, range, &from, &to);
	full.from = layout_view(&from);
	full.to = layout_view(&to);
	return flat_scan_raw(flat_of(kv), &full, ret);
}

static int
flat_part_next(struct kv *kv, enum kv_kind kind, uint64_t from, uint64_t *ret)
{
	struct layout_key first, end;
	struct flat_range range = { 0 };
	OWN(kv_iter)      it = NULL;
	struct str        key, value;
	int               r;

	layout_record(&first, (struct kv_part){ kind, from }, STR_NONE);
	layout_record_end(&end, (struct kv_part){ kind, UINT64_MAX });
	range.from = layout_view(&first);
	range.to = layout_view(&end);
	r = flat_scan_raw(flat_of(kv), &range, &it);
	if (r < 0)
		return r;
	r = kv_iter_next(it, &key, &value);
	if (r == 1) {
		struct unpack u = unpack_of(str_skip(key, 1));

		*ret = unpack_be64(&u);
		return 0;
	}
	return r < 0 ? r : E_NOT_FOUND;
}

/* --- commits --- */

int
flat_apply(struct flat *f, struct flat_write *w, kv_ticket *ret)
{
	int r = tickets_err(&f->tickets);

	if (r < 0)
		return r;
	r = f->engine->write_apply(f, w);
	if (r < 0) {
		/* Without memory nothing was tried; else the end of the log is unknown now. */
		if (r != E_NOMEM)
			tickets_fail(&f->tickets, r);
		return r;
	}
	*ret = tickets_stage(&f->tickets);
	return 0;
}

int
flat_write_now(struct flat *f, struct flat_write *w)
{
	kv_ticket ticket;
	int       r;

	lock_take(&f->write_lock);
	r = flat_apply(f, w, &ticket);
	lock_give(&f->write_lock);
	f->engine->write_free(w);
	return r;
}

static int
commit_write(struct flat *f, const struct kv_step *step, struct flat_write *w, kv_ticket *ret)
{
	int r;

	LOCK_SCOPE(&f->write_lock);
	r = version_check(f, step);
	if (r < 0)
		return r;
	r = flat_apply(f, w, ret);
	if (r < 0)
		return r;
	*version_slot(f, step->part) = (struct flat_version){ step->part, step->next };
	return 0;
}

static int
flat_commit(struct kv *kv, const struct kv_step *step, const struct kv_batch *b, kv_ticket *ret)
{
	struct flat       *f = flat_of(kv);
	struct flat_write *w;
	int                r = tickets_err(&f->tickets);

	if (r < 0)
		return r;
	GATE_SCOPE(&f->gate);
	w = f->engine->write_new(f);
	if (w == NULL)
		return E_NOMEM;
	r = flat_build(f, step, b, w);
	if (r == 0)
		r = commit_write(f, step, w, ret);
	f->engine->write_free(w);
	return r;
}

/* --- durability and health --- */

static int
sync_now(void *arg)
{
	struct flat *f = arg;

	return f->engine->sync(f);
}

/* Inside the gate before it looks: the engine that it syncs is the one of the tickets it saw. */
static void *
syncer_main(void *arg)
{
	struct flat *f = arg;

	while (tickets_await(&f->tickets)) {
		GATE_SCOPE(&f->gate);
		tickets_serve(&f->tickets, sync_now, f);
	}
	return NULL;
}

/* False when there is no thread to be had: then whoever wants to wait has to. */
static bool
syncer_start(struct flat *f)
{
	LOCK_SCOPE(&f->tickets.lock);

	if (!f->syncing)
		f->syncing = pthread_create(&f->syncer, NULL, syncer_main, f) == 0;
	return f->syncing;
}

static void
syncer_stop(struct flat *f)
{
	tickets_quit(&f->tickets);
	if (f->syncing)
		pthread_join(f->syncer, NULL);
	f->syncing = false;
}

static int
flat_wait(struct kv *kv, kv_ticket ticket, struct kv_waiter *w)
{
	struct flat *f = flat_of(kv);

	if (tickets_settled(&f->tickets, ticket))
		return 0;
	if (w != NULL && !syncer_start(f))
		w = NULL;
	GATE_SCOPE(&f->gate);
	return tickets_wait(&f->tickets, &(struct tickets_wish){ ticket, w }, sync_now, f);
}

static bool
flat_is_durable(struct kv *kv, kv_ticket ticket)
{
	return tickets_durable(&flat_of(kv)->tickets, ticket);
}

static uint64_t
flat_generation(struct kv *kv)
{
	return tickets_generation(&flat_of(kv)->tickets);
}

static bool
flat_healthy(struct kv *kv)
{
	return tickets_err(&flat_of(kv)->tickets) == 0;
}

static void
flat_set_failed(struct kv *kv, int err)
{
	tickets_fail(&flat_of(kv)->tickets, err);
}

/* Alone inside: replaces the engine's handle and begins a new generation. */
static int
reopen(struct flat *f, int probed)
{
	bool replaced = false;
	int  failed = tickets_err(&f->tickets);
	int  r = f->engine->reopen(f, probed, &replaced);

	if (!replaced)
		return r;
	memset(f->versions, 0, FLAT_VERSIONS * sizeof(*f->versions));
	parts_clear(&f->parts);
	tickets_restart(&f->tickets, probed < 0 ? failed : r);
	return r;
}

static int
flat_heal(struct kv *kv)
{
	struct flat *f = flat_of(kv);
	int          r, probed;

	if (flat_healthy(kv))
		return 0;
	probed = f->engine->probe(f);
	if (probed < 0 && !tickets_open(&f->tickets))
		return probed;
	r = gate_close(&f->gate, HEAL_PATIENCE_MS);
	if (r < 0)
		return r;
	/* Another thread may have healed it in the meantime. */
	if (!flat_healthy(kv))
		r = reopen(f, probed);
	gate_open(&f->gate);
	return r;
}

static int
flat_snapshot_to(struct kv *kv, const char *dir, struct buf *detail)
{
	struct flat *f = flat_of(kv);

	GATE_SCOPE(&f->gate);
	return f->engine->snapshot(f, dir, detail);
}

static const struct kv_ops FLAT_OPS = {
	.drop = flat_drop,
	.version = flat_version,
	.get = flat_get,
	.scan = flat_scan,
	.part_next = flat_part_next,
	.commit = flat_commit,
	.wait = flat_wait,
	.is_durable = flat_is_durable,
	.blob_put = flat_blob_put,
	.blob_header = flat_blob_header,
	.blob_body = flat_blob_body,
	.blob_read = flat_blob_read,
	.blob_refs = flat_blob_refs,
	.blob_release = flat_blob_release,
	.blob_collect = flat_blob_collect,
	.generation = flat_generation,
	.healthy = flat_healthy,
	.set_failed = flat_set_failed,
	.heal = flat_heal,
	.snapshot_to = flat_snapshot_to,
};
