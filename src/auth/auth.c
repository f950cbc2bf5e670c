#include "auth/auth.h"

#include <arpa/inet.h>
#include <sodium.h>

#include "auth/address.h"
#include "auth/change.h"
#include "auth/password.h"
#include "auth/recent.h"
#include "auth/scram_store.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/lock.h"
#include "base/mem.h"

enum { SCRATCH_MAX = 64 << 10, PROOF_N = 32 };

struct auth {
	struct directory *directory;
	unsigned char     key[crypto_generichash_KEYBYTES]; /* of all proofs, new at each start */
	struct lock       lock;
	struct recent     right;
	struct recent     failed;
	struct recent     used;    /* app passwords whose use was written lately */
	enum auth_scram   scram;
	unsigned          hashing; /* how many are at work */
	pthread_cond_t    may_hash;
};

int
auth_new(struct directory *directory, struct auth **ret)
{
	struct auth *a = MEM_NEW(struct auth);

	if (a == NULL)
		return E_NOMEM;
	if (sodium_init() < 0) {
		mem_free(a);
		return E_INTERNAL;
	}
	a->directory = directory;
	randombytes_buf(a->key, sizeof(a->key));
	lock_init(&a->lock, LOCK_AUTH_LIMIT);
	recent_init(&a->right, AUTH_CACHE_MAX);
	recent_init(&a->failed, AUTH_FAILURES_MAX);
	recent_init(&a->used, AUTH_CACHE_MAX);
	pthread_cond_init(&a->may_hash, NULL);
	*ret = a;
	return 0;
}

void
auth_drop(struct auth *a)
{
	if (a == NULL)
		return;
	recent_done(&a->right);
	recent_done(&a->failed);
	recent_done(&a->used);
	pthread_cond_destroy(&a->may_hash);
	lock_done(&a->lock);
	sodium_memzero(a->key, sizeof(a->key));
	mem_free(a);
}

/* --- who --- */

/* A login name: its account, and what had to be cut off to find it. Where there is no account the
 * name is that without all its tags. */
struct login_of {
	struct directory_account account;
	struct str               tag;  /* "phone"; "work+phone" */
	struct str               name;
	uint64_t                 mark; /* of auth/pass.h */
};

static int
add_tag(struct arena *arena, struct str tag, struct str *all)
{
	char *both = all->n == 0 ? arena_cstr(arena, tag) :
		     arena_printf(arena, "%.*s+%.*s", STR_ARG(tag), STR_ARG(*all));

	if (both == NULL)
		return E_NOMEM;
	*all = str_c(both);
	return 0;
}

/* The account of a login name: the address, or what is left of it without its tags. ret->name is
 * there on E_NOT_FOUND and E_BAD_ADDRESS too. */
static int
find_account(struct auth *a, struct str login, struct arena *arena, struct login_of *ret)
{
	struct str tag;
	int        r;

	ret->mark = passes_mark(&a->directory->passes); /* before anything is read */
	r = directory_account_get(a->directory, login, arena, &ret->account);
	ret->tag = STR_NONE;
	ret->name = r == 0 ? ret->account.address : login;
	if (r != E_NOT_FOUND)
		return r;
	r = address_normalise(login, arena, &ret->name);
	if (r < 0)
		return r;
	r = E_NOT_FOUND;
	while (r == E_NOT_FOUND) {
		r = address_cut_tag(ret->name, arena, &ret->name, &tag);
		if (r == 0)
			r = add_tag(arena, tag, &ret->tag);
		if (r < 0)
			break;
		r = directory_account_get(a->directory, ret->name, arena, &ret->account);
	}
	return r;
}

static void
set_device(struct auth_who *w, struct str device)
{
	device = str_head(device, sizeof(w->device));
	w->device_n = device.n;
	if (device.n != 0)
		memcpy(w->device, device.p, device.n);
}

static struct auth_who
who_of(const struct login_of *l)
{
	struct auth_who w = { .account = l->account.id, .mark = l->mark };

	set_device(&w, l->tag);
	return w;
}

/* --- proofs --- */

static void
hash_part(crypto_generichash_state *st, struct str s)
{
	uint64_t n = s.n;

	crypto_generichash_update(st, (const unsigned char *)&n, sizeof(n));
	crypto_generichash_update(st, (const unsigned char *)s.p, s.n);
}

/* What stands for this name, password and stored hash in memory. */
static void
prove(const struct auth *a, const struct auth_try *t, struct str hash, unsigned char to[PROOF_N])
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, a->key, sizeof(a->key), PROOF_N);
	hash_part(&st, t->login);
	hash_part(&st, t->password);
	hash_part(&st, hash);
	crypto_generichash_final(&st, to, PROOF_N);
	sodium_memzero(&st, sizeof(st));
}

/* --- failures --- */

enum { KEY_MAX = 1 + ADDRESS_MAX };

struct fail_key {
	size_t n; /* 0: not counted */
	char   b[KEY_MAX];
};

static struct str
fail_key_str(const struct fail_key *k)
{
	return str_of(k->b, k->n);
}

/* The first byte keeps names and addresses apart. */
static struct fail_key
fail_key_of(char kind, struct str s)
{
	struct fail_key k = { .n = 1 };

	k.b[0] = kind;
	s = str_head(s, sizeof(k.b) - 1);
	if (s.n != 0)
		memcpy(k.b + 1, s.p, s.n);
	k.n += s.n;
	return k;
}

/* Names are counted without case and tags, whether they exist or not. */
static struct fail_key
login_key(const struct auth_try *t)
{
	OWN_ARENA struct arena arena = ARENA_INIT(SCRATCH_MAX);
	struct str             name, tag;

	if (address_normalise(t->login, &arena, &name) < 0)
		return fail_key_of('L', t->login);
	while (address_cut_tag(name, &arena, &name, &tag) == 0)
		;
	return fail_key_of('L', name);
}

/* An address, or the /64 of one; nothing when it is this host. */
static struct fail_key
peer_key(const struct auth_try *t)
{
	struct fail_key none = { 0 };
	struct in6_addr six;
	struct in_addr  four;
	char            text[INET6_ADDRSTRLEN];

	if (t->peer.n == 0 || t->peer.n >= sizeof(text))
		return none;
	memcpy(text, t->peer.p, t->peer.n);
	text[t->peer.n] = '\0';
	if (inet_pton(AF_INET, text, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127 ? none : fail_key_of('P', t->peer);
	if (inet_pton(AF_INET6, text, &six) != 1 || IN6_IS_ADDR_LOOPBACK(&six))
		return none;
	return fail_key_of('P', str_of((char *)six.s6_addr, IN6_IS_ADDR_V4MAPPED(&six) ? 16 : 8));
}

static void
add_failure(struct auth *a, const struct auth_try *t, uint64_t proof)
{
	struct fail_key login = login_key(t), peer = peer_key(t);
	int64_t         now = clock_mono_ms();

	LOCK_SCOPE(&a->lock);
	recent_fail_add(&a->failed, fail_key_str(&login), proof, now);
	if (peer.n != 0)
		recent_fail_add(&a->failed, fail_key_str(&peer), proof, now);
}

static void
note_failure(struct auth *a, const struct auth_try *t)
{
	unsigned char proof[PROOF_N];
	uint64_t      short_proof;

	prove(a, t, STR_NONE, proof);
	memcpy(&short_proof, proof, sizeof(short_proof));
	add_failure(a, t, short_proof);
}

/* Under the lock. No entry has an empty key. */
static unsigned
failures_of(struct auth *a, const struct fail_key *k)
{
	return recent_fail_count(&a->failed, fail_key_str(k), clock_mono_ms());
}

/* 1, 2, 4 ... seconds for the first, second, third ... over the free ones. */
static int64_t
delay_of(unsigned count, unsigned allowed)
{
	int64_t ms = 1000;

	if (count <= allowed)
		return 0;
	for (count -= allowed + 1; count > 0 && ms < AUTH_DELAY_MAX_MS; count--)
		ms *= 2;
	return ms < AUTH_DELAY_MAX_MS ? ms : AUTH_DELAY_MAX_MS;
}

int64_t
auth_delay_ms(struct auth *a, const struct auth_try *t)
{
	struct fail_key login = login_key(t), peer = peer_key(t);
	unsigned        by_login, by_peer;

	LOCK_SCOPE(&a->lock);
	by_login = failures_of(a, &login);
	by_peer = failures_of(a, &peer);
	return delay_of(by_login > by_peer ? by_login : by_peer, AUTH_FREE_FAILURES);
}

int64_t
auth_hold_ms(struct auth *a, const struct auth_try *t)
{
	struct fail_key peer = peer_key(t);

	LOCK_SCOPE(&a->lock);
	return delay_of(failures_of(a, &peer), AUTH_HOLD_AFTER);
}

/* --- checking --- */

static void
begin_hashing(struct auth *a)
{
	lock_take(&a->lock);
	while (a->hashing >= AUTH_HASHES_MAX)
		lock_wait(&a->lock, &a->may_hash);
	a->hashing++;
	lock_give(&a->lock);
}

static void
end_hashing(struct auth *a)
{
	lock_take(&a->lock);
	a->hashing--;
	pthread_cond_signal(&a->may_hash);
	lock_give(&a->lock);
}

/* Every wrong answer has cost one hash of our own kind: time does not tell which names exist. */
static int
check_hash(struct auth *a, struct str password, struct str hash)
{
	int r;

	begin_hashing(a);
	r = hash.n != 0 ? password_check(password, hash) : E_AUTH_FAILED;
	if (r == E_AUTH_FAILED && !password_is_own(hash))
		password_check_nothing(password);
	end_hashing(a);
	return r;
}

/* Was it right lately? */
static int
check_known(struct auth *a, const struct auth_try *t, const struct login_of *l)
{
	unsigned char proof[PROOF_N];
	uint64_t      id;
	int           r;

	prove(a, t, l->account.hash, proof);
	lock_take(&a->lock);
	r = recent_right_get(&a->right, str_of((char *)proof, PROOF_N), clock_mono_ms(),
	    AUTH_CACHE_MS, &id);
	lock_give(&a->lock);
	/* An address that was given to a new account may still have the old one's hash. */
	return r == 0 && id != l->account.id ? E_NOT_FOUND : r;
}

/* --- app passwords --- */

/* Has its use been written lately? Says that it will be, if not. */
static bool
use_is_known(struct auth *a, uint64_t account, uint64_t id)
{
	const uint64_t both[2] = { account, id };
	struct str     key = str_of((const char *)both, sizeof(both));
	int64_t        now = clock_mono_ms();
	uint64_t       unused;
	bool           known;

	LOCK_SCOPE(&a->lock);
	known = recent_right_get(&a->used, key, now, APP_USED_EVERY_MS, &unused) == 0;
	if (!known)
		recent_right_put(&a->used, key, account, now);
	return known;
}

/* Best effort: a login does not fail because its time could not be written. */
static void
note_use(struct auth *a, uint64_t account, const struct app_password *app)
{
	int64_t now = clock_real_ms(), last;

	if (use_is_known(a, account, app->id) ||
	    app_password_last_used(a->directory, account, app->id, &last) < 0)
		return;
	if (now - last >= APP_USED_EVERY_MS || now < last)
		(void)app_password_set_used(a->directory, account, app, now);
}

/* The right secret is there: may it be used here? */
static int
use_app(struct auth *a, const struct auth_try *t, const struct directory_account *acc,
    const struct app_password *app, struct auth_who *who)
{
	if (!acc->enabled)
		return E_AUTH_DISABLED;
	if (app->protocols != APP_ANY && (app->protocols & app_protocol_of(t->protocol)) == 0)
		return E_AUTH_PROTOCOL;
	note_use(a, acc->id, app);
	who->app_password = app->id;
	set_device(who, app->name);
	return 0;
}

/* E_NOT_FOUND: the password is none. */
static int
check_app(struct auth *a, const struct auth_try *t, const struct login_of *l, struct arena *arena,
    struct auth_who *who)
{
	struct app_password app;
	int r = app_password_find(a->directory, l->account.id, t->password, arena, &app);

	return r < 0 ? r : use_app(a, t, &l->account, &app, who);
}

/* --- the calls --- */

int
auth_check_cached(struct auth *a, const struct auth_try *t, struct auth_who *ret)
{
	OWN_ARENA struct arena arena = ARENA_INIT(SCRATCH_MAX);
	struct login_of        l;
	struct auth_who        who;
	int                    r;

	if (find_account(a, t->login, &arena, &l) < 0 || !l.account.enabled)
		return E_NOT_FOUND;
	who = who_of(&l);
	r = check_known(a, t, &l);
	if (r < 0)
		r = check_app(a, t, &l, &arena, &who);
	if (r == 0)
		*ret = who;
	return r == 0 || r == E_AUTH_PROTOCOL ? r : E_NOT_FOUND;
}

static void
remember(struct auth *a, const struct auth_try *t, const struct directory_account *acc)
{
	unsigned char proof[PROOF_N];

	prove(a, t, acc->hash, proof);
	LOCK_SCOPE(&a->lock);
	recent_right_put(&a->right, str_of((char *)proof, PROOF_N), acc->id, clock_mono_ms());
}

/* The account's own password, by its hash. */
static int
check_main(struct auth *a, const struct auth_try *t, const struct directory_account *acc)
{
	int r = check_hash(a, t->password, acc->hash);

	if (r == E_AUTH_FAILED)
		note_failure(a, t);
	if (r == 0 && !acc->enabled)
		r = E_AUTH_DISABLED;
	if (r == 0)
		remember(a, t, acc);
	return r;
}

static bool
is_refusal(int r)
{
	return r == E_AUTH_FAILED || r == E_AUTH_DISABLED || r == E_AUTH_PROTOCOL;
}

int
auth_check(struct auth *a, const struct auth_try *t, struct auth_who *ret)
{
	OWN_ARENA struct arena arena = ARENA_INIT(SCRATCH_MAX);
	struct login_of        l = { 0 };
	struct auth_who        who;
	int                    r;

	/* Somebody may have found it right while this try waited for a thread: of many first logins
	 * of one account at once only the first ones are hashed. */
	r = auth_check_cached(a, t, ret);
	if (r != E_NOT_FOUND)
		return r;
	r = find_account(a, t->login, &arena, &l);
	if (r < 0 && r != E_NOT_FOUND && r != E_BAD_ADDRESS)
		return E_AUTH_TEMP;
	if (r < 0)
		l.account = (struct directory_account){ 0 };
	who = who_of(&l);
	r = r == 0 ? check_app(a, t, &l, &arena, &who) : E_NOT_FOUND;
	if (r == E_NOT_FOUND)
		r = check_main(a, t, &l.account);
	if (r < 0)
		return is_refusal(r) ? r : E_AUTH_TEMP;
	*ret = who;
	return 0;
}

int
auth_pass_take(struct auth *a, const struct auth_who *who, struct str protocol,
    const struct auth_told *told, struct pass *pass)
{
	int r;

	*pass = (struct pass){ .account = who->account, .app_password = who->app_password,
		.protocol = app_protocol_of(protocol), .tell = told->tell, .arg = told->arg };
	r = pass_take(&a->directory->passes, pass, who->mark);
	return r == E_NOT_FOUND ? E_AUTH_FAILED : r;
}

/* --- SCRAM --- */

void
auth_set_scram(struct auth *a, enum auth_scram mode)
{
	a->scram = mode;
}

enum auth_scram
auth_scram(const struct auth *a)
{
	return a->scram;
}

int
auth_scram_salt(struct auth *a, struct str login, struct scram_salt *ret)
{
	OWN_ARENA struct arena arena = ARENA_INIT(SCRATCH_MAX);
	struct login_of        l;
	int                    r = find_account(a, login, &arena, &l);

	if (r < 0 && r != E_NOT_FOUND && r != E_BAD_ADDRESS)
		return E_AUTH_TEMP;
	/* One read of the storage for a name that is none, too. */
	r = directory_scram_salt(a->directory, r == 0 ? l.account.id : 0, l.name, ret);
	return r < 0 ? E_AUTH_TEMP : 0;
}

static int
gather(struct auth *a, enum scram_hash h, struct arena *arena, struct auth_keys *to)
{
	int r = app_password_all(a->directory, to->account.id, arena, &to->apps, &to->n_apps);

	if (r < 0)
		return r;
	to->keys = arena_alloc(arena, (to->n_apps + 1) * sizeof(*to->keys));
	if (to->keys == NULL)
		return E_NOMEM;
	if (a->scram == AUTH_SCRAM_ALL && h == SCRAM_SHA256) {
		r = directory_scram_main(
		    a->directory, to->account.id, to->account.hash, &to->keys[0]);
		if (r < 0 && r != E_NOT_FOUND)
			return r;
		to->n = r == 0;
	}
	for (size_t i = 0; i < to->n_apps; i++)
		to->keys[to->n++] = to->apps[i].keys[h];
	return 0;
}

int
auth_scram_keys(struct auth *a, const struct auth_try *t, enum scram_hash h, struct arena *arena,
    struct auth_keys *ret)
{
	struct auth_keys keys = { 0 };
	struct login_of  l = { 0 };
	int              r = find_account(a, t->login, arena, &l);

	if (r == E_NOT_FOUND || r == E_BAD_ADDRESS) {
		*ret = keys;
		return 0;
	}
	keys.account = l.account;
	keys.tag = l.tag;
	keys.mark = l.mark;
	if (r == 0)
		r = gather(a, h, arena, &keys);
	if (r < 0)
		return E_AUTH_TEMP;
	*ret = keys;
	return 0;
}

int
auth_scram_right(struct auth *a, const struct auth_try *t, const struct auth_keys *keys,
    size_t which, struct auth_who *ret)
{
	struct auth_who who = { .account = keys->account.id, .mark = keys->mark };
	size_t          n_main = keys->n - keys->n_apps;
	int             r = keys->account.enabled ? 0 : E_AUTH_DISABLED;

	set_device(&who, keys->tag);
	if (r == 0 && which >= n_main)
		r = use_app(a, t, &keys->account, &keys->apps[which - n_main], &who);
	if (r == 0)
		*ret = who;
	return r;
}

void
auth_scram_wrong(struct auth *a, const struct auth_try *t)
{
	uint64_t none_like_it;

	/* The same wrong password cannot be told from another one: no proof is like the last. */
	randombytes_buf(&none_like_it, sizeof(none_like_it));
	add_failure(a, t, none_like_it);
}
