#include "kv/mem_tree.h"

#include "base/error.h"
#include "base/mem.h"

/* A parent's priority is never below its children's; random ones keep the depth logarithmic. */
struct mem_tree {
	atomic_size_t     uses;
	uint64_t          priority;
	struct mem_entry *entry;
	struct mem_tree  *left, *right;
};

void
mem_entry_keep(const struct mem_entry *e)
{
	atomic_fetch_add(&((struct mem_entry *)e)->uses, 1);
}

void
mem_entry_drop(const struct mem_entry *e)
{
	if (atomic_fetch_sub(&((struct mem_entry *)e)->uses, 1) == 1)
		mem_free((void *)e);
}

struct mem_tree *
mem_tree_keep(struct mem_tree *t)
{
	if (t != NULL)
		atomic_fetch_add(&t->uses, 1);
	return t;
}

void
mem_tree_drop(struct mem_tree *t)
{
	while (t != NULL && atomic_fetch_sub(&t->uses, 1) == 1) {
		struct mem_tree *right = t->right;

		mem_tree_drop(t->left);
		mem_entry_drop(t->entry);
		mem_free(t);
		t = right;
	}
}

/* A node over subtrees, which it takes over also on failure. */
static int
node_new(const struct mem_tree *like, struct mem_tree *left, struct mem_tree *right,
    struct mem_tree **ret)
{
	struct mem_tree *t = mem_alloc(sizeof(*t));

	if (t == NULL) {
		mem_tree_drop(left);
		mem_tree_drop(right);
		return E_NOMEM;
	}
	mem_entry_keep(like->entry);
	*t = (struct mem_tree){ 1, like->priority, like->entry, left, right };
	*ret = t;
	return 0;
}

/* Puts `like` over left and right, and whichever child has a higher priority above it. A child
 * that is higher was made by this change, so it may be altered. */
static int
node_join(const struct mem_tree *like, struct mem_tree *left, struct mem_tree *right,
    struct mem_tree **ret)
{
	struct mem_tree *top = NULL, **inner;
	int              r;

	if (left != NULL && left->priority > like->priority) {
		top = left;
		inner = &top->right;
		left = TAKE(*inner);
	} else if (right != NULL && right->priority > like->priority) {
		top = right;
		inner = &top->left;
		right = TAKE(*inner);
	} else {
		return node_new(like, left, right, ret);
	}
	r = node_new(like, left, right, inner);
	if (r < 0) {
		mem_tree_drop(top);
		return r;
	}
	*ret = top;
	return 0;
}

static int
put(const struct mem_tree *t, const struct mem_tree *item, struct mem_tree **ret)
{
	struct mem_tree *below;
	int              c, r;

	if (t == NULL)
		return node_new(item, NULL, NULL, ret);
	c = str_cmp(mem_entry_key(item->entry), mem_entry_key(t->entry));
	if (c == 0) {
		const struct mem_tree same = { 0, t->priority, item->entry, NULL, NULL };

		return node_new(&same, mem_tree_keep(t->left), mem_tree_keep(t->right), ret);
	}
	r = put(c < 0 ? t->left : t->right, item, &below);
	if (r < 0)
		return r;
	return c < 0 ? node_join(t, below, mem_tree_keep(t->right), ret)
		     : node_join(t, mem_tree_keep(t->left), below, ret);
}

static struct mem_entry *
entry_new(struct str key, struct str value)
{
	struct mem_entry *e = mem_alloc(sizeof(*e) + key.n + value.n);

	if (e == NULL)
		return NULL;
	atomic_init(&e->uses, 1);
	e->key_n = key.n;
	e->value_n = value.n;
	if (key.n != 0)
		memcpy(e->bytes, key.p, key.n);
	if (value.n != 0)
		memcpy(e->bytes + key.n, value.p, value.n);
	return e;
}

/* splitmix64 of a counter: spread well enough, and the same in every run. */
static uint64_t
priority_new(void)
{
	static _Atomic uint64_t counter;
	uint64_t                z = atomic_fetch_add(&counter, 1) * 0x9E3779B97F4A7C15u;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

int
mem_tree_put(struct mem_tree *t, struct str key, struct str value, struct mem_tree **ret)
{
	struct mem_tree item = { .priority = priority_new(), .entry = entry_new(key, value) };
	int             r;

	if (item.entry == NULL)
		return E_NOMEM;
	r = put(t, &item, ret);
	mem_entry_drop(item.entry);
	return r;
}

/* One tree of two, all keys of a below those of b. */
static int
merge(struct mem_tree *a, struct mem_tree *b, struct mem_tree **ret)
{
	struct mem_tree *below;
	int              r;

	if (a == NULL || b == NULL) {
		*ret = mem_tree_keep(a != NULL ? a : b);
		return 0;
	}
	if (a->priority >= b->priority) {
		r = merge(a->right, b, &below);
		return r < 0 ? r : node_new(a, mem_tree_keep(a->left), below, ret);
	}
	r = merge(a, b->left, &below);
	return r < 0 ? r : node_new(b, below, mem_tree_keep(b->right), ret);
}

int
mem_tree_del(struct mem_tree *t, struct str key, struct mem_tree **ret)
{
	struct mem_tree *below;
	int              c, r;

	if (t == NULL) {
		*ret = NULL;
		return 0;
	}
	c = str_cmp(key, mem_entry_key(t->entry));
	if (c == 0)
		return merge(t->left, t->right, ret);
	r = mem_tree_del(c < 0 ? t->left : t->right, key, &below);
	if (r < 0)
		return r;
	return c < 0 ? node_new(t, below, mem_tree_keep(t->right), ret)
		     : node_new(t, mem_tree_keep(t->left), below, ret);
}

const struct mem_entry *
mem_tree_at_least(const struct mem_tree *t, struct str key)
{
	const struct mem_entry *best = NULL;

	while (t != NULL) {
		if (str_cmp(mem_entry_key(t->entry), key) >= 0) {
			best = t->entry;
			t = t->left;
		} else {
			t = t->right;
		}
	}
	return best;
}

const struct mem_entry *
mem_tree_below(const struct mem_tree *t, struct str key)
{
	const struct mem_entry *best = NULL;

	while (t != NULL) {
		if (str_cmp(mem_entry_key(t->entry), key) < 0) {
			best = t->entry;
			t = t->right;
		} else {
			t = t->left;
		}
	}
	return best;
}

const struct mem_entry *
mem_tree_find(const struct mem_tree *t, struct str key)
{
	const struct mem_entry *e = mem_tree_at_least(t, key);

	return e != NULL && str_eq(mem_entry_key(e), key) ? e : NULL;
}
