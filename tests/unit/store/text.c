/* Tests of store/text.h: what a message says, and how long it is kept. */
#include "env.h"

#include "base/clock.h"
#include "store/text_rows.h"

static const char LETTER[] =
    "From: \"Smith, John\" <Smith@Example.com>\r\n"
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\t aus\r\n"
    "Date: Tue, 1 Feb 1994 23:30:00 -0500\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n"
    "\r\n"
    "--b\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n"
    "\r\n"
    "one l=\r\nine\r\n"
    "--b\r\n"
    "Content-Type: application/octet-stream\r\n"
    "\r\n"
    "hidden\r\n"
    "--b--\r\n";

#define TOP                                                                                      \
	"FROM: \"SMITH, JOHN\" <SMITH@EXAMPLE.COM>\nSMITH, JOHN <SMITH@EXAMPLE.COM>\xff"         \
	"SUBJECT: GRU\u0308\u1e9eE AUS\xff"                                                      \
	"DATE: TUE, 1 FEB 1994 23:30:00 -0500\xff"                                               \
	"MIME-VERSION: 1.0\xff"                                                                  \
	"CONTENT-TYPE: MULTIPART/MIXED; BOUNDARY=B\xff"
#define PARTS                                                                                    \
	"CONTENT-TRANSFER-ENCODING: QUOTED-PRINTABLE\xff"                                        \
	"CONTENT-TYPE: APPLICATION/OCTET-STREAM\xff"

static void
test_text(void **state)
{
	struct env            *e = *state;
	struct appended        done = put(e, 0, LETTER);
	struct message         m = get(e, e->inbox, done.uid);
	const struct text_want all = { .mailbox = e->inbox, .message = &m };
	const struct text_want top = { .mailbox = e->inbox, .message = &m, .top_only = true };
	OWN(text_builder)      b = NULL;
	struct text            t;

	assert_ok(text_builder_new(e->a, &b));
	assert_ok(text_make(b, &all, &t));
	assert_str(t.folded, TOP PARTS "ONE LINE\xff");
	assert_int_equal(t.top_n, sizeof(TOP) - 1);
	assert_int_equal(t.head_n, sizeof(TOP PARTS) - 1);
	assert_true(t.date.is_there);
	assert_ok(text_make(b, &top, &t));
	assert_str(t.folded, TOP);
	assert_int_equal(t.head_n, sizeof(TOP) - 1);
}

/* --- keeping --- */

enum { MANY = 700 };

static void
fill(struct env *e, int n)
{
	char text[400];

	for (int i = 0; i < n; i++) {
		snprintf(text, sizeof(text),
		    "Subject: letter %d\r\nMessage-ID: <%d@x>\r\n\r\n"
		    "body %d, secret %d\r\n", i, i, i, i * 7919);
		put(e, i % 3 == 0 ? box(e, "Archive") : 0, text);
	}
}

static void
make_texts(struct env *e)
{
	bool done = false;

	while (!done)
		assert_ok(text_part_make(e->a, 1000, &done));
}

/* Is the text of that message kept? Then it is what would be made. */
static bool
is_kept(struct env *e, mailbox_id id, uint32_t uid)
{
	struct message         m = get(e, id, uid);
	const struct text_want want = { .mailbox = id, .message = &m };
	OWN(text_builder)      b = NULL;
	OWN(text_reader)       r = NULL;
	struct text            is, should;
	uint64_t               chunk;

	assert_ok(text_builder_new(e->a, &b));
	assert_ok(text_reader_new(e->a, &r));
	assert_ok(text_locate(r, m.email, &chunk));
	if (chunk == 0)
		return false;
	if (text_open(r, chunk) == E_NOT_FOUND || !text_get(r, &m, &is))
		return false;
	assert_ok(text_make(b, &want, &should));
	assert_true(str_eq(is.folded, should.folded));
	assert_int_equal(is.top_n, should.top_n);
	assert_int_equal(is.head_n, should.head_n);
	assert_int_equal(is.date.is_there, should.date.is_there);
	assert_int_equal(is.is_large, should.is_large);
	m.blob.b[15] ^= 1;
	assert_false(text_get(r, &m, &is));
	return true;
}

static unsigned
count_kept(struct env *e, mailbox_id id)
{
	OWN(message_iter) it = NULL;
	struct message    m;
	unsigned          n = 0;

	assert_ok(message_scan(e->a, id, 1, UINT32_MAX, false, &it));
	while (message_iter_next(it, &m, NULL) == 1)
		n += is_kept(e, id, m.uid);
	return n;
}

static void
count_call(void *arg)
{
	++*(int *)arg;
}

/* They are no change of the account. */
static void
test_made(void **state)
{
	struct env  *e = *state;
	int          calls = 0;
	struct watch watch = { .notify = count_call, .arg = &calls };
	struct quota quota;
	struct quota_usage before, after;
	uint64_t     modseq;

	fill(e, MANY);
	modseq = account_modseq(e->a);
	account_quota(e->a, &quota, &before);
	account_watch(e->a, &watch);
	make_texts(e);
	account_unwatch(e->a, &watch);
	account_quota(e->a, &quota, &after);
	assert_int_equal(calls, 0);
	assert_int_equal(account_modseq(e->a), modseq);
	assert_int_equal(before.storage, after.storage);
	assert_int_equal(count_kept(e, e->inbox) + count_kept(e, box(e, "Archive")), MANY);
	env_verify(e);
	env_crash(e);
	env_verify(e);
}

/* Housekeeping makes them when there are enough. */
static void
test_tended(void **state)
{
	struct env *e = *state;

	fill(e, 20);
	assert_ok(store_tend(e->store));
	assert_int_equal(count_kept(e, e->inbox), 0);
	fill(e, 60);
	for (int i = 0; i < 20; i++)
		assert_ok(store_tend(e->store));
	assert_int_equal(count_kept(e, e->inbox), status(e, e->inbox).messages);
	env_verify(e);
}

/* The text of one message stays with it, and goes with it. */
static void
test_life(void **state)
{
	struct env              *e = *state;
	mailbox_id               other = box(e, "other");
	OWN_RANGES struct ranges one = uids_of("5");
	struct copied            moved = { 0 };
	struct appended          back;
	struct message           m;
	uint32_t                 next;

	fill(e, 100);
	make_texts(e);
	m = get(e, e->inbox, 5);
	assert_ok(message_move(e->a, e->inbox, &one, 0, other, &ACTOR, &moved, &next));
	assert_true(is_kept(e, other, 1));
	copy_from_inbox(e, "6", other, "6", "2");
	assert_false(is_kept(e, other, 2));
	expunge_all(e, other, "1");
	env_verify(e);
	assert_ok(expunged_restore(e->a, m.email, other, &ACTOR, &back));
	assert_true(is_kept(e, other, back.uid));
	expunge_all(e, other, "3");
	clock_test_advance((int64_t)31 * 24 * 3600 * 1000);
	for (int i = 0; i < 3; i++)
		assert_ok(store_tend(e->store));
	assert_int_equal(expunged_restore(e->a, m.email, other, &ACTOR, &back), E_NOT_FOUND);
	env_verify(e);
	assert_int_equal(count_kept(e, e->inbox), status(e, e->inbox).messages);
	ranges_done(&moved.from);
	ranges_done(&moved.to);
}

/* No word of what was purged is in any row. */
static bool
is_in_rows(struct env *e, const char *word)
{
	const struct kv_part part = text_part(ACCOUNT);
	OWN(kv_iter)         it = NULL;
	struct text_chunk    c;
	struct str           k, v;
	bool                 found = false;

	assert_ok(text_chunk_init(&c));
	assert_ok(kv_scan(e->kv, part, STR("c"), STR("d"), false, &it));
	while (kv_iter_next(it, &k, &v) == 1) {
		assert_ok(text_chunk_unpack(v, false, &c));
		found |= str_find(buf_view(&c.plain), str_c(word)) < c.plain.n;
	}
	text_chunk_done(&c);
	return found;
}

static void
test_purged(void **state)
{
	struct env *e = *state;

	fill(e, MANY);
	make_texts(e);
	assert_true(is_in_rows(e, "BODY 7, SECRET"));
	expunge_all(e, e->inbox, "1:200,210,220,300:400");
	clock_test_advance((int64_t)31 * 24 * 3600 * 1000);
	for (int i = 0; i < 3; i++)
		assert_ok(store_tend(e->store));
	assert_false(is_in_rows(e, "BODY 7, SECRET"));
	assert_true(is_in_rows(e, "BODY 6, SECRET"));
	assert_int_equal(count_kept(e, e->inbox), status(e, e->inbox).messages);
	env_verify(e);
	expunge_all(e, e->inbox, "1:4000");
	expunge_all(e, box(e, "Archive"), "1:4000");
	clock_test_advance((int64_t)31 * 24 * 3600 * 1000);
	for (int i = 0; i < 3; i++)
		assert_ok(store_tend(e->store));
	assert_false(is_in_rows(e, ""));
	env_verify(e);
}

static void
test_account_removed(void **state)
{
	struct env *e = *state;
	uint64_t    id;

	fill(e, 50);
	make_texts(e);
	assert_ok(kv_part_next(e->kv, KV_TEXT, 0, &id));
	assert_int_equal(id, ACCOUNT);
	assert_ok(account_remove(e->store, ACCOUNT));
	assert_int_equal(kv_part_next(e->kv, KV_TEXT, 0, &id), E_NOT_FOUND);
}

/* --- damage --- */

static void
spoil(struct env *e, struct str from, struct str to, struct str value)
{
	const struct kv_part      part = text_part(ACCOUNT);
	OWN_BATCH struct kv_batch batch;
	OWN(kv_iter)              it = NULL;
	struct str                k, v;
	uint64_t                  version;
	kv_ticket                 ticket;

	kv_batch_init(&batch);
	assert_ok(kv_scan(e->kv, part, from, to, false, &it));
	assert_int_equal(kv_iter_next(it, &k, &v), 1);
	kv_put(&batch, k, value);
	assert_ok(kv_version(e->kv, part, &version));
	assert_ok(kv_commit(e->kv, part, version, version + 1, &batch, &ticket));
}

static void
count_fault(void *arg, account_id id, const char *text)
{
	(void)id;
	(void)text;
	++*(size_t *)arg;
}

static void
check_remade(struct env *e)
{
	size_t              told = 0, faults = 0;
	const struct verify v = { .report = count_fault, .arg = &told };

	assert_ok(store_verify(e->store, &v, &faults));
	assert_true(faults > 0 && told == faults);
	count_kept(e, e->inbox);
	env_verify(e);
	assert_int_equal(count_kept(e, e->inbox), 0);
	make_texts(e);
	assert_int_equal(count_kept(e, e->inbox), status(e, e->inbox).messages);
	env_verify(e);
}

static void
test_damaged(void **state)
{
	struct env *e = *state;

	fill(e, 300);
	make_texts(e);
	spoil(e, STR("c"), STR("d"), STR("\1nonsense"));
	check_remade(e);
	spoil(e, STR("c"), STR("d"), STR("\2 of a later version"));
	check_remade(e);
	spoil(e, STR("d"), STR("e"), STR("\1\5"));
	check_remade(e);
}

/* --- sizes and rivals --- */

static void
test_large(void **state)
{
	struct env        *e = *state;
	OWN_BUF struct buf b = BUF_INIT(4 << 20);
	struct appended    done;

	buf_str(&b, STR("Subject: large\r\n\r\n"));
	while (b.n < TEXT_KEEP_MAX + 1000)
		buf_str(&b, STR("what is too long to be kept\r\n"));
	assert_ok(try_append(e, e->inbox, buf_view(&b), (struct flags){ 0 }, &done));
	fill(e, 40);
	make_texts(e);
	assert_true(is_kept(e, e->inbox, done.uid));
	assert_false(is_in_rows(e, "TOO LONG"));
	env_verify(e);
}

/* What two made at the same time is kept once. */
static void
test_two_keepers(void **state)
{
	struct env            *e = *state;
	struct message         m, n;
	const struct text_want want[2] = {
		{ .mailbox = e->inbox, .message = &m }, { .mailbox = e->inbox, .message = &n }
	};
	OWN(text_builder)      b = NULL;
	OWN(text_keeper)       one = NULL;
	OWN(text_keeper)       two = NULL;
	struct text            t;

	put(e, 0, LETTER);
	put(e, 0, LETTER);
	put(e, 0, LETTER);
	m = get(e, e->inbox, 1);
	n = get(e, e->inbox, 2);
	assert_ok(text_builder_new(e->a, &b));
	assert_ok(text_keeper_new(e->a, &one));
	assert_ok(text_keeper_new(e->a, &two));
	assert_ok(text_make(b, &want[0], &t));
	assert_ok(text_keep(one, &m, &t));
	assert_ok(text_keep(two, &m, &t));
	assert_ok(text_make(b, &want[1], &t));
	assert_ok(text_keep(two, &n, &t));
	assert_ok(text_flush(one));
	assert_int_equal(text_waiting(two), 2);
	assert_ok(text_flush(two));
	assert_int_equal(text_written(one), 1);
	assert_int_equal(text_written(two), 1);
	assert_true(is_kept(e, e->inbox, 1) && is_kept(e, e->inbox, 2));
	env_verify(e);
	/* One that is gone meanwhile is not kept. */
	m = get(e, e->inbox, 3);
	assert_ok(text_make(b, &want[0], &t));
	assert_ok(text_keep(one, &m, &t));
	expunge_all(e, e->inbox, "3");
	assert_ok(text_flush(one));
	assert_int_equal(text_written(one), 1);
	env_verify(e);
}

/* --- turns --- */

struct waiter {
	struct account_turn turn;
	int                 calls;
};

static void
called(struct account_turn *turn)
{
	CONTAINER_OF(turn, struct waiter, turn)->calls++;
}

static void
test_turns(void **state)
{
	struct env   *e = *state;
	struct waiter w[3] = { { .turn.go = called }, { .turn.go = called },
		{ .turn.go = called } };

	assert_true(account_turn_take(e->a, &w[0].turn));
	assert_true(account_turn_take(e->a, &w[0].turn));
	assert_false(account_turn_take(e->a, &w[1].turn));
	assert_false(account_turn_take(e->a, &w[1].turn));
	assert_false(account_turn_take(e->a, &w[2].turn));
	account_turn_leave(e->a, &w[0].turn);
	assert_int_equal(w[1].calls, 1);
	assert_true(account_turn_take(e->a, &w[1].turn));
	assert_false(account_turn_take(e->a, &w[0].turn));
	account_turn_leave(e->a, &w[2].turn);
	account_turn_leave(e->a, &w[1].turn);
	assert_int_equal(w[2].calls, 0);
	assert_int_equal(w[0].calls, 1);
	account_turn_leave(e->a, &w[0].turn);
	account_turn_leave(e->a, &w[0].turn);
}

#define MEM(f) cmocka_unit_test_setup_teardown(f, env_mem, env_done)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		MEM(test_text),
		MEM(test_made),
		cmocka_unit_test_setup_teardown(test_made, env_rocks, env_done),
		MEM(test_tended),
		MEM(test_life),
		MEM(test_purged),
		MEM(test_account_removed),
		MEM(test_damaged),
		MEM(test_large),
		MEM(test_two_keepers),
		MEM(test_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
