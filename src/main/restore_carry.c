#include "main/restore_carry.h"

#include "base/error.h"
#include "serve/admin/admin.h"

static json_t *
text_of(struct str s)
{
	return json_stringn(s.p != NULL ? s.p : "", s.n);
}

int
restore_carry_open(struct account *from, const struct options *o, struct arena *a,
    struct restore_carry *ret)
{
	struct restore_carry c = {
		.from = from,
		.hidden = o->message.n == 0,
		.left = o->message.n == 0 && o->to.n == 0,
		.account = o->message.n == 0 && o->to.n == 0 && o->mailbox.n == 0,
	};
	int r = carry_reader_new(from, &c.reader);

	if (r == 0)
		r = device_list(from, a, &c.devices, &c.n_devices);
	*ret = c;
	if (r == 0)
		return EXIT_OK;
	tell("the devices of the backup cannot be read: %s", error_row(r)->text);
	return EXIT_FAILED;
}

void
restore_carry_done(struct restore_carry *c)
{
	carry_reader_drop(c->reader);
	*c = (struct restore_carry){ 0 };
}

/* --- the account --- */

static int
put(struct control *control, struct str address, const char *what, json_t *value)
{
	json_t *reply = NULL;
	int     r = control_call(control, json_pack("{s:s, s:s%, s:o}", "op", "account-put",
	            "address", address.p, address.n, what, value), &reply);

	json_decref(reply);
	return r;
}

int
restore_carry_account(const struct restore_carry *c, struct control *control, struct str address)
{
	struct pop3_options options;
	int                 r = EXIT_OK, e;

	if (!c->account)
		return EXIT_OK;
	e = pop3_options_get(c->from, &options);
	if (e < 0) {
		tell("the policies of the backup cannot be read: %s", error_row(e)->text);
		return EXIT_FAILED;
	}
	for (size_t i = 0; r == EXIT_OK && i < c->n_devices; i++)
		r = put(control, address, "device", admin_device_json(&c->devices[i]));
	if (r != EXIT_OK)
		return r;
	return put(control, address, "options",
	    json_pack("{s:s, s:b, s:i}", "policy", admin_policy_name(options.policy), "alarm_off",
	        (int)options.alarm_off, "alarm_percent", (int)options.alarm_percent));
}

/* --- a message --- */

static const struct device_info *
find_device(const struct restore_carry *c, device_id id)
{
	for (size_t i = 0; i < c->n_devices; i++)
		if (c->devices[i].id == id)
			return &c->devices[i];
	return NULL;
}

static void
add_hidden(const struct restore_carry *c, const struct carried *m, json_t *request)
{
	json_t *names = json_array();

	for (size_t i = 0; i < m->n_hidden; i++) {
		const struct device_info *d = find_device(c, m->hidden[i]);

		if (d != NULL)
			json_array_append_new(names, text_of(d->name));
	}
	json_object_set_new(request, "hidden", names);
}

static void
add_left(const struct restore_carry *c, const struct carried *m, json_t *request)
{
	const struct device_info *d = find_device(c, m->left_device);
	json_t *left = json_pack("{s:I, s:s}", "when_ms", (json_int_t)m->left_ms, "policy",
	    admin_policy_name(m->left_policy));

	if (d != NULL)
		json_object_set_new(left, "device", text_of(d->name));
	json_object_set_new(request, "left", left);
}

void
restore_carry_message(const struct restore_carry *c, email_id email, json_t *request)
{
	struct carried m;

	if (carry_read(c->reader, email, &m) < 0)
		return;
	json_object_set_new(request, "uidl", text_of(m.uidl));
	if (c->hidden && m.n_hidden != 0)
		add_hidden(c, &m, request);
	if (c->left && m.left_policy != POP3_POLICY_NONE)
		add_left(c, &m, request);
}
