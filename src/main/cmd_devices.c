/* account devices, pop3 and restore: requests to serve/admin, and their answers as lines. */
#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"
#include "main/commands.h"
#include "main/control.h"
#include "main/when.h"

static json_t *
text_of(struct str s)
{
	return json_stringn(s.p != NULL ? s.p : "", s.n);
}

/* The whole answer, ok or not; the caller's. */
static int
ask(const struct options *o, struct arena *a, json_t *request, json_t **ret_reply)
{
	struct config  config;
	struct control control;
	int            r = options_config(o, a, &config);

	if (r == EXIT_OK)
		r = control_open(&config, &control);
	if (r != EXIT_OK) {
		json_decref(request);
		return r;
	}
	r = control_send(&control, request);
	if (r == EXIT_OK)
		r = control_receive(&control, ret_reply);
	control_close(&control);
	return r;
}

static long long
number(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

static struct str
text(const json_t *o, const char *key)
{
	const json_t *value = json_object_get(o, key);

	return json_is_string(value) ?
	           str_of(json_string_value(value), json_string_length(value)) :
	           STR_NONE;
}

static void
print_name(const json_t *device)
{
	struct str name = text(device, "name");

	put_plain(name.n != 0 ? name : STR("(main login)"));
}

static bool
has_own_policy(const json_t *device)
{
	return !str_eq(text(device, "policy"), STR("default"));
}

/* --- devices --- */

static void
print_use(const json_t *use)
{
	char first[WHEN_TEXT_MAX], last[WHEN_TEXT_MAX];

	printf("\t%s\tfirst %s\tlast %s\tfrom ",
	    json_string_value(json_object_get(use, "protocol")),
	    when_text(number(use, "first_ms"), first), when_text(number(use, "last_ms"), last));
	put_plain(text(use, "peer"));
	printf("\t%lld sessions\tfetched %lld (%lld bytes)\tremoved %lld (%lld bytes)\n",
	    number(use, "sessions"), number(use, "fetched"), number(use, "fetched_bytes"),
	    number(use, "removed"), number(use, "removed_bytes"));
}

static void
print_device(const json_t *device, struct str account_policy)
{
	const json_t *uses = json_object_get(device, "uses"), *use;
	char          told[WHEN_TEXT_MAX];
	size_t        i;

	print_name(device);
	if (has_own_policy(device))
		printf("\tpolicy %.*s", STR_ARG(text(device, "policy")));
	else
		printf("\tpolicy %.*s (the account's)", STR_ARG(account_policy));
	if (text(device, "client").n != 0) {
		fputs("\tclient ", stdout);
		put_plain(text(device, "client"));
	}
	if (number(device, "alarm_ms") != 0)
		printf("\talarm %s", when_text(number(device, "alarm_ms"), told));
	fputs(json_array_size(uses) == 0 ? "\tnever seen\n" : "\n", stdout);
	json_array_foreach (uses, i, use)
		print_use(use);
}

int
cmd_devices(const struct command *c, const struct options *o, struct arena *a)
{
	json_t *reply, *device;
	size_t  i;
	int     r = ask(o, a,
	        json_pack("{s:s, s:s}", "op", "account-devices", "address", o->words[0]), &reply);

	(void)c;
	if (r != EXIT_OK)
		return r;
	r = control_check(reply);
	if (r == EXIT_OK)
		json_array_foreach (json_object_get(reply, "devices"), i, device)
			print_device(device, text(reply, "policy"));
	json_decref(reply);
	return r;
}

/* --- policy and alarm --- */

static void
print_policies(const json_t *reply)
{
	json_t *device;
	size_t  i;

	printf("policy\t%.*s\n", STR_ARG(text(reply, "policy")));
	json_array_foreach (json_object_get(reply, "devices"), i, device) {
		if (!has_own_policy(device))
			continue;
		printf("policy\t%.*s\t", STR_ARG(text(device, "policy")));
		print_name(device);
		putchar('\n');
	}
	if (json_is_true(json_object_get(reply, "alarm")))
		printf("alarm\t%lld\n", number(reply, "alarm_percent"));
	else
		puts("alarm\toff");
}

/* "off", "50", "50%" */
static json_t *
alarm_of(struct str s)
{
	uint32_t percent;

	if (str_eq(s, STR("off")))
		return json_false();
	if (str_ends(s, STR("%")))
		s.n--;
	return str_to_u32(s, &percent) == 0 ? json_integer(percent) : json_string("?");
}

int
cmd_pop3(const struct command *c, const struct options *o, struct arena *a)
{
	const bool sets = (o->given & (OPT_POLICY | OPT_ALARM)) != 0;
	json_t    *request = json_pack("{s:s, s:s}", "op", "account-pop3", "address", o->words[0]);
	json_t    *reply;
	int        r;

	if ((o->given & OPT_DEVICE) != 0 && (o->given & OPT_POLICY) == 0) {
		tell("use it as: postrider %s", c->usage);
		json_decref(request);
		return EXIT_USAGE;
	}
	if ((o->given & OPT_POLICY) != 0)
		json_object_set_new(request, "policy", text_of(o->policy));
	if ((o->given & OPT_DEVICE) != 0)
		json_object_set_new(request, "device", text_of(o->device));
	if ((o->given & OPT_ALARM) != 0)
		json_object_set_new(request, "alarm", alarm_of(o->alarm));
	r = ask(o, a, request, &reply);
	if (r != EXIT_OK)
		return r;
	r = control_check(reply);
	if (r == EXIT_OK && !sets)
		print_policies(reply);
	json_decref(reply);
	return r;
}

/* --- putting back --- */

int
cmd_account_restore(const struct command *c, const struct options *o, struct arena *a)
{
	json_t *request, *reply;
	int64_t since_ms;
	int     r;

	if (when_parse(o->since, clock_real_ms(), &since_ms) < 0) {
		tell("use it as: postrider %s", c->usage);
		return EXIT_USAGE;
	}
	request = json_pack("{s:s, s:s, s:I}", "op", "account-restore", "address", o->words[0],
	    "since_ms", (json_int_t)since_ms);
	if ((o->given & OPT_BY) != 0)
		json_object_set_new(request, "by", text_of(o->by));
	r = ask(o, a, request, &reply);
	if (r != EXIT_OK)
		return r;
	r = control_check(reply);
	/* Also when it ended early: the quota. */
	if (json_object_get(reply, "restored") != NULL)
		printf("%lld messages put back, %lld marked unread again, %lld shown to their "
		       "device again\n",
		    number(reply, "restored"), number(reply, "unread"), number(reply, "unhidden"));
	if (r != EXIT_OK && number(reply, "restored") != 0)
		r = EXIT_PARTLY;
	json_decref(reply);
	return r;
}
