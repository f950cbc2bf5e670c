/* Tests of UIDLs that were moved in from another server. */
#include "devices.h"

#include <stdlib.h>

#include "base/clock.h"
#include "store/uidl.h"

static int
set_one(struct env *e, email_id email, const char *text)
{
	const struct uidl u = { email, str_c(text) };
	size_t            bad = 99;
	int               r = uidl_set(e->a, &u, 1, &ACTOR, &bad);

	assert_int_equal(bad, r < 0 ? 0 : 99);
	return r;
}

static int
tell(void *arg, const struct uidl *u)
{
	char  *text = arg;
	size_t n = strlen(text);

	snprintf(text + n, 1000 - n, "%s%llu=%.*s", n != 0 ? " " : "",
	    (unsigned long long)u->email, STR_ARG(u->text));
	return 0;
}

static const char *
all(struct env *e)
{
	static char text[1000];

	text[0] = '\0';
	assert_ok(uidl_scan(e->a, tell, text));
	return text;
}

static void
test_set(void **state)
{
	struct env *e = *state;
	const struct uidl both[] = { { 1, STR("b") }, { 2, STR("a") } };
	const struct uidl twice[] = { { 3, STR("c") }, { 1, STR("c") } };
	char              text[UIDL_MAX + 2];
	OWN_BUF struct buf got = BUF_INIT(100);
	size_t            bad;

	put_some(e, 4);
	assert_string_equal(all(e), "");
	assert_int_equal(uidl_get(e->a, 1, &got), E_NOT_FOUND);
	assert_ok(set_one(e, 1, "a"));
	assert_ok(set_one(e, 2, "b"));
	assert_ok(set_one(e, 2, "b"));
	assert_int_equal(set_one(e, 3, "a"), E_EXISTS);
	/* They change places. */
	assert_ok(uidl_set(e->a, both, 2, &ACTOR, &bad));
	assert_string_equal(all(e), "1=b 2=a");
	assert_int_equal(uidl_set(e->a, twice, 2, &ACTOR, &bad), E_EXISTS);
	assert_int_equal(bad, 1);
	assert_string_equal(all(e), "1=b 2=a");
	assert_int_equal(set_one(e, 5, "x"), E_NOT_FOUND);
	assert_int_equal(set_one(e, 3, ""), E_SYNTAX);
	assert_int_equal(set_one(e, 3, "x y"), E_SYNTAX);
	assert_int_equal(set_one(e, 3, "x\x7f"), E_SYNTAX);
	memset(text, 'u', sizeof(text));
	text[UIDL_MAX + 1] = '\0';
	assert_int_equal(set_one(e, 3, text), E_SYNTAX);
	text[UIDL_MAX] = '\0';
	assert_ok(set_one(e, 3, text));
	/* Of our own form, account 7: of a message that is there, and of one to come. */
	assert_int_equal(set_one(e, 4, "00000000000000070000000000000001"), E_EXISTS);
	assert_int_equal(set_one(e, 4, "00000000000000070000000000000005"), E_EXISTS);
	assert_ok(set_one(e, 4, "00000000000000080000000000000001"));
	assert_ok(uidl_get(e->a, 1, &got));
	assert_str(buf_view(&got), "b");
	env_verify(e);
	assert_ok(account_barrier(e->a));
	env_crash(e);
	assert_true(str_starts(str_c(all(e)), STR("1=b 2=a 3=uuu")));
}

static void
test_belongs_to_the_email(void **state)
{
	struct env              *e = *state;
	mailbox_id               sent = box(e, "Sent");
	OWN_RANGES struct ranges one = uids_of("1");
	struct copied            copied = { 0 };
	struct appended          done;
	uint32_t                 next;

	put_some(e, 2);
	assert_ok(set_one(e, 1, "a"));
	assert_ok(set_one(e, 2, "b"));
	copy_from_inbox(e, "1", sent, "1", "1");
	assert_string_equal(all(e), "1=a 2=b");
	assert_ok(message_move(e->a, e->inbox, &one, 0, sent, &ACTOR, &copied, &next));
	expunge_all(e, sent, "2");
	assert_ok(expunged_restore(e->a, 1, e->inbox, &ACTOR, &done));
	assert_string_equal(all(e), "1=a 2=b");
	expunge_all(e, e->inbox, "3");
	clock_test_advance(31 * DAY_MS);
	assert_ok(store_tend(e->store));
	clock_test_advance(-31 * DAY_MS);
	assert_string_equal(all(e), "2=b");
	assert_ok(set_one(e, 3, "a"));
	assert_ok(set_one(e, 3, "00000000000000070000000000000001"));
	env_verify(e);
	ranges_done(&copied.from);
	ranges_done(&copied.to);
}

/* Every third message has one. */
static void
test_reader(void **state)
{
	enum { N = 3000 };
	struct env         *e = *state;
	struct uidl        *list = calloc(N, sizeof(*list));
	char              (*text)[16] = calloc(N, sizeof(*text));
	struct uidl_reader  rd = { 0 };
	struct str          got;
	size_t              n = 0, bad;

	put_some(e, N);
	assert_int_equal(uidl_read(&rd, e->a, 1, &got), 0);
	uidl_reader_done(&rd);
	for (email_id email = 3; email <= N; email += 3) {
		snprintf(text[n], sizeof(text[n]), "old-%u", (unsigned)email);
		list[n] = (struct uidl){ email, str_c(text[n]) };
		n++;
	}
	assert_ok(uidl_set(e->a, list, n, &ACTOR, &bad));
	for (email_id step = 1; step < 1000; step = step * 7 + 1) {
		for (email_id email = 1; email <= N; email += step) {
			int r = uidl_read(&rd, e->a, email, &got);

			assert_int_equal(r, email % 3 == 0);
			if (r == 1)
				assert_str(got, text[email / 3 - 1]);
		}
		uidl_reader_done(&rd);
	}
	free(list);
	free(text);
}

#define ON_MEM(f) cmocka_unit_test_setup_teardown(f, env_mem, env_done)
#define ON_ROCKS(f) { #f " (rocks)", f, env_rocks, env_done, NULL }

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_MEM(test_set),
		ON_ROCKS(test_set),
		ON_MEM(test_belongs_to_the_email),
		ON_MEM(test_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
