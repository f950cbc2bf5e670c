/* import: walks the paths and sends each message over the control line, many in flight. */
#include <stdio.h>

#include "main/commands.h"
#include "main/control.h"
#include "main/import_files.h"

enum { IN_FLIGHT_MAX = 512 };

struct job {
	struct control control;
	struct str     account, mailbox;
	unsigned       in_flight;
	uint64_t       taken, failed;
};

static void
on_problem(void *arg, const char *path, const char *what)
{
	struct job *j = arg;

	j->failed++;
	tell("%s: %s", path, what);
}

static int
take_reply(struct job *j)
{
	json_t *reply;
	int     r = control_receive(&j->control, &reply);

	if (r != EXIT_OK)
		return r;
	j->in_flight--;
	if (control_check(reply) == EXIT_OK)
		j->taken++;
	else
		j->failed++;
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
	r = control_send(&j->control, o);
	if (r == EXIT_OK)
		r = control_send_bytes(&j->control, m->bytes);
	if (r != EXIT_OK)
		return r;
	j->in_flight++;
	return j->in_flight >= IN_FLIGHT_MAX ? take_reply(j) : EXIT_OK;
}

int
cmd_import(const struct command *command, const struct options *o, struct arena *a)
{
	struct config config;
	struct job    j = { .account = o->account, .mailbox = o->mailbox };
	struct import im = { on_message, on_problem, &j };
	int           r;

	if (j.account.n == 0) {
		tell("use it as: postrider %s", command->usage);
		return EXIT_USAGE;
	}
	if (j.mailbox.n == 0)
		j.mailbox = STR("INBOX");
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
	printf("%llu imported, %llu failed\n", (unsigned long long)j.taken,
	    (unsigned long long)j.failed);
	if (r != EXIT_OK)
		return r;
	if (j.failed == 0)
		return EXIT_OK;
	return j.taken > 0 ? EXIT_PARTLY : EXIT_FAILED;
}
