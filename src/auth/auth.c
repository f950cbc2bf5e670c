#include "auth/auth.h"

#include <arpa/inet.h>
#include <sodium.h>

#include "auth/address.h"
#include "auth/password.h"
#include "auth/recent.h"
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
	pthread_cond_destroy(&a->may_hash);
	lock_done(&a->lock);
	sodium_memzero(a->key, sizeof(a->key));
	mem_free(a);
}

/* --- who --- */

/* The account of a login name: the address, or what is left of it without its tags. */
static int
find_account(struct auth *a, struct str login, struct arena *arena, struct directory_account *ret)
{
	struct str name, tag;
	int        r = directory_account_get(a->directory, login, arena, ret);

	if (r != E_NOT_FOUND)
		return r;
	r = address_normalise(login, arena, &name);
	if (r < 0)
		return r;
	r = E_NOT_FOUND;
	while (r == E_NOT_FOUND) {
		r = address_cut_tag(name, arena, &name, &tag);
		if (r < 0)
			break;
		r = directory_account_get(a->directory, name, arena, ret);
	}
	return r;
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
note_failure(struct auth *a, const struct auth_try *t)
{
	struct fail_key login = login_key(t), peer = peer_key(t);
	unsigned char   proof[PROOF_N];
	uint64_t        short_proof;
	int64_t         now = clock_mono_ms();

	prove(a, t, STR_NONE, proof);
	memcpy(&short_proof, proof, sizeof(short_proof));
	LOCK_SCOPE(&a->lock);
	recent_fail_add(&a->failed, fail_key_str(&login), short_proof, now);
	if (peer.n != 0)
		recent_fail_add(&a->failed, fail_key_str(&peer), short_proof, now);
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

int
auth_check_cached(struct auth *a, const struct auth_try *t, uint64_t *ret_account)
{
	OWN_ARENA struct arena   arena = ARENA_INIT(SCRATCH_MAX);
	struct directory_account acc;
	unsigned char            proof[PROOF_N];
	uint64_t                 id;
	int                      r;

	if (find_account(a, t->login, &arena, &acc) < 0 || !acc.enabled)
		return E_NOT_FOUND;
	prove(a, t, acc.hash, proof);
	lock_take(&a->lock);
	r = recent_right_get(&a->right, str_of((char *)proof, PROOF_N), clock_mono_ms(),
	    AUTH_CACHE_MS, &id);
	lock_give(&a->lock);
	/* An address that was given to a new account may still have the old one's hash. */
	if (r == 0 && id != acc.id)
		r = E_NOT_FOUND;
	if (r == 0)
		*ret_account = id;
	return r;
}

int
auth_check(struct auth *a, const struct auth_try *t, uint64_t *ret_account)
{
	OWN_ARENA struct arena   arena = ARENA_INIT(SCRATCH_MAX);
	struct directory_account acc = { 0 };
	unsigned char            proof[PROOF_N];
	int                      r;

	/* Somebody may have found it right while this try waited for a thread: of many first logins
	 * of one account at once only the first ones are hashed. */
	if (auth_check_cached(a, t, ret_account) == 0)
		return 0;
	r = find_account(a, t->login, &arena, &acc);
	if (r < 0 && r != E_NOT_FOUND && r != E_BAD_ADDRESS)
		return E_AUTH_TEMP;
	r = check_hash(a, t->password, acc.hash);
	if (r == E_AUTH_FAILED) {
		note_failure(a, t);
		return r;
	}
	if (r < 0)
		return E_AUTH_TEMP;
	if (!acc.enabled)
		return E_AUTH_DISABLED;
	prove(a, t, acc.hash, proof);
	lock_take(&a->lock);
	recent_right_put(&a->right, str_of((char *)proof, PROOF_N), acc.id, clock_mono_ms());
	lock_give(&a->lock);
	*ret_account = acc.id;
	return 0;
}
