#include "auth/change.h"
#include "base/error.h"
#include "base/map.h"

/* How many domains are asked for a postmaster before the first account gets the mail. */
enum { POSTMASTER_DOMAINS = 200 };

/*
 * Expanding an address. Each name that is still to look at is a step; an entry is looked at once,
 * whatever leads to it, so cycles end.
 */
struct step {
	struct str name;
	struct str exact; /* as the alias has it */
};

struct walk {
	struct directory *d;
	struct arena     *arena;
	struct map        seen;
	struct step      *steps;
	size_t            n_steps, cap;
	struct resolved   out;
	size_t            n_off;
	struct str        last_tag; /* of the last account found */
};

static int
add_step(struct walk *w, struct str name, struct str exact)
{
	struct step *grown;

	if (w->n_steps > RESOLVE_MAX)
		return E_LIMIT;
	if (w->n_steps == w->cap) {
		grown = arena_grow(w->arena, w->steps, w->cap * sizeof(*w->steps),
		    (w->cap * 2 + 8) * sizeof(*w->steps));
		if (grown == NULL)
			return E_NOMEM;
		w->steps = grown;
		w->cap = w->cap * 2 + 8;
	}
	w->steps[w->n_steps++] = (struct step){ name, exact };
	return 0;
}

/* Room for one more in an array that is grown at each power of two. */
static void *
grow_list(struct walk *w, void *list, size_t n, size_t width)
{
	size_t cap = n < 4 ? 4 : 2 * n;

	if (n != 0 && (n < 4 || (n & (n - 1)) != 0))
		return list;
	return arena_grow(w->arena, list, n * width, cap * width);
}

static int
add_account(struct walk *w, uint64_t id, struct str tag)
{
	uint64_t *list = grow_list(w, w->out.accounts, w->out.n_accounts, sizeof(*list));

	if (list == NULL)
		return E_NOMEM;
	w->out.accounts = list;
	w->out.accounts[w->out.n_accounts++] = id;
	w->last_tag = tag;
	return 0;
}

static int
add_remote(struct walk *w, struct str exact)
{
	struct str *list = grow_list(w, w->out.remote, w->out.n_remote, sizeof(*list));

	if (list == NULL)
		return E_NOMEM;
	w->out.remote = list;
	w->out.remote[w->out.n_remote++] = exact;
	return 0;
}

static int
add_targets(struct walk *w, const struct dir_entry *e)
{
	for (size_t i = 0; i < e->n_targets; i++) {
		struct address got;
		int            r = address_parse(e->targets[i], false, w->arena, &got);

		if (r == 0)
			r = add_step(w, got.name, got.exact);
		if (r < 0)
			return r;
	}
	return 0;
}

static struct str
unquoted_local(struct str name)
{
	struct str local = address_local(name);

	return local.n > 0 && local.p[0] == '"' ? str_of(local.p + 1, local.n - 2) : local;
}

/* Account or alias, then the same without its tags one by one, then the catch-all. *name becomes
 * the entry's. E_NOT_FOUND. */
static int
find_entry(struct walk *w, struct str *name, struct str *ret_tag, struct dir_entry *ret)
{
	struct str base = *name, tag = STR_NONE, ignored;
	int        r;

	r = dir_get(w->d, base, w->arena, ret);
	while (r == E_NOT_FOUND) {
		r = address_cut_tag(base, w->arena, &base, &ignored);
		if (r < 0)
			break;
		tag = str_skip(unquoted_local(*name), unquoted_local(base).n + 1);
		r = dir_get(w->d, base, w->arena, ret);
	}
	if (r == E_NOT_FOUND) {
		base = str_skip(*name, address_local(*name).n);
		tag = STR_NONE;
		r = dir_get(w->d, base, w->arena, ret);
	}
	if (r == 0) {
		*name = base;
		*ret_tag = tag;
	}
	return r;
}

/* E_NOT_FOUND: nobody has this name. */
static int
take_step(struct walk *w, struct step s, struct str *ret_tag)
{
	struct dir_entry e;
	struct str       tag = STR_NONE;
	bool             local;
	int              r;

	r = dir_is_local(w->d, address_domain(s.name), &local);
	if (r == 0 && local)
		r = find_entry(w, &s.name, &tag, &e);
	if (r < 0 || map_get(&w->seen, s.name) != NULL)
		return r;
	r = map_put(&w->seen, s.name, w);
	if (r < 0)
		return r;
	*ret_tag = tag;
	if (!local)
		return add_remote(w, s.exact);
	if (e.kind == DIR_ALIAS)
		return add_targets(w, &e);
	if (!e.enabled) {
		w->n_off++;
		return 0;
	}
	return add_account(w, e.id, tag);
}

/* A target that is not there (any more) is passed over, as long as another one is. */
static int
take_steps(struct walk *w)
{
	struct str tag = STR_NONE, ignored;
	int        r = 0;

	for (size_t i = 0; i < w->n_steps; i++) {
		r = take_step(w, w->steps[i], i == 0 ? &tag : &ignored);
		if (r < 0 && (r != E_NOT_FOUND || i == 0))
			return r;
	}
	w->out.tag = w->out.n_accounts == 1 && w->last_tag.n != 0 ? w->last_tag : tag;
	if (w->out.n_accounts != 0 || w->out.n_remote != 0)
		return 0;
	return w->n_off != 0 ? E_ACCOUNT_OFF : E_NO_USER;
}

/* --- postmaster --- */

/* postmaster of any domain, in the order of the domains; as an account or alias of its own. */
static int
find_postmaster(struct walk *w, struct str *ret)
{
	OWN(kv_iter)     it = NULL;
	struct dir_entry e;
	struct str       key, value;
	char            *name;
	int              r;

	r = kv_scan(w->d->kv, DIR_PART, STR("D"), STR("E"), false, &it);
	for (int i = 0; r == 0 && i < POSTMASTER_DOMAINS; i++) {
		r = kv_iter_next(it, &key, &value);
		if (r <= 0)
			break;
		name = arena_printf(w->arena, "postmaster@%.*s", STR_ARG(str_skip(key, 1)));
		if (name == NULL)
			return E_NOMEM;
		*ret = str_c(name);
		r = dir_get(w->d, *ret, w->arena, &e);
		if (r != E_NOT_FOUND)
			return r;
		r = 0;
	}
	return r < 0 ? r : E_NOT_FOUND;
}

static int
first_account(struct walk *w)
{
	OWN(kv_iter)     it = NULL;
	struct str       key, value, name;
	struct dir_entry e;
	int              r;

	r = kv_scan(w->d->kv, DIR_PART, STR("I"), STR("J"), false, &it);
	while (r == 0 && (r = kv_iter_next(it, &key, &value)) == 1) {
		r = dir_value_to_str(value, &name);
		if (r == 0)
			r = dir_get(w->d, name, w->arena, &e);
		if (r == 0 && e.kind == DIR_ACCOUNT && e.enabled)
			return add_account(w, e.id, STR_NONE);
		if (r == E_NOT_FOUND)
			r = 0;
	}
	return r < 0 ? r : E_NO_USER;
}

static int
resolve_postmaster(struct walk *w)
{
	struct str name;
	int        r = find_postmaster(w, &name);

	if (r == 0)
		r = add_step(w, name, name);
	if (r == 0)
		r = take_steps(w);
	/* Somebody must get it (RFC 5321 s4.5.1), even when that account is switched off. */
	if (r == E_NOT_FOUND || r == E_NO_USER || r == E_ACCOUNT_OFF)
		r = first_account(w);
	return r;
}

/* --- the calls --- */

static int
resolve_address(struct walk *w, struct str text)
{
	struct address got;
	bool           local;
	int            r;

	if (str_ieq(text, STR("postmaster")))
		return resolve_postmaster(w);
	r = address_parse(text, false, w->arena, &got);
	if (r == 0)
		r = dir_is_local(w->d, address_domain(got.name), &local);
	if (r < 0)
		return r;
	if (!local)
		return E_RELAY;
	r = add_step(w, got.name, got.exact);
	if (r == 0)
		r = take_steps(w);
	if (r != E_NOT_FOUND)
		return r;
	if (!str_eq(address_local(got.name), STR("postmaster")))
		return E_NO_USER;
	w->n_steps = 0;
	return resolve_postmaster(w);
}

static int
resolve_anew(struct directory *d, struct str address, struct arena *a, struct resolved *ret)
{
	struct walk w = { .d = d, .arena = a };
	int         r;

	map_init(&w.seen);
	r = resolve_address(&w, address);
	map_done(&w.seen);
	if (r == 0)
		*ret = w.out;
	return r;
}

static int
resolved_of(const struct known_answer *known, struct arena *a, struct resolved *ret)
{
	struct resolved out = { .n_accounts = 1, .tag = known->name };

	out.accounts = arena_alloc(a, sizeof(*out.accounts));
	if (out.accounts == NULL)
		return E_NOMEM;
	out.accounts[0] = known->id;
	*ret = out;
	return 0;
}

/* What leads to one account, as nearly every address does, is remembered. */
int
directory_resolve(struct directory *d, struct str address, struct arena *a, struct resolved *ret)
{
	struct known_question q = { 'R', address };
	struct known_mark     mark = { .generation = kv_generation(d->kv) };
	struct known_answer   known = { 0 };
	int                   r = known_get(&d->known, &q, a, &mark, &known);

	if (r == 0)
		return resolved_of(&known, a, ret);
	r = resolve_anew(d, address, a, ret);
	if (r < 0 || ret->n_accounts != 1 || ret->n_remote != 0)
		return r;
	known.id = ret->accounts[0];
	known.name = ret->tag;
	known_put(&d->known, &q, &mark, &known);
	return 0;
}

int
directory_may_send_as(struct directory *d, uint64_t account, struct str address)
{
	OWN_ARENA struct arena a = ARENA_INIT(16 << 20);
	struct resolved        got;
	int                    r = directory_resolve(d, address, &a, &got);

	if (r == E_NO_USER || r == E_RELAY || r == E_ACCOUNT_OFF || r == E_BAD_ADDRESS)
		return E_SENDER_NOT_YOURS;
	if (r < 0)
		return r;
	for (size_t i = 0; i < got.n_accounts; i++)
		if (got.accounts[i] == account)
			return 0;
	return E_SENDER_NOT_YOURS;
}
