/* Tests of serve/admin/find: the Message-ID in an envelope; messages by what is known of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/error.h"
#include "kv/open.h"
#include "serve/admin/find.h"
#include "store/uidl.h"

static void
test_envelope_id(void **state)
{
	static const struct {
		const char *envelope, *id;
	} CASES[] = {
		{ "(NIL \"s\" NIL NIL NIL NIL NIL NIL NIL \"<a@b>\")", "<a@b>" },
		{ "(NIL NIL NIL \"<r@x>\" \"<a\\\"b\\\\@c>\")", "<a\\\"b\\\\@c>" },
		{ "(NIL \"<r@x>\" {5}\r\n<\xe4@b>)", "<\xe4@b>" },
		{ "(NIL \"<r@x>\" NIL)", "" }, { "(NIL \"<r@x>\" \"\")", "" },
		{ "\")", "" }, { ")", "" }, { "", "" }, { "\\\")", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		struct str id = find_envelope_id(str_c(CASES[i].envelope));

		if (!str_eq(id, str_c(CASES[i].id)))
			fail_msg("%s: \"%.*s\"", CASES[i].envelope, STR_ARG(id));
	}
}

/* --- a store --- */

static struct store   *store;
static struct account *a;
static mailbox_id      inbox;

static const struct actor ACTOR = { .protocol = ACTOR_ADMIN };

static int
up(void **state)
{
	const struct quota none = { 0 };
	struct kv         *kv;

	(void)state;
	assert_int_equal(kv_mem_open(&kv), 0);
	assert_int_equal(store_open(kv, NULL, NULL, &store), 0);
	assert_int_equal(account_create(store, 0x12, &none, &ACTOR), 0);
	assert_int_equal(account_open(store, 0x12, &a), 0);
	assert_int_equal(mailbox_find(a, STR("INBOX"), &inbox), 0);
	return 0;
}

static int
down(void **state)
{
	(void)state;
	account_drop(a);
	store_drop(store);
	return 0;
}

static void
put(const char *mailbox, const char *text)
{
	const struct append_options options = { 0 };
	OWN(ingest) in = NULL;
	struct appended done;
	mailbox_id      box;

	assert_int_equal(mailbox_find(a, str_c(mailbox), &box), 0);
	assert_int_equal(ingest_new(store, 100000, &in), 0);
	assert_int_equal(ingest_write(in, str_c(text)), 0);
	assert_int_equal(ingest_end(in), 0);
	assert_int_equal(message_append(a, box, in, &options, &ACTOR, &done), 0);
}

/* "1 3", or "" when there is none. */
static void
assert_found(const char *what, const char *want)
{
	OWN_ARENA struct arena arena = ARENA_INIT(1 << 20);
	char                   text[100] = "";
	email_id              *found;
	size_t                 n = 0, at = 0;
	int                    r = find_messages(a, str_c(what), &arena, &found, &n);

	assert_int_equal(r, want[0] == '\0' ? E_NOT_FOUND : 0);
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%llu", i != 0 ? " " : "",
		    (unsigned long long)found[i]);
	assert_string_equal(text, want);
}

static void
test_messages(void **state)
{
	OWN_RANGES struct ranges uids = { 0 };
	const struct uidl        moved_in = { 2, STR("0815") };
	uint32_t                 next;
	size_t                   bad;

	(void)state;
	put("INBOX", "Message-ID: <one@x>\r\n\r\n");
	put("INBOX", "Message-ID:\r\n <two@x>\r\n\r\n");
	put("Archive", "Subject: <one@x>\r\nMessage-ID: <ONE@x>\r\n\r\n");
	put("Archive", "Message-ID: <one@x>\r\nIn-Reply-To: <two@x>\r\n\r\n");
	put("INBOX", "Message-ID: <12@x>\r\n\r\n");
	assert_found("<one@x>", "1 4");
	assert_found("one@x", "1 4");
	assert_found("two@x", "2");
	assert_found("three@x", "");
	assert_found("12@x", "5");
	assert_found("4", "4");
	assert_found("77", "77"); /* the log may still tell of it */
	assert_found("00000000000000120000000000000004", "4");
	assert_found("00000000000000130000000000000004", ""); /* another account's */
	assert_int_equal(uidl_set(a, &moved_in, 1, &ACTOR, &bad), 0);
	assert_found("0815", "2 815");
	/* Expunged: found as before. */
	assert_int_equal(ranges_add(&uids, 1, 2), 0);
	assert_int_equal(message_expunge(a, inbox, &uids, true, 0, &ACTOR, NULL, &next), 0);
	assert_found("one@x", "1 4");
	assert_found("two@x", "2");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_envelope_id),
		cmocka_unit_test_setup_teardown(test_messages, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
