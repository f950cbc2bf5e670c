#include "auth/keys.h"

#include <assert.h>

#include "base/error.h"

enum { FORM = 1 };

static void
key_put(struct dir_key *k, struct str s)
{
	assert(s.n <= sizeof(k->b) - k->n);
	if (s.n != 0)
		memcpy(k->b + k->n, s.p, s.n);
	k->n += s.n;
}

static void
key_byte(struct dir_key *k, char c)
{
	key_put(k, str_of(&c, 1));
}

void
dir_key_domain(struct dir_key *k, struct str domain)
{
	k->n = 0;
	key_byte(k, 'D');
	key_put(k, domain);
}

void
dir_key_address(struct dir_key *k, struct str name)
{
	k->n = 0;
	key_byte(k, 'A');
	key_put(k, address_domain(name));
	key_byte(k, '\0');
	key_put(k, address_local(name));
}

static void
key_be64(struct dir_key *k, uint64_t v)
{
	for (int shift = 56; shift >= 0; shift -= 8)
		key_byte(k, (char)(v >> shift));
}

static void
key_of_id(struct dir_key *k, char space, uint64_t id)
{
	k->n = 0;
	key_byte(k, space);
	key_be64(k, id);
}

void
dir_key_id(struct dir_key *k, uint64_t id)
{
	key_of_id(k, 'I', id);
}

void
dir_key_app(struct dir_key *k, uint64_t id, struct str secret_hash)
{
	key_of_id(k, 'P', id);
	key_put(k, secret_hash);
}

void
dir_key_app_used(struct dir_key *k, uint64_t id, uint64_t number)
{
	key_of_id(k, 'U', id);
	key_be64(k, number);
}

void
dir_key_scram(struct dir_key *k, uint64_t id)
{
	key_of_id(k, 'S', id);
}

void
dir_key_salting(struct dir_key *k)
{
	k->n = 0;
	key_byte(k, 'K');
}

void
dir_key_reverse(struct dir_key *k, struct str target, struct str alias)
{
	k->n = 0;
	key_byte(k, 'R');
	key_put(k, target);
	key_byte(k, '\0');
	key_put(k, alias);
}

void
dir_key_next_id(struct dir_key *k)
{
	k->n = 0;
	key_byte(k, 'N');
}

void
dir_key_end(const struct dir_key *k, struct dir_key *ret)
{
	*ret = *k;
	/* No key that this is asked of ends in ff: they are ASCII, UTF-8 or a 00. */
	ret->b[ret->n - 1]++;
}

int
dir_key_to_name(struct str key, struct arena *a, struct str *ret)
{
	struct str local = str_skip(key, 1);
	struct str domain = str_cut(&local, '\0');
	char      *p = arena_alloc(a, local.n + 1 + domain.n);

	if (p == NULL)
		return E_NOMEM;
	if (local.n != 0)
		memcpy(p, local.p, local.n);
	p[local.n] = '@';
	memcpy(p + local.n + 1, domain.p, domain.n);
	*ret = str_of(p, local.n + 1 + domain.n);
	return 0;
}

struct str
dir_key_to_alias(struct str key)
{
	return str_skip(key, str_find_byte(key, '\0') + 1);
}

void
dir_entry_pack(const struct dir_entry *e, struct buf *to)
{
	pack_u8(to, FORM);
	pack_u8(to, (uint8_t)e->kind);
	if (e->kind == DIR_ACCOUNT) {
		pack_u64(to, e->id);
		pack_u8(to, e->enabled);
		pack_u64(to, (uint64_t)e->created_ms);
		pack_str(to, e->hash);
		return;
	}
	pack_var(to, e->n_targets);
	for (size_t i = 0; i < e->n_targets; i++)
		pack_str(to, e->targets[i]);
}

static int
unpack_targets(struct unpack *u, struct arena *a, struct dir_entry *e)
{
	uint64_t n = unpack_var(u);

	if (!unpack_ok(u) || n > u->left.n)
		return E_CORRUPT;
	e->targets = arena_alloc(a, (size_t)n * sizeof(*e->targets));
	if (e->targets == NULL)
		return E_NOMEM;
	for (e->n_targets = 0; e->n_targets < n; e->n_targets++)
		e->targets[e->n_targets] = unpack_str(u);
	return 0;
}

int
dir_entry_unpack(struct str value, struct arena *a, struct dir_entry *ret)
{
	struct unpack    u = unpack_of(value);
	struct dir_entry e = { 0 };
	int              r = 0;

	if (unpack_u8(&u) != FORM)
		return E_CORRUPT;
	e.kind = (enum dir_kind)unpack_u8(&u);
	if (e.kind == DIR_ACCOUNT) {
		e.id = unpack_u64(&u);
		e.enabled = unpack_u8(&u) != 0;
		e.created_ms = (int64_t)unpack_u64(&u);
		e.hash = unpack_str(&u);
	} else if (e.kind == DIR_ALIAS) {
		r = unpack_targets(&u, a, &e);
	} else {
		return E_CORRUPT;
	}
	if (r == 0 && !unpack_ok(&u))
		r = E_CORRUPT;
	if (r == 0)
		*ret = e;
	return r;
}

void
dir_value_u64(uint64_t v, struct buf *to)
{
	pack_u8(to, FORM);
	pack_u64(to, v);
}

int
dir_value_to_u64(struct str value, uint64_t *ret)
{
	struct unpack u = unpack_of(value);
	bool          known = unpack_u8(&u) == FORM;
	uint64_t      v = unpack_u64(&u);

	if (!known || !unpack_ok(&u))
		return E_CORRUPT;
	*ret = v;
	return 0;
}

void
dir_value_str(struct str s, struct buf *to)
{
	pack_u8(to, FORM);
	pack_str(to, s);
}

int
dir_value_to_str(struct str value, struct str *ret)
{
	struct unpack u = unpack_of(value);
	bool          known = unpack_u8(&u) == FORM;
	struct str    s = unpack_str(&u);

	if (!known || !unpack_ok(&u))
		return E_CORRUPT;
	*ret = s;
	return 0;
}

/* --- app passwords and the keys of SCRAM --- */

static void
pack_keys(const struct scram_keys *k, enum scram_hash h, struct buf *to)
{
	buf_put(to, k->stored, scram_key_n(h));
	buf_put(to, k->server, scram_key_n(h));
}

static void
unpack_keys(struct unpack *u, enum scram_hash h, struct scram_keys *ret)
{
	size_t     n = scram_key_n(h);
	struct str stored = unpack_bytes(u, n), server = unpack_bytes(u, n);

	if (!unpack_ok(u))
		return;
	memcpy(ret->stored, stored.p, n);
	memcpy(ret->server, server.p, n);
}

void
dir_app_pack(const struct dir_app *a, struct buf *to)
{
	pack_u8(to, FORM);
	buf_str(to, a->check);
	pack_u64(to, a->number);
	pack_str(to, a->name);
	pack_u8(to, a->protocols);
	pack_u64(to, (uint64_t)a->created_ms);
	for (int h = 0; h < SCRAM_HASHES; h++)
		pack_keys(&a->keys[h], (enum scram_hash)h, to);
}

int
dir_app_unpack(struct str value, struct dir_app *ret)
{
	struct unpack  u = unpack_of(value);
	struct dir_app a = { 0 };

	if (unpack_u8(&u) != FORM)
		return E_CORRUPT;
	a.check = unpack_bytes(&u, DIR_HASH_N);
	a.number = unpack_u64(&u);
	a.name = unpack_str(&u);
	a.protocols = unpack_u8(&u);
	a.created_ms = (int64_t)unpack_u64(&u);
	for (int h = 0; h < SCRAM_HASHES; h++)
		unpack_keys(&u, (enum scram_hash)h, &a.keys[h]);
	if (!unpack_ok(&u))
		return E_CORRUPT;
	*ret = a;
	return 0;
}

void
dir_scram_pack(const struct dir_scram *s, struct buf *to)
{
	pack_u8(to, FORM);
	pack_u64(to, s->next_number);
	pack_var(to, s->salt.iterations);
	pack_str(to, str_of((const char *)s->salt.b, s->salt.n));
	pack_u8(to, s->has);
	if (!s->has)
		return;
	buf_put(to, s->mark, sizeof(s->mark));
	pack_keys(&s->keys, SCRAM_SHA256, to);
}

int
dir_scram_unpack(struct str value, struct dir_scram *ret)
{
	struct unpack    u = unpack_of(value);
	struct dir_scram s = { 0 };
	struct str       salt, mark;

	if (unpack_u8(&u) != FORM)
		return E_CORRUPT;
	s.next_number = unpack_u64(&u);
	s.salt.iterations = (uint32_t)unpack_var(&u);
	salt = unpack_str(&u);
	s.has = unpack_u8(&u) != 0;
	if (!unpack_ok(&u) || salt.n > sizeof(s.salt.b))
		return E_CORRUPT;
	s.salt.n = salt.n;
	memcpy(s.salt.b, salt.p, salt.n);
	if (s.has) {
		mark = unpack_bytes(&u, sizeof(s.mark));
		unpack_keys(&u, SCRAM_SHA256, &s.keys);
		if (!unpack_ok(&u))
			return E_CORRUPT;
		memcpy(s.mark, mark.p, mark.n);
	}
	*ret = s;
	return 0;
}
