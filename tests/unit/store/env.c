#include "env.h"
#include "kv/open.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const struct actor ACTOR = {
	ACTOR_IMAP, 42, { "192.0.2.1", 9 }, { "anna+phone@example.org", 22 }, { "phone", 5 }
};

void
assert_str_(struct str s, const char *want, const char *file, int line)
{
	if (str_eq(s, str_c(want)))
		return;
	print_error("got \"%.*s\", want \"%s\"\n", STR_ARG(s), want);
	_fail(file, line);
}

static int
open_engine(struct env *e, struct kv **ret)
{
	const struct kv_rocks_options options = {
		.cache_bytes = 8 << 20, .memtable_bytes = 4 << 20
	};
	OWN_BUF struct buf            detail = BUF_INIT(4096);

	if (e->dir[0] == '\0')
		return kv_mem_open(ret);
	return kv_rocks_open(e->dir, &options, &detail, ret);
}

static void
open_store(struct env *e, struct kv *inner)
{
	OWN_BUF struct buf detail = BUF_INIT(4096);

	e->inner = inner;
	assert_ok(kv_fault_open(inner, &e->kv));
	assert_ok(store_open(e->kv, &e->options, &detail, &e->store));
}

void
env_account(struct env *e)
{
	if (e->a != NULL)
		account_drop(e->a);
	e->a = NULL;
	assert_ok(account_open(e->store, ACCOUNT, &e->a));
	assert_ok(mailbox_find(e->a, STR("INBOX"), &e->inbox));
}

static int
start(void **state, const char *dir)
{
	static const struct quota none;
	struct env               *e = calloc(1, sizeof(*e));
	struct kv                *inner;

	assert_non_null(e);
	if (dir != NULL) {
		snprintf(e->dir, sizeof(e->dir), "%s", dir);
		assert_non_null(mkdtemp(e->dir));
	}
	assert_ok(open_engine(e, &inner));
	open_store(e, inner);
	assert_ok(account_create(e->store, ACCOUNT, &none, &ACTOR));
	env_account(e);
	*state = e;
	return 0;
}

int
env_mem(void **state)
{
	return start(state, NULL);
}

int
env_rocks(void **state)
{
	return start(state, "/tmp/store-test-XXXXXX");
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
close_store(struct env *e)
{
	if (e->a != NULL)
		account_drop(e->a);
	e->a = NULL;
	store_drop(e->store);
}

int
env_done(void **state)
{
	struct env *e = *state;

	close_store(e);
	if (e->dir[0] != '\0')
		nftw(e->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(e);
	return 0;
}

void
env_restart(struct env *e)
{
	struct kv *inner;

	assert_true(e->dir[0] != '\0');
	close_store(e);
	assert_ok(open_engine(e, &inner));
	open_store(e, inner);
	env_account(e);
}

void
env_crash(struct env *e)
{
	struct kv *inner;

	if (e->dir[0] != '\0') {
		env_restart(e);
		return;
	}
	assert_ok(kv_mem_crash(e->inner, &inner));
	close_store(e);
	open_store(e, inner);
	env_account(e);
}

static void
report(void *arg, account_id id, const char *text)
{
	(void)arg;
	print_error("account %llu: %s\n", (unsigned long long)id, text);
}

/* All ways to scan a mailbox find the same messages. */
static void
compare_scans(struct account *a, mailbox_id id)
{
	struct message_iter *scans[SCAN_KEPT_FACTS + 1] = { NULL };
	struct message       m[ARRAY_LEN(scans)];
	struct message_facts facts;

	for (size_t i = 0; i < ARRAY_LEN(scans); i++)
		assert_ok(message_scan(a, id, 1, UINT32_MAX, (enum message_parts)i, &scans[i]));
	for (int r = 1; r == 1;) {
		r = message_iter_next(scans[SCAN_RECORDS], &m[0], NULL);
		for (size_t i = 1; i < ARRAY_LEN(scans); i++) {
			assert_int_equal(message_iter_next(scans[i], &m[i], &facts), r);
			if (r == 0)
				continue;
			assert_int_equal(m[i].uid, m[0].uid);
			if (i == SCAN_FACTS)
				continue;
			assert_int_equal(m[i].flags.system, m[0].flags.system);
			assert_memory_equal(
			    m[i].flags.keywords, m[0].flags.keywords, sizeof(m[0].flags.keywords));
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(scans); i++)
		message_iter_drop(scans[i]);
}

void
env_verify(struct env *e)
{
	const struct verify  v = { .report = report, .read_blobs = true };
	struct arena         arena = ARENA_INIT(1 << 20);
	OWN(account)         a = NULL;
	struct mailbox_info *boxes;
	size_t               faults = 0, n;

	assert_ok(store_verify(e->store, &v, &faults));
	assert_int_equal(faults, 0);
	if (account_open(e->store, ACCOUNT, &a) < 0)
		return;
	assert_ok(mailbox_list(a, &arena, &boxes, &n));
	for (size_t i = 0; i < n; i++)
		if (boxes[i].id != 0 && !boxes[i].no_select)
			compare_scans(a, boxes[i].id);
	arena_done(&arena);
}

struct ingest *
take_in(struct store *store, struct str bytes)
{
	struct ingest *in;

	assert_ok(ingest_new(store, 64 << 20, &in));
	assert_ok(ingest_write(in, bytes));
	assert_ok(ingest_end(in));
	return in;
}

int
try_append(struct env *e, mailbox_id id, struct str bytes, struct flags flags,
    struct appended *ret)
{
	const struct append_options opt = { .flags = flags };
	OWN(ingest)                 in = NULL;
	int                         r = ingest_new(e->store, 64 << 20, &in);

	if (r == 0)
		r = ingest_write(in, bytes);
	if (r == 0)
		r = ingest_end(in);
	return r < 0 ? r : message_append(e->a, id, in, &opt, &ACTOR, ret);
}

struct appended
put_flags(struct env *e, mailbox_id id, const char *text, unsigned system)
{
	struct appended done = { 0 };

	assert_ok(try_append(e, id != 0 ? id : e->inbox, str_c(text),
	    (struct flags){ .system = system }, &done));
	return done;
}

struct appended
put(struct env *e, mailbox_id id, const char *text)
{
	return put_flags(e, id, text, 0);
}

mailbox_id
box(struct env *e, const char *name)
{
	mailbox_id id = 0;

	if (mailbox_find(e->a, str_c(name), &id) < 0)
		assert_ok(mailbox_create(e->a, str_c(name), 0, &ACTOR, &id));
	return id;
}

struct message
get(struct env *e, mailbox_id id, uint32_t uid)
{
	struct message m = { 0 };

	assert_ok(message_get(e->a, id, uid, &m));
	return m;
}

struct mailbox_status
status(struct env *e, mailbox_id id)
{
	struct mailbox_status s = { 0 };

	assert_ok(mailbox_status(e->a, id, &s));
	return s;
}

struct ranges
uids_of(const char *list)
{
	struct ranges set = { 0 };
	struct str    rest = str_c(list);

	while (rest.n != 0) {
		struct str item = str_cut(&rest, ','), lo = str_cut(&item, ':');
		uint32_t   first, last;

		assert_ok(str_to_u32(lo, &first));
		last = first;
		if (item.n != 0)
			assert_ok(str_to_u32(item, &last));
		assert_ok(ranges_add(&set, first, last));
	}
	return set;
}

const char *
list_of(const struct ranges *set)
{
	static char text[4][2048];
	static int  turn;
	char       *to = text[turn = (turn + 1) % 4];
	size_t      n = 0;

	to[0] = '\0';
	for (size_t i = 0; i < set->n && n + 32 < sizeof(text[0]); i++) {
		const struct range *r = &set->r[i];

		n += (size_t)snprintf(to + n, sizeof(text[0]) - n,
		    r->lo == r->hi ? "%s%u" : "%s%u:%u", i != 0 ? "," : "", r->lo, r->hi);
	}
	return to;
}

const char *
uids_in(struct env *e, mailbox_id id)
{
	OWN_RANGES struct ranges uids = { 0 };
	struct mailbox_status    s;
	uint32_t                 recent;
	uint64_t                 modseq;

	assert_ok(mailbox_view(e->a, id, false, &s, &uids, &recent, &modseq));
	return list_of(&uids);
}

void
set_flags(struct env *e, mailbox_id id, const char *uids, enum flag_op op, unsigned system)
{
	const struct flag_change change = { .op = op, .flags = { .system = system } };
	OWN_RANGES struct ranges set = uids_of(uids);
	uint32_t                 at = 1;

	while (at != 0)
		assert_ok(message_change_flags(e->a, id, &set, at, &change, &ACTOR, NULL, &at));
}

void
expunge_all(struct env *e, mailbox_id id, const char *uids)
{
	OWN_RANGES struct ranges set = uids_of(uids != NULL ? uids : "");
	uint32_t                 at = 1;

	while (at != 0)
		assert_ok(message_expunge(e->a, id, uids != NULL ? &set : NULL, uids != NULL, at,
		    &ACTOR, NULL, &at));
}

char *
noise(size_t n, unsigned seed)
{
	char *p = malloc(n);

	assert_non_null(p);
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525 + 1013904223;
		p[i] = (char)(seed >> 24);
	}
	return p;
}

void
copy_from_inbox(struct env *e, const char *uids, mailbox_id to, const char *want_from,
    const char *want_to)
{
	OWN_RANGES struct ranges set = uids_of(uids);
	struct copied            copied = { 0 };

	assert_ok(message_copy(e->a, e->inbox, &set, to, &ACTOR, &copied));
	assert_string_equal(list_of(&copied.from), want_from);
	assert_string_equal(list_of(&copied.to), want_to);
	assert_int_equal(copied.uidvalidity, status(e, to).uidvalidity);
	ranges_done(&copied.from);
	ranges_done(&copied.to);
}
