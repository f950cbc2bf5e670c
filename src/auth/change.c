#include "auth/change.h"

#include "base/error.h"
#include "base/mem.h"

enum { TRIES_MAX = 200, CHANGE_ARENA_MAX = 64 << 20 };

static int
try_change(struct dir_change *c, int (*build)(struct dir_change *, void *), void *arg,
    kv_ticket *ret)
{
	uint64_t version;
	int      r;

	arena_reset(&c->arena);
	kv_batch_reset(&c->batch);
	c->taken = (struct taken){ 0 };
	r = kv_version(c->d->kv, DIR_PART, &version);
	if (r == 0)
		r = build(c, arg);
	if (r == 0)
		r = kv_commit(c->d->kv, DIR_PART, version, version + 1, &c->batch, ret);
	return r;
}

struct committed {
	kv_ticket    ticket;
	struct taken taken;
};

static int
commit_change(struct directory *d, int (*build)(struct dir_change *, void *), void *arg,
    struct committed *ret)
{
	struct dir_change c = { .d = d, .arena = ARENA_INIT(CHANGE_ARENA_MAX) };
	int               r = E_CONFLICT;

	kv_batch_init(&c.batch);
	for (int i = 0; r == E_CONFLICT && i < TRIES_MAX; i++)
		r = try_change(&c, build, arg, &ret->ticket);
	ret->taken = c.taken;
	kv_batch_done(&c.batch);
	arena_done(&c.arena);
	return r == E_CONFLICT ? E_BUSY : r;
}

int
dir_change(struct directory *d, int (*build)(struct dir_change *, void *), void *arg)
{
	struct committed done = { 0 };
	int              r = commit_change(d, build, arg, &done);

	known_forget(&d->known);
	if (r < 0)
		return r;
	r = kv_wait(d->kv, done.ticket);
	/* Also when the disk failed: whether it is kept is not known then, and a session that ends
	 * too early does less harm than one that stays. */
	passes_take_back(&d->passes, &done.taken);
	return r;
}

int
dir_note(struct directory *d, int (*build)(struct dir_change *, void *), void *arg)
{
	struct committed done;

	return commit_change(d, build, arg, &done);
}

void
dir_put(struct dir_change *c, const struct dir_key *k, const struct buf *value)
{
	if (value->err < 0)
		c->batch.ops.err = value->err;
	else
		kv_put(&c->batch, dir_key_str(k), buf_view(value));
}

void
dir_del(struct dir_change *c, const struct dir_key *k)
{
	kv_del(&c->batch, dir_key_str(k));
}

void
dir_put_entry(struct dir_change *c, struct str name, const struct dir_entry *e)
{
	OWN_BUF struct buf b = BUF_INIT(DIR_VALUE_MAX);
	struct dir_key     k;

	dir_key_address(&k, name);
	dir_entry_pack(e, &b);
	dir_put(c, &k, &b);
}

int
dir_get(struct directory *d, struct str name, struct arena *a, struct dir_entry *ret)
{
	OWN_BUF struct buf b = BUF_INIT(DIR_VALUE_MAX);
	struct dir_key     k;
	struct str         value;
	int                r;

	dir_key_address(&k, name);
	r = kv_get(d->kv, DIR_PART, dir_key_str(&k), &b);
	if (r == 0)
		r = arena_dup(a, buf_view(&b), &value);
	return r < 0 ? r : dir_entry_unpack(value, a, ret);
}

int
dir_has(struct directory *d, const struct dir_key *k, bool *ret)
{
	OWN_BUF struct buf b = BUF_INIT(DIR_VALUE_MAX);
	int                r = kv_get(d->kv, DIR_PART, dir_key_str(k), &b);

	if (r < 0 && r != E_NOT_FOUND)
		return r;
	*ret = r == 0;
	return 0;
}

int
dir_is_local(struct directory *d, struct str domain, bool *ret)
{
	struct dir_key k;

	dir_key_domain(&k, domain);
	return dir_has(d, &k, ret);
}

int
dir_list(struct directory *d, const struct dir_lister *l, struct arena *a, void **ret,
    size_t *ret_n)
{
	OWN(kv_iter) it = NULL;
	const char   from = l->space, to = (char)(l->space + 1);
	struct str   key, value;
	char        *items = NULL, *grown;
	size_t       n = 0, cap = 0;
	bool         is;
	int          r;

	r = kv_scan(d->kv, DIR_PART, str_of(&from, 1), str_of(&to, 1), false, &it);
	while (r == 0 && (r = kv_iter_next(it, &key, &value)) == 1) {
		if (n == cap) {
			grown = arena_grow(a, items, cap * l->width, (cap * 2 + 16) * l->width);
			if (grown == NULL)
				return E_NOMEM;
			items = grown;
			cap = cap * 2 + 16;
		}
		r = l->take(key, value, a, items + n * l->width, &is);
		n += r == 0 && is;
	}
	if (r < 0)
		return r;
	*ret = items;
	*ret_n = n;
	return 0;
}
