/* account journal: what happened to mail, page by page. */
#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"
#include "main/commands.h"
#include "main/control.h"
#include "main/when.h"

static struct str
text(const json_t *o, const char *key)
{
	const json_t *value = json_object_get(o, key);

	return json_is_string(value) ?
	           str_of(json_string_value(value), json_string_length(value)) :
	           STR_NONE;
}

static void
print_flags(const json_t *list, char sign)
{
	const json_t *name;
	size_t        i;

	json_array_foreach (list, i, name)
		printf(" %c%s", sign, json_string_value(name));
}

static void
print_what(const json_t *event)
{
	struct str what = text(event, "what");

	put_plain(what);
	if (!str_eq(what, STR("flags")))
		return;
	print_flags(json_object_get(event, "set"), '+');
	print_flags(json_object_get(event, "cleared"), '-');
}

static void
print_where(const json_t *event)
{
	if (text(event, "from").n != 0) {
		put_plain(text(event, "from"));
		fputs(" -> ", stdout);
	}
	put_plain(text(event, "mailbox").n != 0 ? text(event, "mailbox") : STR("-"));
}

static void
print_who(const json_t *event)
{
	put_plain(text(event, "protocol"));
	if (text(event, "peer").n != 0) {
		putchar(' ');
		put_plain(text(event, "peer"));
	}
	if (text(event, "device").n != 0) {
		putchar(' ');
		put_plain(text(event, "device"));
	} else if (text(event, "login").n != 0) {
		fputs(" (main login)", stdout);
	}
}

static void
print_event(const json_t *event)
{
	char when[WHEN_TEXT_MAX];

	printf("%s\t", when_text(json_integer_value(json_object_get(event, "when_ms")), when));
	print_what(event);
	putchar('\t');
	print_where(event);
	putchar('\t');
	print_who(event);
	printf("\t%lld", (long long)json_integer_value(json_object_get(event, "email")));
	if (text(event, "message_id").n != 0) {
		putchar(' ');
		put_plain(text(event, "message_id"));
	}
	if (text(event, "subject").n != 0) {
		putchar(' ');
		put_plain(text(event, "subject"));
	}
	putchar('\n');
}

static int
print_pages(struct control *control, const struct options *o, int64_t since_ms)
{
	json_int_t after = 0, skip = 0;
	int        r = EXIT_OK;

	for (bool more = true; r == EXIT_OK && more;) {
		json_t *request = json_pack("{s:s, s:s, s:I, s:I, s:I}", "op", "account-journal",
		    "address", o->words[0], "since_ms", (json_int_t)since_ms, "after", after,
		    "skip", skip);
		json_t *reply, *event, *next;
		size_t  i;

		if ((o->given & OPT_MESSAGE) != 0)
			json_object_set_new(request, "message",
			    json_stringn(o->message.p, o->message.n));
		r = control_call(control, request, &reply);
		if (r != EXIT_OK)
			return r;
		json_array_foreach (json_object_get(reply, "events"), i, event)
			print_event(event);
		next = json_object_get(reply, "next");
		more = next != NULL;
		after = json_integer_value(json_object_get(next, "after"));
		skip = json_integer_value(json_object_get(next, "skip"));
		json_decref(reply);
	}
	return r;
}

int
cmd_journal(const struct command *c, const struct options *o, struct arena *a)
{
	struct config  config;
	struct control control;
	int64_t        since_ms = 0;
	int            r;

	if ((o->given & OPT_SINCE) != 0 && when_parse(o->since, clock_real_ms(), &since_ms) < 0) {
		tell("use it as: postrider %s", c->usage);
		return EXIT_USAGE;
	}
	r = options_config(o, a, &config);
	if (r == EXIT_OK)
		r = control_open(&config, &control);
	if (r != EXIT_OK)
		return r;
	r = print_pages(&control, o, since_ms);
	control_close(&control);
	return r;
}
