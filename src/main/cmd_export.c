/* export: reads every message over the control line, or from the store when no server runs, and
 * writes it as the format says. */
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "main/commands.h"
#include "main/control.h"
#include "kv/salvage.h"
#include "main/export_files.h"
#include "main/export_store.h"

enum { MESSAGE_MAX = 1 << 30 };

static int
choose_format(struct str name, enum export_format *ret)
{
	static const char *const NAMES[] = { "mbox", "maildir", "eml" };

	for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
		if (str_eq(name, str_c(NAMES[i])))
			return *ret = (enum export_format)i, EXIT_OK;
	return EXIT_USAGE;
}

static int
keep(void *arg, struct str bytes)
{
	struct buf *b = arg;

	buf_str(b, bytes);
	if (b->err == 0)
		return EXIT_OK;
	tell("%s", error_row(b->err)->text);
	return EXIT_FAILED;
}

static bool
has_flag(const json_t *head, const char *name)
{
	json_t *item;
	size_t  i;

	json_array_foreach (json_object_get(head, "flags"), i, item)
		if (str_eq(str_c(json_string_value(item)), str_c(name)))
			return true;
	return false;
}

static int
write_one(struct control *c, const struct export_target *t, const json_t *head, struct buf *bytes)
{
	struct export_message m = {
		.mailbox = str_c(json_string_value(json_object_get(head, "mailbox"))),
		.uid = (uint32_t)json_integer_value(json_object_get(head, "uid")),
		.date_ms = json_integer_value(json_object_get(head, "date_ms")),
		.seen = has_flag(head, "seen"),
		.answered = has_flag(head, "answered"),
		.flagged = has_flag(head, "flagged"),
		.deleted = has_flag(head, "deleted"),
		.draft = has_flag(head, "draft"),
	};
	uint64_t size = (uint64_t)json_integer_value(json_object_get(head, "size"));
	int      r;

	buf_reset(bytes);
	r = control_receive_bytes(c, size, keep, bytes);
	m.bytes = buf_view(bytes);
	return r != EXIT_OK ? r : export_message(t, &m);
}

static void
tell_damaged(const json_t *head)
{
	const char *text = json_string_value(json_object_get(head, "text"));

	tell("mailbox %s, UID %lld cannot be read: %s",
	    json_string_value(json_object_get(head, "mailbox")),
	    json_integer_value(json_object_get(head, "uid")), text != NULL ? text : "failed");
}

static int
finish(const json_t *reply, const struct export_target *t, bool begun, uint64_t failed)
{
	int r = control_check(reply);

	if (r == EXIT_OK && !begun)
		r = export_begin(t);
	return r == EXIT_OK && failed != 0 ? EXIT_PARTLY : r;
}

/* Messages come until the object that has "ok". */
static int
write_all(struct control *c, const struct export_target *t, uint64_t *n)
{
	OWN_BUF struct buf bytes = BUF_INIT(MESSAGE_MAX);
	bool               begun = false;
	uint64_t           failed = 0;

	for (;;) {
		json_t *head;
		int     r = control_receive(c, &head);

		if (r != EXIT_OK)
			return r;
		if (json_object_get(head, "ok") != NULL) {
			r = finish(head, t, begun, failed);
			json_decref(head);
			return r;
		}
		if (json_is_true(json_object_get(head, "damaged"))) {
			tell_damaged(head);
			failed++;
			json_decref(head);
			continue;
		}
		if (!begun)
			r = export_begin(t);
		begun = true;
		if (r == EXIT_OK)
			r = write_one(c, t, head, &bytes);
		json_decref(head);
		if (r != EXIT_OK)
			return r;
		++*n;
	}
}

static int
from_server(const struct config *config, const struct options *o, const struct export_target *t,
    uint64_t *n)
{
	struct control control;
	json_t        *request;
	int            r = control_open(config, &control);

	if (r != EXIT_OK)
		return r;
	request = json_pack("{s:s}", "op", "export");
	json_object_set_new(request, "account", json_stringn(o->account.p, o->account.n));
	if (t->one_mailbox)
		json_object_set_new(request, "mailbox", json_stringn(o->mailbox.p, o->mailbox.n));
	r = control_send(&control, request);
	if (r == EXIT_OK)
		r = write_all(&control, t, n);
	control_close(&control);
	return r;
}

int
cmd_export(const struct command *command, const struct options *o, struct arena *a)
{
	struct export_target target = { .out = o->words[0], .one_mailbox = o->mailbox.n != 0 };
	struct config        config;
	const char          *store;
	uint64_t             n = 0;
	int                  lock = -1, r;

	if (o->account.n == 0 || choose_format(o->format, &target.format) != EXIT_OK) {
		tell("use it as: postrider %s", command->usage);
		return EXIT_USAGE;
	}
	r = options_config(o, a, &config);
	if (r != EXIT_OK)
		return r;
	store = engine_path(&config, "store", a);
	if (store == NULL)
		return EXIT_FAILED;
	if (access(store, F_OK) == 0 && kv_store_lock(store, &lock) == 0)
		r = export_store(&config, o, &target, &n);
	else
		r = from_server(&config, o, &target, &n);
	if (lock >= 0)
		close(lock);
	printf("%llu exported\n", (unsigned long long)n);
	return r;
}
