#include "auth/alias.h"

#include "base/error.h"
#include "base/map.h"

/* --- adding and removing targets --- */

struct alias_edit {
	struct str      name;
	struct address *targets;
	size_t          n;
};

static int
parse_edit(struct str name, const struct str *targets, size_t n, struct arena *a,
    struct alias_edit *ret)
{
	struct alias_edit e = { .n = n };
	struct address    got;
	int               r;

	r = address_parse(name, true, a, &got);
	if (r < 0)
		return r;
	e.name = got.name;
	e.targets = arena_alloc(a, n * sizeof(*e.targets));
	if (e.targets == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < n; i++) {
		r = address_parse(targets[i], false, a, &e.targets[i]);
		if (r < 0)
			return r;
		if (str_eq(e.targets[i].name, e.name))
			return E_CANNOT;
	}
	*ret = e;
	return 0;
}

/* The normalised names of an alias's targets, as a set. */
static int
names_of(const struct dir_entry *e, struct arena *a, struct map *set)
{
	for (size_t i = 0; i < e->n_targets; i++) {
		struct address got;
		int            r = address_parse(e->targets[i], false, a, &got);

		if (r == 0)
			r = map_put(set, got.name, set);
		if (r < 0)
			return r;
	}
	return 0;
}

static void
put_reverse(struct dir_change *c, struct str target, struct str alias)
{
	OWN_BUF struct buf b = BUF_INIT(16);
	struct dir_key     k;

	dir_key_reverse(&k, target, alias);
	pack_u8(&b, 1);
	dir_put(c, &k, &b);
}

static void
del_reverse(struct dir_change *c, struct str target, struct str alias)
{
	struct dir_key k;

	dir_key_reverse(&k, target, alias);
	dir_del(c, &k);
}

static int
add_targets(struct dir_change *c, const struct alias_edit *edit, struct dir_entry *e,
    struct map *names)
{
	size_t had = e->n_targets;
	int    r;

	e->targets = arena_grow(&c->arena, e->targets, had * sizeof(*e->targets),
	    (had + edit->n) * sizeof(*e->targets));
	if (e->targets == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < edit->n; i++) {
		if (map_get(names, edit->targets[i].name) != NULL)
			continue;
		r = map_put(names, edit->targets[i].name, names);
		if (r < 0)
			return r;
		e->targets[e->n_targets++] = edit->targets[i].exact;
		put_reverse(c, edit->targets[i].name, edit->name);
	}
	if (e->n_targets == had)
		return E_EXISTS;
	if (e->n_targets > RESOLVE_MAX)
		return E_LIMIT;
	dir_put_entry(c, edit->name, e);
	return 0;
}

static int
build_add(struct dir_change *c, void *arg)
{
	const struct alias_edit *edit = arg;
	struct dir_entry         e;
	struct map               names;
	bool                     local;
	int                      r;

	r = dir_is_local(c->d, address_domain(edit->name), &local);
	if (r < 0)
		return r;
	if (!local)
		return E_NOT_FOUND;
	r = dir_get(c->d, edit->name, &c->arena, &e);
	if (r == 0 && e.kind != DIR_ALIAS)
		return E_EXISTS;
	if (r == E_NOT_FOUND)
		e = (struct dir_entry){ .kind = DIR_ALIAS };
	else if (r < 0)
		return r;
	map_init(&names);
	r = names_of(&e, &c->arena, &names);
	if (r == 0)
		r = add_targets(c, edit, &e, &names);
	map_done(&names);
	return r;
}

int
directory_alias_add(struct directory *d, struct str address, const struct str *targets, size_t n)
{
	OWN_ARENA struct arena a = ARENA_INIT(8 << 20);
	struct alias_edit      edit;
	int                    r;

	if (n == 0)
		return E_BAD_ADDRESS;
	if (n > RESOLVE_MAX)
		return E_LIMIT;
	r = parse_edit(address, targets, n, &a, &edit);
	return r < 0 ? r : dir_change(d, build_add, &edit);
}

/* Writes the alias without the targets whose names are in the set (all of them when it is NULL);
 * without any left the alias goes. */
static int
put_without(struct dir_change *c, struct str name, struct dir_entry *e, const struct map *gone)
{
	struct dir_key k;
	size_t         kept = 0;

	for (size_t i = 0; i < e->n_targets; i++) {
		struct address got;
		int            r = address_parse(e->targets[i], false, &c->arena, &got);

		if (r < 0)
			return r;
		if (gone != NULL && map_get(gone, got.name) == NULL)
			e->targets[kept++] = e->targets[i];
		else
			del_reverse(c, got.name, name);
	}
	e->n_targets = kept;
	if (kept != 0) {
		dir_put_entry(c, name, e);
		return 0;
	}
	dir_key_address(&k, name);
	dir_del(c, &k);
	return 0;
}

static int
build_remove(struct dir_change *c, void *arg)
{
	const struct alias_edit *edit = arg;
	struct dir_entry         e;
	struct map               gone;
	size_t                   had;
	int                      r;

	r = dir_get(c->d, edit->name, &c->arena, &e);
	if (r == 0 && e.kind != DIR_ALIAS)
		r = E_NOT_FOUND;
	if (r < 0)
		return r;
	map_init(&gone);
	for (size_t i = 0; r == 0 && i < edit->n; i++)
		r = map_put(&gone, edit->targets[i].name, &gone);
	had = e.n_targets;
	if (r == 0)
		r = put_without(c, edit->name, &e, edit->n != 0 ? &gone : NULL);
	if (r == 0 && e.n_targets == had)
		r = E_NOT_FOUND;
	map_done(&gone);
	return r;
}

int
directory_alias_remove(struct directory *d, struct str address, const struct str *targets, size_t n)
{
	OWN_ARENA struct arena a = ARENA_INIT(8 << 20);
	struct alias_edit      edit;
	int                    r;

	if (n > RESOLVE_MAX)
		return E_LIMIT;
	r = parse_edit(address, targets, n, &a, &edit);
	if (r == E_CANNOT)
		r = E_NOT_FOUND;
	return r < 0 ? r : dir_change(d, build_remove, &edit);
}

/* --- the removal of a target everywhere --- */

struct forget {
	struct dir_change *c;
	struct map         gone;    /* names that are no targets any more; value: itself */
	struct map         touched; /* aliases that named one */
	struct str        *list;    /* gone, in the order they were found */
	size_t             n, cap;
};

static int
forget_name(struct forget *f, struct str name)
{
	struct str *grown;

	if (f->n == f->cap) {
		grown = arena_grow(&f->c->arena, f->list, f->cap * sizeof(*f->list),
		    (f->cap * 2 + 8) * sizeof(*f->list));
		if (grown == NULL)
			return E_NOMEM;
		f->list = grown;
		f->cap = f->cap * 2 + 8;
	}
	f->list[f->n++] = name;
	return map_put(&f->gone, name, f);
}

/* An alias that names one of the gone: is anything left of it? */
static int
visit_alias(struct forget *f, struct str name)
{
	struct dir_entry e;
	size_t           left = 0;
	int              r;

	if (map_get(&f->gone, name) != NULL)
		return 0;
	r = dir_get(f->c->d, name, &f->c->arena, &e);
	if (r < 0)
		return r == E_NOT_FOUND ? E_CORRUPT : r;
	for (size_t i = 0; r == 0 && i < e.n_targets; i++) {
		struct address got;

		r = address_parse(e.targets[i], false, &f->c->arena, &got);
		left += r == 0 && map_get(&f->gone, got.name) == NULL;
	}
	if (r == 0)
		r = map_put(&f->touched, name, f);
	if (r == 0 && left == 0)
		r = forget_name(f, name);
	return r;
}

static int
visit_aliases_of(struct forget *f, struct str target)
{
	OWN(kv_iter)   it = NULL;
	struct dir_key from, to;
	struct str     key, value, alias;
	int            r;

	dir_key_reverse(&from, target, STR_NONE);
	dir_key_end(&from, &to);
	r = kv_scan(f->c->d->kv, DIR_PART, dir_key_str(&from), dir_key_str(&to), false, &it);
	while (r == 0 && (r = kv_iter_next(it, &key, &value)) == 1) {
		r = arena_dup(&f->c->arena, dir_key_to_alias(key), &alias);
		if (r == 0)
			r = visit_alias(f, alias);
	}
	return r;
}

static int
write_touched(struct forget *f)
{
	for (struct map_at at = { 0 }; map_next(&f->touched, &at);) {
		struct dir_entry e;
		int              r = dir_get(f->c->d, at.key, &f->c->arena, &e);

		if (r == 0)
			r = put_without(f->c, at.key, &e, &f->gone);
		if (r < 0)
			return r;
	}
	return 0;
}

int
alias_forget_target(struct dir_change *c, struct str name)
{
	struct forget f = { .c = c };
	int           r;

	map_init(&f.gone);
	map_init(&f.touched);
	r = forget_name(&f, name);
	for (size_t i = 0; r == 0 && i < f.n; i++)
		r = visit_aliases_of(&f, f.list[i]);
	if (r == 0)
		r = write_touched(&f);
	map_done(&f.gone);
	map_done(&f.touched);
	return r;
}

/* --- listing --- */

static int
take_alias(struct str key, struct str value, struct arena *a, void *item, bool *ret_is)
{
	struct directory_alias *ret = item;
	struct dir_entry        e;
	struct str              kept;
	int                     r;

	*ret_is = false;
	/* Accounts, most of the entries, are passed over without a copy. */
	if (value.n > 1 && value.p[1] != DIR_ALIAS)
		return 0;
	r = arena_dup(a, value, &kept);
	if (r == 0)
		r = dir_entry_unpack(kept, a, &e);
	if (r == 0)
		r = dir_key_to_name(key, a, &ret->address);
	if (r == 0) {
		ret->targets = e.targets;
		ret->n_targets = e.n_targets;
		*ret_is = true;
	}
	return r;
}

int
directory_alias_list(struct directory *d, struct arena *a, struct directory_alias **ret,
    size_t *ret_n)
{
	static const struct dir_lister ALIASES = { 'A', sizeof(**ret), take_alias };

	return dir_list(d, &ALIASES, a, (void **)ret, ret_n);
}
