/* Tests of admin_call: what the owner of an account may ask for, and what comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/app_password.h"
#include "base/error.h"
#include "base/log.h"
#include "kv/open.h"
#include "serve/admin/session.h"

struct rig {
	struct server       server;
	struct admin_caller ann;
};

static uint64_t
make(struct rig *r, const char *address)
{
	const struct actor actor = { .protocol = ACTOR_ADMIN };
	const struct quota none = { 0 };
	uint64_t           id;

	assert_int_equal(directory_account_add(r->server.directory, str_c(address),
	    STR("{PLAIN}secret"), &id), 0);
	assert_int_equal(account_create(r->server.store, id, &none, &actor), 0);
	return id;
}

/* A message, and a device that fetched nothing yet. */
static void
fill(struct rig *r, uint64_t id)
{
	const struct append_options options = { 0 };
	const struct actor          actor = { .protocol = ACTOR_LMTP, .peer = STR("unix") };
	const struct actor          phone = { .protocol = ACTOR_POP3, .device = STR("phone") };
	OWN(account) a = NULL;
	OWN(ingest) in = NULL;
	struct appended done;
	mailbox_id      inbox;
	device_id       device;

	assert_int_equal(account_open(r->server.store, id, &a), 0);
	assert_int_equal(mailbox_find(a, STR("INBOX"), &inbox), 0);
	assert_int_equal(ingest_new(r->server.store, 1000, &in), 0);
	assert_int_equal(ingest_write(in, STR("Message-ID: <1@x>\r\nSubject: one\r\n\r\n")), 0);
	assert_int_equal(ingest_end(in), 0);
	assert_int_equal(message_append(a, inbox, in, &options, &actor, &done), 0);
	assert_int_equal(device_seen(a, &phone, &device), 0);
}

static int
up(void **state)
{
	struct rig *r = test_calloc(1, sizeof(*r));
	struct kv  *kv;

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT, 2); /* refusals are warnings */
	assert_int_equal(kv_mem_open(&kv), 0);
	assert_int_equal(store_open(kv, NULL, NULL, &r->server.store), 0);
	assert_int_equal(directory_open(kv, &r->server.directory), 0);
	assert_int_equal(auth_new(r->server.directory, &r->server.auth), 0);
	assert_int_equal(directory_domain_add(r->server.directory, STR("x.org")), 0);
	fill(r, make(r, "ann@x.org"));
	make(r, "bob@x.org");
	r->ann = (struct admin_caller){ .address = STR("ann@x.org"),
		.actor = { .protocol = ACTOR_IMAP, .session = 7, .peer = STR("192.0.2.1"),
		    .login = STR("ann@x.org"), .device = STR("web") } };
	*state = r;
	return 0;
}

static int
down(void **state)
{
	struct rig *r = *state;

	auth_drop(r->server.auth);
	directory_drop(r->server.directory);
	store_drop(r->server.store);
	test_free(r);
	return 0;
}

/* The reply to a request; the caller's. `error` is NULL, or the name of the error it must be. */
static json_t *
call_with(struct rig *r, const char *request, const char *body, const char *error)
{
	json_t *asked = json_loads(request, 0, NULL), *reply = NULL;

	assert_non_null(asked);
	assert_int_equal(admin_call(&r->server, &r->ann, asked, str_c(body), &reply), 0);
	json_decref(asked);
	assert_int_equal(json_is_true(json_object_get(reply, "ok")), error == NULL);
	if (error != NULL)
		assert_string_equal(json_string_value(json_object_get(reply, "error")), error);
	return reply;
}

static void
check(struct rig *r, const char *request, const char *error)
{
	json_decref(call_with(r, request, "", error));
}

/* The i-th object of a list in the reply. */
static const json_t *
item(const json_t *reply, const char *list, size_t i)
{
	const json_t *o = json_array_get(json_object_get(reply, list), i);

	assert_non_null(o);
	return o;
}

static void
test_each_operation(void **state)
{
	struct rig   *r = *state;
	json_t       *reply;
	const json_t *one;

	reply = call_with(r, "{\"op\":\"account-app-password-add\",\"name\":\"tab\","
	                     "\"protocols\":[\"imap\"]}", "", NULL);
	assert_int_equal(json_string_length(json_object_get(reply, "password")), 34);
	json_decref(reply);
	check(r, "{\"op\":\"account-app-password-restrict\",\"name\":\"tab\","
	         "\"protocols\":[\"all\"]}", NULL);
	check(r, "{\"op\":\"account-app-password-restrict\",\"name\":\"tab\"}", "SYNTAX");
	reply = call_with(r, "{\"op\":\"account-app-password-list\"}", "", NULL);
	one = item(reply, "app_passwords", 0);
	assert_true(json_is_true(json_object_get(one, "all")));
	assert_true(json_is_integer(json_object_get(one, "created_ms")));
	json_decref(reply);
	reply = call_with(r, "{\"op\":\"account-devices\",\"address\":\"ann@x.org\"}", "", NULL);
	one = item(reply, "devices", 0);
	assert_string_equal(json_string_value(json_object_get(one, "name")), "phone");
	assert_string_equal(json_string_value(json_object_get(one, "policy")), "default");
	assert_true(json_is_integer(json_object_get(item(one, "uses", 0), "first_ms")));
	json_decref(reply);
	reply = call_with(
	    r, "{\"op\":\"account-pop3\",\"policy\":\"keep\",\"alarm\":80}", "", NULL);
	assert_string_equal(json_string_value(json_object_get(reply, "policy")), "keep");
	assert_int_equal(json_integer_value(json_object_get(reply, "alarm_percent")), 80);
	json_decref(reply);
	reply = call_with(r, "{\"op\":\"account-journal\",\"message\":\"<1@x>\"}", "", NULL);
	one = item(reply, "events", 0);
	assert_string_equal(json_string_value(json_object_get(one, "what")), "delivered");
	assert_string_equal(json_string_value(json_object_get(one, "subject")), "one");
	json_decref(reply);
	reply = call_with(r, "{\"op\":\"account-restore\",\"since_ms\":1}", "", NULL);
	assert_int_equal(json_integer_value(json_object_get(reply, "restored")), 0);
	json_decref(reply);
	reply = call_with(r, "{\"op\":\"account-uidl\"}", "old-1\t<1@x>\n", NULL);
	assert_int_equal(json_integer_value(json_object_get(reply, "set")), 1);
	json_decref(reply);
	check(r, "{\"op\":\"account-app-password-remove\",\"name\":\"tab\"}", NULL);
	check(r, "{\"op\":\"account-app-password-remove\",\"name\":\"tab\"}", "NOT_FOUND");
}

static void
test_nothing_of_others(void **state)
{
	static const char *const OPERATORS[] = { "domain-add", "domain-list", "account-add",
		"account-password", "account-enable", "account-disable", "account-remove",
		"account-list", "account-show", "account-put", "alias-add", "alias-remove",
		"alias-list", "snapshot", "message-list", "unexpunge" };
	struct rig *r = *state;
	char        request[200];

	check(r, "{\"op\":\"account-devices\",\"address\":\"bob@x.org\"}", "NO_PERMISSION");
	check(r, "{\"op\":\"account-devices\",\"address\":[\"bob@x.org\"]}", "SYNTAX");
	check(r, "{\"op\":\"account-nothing\"}", "UNKNOWN_COMMAND");
	check(r, "{\"op\":\"append\"}", "UNKNOWN_COMMAND");
	check(r, "{\"op\":\"export\"}", "UNKNOWN_COMMAND");
	check(r, "{\"op\":7}", "SYNTAX");
	check(r, "[]", "SYNTAX");
	for (size_t i = 0; i < ARRAY_LEN(OPERATORS); i++) {
		snprintf(request, sizeof(request),
		    "{\"op\":\"%s\",\"name\":\"y.org\",\"addresses\":[\"ann@x.org\"]}",
		    OPERATORS[i]);
		check(r, request, "NO_PERMISSION");
	}
}

/* A lost phone must not make passwords that outlive its own. */
static void
test_an_app_password_makes_none(void **state)
{
	struct rig *r = *state;

	r->ann.by_app_password = true;
	check(r, "{\"op\":\"account-app-password-add\",\"name\":\"x\"}", "NO_PERMISSION");
	check(r, "{\"op\":\"account-app-password-remove\",\"name\":\"x\"}", "NO_PERMISSION");
	check(r, "{\"op\":\"account-app-password-list\"}", "NO_PERMISSION");
	check(r, "{\"op\":\"account-devices\"}", NULL);
}

/* What was done is told of the one who did it. */
static void
test_the_actor(void **state)
{
	struct rig         *r = *state;
	const struct admin  s = { .caller = &r->ann };
	struct actor        actor = admin_actor((struct admin *)&s);

	assert_int_equal(actor.protocol, ACTOR_IMAP);
	assert_true(str_eq(actor.device, STR("web")));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, up, down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_operation),
		TEST(test_nothing_of_others),
		TEST(test_an_app_password_makes_none),
		TEST(test_the_actor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
