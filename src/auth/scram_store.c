#include "auth/scram_store.h"

#include <sodium.h>

#include "auth/password.h"
#include "base/error.h"

enum { VALUE_MAX = 512, SCRATCH_MAX = 64 << 10, KEY_N = 32 };

/* --- the key that salts are made with --- */

struct salting {
	unsigned char key[KEY_N];
};

static int
get_salting(struct directory *d, struct salting *ret)
{
	OWN_BUF struct buf b = BUF_INIT(VALUE_MAX);
	struct dir_key     k;
	struct str         key;
	int                r;

	dir_key_salting(&k);
	r = kv_get(d->kv, DIR_PART, dir_key_str(&k), &b);
	if (r == 0)
		r = dir_value_to_str(buf_view(&b), &key);
	if (r == 0 && key.n != KEY_N)
		r = E_CORRUPT;
	if (r == 0)
		memcpy(ret->key, key.p, KEY_N);
	return r;
}

static int
build_salting(struct dir_change *c, void *arg)
{
	OWN_BUF struct buf b = BUF_INIT(VALUE_MAX);
	struct salting    *s = arg;
	struct dir_key     k;
	int                r = get_salting(c->d, s);

	if (r != E_NOT_FOUND)
		return r < 0 ? r : E_EXISTS;
	randombytes_buf(s->key, KEY_N);
	dir_key_salting(&k);
	dir_value_str(str_of((char *)s->key, KEY_N), &b);
	dir_put(c, &k, &b);
	return 0;
}

/* Made when it is asked for first. */
static int
need_salting(struct directory *d, struct salting *ret)
{
	int r = get_salting(d, ret);

	if (r == E_NOT_FOUND)
		r = dir_change(d, build_salting, ret);
	return r == E_EXISTS ? 0 : r;
}

static int
make_salt(struct directory *d, struct str name, struct scram_salt *ret)
{
	struct salting s;
	int            r = need_salting(d, &s);

	if (r < 0)
		return r;
	*ret = (struct scram_salt){ .iterations = SCRAM_ITERATIONS, .n = SCRAM_SALT_N };
	crypto_generichash(
	    ret->b, SCRAM_SALT_N, (const unsigned char *)name.p, name.n, s.key, KEY_N);
	sodium_memzero(&s, sizeof(s));
	return 0;
}

/* --- the account's record --- */

static int
get_record(struct directory *d, uint64_t id, struct dir_scram *ret)
{
	OWN_BUF struct buf b = BUF_INIT(VALUE_MAX);
	struct dir_key     k;
	int                r;

	dir_key_scram(&k, id);
	r = kv_get(d->kv, DIR_PART, dir_key_str(&k), &b);
	if (r == 0)
		r = dir_scram_unpack(buf_view(&b), ret);
	if (b.p != NULL)
		sodium_memzero(b.p, b.cap);
	return r;
}

int
dir_scram_get(struct directory *d, uint64_t id, struct str name, struct dir_scram *ret)
{
	int r = get_record(d, id, ret);

	if (r != E_NOT_FOUND)
		return r;
	*ret = (struct dir_scram){ .next_number = 1 };
	return make_salt(d, name, &ret->salt);
}

void
dir_scram_put(struct dir_change *c, uint64_t id, const struct dir_scram *s)
{
	OWN_BUF struct buf b = BUF_INIT(VALUE_MAX);
	struct dir_key     k;

	dir_key_scram(&k, id);
	dir_scram_pack(s, &b);
	dir_put(c, &k, &b);
}

int
dir_scram_forget_main(struct dir_change *c, uint64_t id)
{
	struct dir_scram s;
	int              r = get_record(c->d, id, &s);

	if (r == E_NOT_FOUND)
		return 0;
	if (r == 0 && s.has) {
		s.has = false;
		dir_scram_put(c, id, &s);
	}
	return r;
}

int
directory_scram_salt(struct directory *d, uint64_t id, struct str name, struct scram_salt *ret)
{
	struct dir_scram s;
	int              r = dir_scram_get(d, id, name, &s);

	if (r == 0)
		*ret = s.salt;
	return r;
}

/* --- the main password --- */

static void
mark_of(struct str hash, unsigned char to[DIR_HASH_N])
{
	crypto_generichash(to, DIR_HASH_N, (const unsigned char *)hash.p, hash.n, NULL, 0);
}

struct set_main {
	struct str        name, hash;
	struct scram_salt salt;
	struct scram_keys keys;
};

static int
build_set_main(struct dir_change *c, void *arg)
{
	struct set_main *set = arg;
	struct dir_entry e;
	struct dir_scram s;
	int              r = dir_get(c->d, set->name, &c->arena, &e);

	if (r == 0 && (e.kind != DIR_ACCOUNT || !str_eq(e.hash, set->hash)))
		r = E_BUSY;
	if (r == 0)
		r = dir_scram_get(c->d, e.id, set->name, &s);
	if (r < 0)
		return r;
	if (s.salt.n != set->salt.n || memcmp(s.salt.b, set->salt.b, s.salt.n) != 0 ||
	    s.salt.iterations != set->salt.iterations)
		return E_BUSY;
	s.has = true;
	s.keys = set->keys;
	mark_of(set->hash, s.mark);
	dir_scram_put(c, e.id, &s);
	return 0;
}

int
directory_scram_set_main(struct directory *d, struct str address, struct str password,
    struct str hash)
{
	OWN_ARENA struct arena   a = ARENA_INIT(SCRATCH_MAX);
	struct directory_account acc;
	struct set_main          set = { .hash = hash };
	struct str               prepared;
	int                      r = directory_account_get(d, address, &a, &acc);

	if (r == 0)
		r = directory_scram_salt(d, acc.id, acc.address, &set.salt);
	if (r == 0)
		r = password_prepare(password, &a, &prepared);
	if (r == 0)
		r = scram_derive(SCRAM_SHA256, prepared, &set.salt, &set.keys);
	set.name = acc.address;
	if (r == 0)
		r = dir_change(d, build_set_main, &set);
	sodium_memzero(&set.keys, sizeof(set.keys));
	return r;
}

int
directory_scram_main(struct directory *d, uint64_t id, struct str hash, struct scram_keys *ret)
{
	struct dir_scram s;
	unsigned char    mark[DIR_HASH_N];
	int              r = get_record(d, id, &s);

	if (r < 0)
		return r;
	mark_of(hash, mark);
	if (hash.n == 0 || !s.has || sodium_memcmp(mark, s.mark, sizeof(mark)) != 0)
		return E_NOT_FOUND;
	*ret = s.keys;
	return 0;
}
