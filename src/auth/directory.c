#include "auth/directory.h"

#include "auth/alias.h"
#include "auth/scram_store.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

enum { HASH_MAX = 1024, SCRATCH_MAX = 64 << 10 };

int
directory_open(struct kv *kv, struct directory **ret)
{
	struct directory *d = MEM_NEW(struct directory);

	if (d == NULL)
		return E_NOMEM;
	d->kv = kv;
	known_init(&d->known);
	passes_init(&d->passes);
	*ret = d;
	return 0;
}

void
directory_drop(struct directory *d)
{
	if (d == NULL)
		return;
	known_done(&d->known);
	passes_done(&d->passes);
	mem_free(d);
}

/* --- domains --- */

static int
build_domain_add(struct dir_change *c, void *arg)
{
	OWN_BUF struct buf b = BUF_INIT(64);
	struct dir_key     k;
	bool               there;
	int                r;

	dir_key_domain(&k, *(struct str *)arg);
	r = dir_has(c->d, &k, &there);
	if (r < 0)
		return r;
	if (there)
		return E_EXISTS;
	dir_value_u64((uint64_t)clock_real_ms(), &b);
	dir_put(c, &k, &b);
	return 0;
}

int
directory_domain_add(struct directory *d, struct str domain)
{
	OWN_ARENA struct arena a = ARENA_INIT(SCRATCH_MAX);
	struct str             name;
	int                    r = domain_parse(domain, &a, &name);

	return r < 0 ? r : dir_change(d, build_domain_add, &name);
}

static int
domain_in_use(struct directory *d, struct str domain, bool *ret)
{
	OWN(kv_iter)   it = NULL;
	struct dir_key from, to;
	struct str     key, value, all = STR("@");
	char           name[ADDRESS_MAX + 1];
	int            r;

	memcpy(name, all.p, all.n);
	memcpy(name + all.n, domain.p, domain.n);
	dir_key_address(&from, str_of(name, all.n + domain.n));
	dir_key_end(&from, &to);
	r = kv_scan(d->kv, DIR_PART, dir_key_str(&from), dir_key_str(&to), false, &it);
	if (r == 0)
		r = kv_iter_next(it, &key, &value);
	if (r < 0)
		return r;
	*ret = r == 1;
	return 0;
}

static int
build_domain_remove(struct dir_change *c, void *arg)
{
	struct str     domain = *(struct str *)arg;
	struct dir_key k;
	bool           there, used = true;
	int            r;

	dir_key_domain(&k, domain);
	r = dir_has(c->d, &k, &there);
	if (r == 0 && !there)
		r = E_NOT_FOUND;
	if (r == 0)
		r = domain_in_use(c->d, domain, &used);
	if (r < 0)
		return r;
	if (used)
		return E_CANNOT;
	dir_del(c, &k);
	return 0;
}

int
directory_domain_remove(struct directory *d, struct str domain)
{
	OWN_ARENA struct arena a = ARENA_INIT(SCRATCH_MAX);
	struct str             name;
	int                    r = domain_parse(domain, &a, &name);

	return r < 0 ? r : dir_change(d, build_domain_remove, &name);
}

int
directory_domain_is_local(struct directory *d, struct str domain, bool *ret)
{
	OWN_ARENA struct arena a = ARENA_INIT(SCRATCH_MAX);
	struct str             name;
	int                    r = domain_parse(domain, &a, &name);

	if (r == E_BAD_ADDRESS) {
		*ret = false;
		return 0;
	}
	return r < 0 ? r : dir_is_local(d, name, ret);
}

static int
take_domain(struct str key, struct str value, struct arena *a, void *item, bool *ret_is)
{
	(void)value;
	*ret_is = true;
	return arena_dup(a, str_skip(key, 1), item);
}

int
directory_domain_list(struct directory *d, struct arena *a, struct str **ret, size_t *ret_n)
{
	static const struct dir_lister DOMAINS = { 'D', sizeof(**ret), take_domain };

	return dir_list(d, &DOMAINS, a, (void **)ret, ret_n);
}

/* --- accounts: adding --- */

struct account_add {
	struct str name;
	struct str hash;
	uint64_t   id;
};

static int
next_id(struct directory *d, uint64_t *ret)
{
	OWN_BUF struct buf b = BUF_INIT(64);
	struct dir_key     k;
	int                r;

	dir_key_next_id(&k);
	r = kv_get(d->kv, DIR_PART, dir_key_str(&k), &b);
	if (r == E_NOT_FOUND) {
		*ret = 1;
		return 0;
	}
	return r < 0 ? r : dir_value_to_u64(buf_view(&b), ret);
}

static void
put_id(struct dir_change *c, uint64_t id, struct str name)
{
	OWN_BUF struct buf b = BUF_INIT(1024);
	struct dir_key     k;

	dir_key_id(&k, id);
	dir_value_str(name, &b);
	dir_put(c, &k, &b);
	dir_key_next_id(&k);
	buf_reset(&b);
	dir_value_u64(id + 1, &b);
	dir_put(c, &k, &b);
}

static int
build_account_add(struct dir_change *c, void *arg)
{
	struct account_add *add = arg;
	struct dir_entry    e;
	bool                local;
	int                 r;

	r = dir_is_local(c->d, address_domain(add->name), &local);
	if (r < 0)
		return r;
	if (!local)
		return E_NOT_FOUND;
	r = dir_get(c->d, add->name, &c->arena, &e);
	if (r == 0)
		return E_EXISTS;
	if (r == E_NOT_FOUND)
		r = next_id(c->d, &add->id);
	if (r < 0)
		return r;
	e = (struct dir_entry){ .kind = DIR_ACCOUNT, .id = add->id, .enabled = true,
		.created_ms = clock_real_ms(), .hash = add->hash };
	dir_put_entry(c, add->name, &e);
	put_id(c, add->id, add->name);
	return 0;
}

int
directory_account_add(struct directory *d, struct str address, struct str hash, uint64_t *ret_id)
{
	OWN_ARENA struct arena a = ARENA_INIT(SCRATCH_MAX);
	struct account_add     add = { .hash = hash };
	int                    r;

	if (hash.n > HASH_MAX)
		return E_LIMIT;
	r = address_normalise(address, &a, &add.name);
	if (r == 0)
		r = dir_change(d, build_account_add, &add);
	if (r == 0)
		*ret_id = add.id;
	return r;
}

/* --- accounts: reading --- */

static struct directory_account
account_of(struct str name, const struct dir_entry *e)
{
	return (struct directory_account){ .id = e->id, .address = name, .hash = e->hash,
		.enabled = e->enabled, .created_ms = e->created_ms };
}

static int
get_account(struct directory *d, struct str name, struct arena *a, struct dir_entry *ret)
{
	int r = dir_get(d, name, a, ret);

	return r == 0 && ret->kind != DIR_ACCOUNT ? E_NOT_FOUND : r;
}

static int
get_anew(struct directory *d, struct str address, struct arena *a, struct directory_account *ret)
{
	struct dir_entry e;
	struct str       name;
	int              r;

	r = address_normalise(address, a, &name);
	if (r == 0)
		r = get_account(d, name, a, &e);
	if (r == 0)
		*ret = account_of(name, &e);
	return r;
}

int
directory_account_get(struct directory *d, struct str address, struct arena *a,
    struct directory_account *ret)
{
	struct known_question q = { 'A', address };
	struct known_mark     mark = { .generation = kv_generation(d->kv) };
	struct known_answer   known;
	int                   r = known_get(&d->known, &q, a, &mark, &known);

	if (r == 0) {
		*ret = (struct directory_account){ .id = known.id,
			.address = known.name,
			.hash = known.hash,
			.enabled = known.enabled,
			.created_ms = known.created_ms };
		return 0;
	}
	r = get_anew(d, address, a, ret);
	if (r < 0)
		return r;
	known = (struct known_answer){ .id = ret->id, .name = ret->address, .hash = ret->hash,
		.enabled = ret->enabled, .created_ms = ret->created_ms };
	known_put(&d->known, &q, &mark, &known);
	return 0;
}

int
directory_account_by_id(struct directory *d, uint64_t id, struct arena *a,
    struct directory_account *ret)
{
	OWN_BUF struct buf b = BUF_INIT(1024);
	struct dir_key     k;
	struct dir_entry   e;
	struct str         name;
	int                r;

	dir_key_id(&k, id);
	r = kv_get(d->kv, DIR_PART, dir_key_str(&k), &b);
	if (r == 0)
		r = dir_value_to_str(buf_view(&b), &name);
	if (r == 0)
		r = arena_dup(a, name, &name);
	if (r == 0)
		r = get_account(d, name, a, &e);
	if (r == 0 && e.id != id)
		r = E_NOT_FOUND; /* removed and added anew between the two reads */
	if (r == 0)
		*ret = account_of(name, &e);
	return r;
}

static int
take_account(struct str key, struct str value, struct arena *a, void *item, bool *ret_is)
{
	struct directory_account *ret = item;
	struct dir_entry          e;
	struct str                name;
	int                       r;

	*ret_is = false;
	r = dir_entry_unpack(value, a, &e);
	if (r < 0 || e.kind != DIR_ACCOUNT)
		return r;
	r = dir_key_to_name(key, a, &name);
	if (r == 0)
		r = arena_dup(a, e.hash, &e.hash);
	if (r == 0) {
		*ret = account_of(name, &e);
		*ret_is = true;
	}
	return r;
}

int
directory_account_list(struct directory *d, struct arena *a, struct directory_account **ret,
    size_t *ret_n)
{
	static const struct dir_lister ACCOUNTS = { 'A', sizeof(**ret), take_account };

	return dir_list(d, &ACCOUNTS, a, (void **)ret, ret_n);
}

/* --- accounts: changing --- */

struct account_set {
	struct str  name;
	struct str *hash; /* NULL: leave */
	bool       *on;   /* NULL: leave */
	enum directory_sessions sessions;
};

static int
build_account_set(struct dir_change *c, void *arg)
{
	struct account_set *set = arg;
	struct dir_entry    e;
	int                 r = get_account(c->d, set->name, &c->arena, &e);

	if (r < 0)
		return r;
	if (set->hash != NULL) {
		if (set->sessions == SESSIONS_END && !str_eq(e.hash, *set->hash))
			c->taken = (struct taken){ .account = e.id, .why = E_AUTH_FAILED };
		e.hash = *set->hash;
	}
	if (set->on != NULL) {
		if (!*set->on)
			c->taken = (struct taken){ .account = e.id, .why = E_AUTH_DISABLED };
		e.enabled = *set->on;
	}
	dir_put_entry(c, set->name, &e);
	return set->hash != NULL ? dir_scram_forget_main(c, e.id) : 0;
}

static int
account_set(struct directory *d, struct str address, struct account_set *set)
{
	OWN_ARENA struct arena a = ARENA_INIT(SCRATCH_MAX);
	int                    r = address_normalise(address, &a, &set->name);

	return r < 0 ? r : dir_change(d, build_account_set, set);
}

int
directory_account_set_hash(struct directory *d, struct str address, struct str hash,
    enum directory_sessions sessions)
{
	if (hash.n > HASH_MAX)
		return E_LIMIT;
	return account_set(
	    d, address, &(struct account_set){ .hash = &hash, .sessions = sessions });
}

int
directory_account_enable(struct directory *d, struct str address, bool on)
{
	return account_set(d, address, &(struct account_set){ .on = &on });
}

/* --- accounts: removing --- */

struct account_remove {
	struct str name;
	uint64_t   id;
};

static int
build_account_remove(struct dir_change *c, void *arg)
{
	struct account_remove *gone = arg;
	struct dir_entry       e;
	struct dir_key         k;
	int                    r = get_account(c->d, gone->name, &c->arena, &e);

	if (r < 0)
		return r;
	gone->id = e.id;
	c->taken = (struct taken){ .account = e.id, .why = E_NOT_FOUND };
	dir_key_address(&k, gone->name);
	dir_del(c, &k);
	dir_key_id(&k, e.id);
	dir_del(c, &k);
	app_password_forget_all(c, e.id);
	return alias_forget_target(c, gone->name);
}

int
directory_account_remove(struct directory *d, struct str address, uint64_t *ret_id)
{
	OWN_ARENA struct arena a = ARENA_INIT(SCRATCH_MAX);
	struct account_remove  gone = { 0 };
	int                    r;

	r = address_normalise(address, &a, &gone.name);
	if (r == 0)
		r = dir_change(d, build_account_remove, &gone);
	if (r == 0)
		*ret_id = gone.id;
	return r;
}
