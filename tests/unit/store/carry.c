/* Tests of messages that come with what POP3 programs know of them. */
#include "devices.h"

#include "base/clock.h"
#include "store/carry.h"

static struct appended
put_carried(struct env *e, mailbox_id id, const struct carried *c, struct uidl_taken *taken)
{
	OWN(ingest) in = take_in(e->store, STR("A: 1\r\n\r\nx"));
	const struct append_options opt = { .carried = c, .taken = taken };
	struct appended             done = { 0 };

	assert_ok(message_append(e->a, id != 0 ? id : e->inbox, in, &opt, &ACTOR, &done));
	return done;
}

static int
put_uidl(struct env *e, const char *uidl, struct uidl_taken *taken)
{
	const struct carried c = { .uidl = str_c(uidl) };

	return put_carried(e, 0, &c, taken).uidl_err;
}

static const char *
uidl_of(struct env *e, email_id email)
{
	static char        text[UIDL_MAX + 1];
	OWN_BUF struct buf got = BUF_INIT(UIDL_MAX);

	if (uidl_get(e->a, email, &got) < 0)
		return "";
	snprintf(text, sizeof(text), "%.*s", STR_ARG(buf_view(&got)));
	return text;
}

static void
test_uidl(void **state)
{
	struct env       *e = *state;
	OWN(uidl_taken) taken = NULL;
	const struct uidl   other = { 1, STR("set") };
	size_t            bad;
	char              text[UIDL_MAX + 2];

	assert_ok(uidl_taken_new(&taken));
	put_some(e, 1);
	assert_ok(put_uidl(e, "a", taken));                /* 2 */
	assert_int_equal(put_uidl(e, "a", taken), E_EXISTS); /* 3 */
	assert_int_equal(put_uidl(e, "a", NULL), E_EXISTS);  /* 4 */
	assert_ok(put_uidl(e, "b", NULL));                 /* 5 */
	assert_int_equal(put_uidl(e, "b", taken), E_EXISTS); /* 6 */
	assert_ok(uidl_set(e->a, &other, 1, &ACTOR, &bad));
	assert_int_equal(put_uidl(e, "set", taken), E_EXISTS); /* 7 */
	assert_int_equal(put_uidl(e, "x y", taken), E_SYNTAX); /* 8 */
	memset(text, 'u', sizeof(text));
	text[UIDL_MAX + 1] = '\0';
	assert_int_equal(put_uidl(e, text, taken), E_SYNTAX); /* 9 */
	/* Our own form: of a message that is there, of the next but one; of this very one. */
	assert_int_equal(put_uidl(e, "00000000000000070000000000000001", taken), E_EXISTS);
	assert_int_equal(put_uidl(e, "0000000000000007000000000000000f", taken), E_EXISTS);
	assert_ok(put_uidl(e, "0000000000000007000000000000000c", taken));
	assert_ok(put_uidl(e, "00000000000000080000000000000001", taken));
	assert_string_equal(uidl_of(e, 2), "a");
	assert_string_equal(uidl_of(e, 3), "");
	assert_string_equal(uidl_of(e, 5), "b");
	assert_string_equal(uidl_of(e, 13), "00000000000000080000000000000001");
	/* What was not committed is not taken. */
	env_verify(e);
	env_restart(e);
	assert_int_equal(put_uidl(e, "a", taken), E_EXISTS);
	assert_ok(put_uidl(e, "c", taken));
	env_verify(e);
}

static void
test_devices(void **state)
{
	struct env     *e = *state;
	mailbox_id      trash = box(e, "Trash");
	device_id       phone = login(e, "phone"), desk = login(e, "desk");
	const device_id both[] = { phone, desk, 77 };
	struct carried  c = { .hidden = both, .n_hidden = 1 };

	put_some(e, 1);
	put_carried(e, 0, &c, NULL); /* 2 */
	c.n_hidden = 3;
	put_carried(e, 0, &c, NULL); /* 3 */
	c.n_hidden = 1;
	c.left_policy = POP3_TRASH;
	c.left_ms = clock_real_ms() - 3 * DAY_MS;
	c.left_device = phone;
	put_carried(e, trash, &c, NULL); /* 4 */
	put_carried(e, 0, &c, NULL);     /* 5: it is in INBOX again */
	env_verify(e);
	assert_string_equal(sees(e, "phone"), "1");
	assert_string_equal(sees(e, "desk"), "1 2 4 5");
	assert_string_equal(sees(e, "new"), "1 2 3 4 5");
	assert_ok(carry_unhide(e->a, 3, &ACTOR));
	assert_ok(carry_unhide(e->a, 1, &ACTOR));
	assert_string_equal(sees(e, "phone"), "1 3");
	assert_string_equal(sees(e, "desk"), "1 2 3 4 5");
	clock_test_advance(31 * DAY_MS);
	assert_ok(store_tend(e->store));
	assert_string_equal(sees(e, "desk"), "1 2 3 5");
	assert_string_equal(uids_in(e, trash), "");
	clock_test_advance(-31 * DAY_MS);
	env_verify(e);
}

/* All of one account into another. */
static void
test_from_account_to_account(void **state)
{
	struct env         *e = *state;
	struct account     *old = e->a;
	OWN(carry_reader) rd = NULL;
	OWN_ARENA struct arena arena = ARENA_INIT(1 << 20);
	struct device_info *list;
	struct carried      c;
	const struct uidl   u = { 1, STR("moved-in") };
	device_id           hidden[4], id;
	size_t              n, bad;

	put_some(e, 4);
	assert_ok(uidl_set(e->a, &u, 1, &ACTOR, &bad));
	assert_ok(device_policy_set(e->a, login(e, "phone"), POP3_KEEP, &ACTOR));
	assert_int_equal(removes(e, "phone", "2"), 1); /* stays */
	assert_int_equal(removes(e, "desk", "1,3"), 2); /* to the trash */
	assert_ok(carry_reader_new(old, &rd));
	assert_ok(device_list(old, &arena, &list, &n));
	assert_int_equal(n, 2);

	assert_ok(account_create(e->store, 9, &(struct quota){ 0 }, &ACTOR));
	assert_ok(account_open(e->store, 9, &e->a));
	assert_ok(mailbox_find(e->a, STR("INBOX"), &e->inbox));
	login(e, "other"); /* numbers differ */
	for (size_t i = 0; i < n; i++)
		assert_ok(device_put(e->a, &list[i], &ACTOR));
	assert_ok(device_put(e->a, &list[0], &ACTOR));
	for (email_id email = 1; email <= 4; email++) {
		assert_ok(carry_read(rd, email, &c));
		for (size_t i = 0; i < c.n_hidden; i++) {
			struct str name = list[c.hidden[i] - 1].name;

			assert_ok(device_find(e->a, name, &hidden[i]));
		}
		c.hidden = hidden;
		assert_int_equal(c.left_policy,
		    email == 2 || email == 4 ? POP3_POLICY_NONE : POP3_TRASH);
		assert_ok(put_carried(e, c.left_policy != 0 ? box(e, "Trash") : 0, &c, NULL)
		              .uidl_err);
	}
	env_verify(e);
	assert_string_equal(sees(e, "phone"), "1 3 4");
	assert_string_equal(sees(e, "desk"), "2 4");
	assert_string_equal(sees(e, "other"), "1 2 3 4");
	assert_string_equal(uidl_of(e, 1), "moved-in");
	assert_string_equal(uidl_of(e, 2), "00000000000000070000000000000002");
	assert_ok(device_find(e->a, STR("phone"), &id));
	assert_ok(device_list(e->a, &arena, &list, &n));
	assert_int_equal(n, 3);
	assert_int_equal(list[1].id, id);
	assert_int_equal(list[1].policy, POP3_KEEP);
	assert_int_equal(list[1].use[ACTOR_POP3].removed_n, 1);
	assert_str(list[1].use[ACTOR_POP3].peer, "192.0.2.9");
	/* What is set stays. */
	assert_ok(device_policy_set(e->a, id, POP3_READ, &ACTOR));
	list[1].policy = POP3_DELETE;
	assert_ok(device_put(e->a, &list[1], &ACTOR));
	assert_ok(device_list(e->a, &arena, &list, &n));
	assert_int_equal(list[1].policy, POP3_READ);
	account_drop(old);
}

#define ON_MEM(f) cmocka_unit_test_setup_teardown(f, env_mem, env_done)
#define ON_ROCKS(f) cmocka_unit_test_setup_teardown(f, env_rocks, env_done)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_ROCKS(test_uidl),
		ON_MEM(test_devices),
		ON_MEM(test_from_account_to_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
