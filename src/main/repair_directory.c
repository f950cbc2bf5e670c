#include "main/repair_directory.h"

#include "auth/keys.h"
#include "base/error.h"
#include "kv/open.h"
#include "main/options.h"
#include "store/store.h"

enum { ARENA_BYTES = 512 << 20, VALUE_BYTES = 1 << 20 };

typedef unsigned long long ull;

static const struct kv_part DIRECTORY = { KV_DIRECTORY, 0 };

struct mend {
	struct kv        *kv;
	struct directory *directory;
	struct kv_batch   batch;
	struct arena      arena;
	struct str        domain; /* for addresses that are lost */
	uint64_t          last_id;
	unsigned          n;
};

static void
put(struct mend *m, const struct dir_key *key, const struct buf *value)
{
	kv_put(&m->batch, dir_key_str(key), buf_view(value));
	m->n++;
}

static int
value_of(struct mend *m, const struct dir_key *key, struct buf *to)
{
	buf_reset(to);
	return kv_get(m->kv, DIRECTORY, dir_key_str(key), to);
}

static void
put_address(struct mend *m, struct str address, uint64_t id)
{
	OWN_BUF struct buf     value = BUF_INIT(VALUE_BYTES);
	const struct dir_entry entry = { .kind = DIR_ACCOUNT, .id = id, .enabled = true };
	struct dir_key         key;

	dir_key_address(&key, address);
	dir_entry_pack(&entry, &value);
	put(m, &key, &value);
	printf("account %llu: the password of %.*s is lost: set a new one with postrider account "
	       "password\n", (ull)id, STR_ARG(address));
}

static void
put_id(struct mend *m, uint64_t id, struct str address)
{
	OWN_BUF struct buf value = BUF_INIT(VALUE_BYTES);
	struct dir_key     key;

	dir_key_id(&key, id);
	dir_value_str(address, &value);
	put(m, &key, &value);
}

/* An account with mail: has it an address, and does the address lead to it? */
static int
mend_account(struct mend *m, uint64_t id)
{
	OWN_BUF struct buf value = BUF_INIT(VALUE_BYTES);
	struct dir_key     key;
	struct str         address;
	char              *made;
	int                r;

	dir_key_id(&key, id);
	r = value_of(m, &key, &value);
	if (r == 0 && dir_value_to_str(buf_view(&value), &address) == 0 &&
	    arena_dup(&m->arena, address, &address) == 0) {
		dir_key_address(&key, address);
		r = value_of(m, &key, &value);
		if (r == E_NOT_FOUND)
			return put_address(m, address, id), 0;
		return r;
	}
	if (r < 0 && r != E_NOT_FOUND)
		return r;
	made = arena_printf(&m->arena, "recovered-%llu@%.*s", (ull)id, STR_ARG(m->domain));
	if (made == NULL)
		return E_NOMEM;
	printf("account %llu: its address is lost: it is %s now\n", (ull)id, made);
	put_address(m, str_c(made), id);
	put_id(m, id, str_c(made));
	return 0;
}

/* Addresses whose number leads nowhere lead back from it again. */
static int
mend_addresses(struct mend *m)
{
	struct directory_account *list;
	size_t                    n;
	int r = directory_account_list(m->directory, &m->arena, &list, &n);

	for (size_t i = 0; r == 0 && i < n; i++) {
		OWN_BUF struct buf value = BUF_INIT(VALUE_BYTES);
		struct dir_key     key;
		struct str         domain = str_skip(list[i].address,
			    str_rfind_byte(list[i].address, '@') + 1);

		m->last_id = list[i].id > m->last_id ? list[i].id : m->last_id;
		dir_key_id(&key, list[i].id);
		r = value_of(m, &key, &value);
		if (r == E_NOT_FOUND)
			put_id(m, list[i].id, list[i].address), r = 0;
		dir_key_domain(&key, domain);
		if (r == 0)
			r = value_of(m, &key, &value);
		if (r == E_NOT_FOUND) {
			buf_reset(&value);
			dir_value_u64(0, &value);
			put(m, &key, &value);
			r = 0;
		}
	}
	return r;
}

static int
choose_domain(struct mend *m)
{
	OWN_BUF struct buf value = BUF_INIT(64);
	struct dir_key     key;
	struct str        *names;
	size_t             n;
	int                r = directory_domain_list(m->directory, &m->arena, &names, &n);

	if (r < 0)
		return r;
	m->domain = n != 0 ? names[0] : STR("recovered.invalid");
	if (n != 0)
		return 0;
	dir_key_domain(&key, m->domain);
	dir_value_u64(0, &value);
	kv_put(&m->batch, dir_key_str(&key), buf_view(&value));
	return 0;
}

static int
mend_next_id(struct mend *m)
{
	OWN_BUF struct buf value = BUF_INIT(64);
	struct dir_key     key;
	uint64_t           next = 0;
	int                r;

	dir_key_next_id(&key);
	r = value_of(m, &key, &value);
	if (r < 0 && r != E_NOT_FOUND)
		return r;
	if (r == 0 && dir_value_to_u64(buf_view(&value), &next) == 0 && next > m->last_id)
		return 0;
	if (m->last_id == 0)
		return 0;
	buf_reset(&value);
	dir_value_u64(m->last_id + 1, &value);
	put(m, &key, &value);
	return 0;
}

static int
mend_all(struct mend *m, struct store *store)
{
	uint64_t  id = 0, version;
	kv_ticket ticket;
	int       r = kv_version(m->kv, DIRECTORY, &version);

	if (r == 0)
		r = choose_domain(m);
	for (; r == 0 && (r = kv_part_next(m->kv, KV_ACCOUNT, id, &id)) == 0; id++) {
		OWN(account) a = NULL;

		m->last_id = id > m->last_id ? id : m->last_id;
		r = account_open(store, id, &a);
		if (r == 0)
			r = mend_account(m, id);
		else if (r == E_NOT_FOUND)
			r = 0; /* removed */
	}
	if (r == E_NOT_FOUND)
		r = mend_addresses(m);
	if (r == 0)
		r = mend_next_id(m);
	if (r == 0 && m->n != 0)
		r = kv_commit(m->kv, DIRECTORY, version, version + 1, &m->batch, &ticket);
	return r == 0 && m->n != 0 ? kv_wait(m->kv, ticket) : r;
}

int
repair_directory(const char *dir)
{
	const struct kv_rocks_options options = { 0 };
	struct mend                   m = { .arena = ARENA_INIT(ARENA_BYTES) };
	OWN(store) store = NULL;
	struct kv *kv = NULL;
	int        r = kv_rocks_open(dir, &options, NULL, &kv);

	kv_batch_init(&m.batch);
	if (r == 0)
		r = store_open(kv, NULL, NULL, &store);
	if (r == 0) {
		m.kv = store_kv(store);
		r = directory_open(m.kv, &m.directory);
	}
	if (r == 0)
		r = mend_all(&m, store);
	directory_drop(m.directory);
	kv_batch_done(&m.batch);
	arena_done(&m.arena);
	if (r == 0)
		return EXIT_OK;
	tell("cannot mend the directory of accounts: %s", error_row(r)->text);
	return EXIT_FAILED;
}
