/* Tests of auth/directory.h: domains, accounts, aliases, resolving, on kv_mem; each change also
 * with the storage failing at each of its steps, and by many threads at once. */
#include "test.h"

#include <pthread.h>

#include "auth/directory.h"
#include "base/buf.h"
#include "base/mem.h"
#include "kv/open.h"

struct fixture {
	struct kv        *kv;
	struct directory *d;
	struct arena      a;
};

static int
setup(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));

	arena_init(&f->a, 64 << 20);
	assert_ok(kv_mem_open(&f->kv));
	assert_ok(directory_open(f->kv, &f->d));
	assert_ok(directory_domain_add(f->d, STR("x.org")));
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	directory_drop(f->d);
	kv_drop(f->kv);
	arena_done(&f->a);
	test_free(f);
	return 0;
}

static uint64_t
add(struct fixture *f, const char *address)
{
	uint64_t id;

	assert_ok(directory_account_add(f->d, str_c(address), STR("{PLAIN}p"), &id));
	return id;
}

static void
alias(struct fixture *f, const char *name, const char *target)
{
	struct str t = str_c(target);

	assert_ok(directory_alias_add(f->d, str_c(name), &t, 1));
}

/* "1,2 r@y.z +tag": ids, remote addresses, tag. */
static const char *
resolve(struct fixture *f, const char *address)
{
	OWN_BUF struct buf b = BUF_INIT(65536);
	struct resolved    got;
	int                r = directory_resolve(f->d, str_c(address), &f->a, &got);

	if (r < 0)
		return error_row(r)->name;
	for (size_t i = 0; i < got.n_accounts; i++)
		buf_printf(&b, "%s%llu", i ? "," : "", (unsigned long long)got.accounts[i]);
	for (size_t i = 0; i < got.n_remote; i++)
		buf_printf(&b, " %.*s", STR_ARG(got.remote[i]));
	if (got.tag.n != 0)
		buf_printf(&b, " +%.*s", STR_ARG(got.tag));
	return arena_cstr(&f->a, buf_view(&b));
}

/* Everything there is, in words. */
static const char *
dump(struct fixture *f, struct directory *d)
{
	OWN_BUF struct buf        b = BUF_INIT(1 << 20);
	struct str               *domains;
	struct directory_account *accounts;
	struct directory_alias   *aliases;
	size_t                    n;

	assert_ok(directory_domain_list(d, &f->a, &domains, &n));
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%.*s;", STR_ARG(domains[i]));
	assert_ok(directory_account_list(d, &f->a, &accounts, &n));
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, " %llu=%.*s%s%.*s", (unsigned long long)accounts[i].id,
		    STR_ARG(accounts[i].address), accounts[i].enabled ? "/" : "!",
		    STR_ARG(accounts[i].hash));
	assert_ok(directory_alias_list(d, &f->a, &aliases, &n));
	for (size_t i = 0; i < n; i++) {
		buf_printf(&b, " %.*s:", STR_ARG(aliases[i].address));
		for (size_t k = 0; k < aliases[i].n_targets; k++)
			buf_printf(&b, "%s%.*s", k ? "," : "", STR_ARG(aliases[i].targets[k]));
	}
	assert_int_equal(b.err, 0);
	return arena_cstr(&f->a, buf_view(&b));
}

static void
test_domains(void **state)
{
	struct fixture *f = *state;
	bool            local;
	struct str      target = STR("a@b.c");

	assert_int_equal(directory_domain_add(f->d, STR("X.ORG")), E_EXISTS);
	assert_ok(directory_domain_add(f->d, STR("b\xc3\xbc" "cher.example")));
	assert_int_equal(directory_domain_add(f->d, STR("-x")), E_BAD_ADDRESS);
	assert_string_equal(dump(f, f->d), "x.org;xn--bcher-kva.example;");
	assert_ok(directory_domain_is_local(f->d, STR("xn--bcher-KVA.example"), &local));
	assert_true(local);
	assert_ok(directory_domain_is_local(f->d, STR("sub.x.org"), &local));
	assert_false(local);
	assert_ok(directory_domain_is_local(f->d, STR("[192.0.2.1]"), &local));
	assert_false(local);

	add(f, "ann@x.org");
	assert_int_equal(directory_domain_remove(f->d, STR("x.org")), E_CANNOT);
	assert_int_equal(directory_domain_remove(f->d, STR("nosuch.org")), E_NOT_FOUND);
	assert_ok(directory_alias_add(f->d, STR("@B\xc3\xbc" "cher.example"), &target, 1));
	assert_int_equal(directory_domain_remove(f->d, STR("xn--bcher-kva.example")), E_CANNOT);
	assert_ok(directory_alias_remove(f->d, STR("@xn--bcher-kva.example"), NULL, 0));
	assert_ok(directory_domain_remove(f->d, STR("xn--bcher-kva.example")));
	/* A domain whose name begins with the other's is not in it. */
	assert_ok(directory_domain_add(f->d, STR("x.org.uk")));
	assert_ok(directory_domain_remove(f->d, STR("x.org.uk")));
}

static void
test_accounts(void **state)
{
	struct fixture          *f = *state;
	struct directory_account acc;
	uint64_t                 id, gone;

	assert_int_equal(add(f, "Ann@X.org"), 1);
	assert_int_equal(directory_account_add(f->d, STR("ann@x.org"), STR_NONE, &id), E_EXISTS);
	assert_int_equal(directory_account_add(f->d, STR("ann@y.org"), STR_NONE, &id), E_NOT_FOUND);
	assert_int_equal(directory_account_add(f->d, STR("ann"), STR_NONE, &id), E_BAD_ADDRESS);
	assert_ok(directory_account_get(f->d, STR("ANN@x.org"), &f->a, &acc));
	assert_str(acc.address, "ann@x.org");
	assert_str(acc.hash, "{PLAIN}p");
	assert_true(acc.enabled);
	assert_true(acc.created_ms > 0);
	assert_ok(directory_account_by_id(f->d, 1, &f->a, &acc));
	assert_str(acc.address, "ann@x.org");
	assert_int_equal(directory_account_by_id(f->d, 2, &f->a, &acc), E_NOT_FOUND);

	assert_ok(directory_account_set_hash(
	    f->d, STR("ann@x.org"), STR("{PLAIN}q"), SESSIONS_END));
	assert_ok(directory_account_enable(f->d, STR("ann@x.org"), false));
	assert_string_equal(dump(f, f->d), "x.org; 1=ann@x.org!{PLAIN}q");
	assert_string_equal(resolve(f, "ann@x.org"), "ACCOUNT_OFF");
	assert_ok(directory_account_enable(f->d, STR("ann@x.org"), true));
	assert_int_equal(directory_account_enable(f->d, STR("bob@x.org"), true), E_NOT_FOUND);

	/* Ids are never used again, also that of the last one. */
	assert_ok(directory_account_remove(f->d, STR("ann@x.org"), &gone));
	assert_int_equal(gone, 1);
	assert_int_equal(directory_account_remove(f->d, STR("ann@x.org"), &gone), E_NOT_FOUND);
	assert_int_equal(directory_account_by_id(f->d, 1, &f->a, &acc), E_NOT_FOUND);
	assert_int_equal(add(f, "ann@x.org"), 2);
	assert_int_equal(add(f, "bob@x.org"), 3);
}

static void
test_aliases(void **state)
{
	struct fixture *f = *state;
	struct str      two[] = { STR("bob@x.org"), STR("Carl.B@Else.Example") };
	struct str      self = STR("Team@x.org"), one = STR("dan@x.org");
	struct str      many[RESOLVE_MAX + 1];

	add(f, "ann@x.org");
	assert_int_equal(directory_alias_add(f->d, STR("ann@x.org"), two, 2), E_EXISTS);
	assert_int_equal(directory_alias_add(f->d, STR("t@y.org"), two, 2), E_NOT_FOUND);
	assert_int_equal(directory_alias_add(f->d, STR("t@x.org"), two, 0), E_BAD_ADDRESS);
	assert_int_equal(directory_alias_add(f->d, STR("team@x.org"), &self, 1), E_CANNOT);
	assert_ok(directory_alias_add(f->d, STR("Team@x.org"), two, 2));
	assert_int_equal(directory_alias_add(f->d, STR("team@x.org"), two, 2), E_EXISTS);
	assert_ok(directory_alias_add(f->d, STR("team@x.org"), &one, 1));
	/* The local part of a target keeps its case: another server may care. */
	assert_string_equal(dump(f, f->d),
	    "x.org; 1=ann@x.org/{PLAIN}p team@x.org:bob@x.org,Carl.B@else.example,dan@x.org");
	assert_int_equal(directory_account_add(f->d, STR("team@x.org"), STR_NONE, &(uint64_t){ 0 }),
	    E_EXISTS);

	two[1] = STR("carl.b@else.example");
	assert_ok(directory_alias_remove(f->d, STR("team@x.org"), two, 2));
	assert_int_equal(directory_alias_remove(f->d, STR("team@x.org"), two, 2), E_NOT_FOUND);
	assert_ok(directory_alias_remove(f->d, STR("team@x.org"), &one, 1));
	assert_int_equal(directory_alias_remove(f->d, STR("team@x.org"), NULL, 0), E_NOT_FOUND);
	assert_int_equal(directory_alias_remove(f->d, STR("ann@x.org"), NULL, 0), E_NOT_FOUND);
	assert_string_equal(dump(f, f->d), "x.org; 1=ann@x.org/{PLAIN}p");

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = str_c(arena_printf(&f->a, "u%zu@else.example", i));
	assert_int_equal(directory_alias_add(f->d, STR("all@x.org"), many, ARRAY_LEN(many)),
	    E_LIMIT);
	assert_ok(directory_alias_add(f->d, STR("all@x.org"), many, RESOLVE_MAX));
	assert_int_equal(directory_alias_add(f->d, STR("all@x.org"), &many[RESOLVE_MAX], 1),
	    E_LIMIT);
}

static void
test_order_of_resolving(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(resolve(f, "ann@x.org"), "NO_USER");
	assert_string_equal(resolve(f, "ann@y.org"), "RELAY");
	assert_string_equal(resolve(f, "ann"), "BAD_ADDRESS");
	add(f, "ann@x.org");
	add(f, "ann+shop@x.org");
	add(f, "bob@x.org");
	alias(f, "ann+news@x.org", "bob@x.org");
	alias(f, "sales@x.org", "ann@x.org");
	alias(f, "sales@x.org", "Bob+Sales@X.org");
	alias(f, "sales@x.org", "Eve@Else.example");
	assert_string_equal(resolve(f, "ANN@x.org"), "1");
	assert_string_equal(resolve(f, "\"ann\"@x.org"), "1");
	assert_string_equal(resolve(f, "ann+@x.org"), "1");
	assert_string_equal(resolve(f, "ann+Lists@x.org"), "1 +lists");
	assert_string_equal(resolve(f, "ann+a+b+c@x.org"), "1 +a+b+c");
	assert_string_equal(resolve(f, "ann+shop@x.org"), "2");
	assert_string_equal(resolve(f, "ann+shop+now@x.org"), "2 +now");
	assert_string_equal(resolve(f, "ann+news@x.org"), "3");
	assert_string_equal(resolve(f, "ann+news+x@x.org"), "3 +x");
	assert_string_equal(resolve(f, "sales@x.org"), "1,3 Eve@else.example");
	assert_string_equal(resolve(f, "sales+q@x.org"), "1,3 Eve@else.example +q");
	assert_string_equal(resolve(f, "\"ann+a b\"@x.org"), "1 +a b");
	assert_string_equal(resolve(f, "nobody@x.org"), "NO_USER");
	assert_string_equal(resolve(f, "nobody+ann@x.org"), "NO_USER");
	alias(f, "@x.org", "bob+rest@x.org");
	assert_string_equal(resolve(f, "nobody@x.org"), "3 +rest");
	assert_string_equal(resolve(f, "nobody+ann@x.org"), "3 +rest");
	assert_string_equal(resolve(f, "ann@x.org"), "1");
}

static void
test_cycles_and_dead_ends(void **state)
{
	struct fixture *f = *state;

	add(f, "ann@x.org");
	add(f, "off@x.org");
	assert_ok(directory_account_enable(f->d, STR("off@x.org"), false));
	alias(f, "a@x.org", "b@x.org");
	alias(f, "b@x.org", "a@x.org");
	assert_string_equal(resolve(f, "a@x.org"), "NO_USER");
	alias(f, "b@x.org", "ann@x.org");
	alias(f, "a@x.org", "ann+tag@x.org");
	assert_string_equal(resolve(f, "a@x.org"), "1 +tag");
	alias(f, "dead@x.org", "nobody@x.org");
	assert_string_equal(resolve(f, "dead@x.org"), "NO_USER");
	alias(f, "dead@x.org", "off@x.org");
	assert_string_equal(resolve(f, "dead@x.org"), "ACCOUNT_OFF");
	alias(f, "dead@x.org", "ann@x.org");
	assert_string_equal(resolve(f, "dead@x.org"), "1");
	alias(f, "@x.org", "nowhere@x.org");
	assert_string_equal(resolve(f, "zed@x.org"), "NO_USER");
}

/* Ten lists of a thousand each behind one name: refused, not cut, and no memory without end. */
static void
test_fan_out(void **state)
{
	struct fixture  *f = *state;
	struct str       targets[10], list[300];
	struct resolved  got;
	OWN_ARENA struct arena small = ARENA_INIT(1 << 20);

	for (size_t i = 0; i < 10; i++) {
		char *name = arena_printf(&f->a, "list%zu@x.org", i);

		for (size_t k = 0; k < ARRAY_LEN(list); k++)
			list[k] = str_c(arena_printf(&f->a, "u%zu.%zu@y.org", i, k));
		assert_ok(directory_alias_add(f->d, str_c(name), list, ARRAY_LEN(list)));
		targets[i] = str_c(name);
	}
	assert_ok(directory_alias_add(f->d, STR("some@x.org"), targets, 3));
	assert_ok(directory_alias_add(f->d, STR("all@x.org"), targets, 10));
	assert_ok(directory_resolve(f->d, STR("some@x.org"), &small, &got));
	assert_int_equal(got.n_remote, 900);
	arena_reset(&small);
	assert_int_equal(directory_resolve(f->d, STR("all@x.org"), &small, &got), E_LIMIT);
	arena_done(&small);
	arena_init(&small, 4096);
	assert_int_equal(directory_resolve(f->d, STR("some@x.org"), &small, &got), E_NOMEM);
}

static void
test_postmaster(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(resolve(f, "Postmaster"), "NO_USER");
	assert_string_equal(resolve(f, "postmaster@x.org"), "NO_USER");
	add(f, "ann@x.org");
	add(f, "bob@x.org");
	assert_string_equal(resolve(f, "Postmaster"), "1");
	assert_string_equal(resolve(f, "POSTMASTER@x.org"), "1");
	assert_string_equal(resolve(f, "postmaster+a@x.org"), "NO_USER");
	assert_ok(directory_account_enable(f->d, STR("ann@x.org"), false));
	assert_string_equal(resolve(f, "postmaster@x.org"), "2");
	assert_ok(directory_domain_add(f->d, STR("z.org")));
	alias(f, "postmaster@z.org", "ann@x.org");
	assert_string_equal(resolve(f, "postmaster"), "2");
	alias(f, "postmaster@z.org", "bob+pm@x.org");
	assert_string_equal(resolve(f, "postmaster"), "2 +pm");
	assert_string_equal(resolve(f, "postmaster@x.org"), "2 +pm");
	assert_string_equal(resolve(f, "postmaster@y.org"), "RELAY");
	alias(f, "@x.org", "bob+all@x.org");
	assert_string_equal(resolve(f, "postmaster@x.org"), "2 +all");
}

static void
test_may_send_as(void **state)
{
	struct fixture *f = *state;
	uint64_t        ann = add(f, "ann@x.org"), bob = add(f, "bob@x.org");
	uint64_t        tagged = add(f, "ann+own@x.org");

	alias(f, "team@x.org", "ann@x.org");
	alias(f, "all@x.org", "team@x.org");
	alias(f, "out@x.org", "eve@else.example");
	assert_ok(directory_may_send_as(f->d, ann, STR("Ann@x.org")));
	assert_ok(directory_may_send_as(f->d, ann, STR("ann+x@x.org")));
	assert_ok(directory_may_send_as(f->d, ann, STR("team@x.org")));
	assert_ok(directory_may_send_as(f->d, ann, STR("all@x.org")));
	assert_ok(directory_may_send_as(f->d, tagged, STR("ann+own@x.org")));
	assert_int_equal(directory_may_send_as(f->d, bob, STR("team@x.org")), E_SENDER_NOT_YOURS);
	assert_int_equal(directory_may_send_as(f->d, bob, STR("ann@x.org")), E_SENDER_NOT_YOURS);
	assert_int_equal(directory_may_send_as(f->d, ann, STR("ann+own@x.org")),
	    E_SENDER_NOT_YOURS);
	assert_int_equal(directory_may_send_as(f->d, ann, STR("x@x.org")), E_SENDER_NOT_YOURS);
	assert_int_equal(directory_may_send_as(f->d, ann, STR("a@else.example")),
	    E_SENDER_NOT_YOURS);
	assert_int_equal(directory_may_send_as(f->d, ann, STR("eve@else.example")),
	    E_SENDER_NOT_YOURS);
	assert_int_equal(directory_may_send_as(f->d, ann, STR("")), E_SENDER_NOT_YOURS);
	alias(f, "@x.org", "ann@x.org");
	assert_ok(directory_may_send_as(f->d, ann, STR("x@x.org")));
}

static void
test_removal_takes_aliases_along(void **state)
{
	struct fixture *f = *state;
	uint64_t        id;

	add(f, "ann@x.org");
	add(f, "bob@x.org");
	alias(f, "team@x.org", "ann@x.org");
	alias(f, "team@x.org", "bob@x.org");
	alias(f, "me@x.org", "ANN@x.org");
	alias(f, "myself@x.org", "me@x.org");
	alias(f, "myself@x.org", "ann@x.org");
	alias(f, "mixed@x.org", "myself@x.org");
	alias(f, "mixed@x.org", "bob@x.org");
	alias(f, "ring1@x.org", "ring2@x.org");
	alias(f, "ring2@x.org", "ring1@x.org");
	alias(f, "ring2@x.org", "ann@x.org");
	assert_ok(directory_account_remove(f->d, STR("ann@x.org"), &id));
	assert_string_equal(dump(f, f->d), "x.org; 2=bob@x.org/{PLAIN}p mixed@x.org:bob@x.org"
	    " ring1@x.org:ring2@x.org ring2@x.org:ring1@x.org team@x.org:bob@x.org");
	/* Nothing of the old one comes back with a new one of the same name. */
	add(f, "ann@x.org");
	assert_ok(directory_account_remove(f->d, STR("ann@x.org"), &id));
	assert_string_equal(resolve(f, "team@x.org"), "2");
	assert_string_equal(resolve(f, "me@x.org"), "NO_USER");
}

/* --- the storage fails at each step --- */

static int
do_all(struct directory *d)
{
	struct str two[] = { STR("ann@x.org"), STR("eve@else.example") };
	struct str me = STR("team@x.org");
	uint64_t   id;
	int        r = directory_domain_add(d, STR("y.org"));

	if (r == 0)
		r = directory_account_add(d, STR("new@y.org"), STR("{PLAIN}n"), &id);
	if (r == 0)
		r = directory_alias_add(d, STR("team@x.org"), two, 2);
	if (r == 0)
		r = directory_alias_add(d, STR("all@y.org"), &me, 1);
	if (r == 0)
		r = directory_account_set_hash(d, STR("new@y.org"), STR("{PLAIN}m"), SESSIONS_END);
	if (r == 0)
		r = directory_account_remove(d, STR("ann@x.org"), &id);
	if (r == 0)
		r = directory_alias_remove(d, STR("all@y.org"), NULL, 0);
	if (r == 0)
		r = directory_account_remove(d, STR("new@y.org"), &id);
	if (r == 0)
		r = directory_domain_remove(d, STR("y.org"));
	return r;
}

/* The states between the calls of do_all, in order. */
#define TEAM " team@x.org:ann@x.org,eve@else.example"
static const char *const STATES[] = {
	"x.org; 1=ann@x.org/{PLAIN}p",
	"x.org;y.org; 1=ann@x.org/{PLAIN}p",
	"x.org;y.org; 1=ann@x.org/{PLAIN}p 2=new@y.org/{PLAIN}n",
	"x.org;y.org; 1=ann@x.org/{PLAIN}p 2=new@y.org/{PLAIN}n" TEAM,
	"x.org;y.org; 1=ann@x.org/{PLAIN}p 2=new@y.org/{PLAIN}n" TEAM " all@y.org:team@x.org",
	"x.org;y.org; 1=ann@x.org/{PLAIN}p 2=new@y.org/{PLAIN}m" TEAM " all@y.org:team@x.org",
	"x.org;y.org; 2=new@y.org/{PLAIN}m team@x.org:eve@else.example all@y.org:team@x.org",
	"x.org;y.org; 2=new@y.org/{PLAIN}m team@x.org:eve@else.example",
	"x.org;y.org; team@x.org:eve@else.example",
	"x.org; team@x.org:eve@else.example",
};

static bool
is_known_state(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(STATES); i++)
		if (strcmp(STATES[i], text) == 0)
			return true;
	return false;
}

/* `arm` makes the nth step from now fail; with 0, none any more. */
static void
fault_at(void (*arm)(struct kv *, unsigned long nth), int err, unsigned long nth, bool *ret_done)
{
	struct fixture    f = { .a = ARENA_INIT(1 << 20) };
	struct kv        *kv;
	struct directory *d;
	uint64_t          id;
	const char       *state;
	int               r;

	assert_ok(kv_mem_open(&kv));
	assert_ok(kv_fault_open(kv, &kv));
	assert_ok(directory_open(kv, &d));
	assert_ok(directory_domain_add(d, STR("x.org")));
	assert_ok(directory_account_add(d, STR("ann@x.org"), STR("{PLAIN}p"), &id));
	arm(kv, nth);
	r = do_all(d);
	arm(kv, 0);
	assert_true(r == 0 || r == err);
	*ret_done = r == 0;
	(void)kv_heal(kv);
	state = dump(&f, d);
	if (!is_known_state(state))
		fail_msg("after fault %lu: %s", nth, state);
	if (r == 0)
		assert_string_equal(state, STATES[ARRAY_LEN(STATES) - 1]);
	directory_drop(d);
	kv_drop(kv);
	arena_done(&f.a);
}

static void
arm_kv(struct kv *kv, unsigned long nth)
{
	kv_fault_set(kv, nth, false, E_IO);
}

static void
arm_mem(struct kv *kv, unsigned long nth)
{
	(void)kv;
	mem_fault_set(nth, 0);
}

static void
test_faults_leave_it_whole(void **state)
{
	bool          done = false;
	unsigned long nth;

	(void)state;
	for (nth = 1; !done && nth < 1000; nth++)
		fault_at(arm_kv, E_IO, nth, &done);
	assert_in_range(nth, 30, 500);
}

/* Fails at no step when the build has no -Dfaults=true. */
static void
test_no_memory_leaves_it_whole(void **state)
{
	bool          done = false;
	unsigned long nth;

	(void)state;
	for (nth = 1; !done && nth < 5000; nth++)
		fault_at(arm_mem, E_NOMEM, nth, &done);
	assert_true(done);
#ifdef POSTRIDER_FAULTS
	assert_true(nth > 100);
#endif
}

/* --- many at once --- */

enum { THREADS = 6, EACH = 40 };

struct worker {
	struct fixture *f;
	unsigned        number;
	uint64_t        ids[EACH];
};

static void *
work(void *arg)
{
	struct worker         *w = arg;
	OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
	struct resolved        got;
	char                   name[64];

	for (unsigned i = 0; i < EACH; i++) {
		struct str address, team = STR("team@x.org");

		snprintf(name, sizeof(name), "u%u.%u@x.org", w->number, i);
		address = str_c(name);
		assert_ok(directory_account_add(w->f->d, address, STR_NONE, &w->ids[i]));
		assert_ok(directory_alias_add(w->f->d, team, &address, 1));
		assert_ok(directory_resolve(w->f->d, team, &a, &got));
		if (i % 2 == 0)
			assert_ok(directory_account_remove(w->f->d, address, &w->ids[i]));
		arena_reset(&a);
	}
	return NULL;
}

static void
test_threads(void **state)
{
	struct fixture *f = *state;
	struct worker   w[THREADS];
	pthread_t       t[THREADS];
	struct resolved got;
	bool            seen[THREADS * EACH + 2] = { false };

	for (unsigned i = 0; i < THREADS; i++) {
		w[i] = (struct worker){ .f = f, .number = i };
		assert_ok(pthread_create(&t[i], NULL, work, &w[i]));
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_ok(pthread_join(t[i], NULL));
	assert_ok(directory_resolve(f->d, STR("team@x.org"), &f->a, &got));
	assert_int_equal(got.n_accounts, THREADS * EACH / 2);
	for (unsigned i = 0; i < THREADS; i++)
		for (unsigned k = 0; k < EACH; k++) {
			assert_in_range(w[i].ids[k], 1, THREADS * EACH);
			assert_false(seen[w[i].ids[k]]);
			seen[w[i].ids[k]] = true;
		}
}

/* What was found is remembered until the next change, by anybody. */
static void
test_changes_are_seen_at_once(void **state)
{
	struct fixture          *f = *state;
	struct directory_account acc;
	uint64_t                 id;

	id = add(f, "a@x.org");
	for (int i = 0; i < 2; i++) {
		assert_string_equal(resolve(f, "A+t@x.org"), "1 +t");
		assert_ok(directory_account_get(f->d, STR("A@X.org"), &f->a, &acc));
		assert_int_equal(acc.id, id);
		assert_true(str_eq(acc.address, STR("a@x.org")));
		assert_true(str_eq(acc.hash, STR("{PLAIN}p")));
	}
	assert_ok(directory_account_set_hash(f->d, STR("a@x.org"), STR("{PLAIN}q"), SESSIONS_END));
	assert_ok(directory_account_get(f->d, STR("A@X.org"), &f->a, &acc));
	assert_true(str_eq(acc.hash, STR("{PLAIN}q")));
	assert_ok(directory_account_enable(f->d, STR("a@x.org"), false));
	assert_string_equal(resolve(f, "A+t@x.org"), "ACCOUNT_OFF");
	assert_ok(directory_account_get(f->d, STR("A@X.org"), &f->a, &acc));
	assert_false(acc.enabled);
	assert_ok(directory_account_enable(f->d, STR("a@x.org"), true));
	assert_string_equal(resolve(f, "A+t@x.org"), "1 +t");
	assert_ok(directory_account_remove(f->d, STR("a@x.org"), &id));
	assert_string_equal(resolve(f, "A+t@x.org"), "NO_USER");
	assert_int_equal(
	    directory_account_get(f->d, STR("A@X.org"), &f->a, &acc), E_NOT_FOUND);
	add(f, "a@x.org");
	assert_string_equal(resolve(f, "A+t@x.org"), "2 +t");
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_changes_are_seen_at_once),
		T(test_domains),
		T(test_accounts),
		T(test_aliases),
		T(test_order_of_resolving),
		T(test_cycles_and_dead_ends),
		T(test_fan_out),
		T(test_postmaster),
		T(test_may_send_as),
		T(test_removal_takes_aliases_along),
		cmocka_unit_test(test_faults_leave_it_whole),
		cmocka_unit_test(test_no_memory_leaves_it_whole),
		T(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
