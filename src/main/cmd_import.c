/* import: walks the paths and sends each message over the control line, many in flight. */
#include <stdio.h>

#include "main/commands.h"
#include "main/control.h"
#include "main/import_files.h"
#include "main/uidl_format.h"

enum { IN_FLIGHT_MAX = 512 };

struct job {
	struct control control;
	struct str     account, mailbox;
	unsigned       in_flight;
	uint64_t       taken, failed, uidls, doubts;
};

static void
on_problem(void *arg, const char *path, const char *what)
{
	struct job *j = arg;

	j->failed++;
	tell("%s: %s", path, what);
}

static void
on_doubt(void *arg, const char *path, size_t line, const char *what)
{
	struct job *j = arg;

	j->doubts++;
	if (line != 0)
		tell("%s, line %zu: %s", path, line, what);
	else
		tell("%s: %s; imported without it", path, what);
}

/* The message has a UIDL, or was to have one. */
static void
note_uidl(struct job *j, const json_t *reply)
{
	const char *refused = json_string_value(json_object_get(reply, "uidl_refused"));
	const char *uidl = json_string_value(json_object_get(reply, "uidl"));

	if (refused == NULL) {
		j->uidls += uidl != NULL;
		return;
	}
	j->doubts++;
	tell("UIDL %s: %s; imported without it", uidl != NULL ? uidl : "?", refused);
}

static int
take_reply(struct job *j)
{
	json_t *reply;
	int     r = control_receive(&j->control, &reply);

	if (r != EXIT_OK)
		return r;
	j->in_flight--;
	if (control_check(reply) == EXIT_OK) {
		j->taken++;
		note_uidl(j, reply);
	} else {
		j->failed++;
	}
	json_decref(reply);
	return EXIT_OK;
}

static json_t *
flags_of(const struct import_message *m)
{
	const struct {
		bool        on;
		const char *name;
	} all[] = { { m->seen, "seen" }, { m->answered, "answered" }, { m->flagged, "flagged" },
		{ m->deleted, "deleted" }, { m->draft, "draft" } };
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i].on)
			json_array_append_new(list, json_string(all[i].name));
	return list;
}

static int
on_message(void *arg, const char *path, const struct import_message *m)
{
	struct job *j = arg;
	struct str  mailbox = m->mailbox.n != 0 ? m->mailbox : j->mailbox;
	json_t     *o = json_pack("{s:s}", "op", "append");
	int         r;

	(void)path;
	json_object_set_new(o, "account", json_stringn(j->account.p, j->account.n));
	json_object_set_new(o, "mailbox", json_stringn(mailbox.p, mailbox.n));
	json_object_set_new(o, "size", json_integer((json_int_t)m->bytes.n));
	json_object_set_new(o, "date_ms", json_integer(m->date_ms));
	json_object_set_new(o, "flags", flags_of(m));
	if (m->uidl.n != 0)
		json_object_set_new(o, "uidl", json_stringn(m->uidl.p, m->uidl.n));
	r = control_send(&j->control, o);
	if (r == EXIT_OK)
		r = control_send_bytes(&j->control, m->bytes);
	if (r != EXIT_OK)
		return r;
	j->in_flight++;
	return j->in_flight >= IN_FLIGHT_MAX ? take_reply(j) : EXIT_OK;
}

/* Told before anything is imported. */
static int
read_uidl_options(const struct options *o, struct import_uidl *ret)
{
	size_t at;

	ret->from_header = (o->given & OPT_X_UIDL) != 0;
	ret->given = (o->given & OPT_UIDL_FORMAT) != 0;
	ret->format = ret->given ? o->uidl_format : STR(UIDL_FORMAT_DOVECOT);
	if (uidl_format_check(ret->format, &at) == 0)
		return EXIT_OK;
	tell("%.*s is no pop3_uidl_format as of Dovecot 2.3 (%%u, %%v, %%f, %%g, %%m), see "
	     "character %zu", STR_ARG(ret->format), at + 1);
	return EXIT_USAGE;
}

static void
print_counts(const struct job *j)
{
	printf("%llu imported, %llu failed", (unsigned long long)j->taken,
	    (unsigned long long)j->failed);
	if (j->uidls + j->doubts != 0)
		printf(", %llu with the UIDL of the old server", (unsigned long long)j->uidls);
	putchar('\n');
}

int
cmd_import(const struct command *command, const struct options *o, struct arena *a)
{
	struct config config;
	struct job    j = { .account = o->account, .mailbox = o->mailbox };
	struct import im = {
		.take = on_message, .problem = on_problem, .doubt = on_doubt, .arg = &j
	};
	int           r;

	if (j.account.n == 0) {
		tell("use it as: postrider %s", command->usage);
		return EXIT_USAGE;
	}
	if (j.mailbox.n == 0)
		j.mailbox = STR("INBOX");
	r = read_uidl_options(o, &im.uidl);
	if (r == EXIT_OK)
		r = options_config(o, a, &config);
	if (r == EXIT_OK)
		r = control_open(&config, &j.control);
	if (r != EXIT_OK)
		return r;
	for (int i = 0; r == EXIT_OK && i < o->n_words; i++)
		r = import_path(&im, o->words[i]);
	while (r == EXIT_OK && j.in_flight > 0)
		r = take_reply(&j);
	control_close(&j.control);
	print_counts(&j);
	if (r != EXIT_OK)
		return r;
	if (j.failed + j.doubts == 0)
		return EXIT_OK;
	return j.taken > 0 ? EXIT_PARTLY : EXIT_FAILED;
}
