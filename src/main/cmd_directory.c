/* domain, account and alias: requests to serve/admin, and their answers as lines. */
#include <stdio.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "auth/password.h"
#include "base/error.h"
#include "main/commands.h"
#include "main/control.h"

enum { ADDRESSES_A_REQUEST = 2000 };

/* Opens the control line, asks, closes. */
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
	r = control_call(&control, request, ret_reply);
	control_close(&control);
	return r;
}

static json_t *
request_of(const struct command *c)
{
	char name[64];

	snprintf(name, sizeof(name), "%s-%s", c->group, c->name);
	return json_pack("{s:s}", "op", name);
}

static json_t *
words_of(char **words, int n)
{
	json_t *list = json_array();

	for (int i = 0; i < n; i++)
		json_array_append_new(list, json_string(words[i]));
	return list;
}

static const char *
text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static long long
number_of(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

/* --- domains --- */

int
cmd_domain(const struct command *c, const struct options *o, struct arena *a)
{
	json_t *request = request_of(c);

	json_object_set_new(request, "name", json_string(o->words[0]));
	return ask(o, a, request, NULL);
}

int
cmd_domain_list(const struct command *c, const struct options *o, struct arena *a)
{
	json_t *reply, *item;
	size_t  i;
	int     r = ask(o, a, request_of(c), &reply);

	if (r != EXIT_OK)
		return r;
	json_array_foreach (json_object_get(reply, "domains"), i, item)
		puts(json_string_value(item));
	json_decref(reply);
	return EXIT_OK;
}

/* --- passwords --- */

static int
read_line(struct arena *a, struct str *ret)
{
	char      *line = NULL;
	size_t     cap = 0;
	ssize_t    n = getline(&line, &cap, stdin);
	struct str s = str_of(line, n > 0 ? (size_t)n : 0);
	int        r;

	while (s.n > 0 && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
		s.n--;
	r = n > 0 ? arena_dup(a, s, ret) : E_NOT_FOUND;
	if (line != NULL)
		explicit_bzero(line, cap);
	free(line);
	return r;
}

/* Asks at the terminal without echo; else takes one line of standard input. */
static int
read_password(const char *prompt, struct arena *a, struct str *ret)
{
	struct termios old, quiet;
	bool           terminal = tcgetattr(STDIN_FILENO, &old) == 0;
	int            r;

	if (terminal) {
		fprintf(stderr, "%s: ", prompt);
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	r = read_line(a, ret);
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
		fputc('\n', stderr);
	}
	if (r == 0 && ret->n > 0)
		return EXIT_OK;
	tell("no password came: type one, send one line on standard input, or use --generate");
	return EXIT_USAGE;
}

static int
ask_password(struct arena *a, struct str *ret)
{
	struct str again;
	int        r = read_password("Password", a, ret);

	if (r != EXIT_OK || !isatty(STDIN_FILENO))
		return r;
	r = read_password("The same again", a, &again);
	if (r == EXIT_OK && !str_eq(*ret, again)) {
		tell("the two passwords differ: nothing was changed");
		return EXIT_USAGE;
	}
	return r;
}

/* What goes into a request as "password" or "hash". */
struct secret {
	const char *key;
	struct str  text;
	bool        generated;
};

static int
choose_secret(const struct options *o, struct arena *a, struct secret *ret)
{
	*ret = (struct secret){ .key = "password" };
	if ((o->given & OPT_HASH) != 0 && (o->given & OPT_GENERATE) != 0) {
		tell("choose one of --generate and --password-hash");
		return EXIT_USAGE;
	}
	if ((o->given & OPT_HASH) != 0) {
		ret->key = "hash";
		ret->text = o->hash;
		return EXIT_OK;
	}
	if ((o->given & OPT_GENERATE) == 0)
		return ask_password(a, &ret->text);
	ret->generated = true;
	return password_generate(a, &ret->text) == 0 ? EXIT_OK : EXIT_FAILED;
}

/* --- accounts --- */

/* Sends the words as addresses, some at a time. */
static int
each_part(const struct command *c, const struct options *o, struct arena *a, const struct secret *s)
{
	struct config  config;
	struct control control;
	int            r = options_config(o, a, &config);

	if (r == EXIT_OK)
		r = control_open(&config, &control);
	if (r != EXIT_OK)
		return r;
	for (int i = 0; r == EXIT_OK && i < o->n_words; i += ADDRESSES_A_REQUEST) {
		int     left = o->n_words - i;
		json_t *request = request_of(c);

		json_object_set_new(request, "addresses",
		    words_of(
			o->words + i, left < ADDRESSES_A_REQUEST ? left : ADDRESSES_A_REQUEST));
		if (s != NULL)
			json_object_set_new(request, s->key, json_stringn(s->text.p, s->text.n));
		if ((o->given & OPT_KEEP_SESSIONS) != 0)
			json_object_set_new(request, "keep_sessions", json_true());
		r = control_call(&control, request, NULL);
	}
	control_close(&control);
	return r;
}

static int
with_secret(const struct command *c, const struct options *o, struct arena *a)
{
	struct secret s;
	int           r = choose_secret(o, a, &s);

	if (r == EXIT_OK)
		r = each_part(c, o, a, &s);
	if (r == EXIT_OK && s.generated)
		printf("%.*s\n", STR_ARG(s.text));
	return r;
}

int
cmd_account_add(const struct command *c, const struct options *o, struct arena *a)
{
	return with_secret(c, o, a);
}

int
cmd_account_password(const struct command *c, const struct options *o, struct arena *a)
{
	return with_secret(c, o, a);
}

int
cmd_account_change(const struct command *c, const struct options *o, struct arena *a)
{
	return each_part(c, o, a, NULL);
}

int
cmd_account_list(const struct command *c, const struct options *o, struct arena *a)
{
	json_t *reply, *item;
	size_t  i;
	int     r = ask(o, a, request_of(c), &reply);

	if (r != EXIT_OK)
		return r;
	json_array_foreach (json_object_get(reply, "accounts"), i, item)
		printf("%s%s\n", text_of(item, "address"),
		    json_is_true(json_object_get(item, "enabled")) ? "" : " (disabled)");
	json_decref(reply);
	return EXIT_OK;
}

static void
print_account(const json_t *item)
{
	time_t    made = (time_t)(number_of(item, "created_ms") / 1000);
	struct tm tm;
	char      day[32];
	json_t   *box;
	size_t    i;

	gmtime_r(&made, &tm);
	strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	printf("%s\n  id %lld, made %s, %s\n", text_of(item, "address"), number_of(item, "id"), day,
	    json_is_true(json_object_get(item, "enabled")) ? "enabled" : "disabled");
	printf(
	    "  %lld messages, %lld bytes", number_of(item, "messages"), number_of(item, "bytes"));
	if (number_of(item, "quota_bytes") != 0)
		printf(" of %lld", number_of(item, "quota_bytes"));
	putchar('\n');
	json_array_foreach (json_object_get(item, "mailboxes"), i, box)
		printf("  %-30s %8lld messages %6lld unseen %12lld bytes\n", text_of(box, "name"),
		    number_of(box, "messages"), number_of(box, "unseen"), number_of(box, "bytes"));
}

int
cmd_account_show(const struct command *c, const struct options *o, struct arena *a)
{
	json_t *request = request_of(c), *reply, *item;
	size_t  i;
	int     r;

	json_object_set_new(request, "addresses", words_of(o->words, o->n_words));
	r = ask(o, a, request, &reply);
	if (r != EXIT_OK)
		return r;
	json_array_foreach (json_object_get(reply, "accounts"), i, item)
		print_account(item);
	json_decref(reply);
	return EXIT_OK;
}

/* --- aliases --- */

static int
change_alias(const struct command *c, const struct options *o, struct arena *a)
{
	json_t *request = request_of(c);

	json_object_set_new(request, "address", json_string(o->words[0]));
	json_object_set_new(request, "targets", words_of(o->words + 1, o->n_words - 1));
	return ask(o, a, request, NULL);
}

int
cmd_alias_add(const struct command *c, const struct options *o, struct arena *a)
{
	return change_alias(c, o, a);
}

int
cmd_alias_remove(const struct command *c, const struct options *o, struct arena *a)
{
	return change_alias(c, o, a);
}

int
cmd_alias_list(const struct command *c, const struct options *o, struct arena *a)
{
	json_t *reply, *item, *target;
	size_t  i, k;
	int     r = ask(o, a, request_of(c), &reply);

	if (r != EXIT_OK)
		return r;
	json_array_foreach (json_object_get(reply, "aliases"), i, item) {
		printf("%s ->", text_of(item, "address"));
		json_array_foreach (json_object_get(item, "targets"), k, target)
			printf(" %s", json_string_value(target));
		putchar('\n');
	}
	json_decref(reply);
	return EXIT_OK;
}
