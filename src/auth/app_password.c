#include "auth/app_password.h"

#include <sodium.h>
#include <stdlib.h>

#include "auth/address.h"
#include "auth/password.h"
#include "auth/scram_store.h"
#include "base/clock.h"
#include "base/error.h"
#include "codec/utf8.h"

enum { VALUE_MAX = 1024, SCRATCH_MAX = 64 << 10 };

/* --- protocols --- */

#define N(lit) { lit, sizeof(lit) - 1 }
static const struct str PROTOCOLS[] = { N("imap"), N("pop3"), N("submission") };

unsigned
app_protocol_of(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(PROTOCOLS); i++)
		if (str_eq(name, PROTOCOLS[i]))
			return 1u << i;
	return 0;
}

struct str
app_protocol_name(size_t i)
{
	return i < ARRAY_LEN(PROTOCOLS) ? PROTOCOLS[i] : STR_NONE;
}

/* --- records --- */

/* The first half is a part of the key, the second of the value. */
struct secret_hash {
	unsigned char where[DIR_HASH_N], check[DIR_HASH_N];
};

static void
hash_secret(uint64_t account, struct str secret, struct secret_hash *ret)
{
	OWN_BUF struct buf head = BUF_INIT(16);
	crypto_generichash_state st;

	pack_be64(&head, account);
	crypto_generichash_init(&st, NULL, 0, sizeof(*ret));
	crypto_generichash_update(&st, (const unsigned char *)head.p, head.n);
	crypto_generichash_update(&st, (const unsigned char *)secret.p, secret.n);
	crypto_generichash_final(&st, (unsigned char *)ret, sizeof(*ret));
	sodium_memzero(&st, sizeof(st));
}

static int
app_of(const struct dir_app *d, struct str where, struct arena *a, struct app_password *ret)
{
	*ret = (struct app_password){ .id = d->number, .protocols = d->protocols,
		.created_ms = d->created_ms };
	memcpy(ret->keys, d->keys, sizeof(ret->keys));
	memcpy(ret->where, where.p, sizeof(ret->where));
	return arena_dup(a, d->name, &ret->name);
}

int
app_password_find(struct directory *d, uint64_t account, struct str secret, struct arena *a,
    struct app_password *ret)
{
	OWN_BUF struct buf  b = BUF_INIT(VALUE_MAX);
	struct secret_hash  h;
	struct dir_key      k;
	struct dir_app      app;
	struct app_password found;
	struct str          where = str_of((char *)h.where, sizeof(h.where));
	int                 r;

	hash_secret(account, secret, &h);
	dir_key_app(&k, account, where);
	r = kv_get(d->kv, DIR_PART, dir_key_str(&k), &b);
	if (r == 0)
		r = dir_app_unpack(buf_view(&b), &app);
	if (r == 0 && sodium_memcmp(app.check.p, h.check, sizeof(h.check)) != 0)
		r = E_NOT_FOUND;
	if (r == 0)
		r = app_of(&app, where, a, &found);
	if (r == 0)
		*ret = found;
	return r;
}

/* At most APP_PASSWORDS_MAX are there; the array has room for as many. */
int
app_password_all(struct directory *d, uint64_t account, struct arena *a, struct app_password **ret,
    size_t *ret_n)
{
	OWN(kv_iter)         it = NULL;
	struct app_password *list = arena_alloc(a, APP_PASSWORDS_MAX * sizeof(*list));
	struct dir_key       from, to;
	struct str           key, value;
	struct dir_app       app;
	size_t               n = 0;
	int                  r;

	if (list == NULL)
		return E_NOMEM;
	dir_key_app(&from, account, STR_NONE);
	dir_key_app(&to, account + 1, STR_NONE);
	r = kv_scan(d->kv, DIR_PART, dir_key_str(&from), dir_key_str(&to), false, &it);
	while (r == 0 && n < APP_PASSWORDS_MAX && (r = kv_iter_next(it, &key, &value)) == 1) {
		/* A damaged one opens nothing, and the others can still be taken back. */
		if (dir_app_unpack(value, &app) < 0)
			continue;
		r = app_of(&app, str_skip(key, from.n), a, &list[n++]);
	}
	if (r < 0)
		return r;
	*ret = list;
	*ret_n = n;
	return 0;
}

/* --- when it was used --- */

int
app_password_last_used(struct directory *d, uint64_t account, uint64_t id, int64_t *ret_ms)
{
	OWN_BUF struct buf b = BUF_INIT(64);
	struct dir_key     k;
	uint64_t           ms;
	int                r;

	dir_key_app_used(&k, account, id);
	r = kv_get(d->kv, DIR_PART, dir_key_str(&k), &b);
	if (r == 0)
		r = dir_value_to_u64(buf_view(&b), &ms);
	if (r < 0 && r != E_NOT_FOUND)
		return r;
	*ret_ms = r == 0 ? (int64_t)ms : 0;
	return 0;
}

struct use {
	uint64_t                   account;
	const struct app_password *app;
	int64_t                    at_ms;
};

static int
build_use(struct dir_change *c, void *arg)
{
	OWN_BUF struct buf b = BUF_INIT(64);
	const struct use  *use = arg;
	struct dir_key     k;
	bool               there;
	int                r;

	dir_key_app(&k, use->account,
	    str_of((const char *)use->app->where, sizeof(use->app->where)));
	r = dir_has(c->d, &k, &there);
	if (r < 0)
		return r;
	if (!there)
		return E_NOT_FOUND;
	dir_key_app_used(&k, use->account, use->app->id);
	dir_value_u64((uint64_t)use->at_ms, &b);
	dir_put(c, &k, &b);
	return 0;
}

int
app_password_set_used(struct directory *d, uint64_t account, const struct app_password *app,
    int64_t now_ms)
{
	return dir_note(d, build_use, &(struct use){ account, app, now_ms });
}

/* --- listing --- */

static int
by_id(const void *a, const void *b)
{
	const struct app_password *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

int
app_password_list(struct directory *d, struct str address, struct arena *a,
    struct app_password **ret, size_t *ret_n)
{
	struct directory_account acc;
	struct app_password     *list;
	size_t                   n = 0;
	int                      r = directory_account_get(d, address, a, &acc);

	if (r == 0)
		r = app_password_all(d, acc.id, a, &list, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = app_password_last_used(d, acc.id, list[i].id, &list[i].last_used_ms);
	if (r < 0)
		return r;
	qsort(list, n, sizeof(*list), by_id);
	*ret = list;
	*ret_n = n;
	return 0;
}

/* --- adding --- */

static int
check_name(struct str name)
{
	if (name.n == 0 || name.n > APP_NAME_MAX || !utf8_valid(name) ||
	    !str_eq(str_trim(name), name) || !address_is_visible(name))
		return E_PARAM;
	return 0;
}

struct adding {
	struct str                 address; /* normalised */
	const struct app_password *wanted;
	struct str                 secret;
	struct scram_salt          salt;
	struct scram_keys          keys[SCRAM_HASHES];
};

/* The account as it is now, with its record and app passwords. E_NOT_FOUND for an alias. */
static int
read_account(struct dir_change *c, struct str address, uint64_t *ret_id, struct app_password **list,
    size_t *n)
{
	struct dir_entry e;
	int              r = dir_get(c->d, address, &c->arena, &e);

	if (r == 0 && e.kind != DIR_ACCOUNT)
		r = E_NOT_FOUND;
	if (r == 0)
		r = app_password_all(c->d, e.id, &c->arena, list, n);
	if (r == 0)
		*ret_id = e.id;
	return r;
}

static const struct app_password *
find_name(const struct app_password *list, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i].name, name))
			return &list[i];
	return NULL;
}

static void
put_app(struct dir_change *c, uint64_t account, uint64_t number, const struct adding *add)
{
	OWN_BUF struct buf b = BUF_INIT(VALUE_MAX);
	struct secret_hash h;
	struct dir_key     k;
	struct dir_app     app = { .check = str_of((char *)h.check, sizeof(h.check)),
		    .number = number,
		    .name = add->wanted->name,
		    .protocols = (uint8_t)add->wanted->protocols,
		    .created_ms = clock_real_ms() };

	hash_secret(account, add->secret, &h);
	memcpy(app.keys, add->keys, sizeof(app.keys));
	dir_key_app(&k, account, str_of((char *)h.where, sizeof(h.where)));
	dir_app_pack(&app, &b);
	dir_put(c, &k, &b);
}

static int
build_add(struct dir_change *c, void *arg)
{
	struct adding       *add = arg;
	struct app_password *list;
	struct dir_scram     s;
	uint64_t             account = 0; /* for -O3 */
	size_t               n;
	int                  r = read_account(c, add->address, &account, &list, &n);

	if (r < 0)
		return r;
	if (find_name(list, n, add->wanted->name) != NULL)
		return E_EXISTS;
	if (n >= APP_PASSWORDS_MAX)
		return E_LIMIT;
	r = dir_scram_get(c->d, account, add->address, &s);
	if (r < 0)
		return r;
	/* Another account under this name since the keys were derived. */
	if (s.salt.iterations != add->salt.iterations ||
	    !str_eq(str_of((char *)s.salt.b, s.salt.n), str_of((char *)add->salt.b, add->salt.n)))
		return E_BUSY;
	put_app(c, account, s.next_number, add);
	s.next_number++;
	dir_scram_put(c, account, &s);
	return 0;
}

int
app_password_add(struct directory *d, struct str address, const struct app_password *wanted,
    struct arena *a, struct str *ret)
{
	struct directory_account acc;
	struct adding            add = { .wanted = wanted };
	int                      r = check_name(wanted->name);

	if (r == 0 && wanted->protocols == 0)
		r = E_PARAM;
	if (r == 0)
		r = directory_account_get(d, address, a, &acc);
	if (r == 0)
		r = directory_scram_salt(d, acc.id, acc.address, &add.salt);
	if (r == 0)
		r = password_generate_strong(a, &add.secret);
	for (int h = 0; r == 0 && h < SCRAM_HASHES; h++)
		r = scram_derive((enum scram_hash)h, add.secret, &add.salt, &add.keys[h]);
	if (r < 0)
		return r;
	add.address = acc.address;
	r = dir_change(d, build_add, &add);
	sodium_memzero(add.keys, sizeof(add.keys));
	if (r == 0)
		*ret = add.secret;
	return r;
}

/* --- taking back --- */

struct removal {
	struct str address, name;
	unsigned   left; /* the protocols that it stays for */
};

static int
find_to_change(struct dir_change *c, const struct removal *gone, uint64_t *ret_account,
    const struct app_password **ret)
{
	struct app_password *list;
	size_t               n;
	int                  r = read_account(c, gone->address, ret_account, &list, &n);

	if (r < 0)
		return r;
	*ret = find_name(list, n, gone->name);
	return *ret != NULL ? 0 : E_NOT_FOUND;
}

static int
build_remove(struct dir_change *c, void *arg)
{
	const struct app_password *app = NULL;
	struct dir_key             k;
	uint64_t                   account = 0; /* for -O3 */
	int                        r = find_to_change(c, arg, &account, &app);

	if (r < 0)
		return r;
	dir_key_app(&k, account, str_of((const char *)app->where, sizeof(app->where)));
	dir_del(c, &k);
	dir_key_app_used(&k, account, app->id);
	dir_del(c, &k);
	c->taken = (struct taken){ .account = account, .why = E_AUTH_FAILED,
		.app_password = app->id };
	return 0;
}

int
app_password_remove(struct directory *d, struct str address, struct str name)
{
	OWN_ARENA struct arena a = ARENA_INIT(SCRATCH_MAX);
	struct removal         gone = { .name = name };
	int                    r = address_normalise(address, &a, &gone.address);

	return r < 0 ? r : dir_change(d, build_remove, &gone);
}

static int
build_protocols(struct dir_change *c, void *arg)
{
	OWN_BUF struct buf         old = BUF_INIT(VALUE_MAX), b = BUF_INIT(VALUE_MAX);
	const struct removal      *gone = arg;
	const struct app_password *app = NULL;
	struct dir_app             record;
	struct dir_key             k;
	uint64_t                   account = 0; /* for -O3 */
	int                        r = find_to_change(c, gone, &account, &app);

	if (r < 0)
		return r;
	dir_key_app(&k, account, str_of((const char *)app->where, sizeof(app->where)));
	r = kv_get(c->d->kv, DIR_PART, dir_key_str(&k), &old);
	if (r == 0)
		r = dir_app_unpack(buf_view(&old), &record);
	if (r < 0)
		return r;
	record.protocols = (uint8_t)gone->left;
	dir_app_pack(&record, &b);
	dir_put(c, &k, &b);
	c->taken = (struct taken){ .account = account, .why = E_AUTH_PROTOCOL,
		.app_password = app->id, .protocols = gone->left };
	return 0;
}

int
app_password_set_protocols(struct directory *d, struct str address, struct str name,
    unsigned protocols)
{
	OWN_ARENA struct arena a = ARENA_INIT(SCRATCH_MAX);
	struct removal         gone = { .name = name, .left = protocols };
	int                    r = address_normalise(address, &a, &gone.address);

	if (r == 0 && protocols == 0)
		r = E_PARAM;
	return r < 0 ? r : dir_change(d, build_protocols, &gone);
}

void
app_password_forget_all(struct dir_change *c, uint64_t account)
{
	struct dir_key from, to;

	dir_key_app(&from, account, STR_NONE);
	dir_key_app(&to, account + 1, STR_NONE);
	kv_del_range(&c->batch, dir_key_str(&from), dir_key_str(&to));
	dir_key_app_used(&from, account, 0);
	dir_key_app_used(&to, account + 1, 0);
	kv_del_range(&c->batch, dir_key_str(&from), dir_key_str(&to));
	dir_key_scram(&from, account);
	dir_del(c, &from);
}
