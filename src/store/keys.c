#include "store/keys.h"

#include <assert.h>

#include "base/error.h"
#include "base/pack.h"

static void
add_be(struct key *k, uint64_t v, size_t width)
{
	for (size_t i = 0; i < width; i++)
		k->b[k->n++] = (char)(v >> (8 * (width - 1 - i)));
}

struct key
key_kind(char kind)
{
	return (struct key){ .n = 1, .b = { kind } };
}

struct key
key_kind_end(char kind)
{
	return key_kind((char)(kind + 1));
}

struct key
key_account(void)
{
	return key_kind('A');
}

struct key
key_mailbox(mailbox_id id)
{
	struct key k = key_kind('b');

	add_be(&k, id, 4);
	return k;
}

struct key
key_log(uint64_t modseq)
{
	struct key k = key_kind('c');

	add_be(&k, modseq, 8);
	return k;
}

struct key
key_place(email_id email)
{
	struct key k = key_kind('e');

	add_be(&k, email, 8);
	return k;
}

static struct key
key_uid(char kind, mailbox_id id, uint32_t uid)
{
	struct key k = key_kind(kind);

	add_be(&k, id, 4);
	add_be(&k, uid, 4);
	return k;
}

struct key
key_facts(mailbox_id id, uint32_t uid)
{
	return key_uid('f', id, uid);
}

struct key
key_message(mailbox_id id, uint32_t uid)
{
	return key_uid('m', id, uid);
}

struct key
key_uid_end(char kind, mailbox_id id, uint32_t hi)
{
	struct key k = key_uid(kind, id, hi);

	/* The shortest string behind the key is the key and a zero byte. */
	k.b[k.n++] = 0;
	return k;
}

struct key
key_keyword(unsigned number)
{
	struct key k = key_kind('k');

	add_be(&k, number, 1);
	return k;
}

struct key
key_thread(const struct msgid_hash *hash)
{
	struct key k = key_kind('t');

	memcpy(k.b + k.n, hash->b, sizeof(hash->b));
	k.n = (uint8_t)(k.n + sizeof(hash->b));
	return k;
}

struct key
key_expunged(int64_t when_ms, email_id email)
{
	struct key k = key_kind('x');

	add_be(&k, (uint64_t)when_ms, 8);
	add_be(&k, email, 8);
	return k;
}

struct key
key_device(device_id id)
{
	struct key k = key_kind('d');

	add_be(&k, id, 4);
	return k;
}

struct key
key_hidden(device_id id, email_id lo)
{
	struct key k = key_kind('h');

	add_be(&k, id, 4);
	add_be(&k, lo, 8);
	return k;
}

struct key
key_pending(device_id id, uint64_t modseq)
{
	struct key k = key_kind('p');

	add_be(&k, id, 4);
	add_be(&k, modseq, 8);
	return k;
}

struct key
key_options(void)
{
	return key_kind('o');
}

struct key
key_left(email_id email)
{
	struct key k = key_kind('q');

	add_be(&k, email, 8);
	return k;
}

struct key
key_uidl(email_id email)
{
	struct key k = key_kind('U');

	add_be(&k, email, 8);
	return k;
}

struct str
key_subscription(struct str name, char hold[static SUBSCRIPTION_KEY_MAX])
{
	assert(name.n <= MAILBOX_NAME_MAX);
	hold[0] = 'S';
	memcpy(hold + 1, name.p, name.n);
	return str_of(hold, 1 + name.n);
}

static struct unpack
open_key(struct str key, char kind, size_t n)
{
	struct unpack u = unpack_of(key);

	u.bad = key.n != n || unpack_u8(&u) != (uint8_t)kind;
	return u;
}

int
key_read_mailbox(struct str key, mailbox_id *ret)
{
	struct unpack u = open_key(key, 'b', 5);
	mailbox_id    id = unpack_be32(&u);

	if (!unpack_ok(&u))
		return E_CORRUPT;
	*ret = id;
	return 0;
}

static int
read_one64(struct str key, char kind, uint64_t *ret)
{
	struct unpack u = open_key(key, kind, 9);
	uint64_t      v = unpack_be64(&u);

	if (!unpack_ok(&u))
		return E_CORRUPT;
	*ret = v;
	return 0;
}

int
key_read_log(struct str key, uint64_t *ret_modseq)
{
	return read_one64(key, 'c', ret_modseq);
}

int
key_read_place(struct str key, email_id *ret)
{
	return read_one64(key, 'e', ret);
}

int
key_read_uid(struct str key, char kind, mailbox_id *ret, uint32_t *ret_uid)
{
	struct unpack u = open_key(key, kind, 9);
	mailbox_id    id = unpack_be32(&u);
	uint32_t      uid = unpack_be32(&u);

	if (!unpack_ok(&u))
		return E_CORRUPT;
	*ret = id;
	*ret_uid = uid;
	return 0;
}

int
key_read_expunged(struct str key, int64_t *ret_when_ms, email_id *ret)
{
	struct unpack u = open_key(key, 'x', 17);
	int64_t       when_ms = (int64_t)unpack_be64(&u);
	email_id      email = unpack_be64(&u);

	if (!unpack_ok(&u))
		return E_CORRUPT;
	*ret_when_ms = when_ms;
	*ret = email;
	return 0;
}

int
key_read_keyword(struct str key, unsigned *ret)
{
	struct unpack u = open_key(key, 'k', 2);
	unsigned      number = unpack_u8(&u);

	if (!unpack_ok(&u))
		return E_CORRUPT;
	*ret = number;
	return 0;
}

int
key_read_subscription(struct str key, struct str *ret_name)
{
	if (key.n < 2 || key.n > SUBSCRIPTION_KEY_MAX || key.p[0] != 'S')
		return E_CORRUPT;
	*ret_name = str_skip(key, 1);
	return 0;
}

int
key_read_thread(struct str key, struct msgid_hash *ret)
{
	if (key.n != 1 + sizeof(ret->b) || key.p[0] != 't')
		return E_CORRUPT;
	memcpy(ret->b, key.p + 1, sizeof(ret->b));
	return 0;
}

int
key_read_device(struct str key, device_id *ret)
{
	struct unpack u = open_key(key, 'd', 5);
	device_id     id = unpack_be32(&u);

	if (!unpack_ok(&u))
		return E_CORRUPT;
	*ret = id;
	return 0;
}

static int
read_device_and_number(struct str key, char kind, device_id *ret, uint64_t *ret_number)
{
	struct unpack u = open_key(key, kind, 13);
	device_id     id = unpack_be32(&u);
	uint64_t      number = unpack_be64(&u);

	if (!unpack_ok(&u))
		return E_CORRUPT;
	*ret = id;
	*ret_number = number;
	return 0;
}

int
key_read_hidden(struct str key, device_id *ret, email_id *ret_lo)
{
	return read_device_and_number(key, 'h', ret, ret_lo);
}

int
key_read_pending(struct str key, device_id *ret, uint64_t *ret_modseq)
{
	return read_device_and_number(key, 'p', ret, ret_modseq);
}

int
key_read_left(struct str key, email_id *ret)
{
	return read_one64(key, 'q', ret);
}

int
key_read_uidl(struct str key, email_id *ret)
{
	return read_one64(key, 'U', ret);
}
