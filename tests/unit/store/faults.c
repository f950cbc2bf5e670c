/*
 * A course of all operations in which the nth operation of the engine, or the nth allocation,
 * fails. After each fault the store agrees with itself, nothing that was durable is missing, and
 * the course can be gone through again.
 */
#include "env.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kv/open.h"
#include "store/carry.h"
#include "store/journal.h"
#include "store/uidl.h"

enum { DAY_MS = 24 * 3600 * 1000, LARGE = 2 * KV_BLOB_PIECE + 100, COURSES = 2 };

static const struct quota NONE;

struct course {
	struct env *e;
	account_id  next_id; /* of accounts that come and go: never twice */
	char       *large;
};

typedef int operation(struct course *);

static int
op_create(struct course *c)
{
	mailbox_id id;
	int        r = mailbox_create(c->e->a, STR("w/x"), 0, &ACTOR, &id);

	return r == E_EXISTS ? 0 : r;
}

static int
append(struct course *c, struct str text)
{
	struct appended done;

	return try_append(c->e, c->e->inbox, text, (struct flags){ 0 }, &done);
}

static int
op_append(struct course *c)
{
	int r = append(c, STR("Message-ID: <a@x>\r\n\r\none"));

	if (r == 0)
		r = append(c, STR("Message-ID: <b@x>\r\nIn-Reply-To: <a@x>\r\n\r\ntwo"));
	return r < 0 ? r : append(c, str_of(c->large, LARGE));
}

static int
op_keyword(struct course *c)
{
	unsigned number;

	return keyword_number(c->e->a, STR("$Work"), true, &ACTOR, &number);
}

static int
all_uids(struct ranges *ret)
{
	return ranges_add(ret, 1, UINT32_MAX);
}

static int
op_flags(struct course *c)
{
	const struct flag_change change = { FLAGS_ADD, { .system = FLAG_SEEN }, false, 0, NULL };
	OWN_RANGES struct ranges all = { 0 }, changed = { 0 };
	uint32_t                 at = 1;
	int                      r = all_uids(&all);

	while (r == 0 && at != 0)
		r = message_change_flags(
		    c->e->a, c->e->inbox, &all, at, &change, &ACTOR, &changed, &at);
	return r;
}

static int
transfer(struct course *c, bool is_move, mailbox_id from, mailbox_id to)
{
	OWN_RANGES struct ranges all = { 0 };
	struct copied            copied = { 0 };
	uint32_t                 at = 1;
	int                      r = all_uids(&all);

	if (r == 0 && !is_move)
		r = message_copy(c->e->a, from, &all, to, &ACTOR, &copied);
	while (is_move && r == 0 && at != 0)
		r = message_move(c->e->a, from, &all, at, to, &ACTOR, &copied, &at);
	ranges_done(&copied.from);
	ranges_done(&copied.to);
	return r;
}

static int
op_copy(struct course *c)
{
	mailbox_id id;
	int        r = mailbox_find(c->e->a, STR("w/x"), &id);

	return r < 0 ? r : transfer(c, false, c->e->inbox, id);
}

static int
op_move(struct course *c)
{
	mailbox_id id, sent;
	int        r = mailbox_find(c->e->a, STR("w/x"), &id);

	if (r == 0)
		r = mailbox_find(c->e->a, STR("Sent"), &sent);
	return r < 0 ? r : transfer(c, true, id, sent);
}

static int
op_expunge(struct course *c)
{
	OWN_RANGES struct ranges removed = { 0 };
	uint32_t                 at = 1;
	mailbox_id               sent;
	int                      r = mailbox_find(c->e->a, STR("Sent"), &sent);

	while (r == 0 && at != 0)
		r = message_expunge(c->e->a, sent, NULL, true, at, &ACTOR, &removed, &at);
	return r;
}

static int
first_expunged(void *arg, const struct expunged *x)
{
	*(email_id *)arg = x->message.email;
	return 1;
}

static int
op_restore(struct course *c)
{
	struct appended done;
	email_id        email = 0;
	int             r = expunged_scan(c->e->a, first_expunged, &email);

	if (r < 0 || email == 0)
		return r;
	return expunged_restore(c->e->a, email, c->e->inbox, &ACTOR, &done);
}

static int
op_subscribe(struct course *c)
{
	int r = mailbox_subscribe(c->e->a, STR("w/x"), true, &ACTOR);

	return r < 0 ? r : mailbox_subscribe(c->e->a, STR("w/z"), false, &ACTOR);
}

static int
op_list(struct course *c)
{
	OWN_ARENA struct arena arena = ARENA_INIT(1 << 20);
	struct mailbox_info   *info;
	size_t                 n;

	return mailbox_list(c->e->a, &arena, &info, &n);
}

static int
op_view(struct course *c)
{
	OWN_RANGES struct ranges uids = { 0 };
	struct mailbox_status    s;
	uint32_t                 recent;
	uint64_t                 modseq;

	return mailbox_view(c->e->a, c->e->inbox, true, &s, &uids, &recent, &modseq);
}

static int
op_read(struct course *c)
{
	OWN(message_iter)    it = NULL;
	OWN_BUF struct buf   bytes = BUF_INIT(4 << 20);
	struct message       m;
	struct message_facts facts;
	int                  r = message_scan(c->e->a, c->e->inbox, 1, UINT32_MAX,
	    SCAN_RECORDS_FACTS, &it);

	while (r == 0 && (r = message_iter_next(it, &m, &facts)) > 0) {
		buf_reset(&bytes);
		r = message_read(c->e->a, &m, 0, SIZE_MAX, &bytes);
	}
	return r;
}

static int
skip_change(void *arg, const struct change *change)
{
	(void)arg;
	(void)change;
	return 0;
}

static int
op_changes(struct course *c)
{
	uint64_t since = account_modseq(c->e->a), upto;
	int      r;

	r = change_scan(c->e->a, since > 5 ? since - 5 : 0, 0, skip_change, NULL, &upto);
	return r == E_NOT_FOUND ? 0 : r;
}

static int
op_rename(struct course *c)
{
	int r = mailbox_rename(c->e->a, STR("w/x"), STR("v/z"), &ACTOR);

	return r == E_EXISTS ? 0 : r;
}

static int
op_rename_inbox(struct course *c)
{
	int r = mailbox_rename(c->e->a, STR("INBOX"), STR("w/old"), &ACTOR);

	return r == E_EXISTS ? 0 : r;
}

static int
op_delete(struct course *c)
{
	static const char *const NAMES[] = { "v/z", "v", "w/old", "w" };

	for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
		int r = mailbox_delete(c->e->a, str_c(NAMES[i]), &ACTOR);

		if (r < 0 && r != E_NO_MAILBOX && r != E_HAS_CHILDREN)
			return r;
	}
	return 0;
}

static int
op_tend(struct course *c)
{
	int r;

	clock_test_advance(31ll * DAY_MS);
	r = store_tend(c->e->store);
	clock_test_advance(-31ll * DAY_MS);
	return r;
}

static const struct actor PHONE = {
	ACTOR_POP3, 5, { "192.0.2.5", 9 }, { "anna@example.org", 16 }, { "phone", 5 }
};

static int
remove_and_restore(struct course *c, struct device_view *v)
{
	struct pop3_removal    rm = { .device = v->device, .mark = 1 };
	struct journal_restore back = { .device = STR("phone") };
	struct device_alarm    alarm;
	struct message         m;
	uint32_t               which[16];
	bool                   done = false;
	int                    r = 0;

	while (r == 0 && !done)
		r = device_view_load(v, &done);
	assert_true(v->n <= ARRAY_LEN(which));
	for (uint32_t i = 0; r == 0 && i < v->n; i++) {
		v->m[i].marks = 1;
		which[i] = i;
		r = device_view_message(c->e->a, v->inbox, &v->m[i], &m);
	}
	if (r == 0)
		r = journal_fetched(c->e->a, v->m, which, v->n, &PHONE);
	rm.m = v->m;
	rm.n = v->n;
	for (done = false; r == 0 && !done;)
		r = pop3_remove_part(c->e->a, &rm, &PHONE, &done);
	if (r == 0)
		r = device_alarm_due(c->e->a, v->device, &done, &alarm);
	if (r == 0 && done)
		r = device_alarm_end(c->e->a, v->device, &PHONE, true);
	for (done = false; r == 0 && !done;)
		r = journal_restore_part(c->e->a, &back, &ACTOR, &done);
	return r;
}

static int
op_device(struct course *c)
{
	static const enum pop3_policy POLICIES[] = { POP3_TRASH, POP3_READ, POP3_DELETE };
	const struct device_counts    counts = { 1, 10, 0, 0 };
	device_id                     id;
	int                           r = device_seen(c->e->a, &PHONE, &id);

	if (r == 0)
		r = device_client(c->e->a, id, STR("client"));
	if (r == 0)
		r = device_count(c->e->a, id, ACTOR_POP3, &counts);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(POLICIES); i++) {
		struct device_view v;

		r = device_policy_set(c->e->a, id, POLICIES[i], &ACTOR);
		if (r < 0)
			return r;
		r = device_view_open(&v, c->e->a, id);
		if (r == 0)
			r = remove_and_restore(c, &v);
		device_view_done(&v);
	}
	return r;
}

static int
op_options(struct course *c)
{
	const struct pop3_options opt = { .policy = POP3_TRASH };
	struct device_info       *info;
	OWN_ARENA struct arena    arena = ARENA_INIT(1 << 20);
	size_t                    n;
	int                       r = pop3_options_set(c->e->a, &opt, &ACTOR);

	return r < 0 ? r : device_list(c->e->a, &arena, &info, &n);
}

static int
skip_event(void *arg, const struct journal_event *ev)
{
	(void)ev;
	++*(unsigned *)arg;
	return 0;
}

static int
op_journal(struct course *c)
{
	const struct journal_query q = { 0 };
	unsigned                   n = 0;

	return journal_scan(c->e->a, &q, skip_event, &n);
}

static int
op_uidl(struct course *c)
{
	OWN(message_iter)  it = NULL;
	struct uidl_reader rd = { 0 };
	struct uidl        u = { .text = STR("old-1") };
	struct message     m;
	size_t             bad;
	int                r = message_scan(c->e->a, c->e->inbox, 1, UINT32_MAX, SCAN_RECORDS, &it);

	if (r == 0)
		r = message_iter_next(it, &m, NULL);
	if (r <= 0)
		return r;
	message_iter_drop(TAKE(it));
	u.email = m.email;
	r = uidl_set(c->e->a, &u, 1, &ACTOR, &bad);
	/* Another message has had it since the last time. */
	if (r == E_EXISTS)
		r = 0;
	if (r == 0)
		r = uidl_read(&rd, c->e->a, m.email, &u.text);
	uidl_reader_done(&rd);
	return r < 0 ? r : 0;
}

/* A message that comes with its UIDL, its device and its leave of INBOX, and what is read of it. */
static int
op_carry(struct course *c)
{
	const struct device_info info = {
		.name = STR("carried"), .client = STR("c"), .policy = POP3_KEEP,
		.use[ACTOR_POP3] = { .last_ms = 1, .peer = STR("p") }
	};
	OWN(carry_reader) rd = NULL;
	OWN(uidl_taken)   taken = NULL;
	OWN(ingest)       in = NULL;
	device_id         device;
	mailbox_id        trash;
	struct appended   done;
	struct carried    got, put = {
		.uidl = STR("old-2"), .hidden = &device, .n_hidden = 1, .left_policy = POP3_TRASH,
		.left_ms = 1
	};
	struct append_options with = { .carried = &put };
	int                   r = device_put(c->e->a, &info, &ACTOR);

	if (r == 0)
		r = device_find(c->e->a, info.name, &device);
	if (r == 0)
		r = mailbox_find(c->e->a, STR("Trash"), &trash);
	if (r == 0)
		r = uidl_taken_new(&taken);
	with.taken = taken;
	if (r == 0)
		r = ingest_new(c->e->store, 1000, &in);
	if (r == 0)
		r = ingest_write(in, STR("A: 1\r\n\r\nx"));
	if (r == 0)
		r = ingest_end(in);
	if (r == 0)
		r = message_append(c->e->a, trash, in, &with, &ACTOR, &done);
	if (r == 0)
		r = carry_reader_new(c->e->a, &rd);
	if (r == 0)
		r = carry_read(rd, done.email, &got);
	return r < 0 ? r : carry_unhide(c->e->a, done.email, &ACTOR);
}

static int
op_account(struct course *c)
{
	account_id      id = c->next_id++;
	struct appended done;
	mailbox_id      inbox;
	OWN(account)    a = NULL;
	OWN(ingest)     in = NULL;
	const struct append_options opt = { 0 };
	int             r = account_create(c->e->store, id, &NONE, &ACTOR);

	if (r == 0)
		r = account_open(c->e->store, id, &a);
	if (r == 0)
		r = mailbox_find(a, STR("INBOX"), &inbox);
	if (r == 0)
		r = ingest_new(c->e->store, 1000, &in);
	if (r == 0)
		r = ingest_write(in, STR("A: 1\r\n\r\nx"));
	if (r == 0)
		r = ingest_end(in);
	if (r == 0)
		r = message_append(a, inbox, in, &opt, &ACTOR, &done);
	return r < 0 ? r : account_remove(c->e->store, id);
}

static int
op_quota(struct course *c)
{
	return account_quota_set(c->e->a, &NONE, &ACTOR);
}

static int
op_barrier(struct course *c)
{
	return account_barrier(c->e->a);
}

static operation *const OPERATIONS[] = {
	op_create, op_append, op_keyword, op_flags, op_barrier, op_copy, op_subscribe, op_list,
	op_view, op_device, op_options, op_journal, op_uidl, op_carry, op_move, op_read, op_expunge,
	op_barrier, op_restore, op_changes, op_rename,
	op_rename_inbox, op_delete, op_quota, op_tend, op_account, op_barrier,
};

static int
go(struct course *c)
{
	for (size_t i = 0; i < ARRAY_LEN(OPERATIONS); i++) {
		int r = OPERATIONS[i](c);

		if (r < 0)
			return r;
	}
	return 0;
}

static void
start(struct course *c, struct env *e)
{
	*c = (struct course){ .e = e, .next_id = 1000, .large = malloc(LARGE) };
	assert_non_null(c->large);
	memset(c->large, 'l', LARGE);
	memcpy(c->large, "A: 1\r\n\r\n", 8);
}

/* As the timer would: heals, and opens what a reopening made stale. */
static void
recover(struct course *c)
{
	assert_ok(store_tend(c->e->store));
	if (account_barrier(c->e->a) != 0)
		env_account(c->e);
}

/* One course with a fault in it, and one without. The message that was durable before stays. */
static void
go_with_fault(struct course *c, void (*arm)(struct course *, unsigned long), unsigned long nth)
{
	struct appended first = put(c->e, box(c->e, "Archive"), "A: kept\r\n\r\nx");
	int             r;

	assert_ok(account_barrier(c->e->a));
	arm(c, nth);
	r = go(c);
	arm(c, 0);
	recover(c);
	assert_int_equal(get(c->e, box(c->e, "Archive"), first.uid).uid, first.uid);
	env_verify(c->e);
	if (r < 0)
		assert_ok(go(c));
	env_verify(c->e);
}

/* Now and then: the change log grows, and each course reads all of it several times. */
static void
begin_anew(struct course *c, void **state, unsigned long nth)
{
	if (nth % COURSES != 0)
		return;
	env_done(state);
	env_mem(state);
	c->e = *state;
}

/* --- the engine --- */

static int fault_err;
static bool fault_sticky;

static void
arm_kv(struct course *c, unsigned long nth)
{
	kv_fault_set(c->e->kv, nth, fault_sticky, fault_err);
}

static void
each_kv_operation(void **state, int err, bool sticky)
{
	struct course c;
	unsigned long n;

	fault_err = err;
	fault_sticky = sticky;
	start(&c, *state);
	kv_fault_set(c.e->kv, 0, false, 0);
	assert_ok(go(&c));
	n = kv_fault_set(c.e->kv, 0, false, 0);
	assert_true(n > 100);
	for (unsigned long nth = 1; nth <= n; nth++) {
		go_with_fault(&c, arm_kv, nth);
		begin_anew(&c, state, nth);
	}
	free(c.large);
}

static void
test_each_operation_fails_once(void **state)
{
	each_kv_operation(state, E_NOMEM, false);
}

static void
test_the_disk_fails(void **state)
{
	each_kv_operation(state, E_IO, false);
}

static void
test_the_disk_fails_for_good(void **state)
{
	each_kv_operation(state, E_DISK_FULL, true);
}

/* --- memory --- */

static void
arm_memory(struct course *c, unsigned long nth)
{
	(void)c;
	mem_fault_set(nth, fault_sticky);
}

/* Every second one, and the others by the other kind: each allocation fails, in half the time. */
static void
each_allocation(void **state, bool sticky)
{
	struct course c;
	unsigned long n;

	fault_sticky = sticky;
	mem_fault_set(0, 0);
	start(&c, *state);
	assert_ok(go(&c));
	n = mem_fault_set(0, 0);
	if (n == 0) {
		free(c.large);
		skip();
	}
	for (unsigned long nth = sticky ? 2 : 1; nth <= n; nth += 2) {
		go_with_fault(&c, arm_memory, nth);
		begin_anew(&c, state, nth / 2);
	}
	free(c.large);
}

static void
test_each_allocation_fails_once(void **state)
{
	each_allocation(state, false);
}

static void
test_memory_runs_out(void **state)
{
	each_allocation(state, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_operation_fails_once, env_mem, env_done),
		cmocka_unit_test_setup_teardown(test_the_disk_fails, env_mem, env_done),
		cmocka_unit_test_setup_teardown(test_the_disk_fails_for_good, env_mem, env_done),
		cmocka_unit_test_setup_teardown(test_each_allocation_fails_once, env_mem, env_done),
		cmocka_unit_test_setup_teardown(test_memory_runs_out, env_mem, env_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
