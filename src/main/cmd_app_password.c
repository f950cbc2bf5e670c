/* account app-password: requests to serve/admin, and their answers as lines. */
#include <stdio.h>
#include <time.h>

#include "main/commands.h"
#include "main/control.h"

/* Asks, and gives the reply to the caller. */
static int
ask(const char *op, const struct options *o, struct arena *a, json_t **ret_reply)
{
	struct config  config;
	struct control control;
	json_t        *request = json_pack("{s:s, s:s}", "op", op, "address", o->words[0]);
	int            r;

	if (o->n_words > 1)
		json_object_set_new(request, "name", json_string(o->words[1]));
	if ((o->given & OPT_PROTOCOLS) != 0) {
		struct str left = o->protocols;
		json_t    *list = json_array();

		while (left.n > 0) {
			struct str one = str_trim(str_cut(&left, ','));

			json_array_append_new(list, json_stringn(one.p, one.n));
		}
		json_object_set_new(request, "protocols", list);
	}
	r = options_config(o, a, &config);
	if (r == EXIT_OK)
		r = control_open(&config, &control);
	if (r != EXIT_OK) {
		json_decref(request);
		return r;
	}
	r = control_call(&control, request, ret_reply);
	control_close(&control);
	return r;
}

int
cmd_app_password_add(const struct command *c, const struct options *o, struct arena *a)
{
	json_t *reply;
	int     r = ask("account-app-password-add", o, a, &reply);

	(void)c;
	if (r != EXIT_OK)
		return r;
	puts(json_string_value(json_object_get(reply, "password")));
	json_decref(reply);
	return EXIT_OK;
}

int
cmd_app_password_remove(const struct command *c, const struct options *o, struct arena *a)
{
	(void)c;
	return ask("account-app-password-remove", o, a, NULL);
}

int
cmd_app_password_restrict(const struct command *c, const struct options *o, struct arena *a)
{
	if ((o->given & OPT_PROTOCOLS) == 0) {
		tell("use it as: postrider %s", c->usage);
		return EXIT_USAGE;
	}
	return ask("account-app-password-restrict", o, a, NULL);
}

/* "2026-11-22 07:30", UTC. */
static const char *
time_text(const json_t *item, const char *key, char to[32])
{
	long long ms = (long long)json_integer_value(json_object_get(item, key));
	time_t    s = (time_t)(ms / 1000);
	struct tm tm;

	if (ms == 0)
		return "never";
	gmtime_r(&s, &tm);
	strftime(to, 32, "%Y-%m-%d %H:%M", &tm);
	return to;
}

static void
print_one(const json_t *item)
{
	const json_t *list = json_object_get(item, "protocols"), *name;
	char          made[32], used[32];
	size_t        i;

	printf("%s\t", json_string_value(json_object_get(item, "name")));
	if (json_is_true(json_object_get(item, "all")))
		fputs("all", stdout);
	else
		json_array_foreach (list, i, name)
			printf("%s%s", i != 0 ? "," : "", json_string_value(name));
	printf("\tmade %s\tused %s\n", time_text(item, "created_ms", made),
	    time_text(item, "last_used_ms", used));
}

int
cmd_app_password_list(const struct command *c, const struct options *o, struct arena *a)
{
	json_t *reply, *item;
	size_t  i;
	int     r = ask("account-app-password-list", o, a, &reply);

	(void)c;
	if (r != EXIT_OK)
		return r;
	json_array_foreach (json_object_get(reply, "app_passwords"), i, item)
		print_one(item);
	json_decref(reply);
	return EXIT_OK;
}
