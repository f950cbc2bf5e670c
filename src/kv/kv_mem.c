#include "base/error.h"
#include "base/mem.h"
#include "kv/flat.h"
#include "kv/mem_tree.h"
#include "kv/open.h"

struct mem {
	struct flat      flat;
	struct lock      lock;    /* KV_MEM; guards the roots, not what they hold */
	struct mem_tree *now;
	struct mem_tree *durable; /* as of the last sync */
	bool             gone;    /* kv_mem_crash took the contents away */
};

static struct mem *
mem_of(struct flat *f)
{
	return CONTAINER_OF(f, struct mem, flat);
}

static int
now_keep(struct mem *m, struct mem_tree **ret)
{
	LOCK_SCOPE(&m->lock);
	if (m->gone)
		return E_IO;
	*ret = mem_tree_keep(m->now);
	return 0;
}

static int
mem_get(struct flat *f, enum layout_space space, struct str key, struct flat_value *ret)
{
	struct mem             *m = mem_of(f);
	const struct mem_entry *e;

	(void)space;
	LOCK_SCOPE(&m->lock);
	if (m->gone)
		return E_IO;
	e = mem_tree_find(m->now, key);
	if (e == NULL)
		return E_NOT_FOUND;
	mem_entry_keep(e);
	*ret = (struct flat_value){ mem_entry_value(e), (void *)e };
	return 0;
}

static void
mem_unpin(struct flat_value *v)
{
	mem_entry_drop(v->pin);
}

/* --- scans --- */

struct mem_iter {
	struct kv_iter          iter;
	struct flat            *flat;
	struct mem_tree        *tree;
	const struct mem_entry *last; /* the pair given out last */
	bool                    reverse;
	size_t                  strip;
	size_t                  from_n;
	size_t                  to_n;
	char                    bounds[2 * LAYOUT_KEY_MAX];
};

static struct str
bound_from(const struct mem_iter *it)
{
	return str_of(it->bounds, it->from_n);
}

static struct str
bound_to(const struct mem_iter *it)
{
	return str_of(it->bounds + it->from_n, it->to_n);
}

static const struct mem_entry *
step_down(const struct mem_iter *it)
{
	struct str              top = it->last != NULL ? mem_entry_key(it->last) : bound_to(it);
	const struct mem_entry *e = mem_tree_below(it->tree, top);

	return e != NULL && str_cmp(mem_entry_key(e), bound_from(it)) >= 0 ? e : NULL;
}

static const struct mem_entry *
step_up(const struct mem_iter *it)
{
	char                    after[LAYOUT_KEY_MAX + 1];
	struct str              at = bound_from(it);
	const struct mem_entry *e;

	if (it->last != NULL) {
		at = mem_entry_key(it->last);
		memcpy(after, at.p, at.n);
		after[at.n] = '\0';
		at = str_of(after, at.n + 1);
	}
	e = mem_tree_at_least(it->tree, at);
	return e != NULL && str_cmp(mem_entry_key(e), bound_to(it)) < 0 ? e : NULL;
}

static int
mem_iter_next(struct kv_iter *iter, struct str *key, struct str *value)
{
	struct mem_iter        *it = CONTAINER_OF(iter, struct mem_iter, iter);
	const struct mem_entry *e = it->reverse ? step_down(it) : step_up(it);

	if (e == NULL)
		return 0;
	it->last = e;
	*key = str_skip(mem_entry_key(e), it->strip);
	*value = mem_entry_value(e);
	return 1;
}

static void
mem_iter_drop(struct kv_iter *iter)
{
	struct mem_iter *it = CONTAINER_OF(iter, struct mem_iter, iter);
	struct flat     *f = it->flat;

	mem_tree_drop(it->tree);
	mem_free(it);
	gate_leave(&f->gate);
}

static const struct kv_iter_ops MEM_ITER_OPS = { mem_iter_next, mem_iter_drop };

static int
mem_scan(struct flat *f, const struct flat_range *range, struct kv_iter **ret)
{
	struct mem_iter *it = MEM_NEW(struct mem_iter);
	int              r;

	if (it == NULL)
		return E_NOMEM;
	r = now_keep(mem_of(f), &it->tree);
	if (r < 0) {
		mem_free(it);
		return r;
	}
	it->iter.ops = &MEM_ITER_OPS;
	it->flat = f;
	it->reverse = range->reverse;
	it->strip = range->strip;
	it->from_n = range->from.n;
	it->to_n = range->to.n;
	memcpy(it->bounds, range->from.p, range->from.n);
	memcpy(it->bounds + range->from.n, range->to.p, range->to.n);
	*ret = &it->iter;
	return 0;
}

/* --- writes: a list of operations, applied to the tree one after the other --- */

enum { WRITE_MAX = 2 * KV_BATCH_MAX };

static struct buf *
ops_of(struct flat_write *w)
{
	return (struct buf *)w;
}

static struct flat_write *
mem_write_new(struct flat *f)
{
	struct buf *ops = MEM_NEW(struct buf);

	(void)f;
	if (ops != NULL)
		buf_init(ops, WRITE_MAX);
	return (struct flat_write *)ops;
}

static void
mem_write_free(struct flat_write *w)
{
	buf_done(ops_of(w));
	mem_free(w);
}

static void
note(struct flat_write *w, enum kv_op_kind kind, struct str key, struct str value)
{
	pack_u8(ops_of(w), (uint8_t)kind);
	pack_var(ops_of(w), key.n);
	pack_var(ops_of(w), value.n);
	buf_str(ops_of(w), key);
	buf_str(ops_of(w), value);
}

static void
mem_write_put(struct flat *f, struct flat_write *w, enum layout_space space, struct str key,
    struct str value)
{
	(void)f;
	(void)space;
	note(w, KV_OP_PUT, key, value);
}

static void
mem_write_del(struct flat *f, struct flat_write *w, enum layout_space space, struct str key)
{
	(void)f;
	(void)space;
	note(w, KV_OP_DEL, key, STR_NONE);
}

static void
mem_write_del_range(struct flat *f, struct flat_write *w, struct str from, struct str to)
{
	(void)f;
	note(w, KV_OP_DEL_RANGE, from, to);
}

/* Replaces *tree by its next state. */
static int
advance(struct mem_tree **tree, struct str key, const struct str *value)
{
	struct mem_tree *next;
	int              r = value != NULL ? mem_tree_put(*tree, key, *value, &next)
					   : mem_tree_del(*tree, key, &next);

	if (r < 0)
		return r;
	mem_tree_drop(*tree);
	*tree = next;
	return 0;
}

static int
del_range(struct mem_tree **tree, struct str from, struct str to)
{
	const struct mem_entry *e;
	int                     r = 0;

	while (r == 0 && (e = mem_tree_at_least(*tree, from)) != NULL) {
		if (str_cmp(mem_entry_key(e), to) >= 0)
			return 0;
		r = advance(tree, mem_entry_key(e), NULL);
	}
	return r;
}

static int
apply_op(struct mem_tree **tree, const struct kv_op *op)
{
	switch (op->kind) {
	case KV_OP_PUT:
		return advance(tree, op->key, &op->value);
	case KV_OP_DEL:
		return advance(tree, op->key, NULL);
	default:
		return del_range(tree, op->key, op->value);
	}
}

static int
mem_write_apply(struct flat *f, struct flat_write *w)
{
	struct mem      *m = mem_of(f);
	struct unpack    u = unpack_of(buf_view(ops_of(w)));
	OWN(mem_tree)    tree = NULL;
	struct mem_tree *old;
	struct kv_op     op;
	int              r = ops_of(w)->err;

	if (r < 0)
		return E_NOMEM;
	r = now_keep(m, &tree);
	while (r == 0 && kv_op_next(&u, &op) == 1)
		r = apply_op(&tree, &op);
	if (r < 0)
		return r;
	/* Writers come one at a time: nobody has set another root meanwhile. */
	lock_take(&m->lock);
	old = m->now;
	m->now = TAKE(tree);
	lock_give(&m->lock);
	mem_tree_drop(old);
	return 0;
}

/* --- durability --- */

static int
mem_sync(struct flat *f)
{
	struct mem *m = mem_of(f);

	LOCK_SCOPE(&m->lock);
	mem_tree_drop(m->durable);
	m->durable = mem_tree_keep(m->now);
	return 0;
}

static int
mem_probe(struct flat *f)
{
	return mem_of(f)->gone ? E_IO : 0;
}

static int
mem_reopen(struct flat *f, int probed, bool *replaced)
{
	struct mem *m = mem_of(f);

	if (probed < 0)
		return probed;
	LOCK_SCOPE(&m->lock);
	mem_tree_drop(m->now);
	m->now = mem_tree_keep(m->durable);
	*replaced = true;
	return 0;
}

static int
mem_snapshot(struct flat *f, const char *dir, struct buf *detail)
{
	(void)f;
	(void)dir;
	if (detail != NULL)
		buf_str(detail, STR("the memory engine has no files to copy"));
	return E_UNSUPPORTED;
}

static void
mem_close(struct flat *f)
{
	struct mem *m = mem_of(f);

	mem_tree_drop(m->now);
	mem_tree_drop(m->durable);
	lock_done(&m->lock);
	flat_done(f);
	mem_free(m);
}

static const struct flat_engine MEM_ENGINE = {
	.get = mem_get,
	.unpin = mem_unpin,
	.scan = mem_scan,
	.write_new = mem_write_new,
	.write_put = mem_write_put,
	.write_del = mem_write_del,
	.write_del_range = mem_write_del_range,
	.write_apply = mem_write_apply,
	.write_free = mem_write_free,
	.sync = mem_sync,
	.probe = mem_probe,
	.reopen = mem_reopen,
	.snapshot = mem_snapshot,
	.close = mem_close,
};

static int
open_with(struct mem_tree *tree, struct kv **ret)
{
	struct mem *m = MEM_NEW(struct mem);

	if (m == NULL || flat_init(&m->flat, &MEM_ENGINE, 0) < 0) {
		mem_free(m);
		return E_NOMEM;
	}
	lock_init(&m->lock, LOCK_KV_MEM);
	m->now = mem_tree_keep(tree);
	m->durable = mem_tree_keep(tree);
	*ret = &m->flat.kv;
	return 0;
}

int
kv_mem_open(struct kv **ret)
{
	return open_with(NULL, ret);
}

int
kv_mem_crash(struct kv *kv, struct kv **ret)
{
	struct flat *f = flat_of(kv);
	struct mem  *m = mem_of(f);
	int          r;

	tickets_fail(&f->tickets, E_IO);
	LOCK_SCOPE(&m->lock);
	if (m->gone)
		return E_IO;
	r = open_with(m->durable, ret);
	m->gone = r == 0;
	return r;
}
