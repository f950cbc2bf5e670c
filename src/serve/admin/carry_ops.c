/* What mail and accounts have that POP3 programs know, when they are moved in or put back: a
 * message's UIDL, the devices that removed it, how it left the Inbox; an account's devices and
 * policies. */
#include "base/error.h"
#include "serve/admin/session.h"

static int64_t
number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static struct str
text(const json_t *o, const char *key)
{
	const json_t *value = json_object_get(o, key);

	return str_of(json_string_value(value), json_string_length(value));
}

/* --- of a message --- */

/* Names that no device has are passed over. */
static int
read_hidden(struct admin *s, struct account *account, struct carried *c)
{
	const json_t *names = json_object_get(s->request, "hidden");
	device_id    *ids = arena_alloc(&s->arena, (json_array_size(names) + 1) * sizeof(*ids));
	const json_t *name;
	size_t        i;

	if (ids == NULL)
		return E_NOMEM;
	c->hidden = ids;
	json_array_foreach (names, i, name) {
		struct str device = str_of(json_string_value(name), json_string_length(name));
		int        r = device_find(account, device, &ids[c->n_hidden]);

		if (r < 0 && r != E_NOT_FOUND)
			return r;
		c->n_hidden += r == 0;
	}
	return 0;
}

static int
read_left(struct admin *s, struct account *account, struct carried *c)
{
	const json_t *left = json_object_get(s->request, "left");
	int           r;

	if (left == NULL)
		return 0;
	c->left_ms = number(left, "when_ms");
	r = admin_policy_of(text(left, "policy"), &c->left_policy);
	if (r == 0 && json_is_string(json_object_get(left, "device")))
		r = device_find(account, text(left, "device"), &c->left_device);
	return r == E_NOT_FOUND ? 0 : r;
}

int
admin_read_carried(struct admin *s, struct account *account, struct append_options *opt)
{
	struct carried *c;
	int             r;

	if (json_object_get(s->request, "uidl") == NULL &&
	    json_object_get(s->request, "hidden") == NULL &&
	    json_object_get(s->request, "left") == NULL)
		return 0;
	c = ARENA_NEW(&s->arena, struct carried);
	if (c == NULL)
		return E_NOMEM;
	c->uidl = text(s->request, "uidl");
	r = read_hidden(s, account, c);
	if (r == 0)
		r = read_left(s, account, c);
	if (r == 0 && c->uidl.n != 0 && s->taken == NULL)
		r = uidl_taken_new(&s->taken);
	opt->carried = c;
	opt->taken = s->taken;
	return r;
}

/* The message is there all the same: who asked is told. */
void
admin_tell_uidl(struct admin *s, int err)
{
	json_t *uidl = json_object_get(s->request, "uidl");

	if (uidl != NULL)
		json_object_set(s->reply, "uidl", uidl);
	if (err != 0)
		json_object_set_new(s->reply, "uidl_refused",
		    json_string(err == E_EXISTS
		            ? "another message has this UIDL"
		            : "not a UIDL: 1 to 70 visible ASCII characters"));
}

/* --- of an account --- */

static void
read_use(const json_t *o, struct device_info *d)
{
	struct str name = text(o, "protocol");
	unsigned   i = 0;

	while (i < ACTOR_PROTOCOLS &&
	    !str_eq(name, str_c(admin_protocol_name((enum actor_protocol)i))))
		i++;
	if (i == ACTOR_PROTOCOLS)
		return;
	d->use[i] = (struct device_use){
		.first_ms = number(o, "first_ms"),
		.last_ms = number(o, "last_ms"),
		.peer = text(o, "peer"),
		.sessions = (uint64_t)number(o, "sessions"),
		.fetched_n = (uint64_t)number(o, "fetched"),
		.fetched_bytes = (uint64_t)number(o, "fetched_bytes"),
		.removed_n = (uint64_t)number(o, "removed"),
		.removed_bytes = (uint64_t)number(o, "removed_bytes"),
	};
}

static int
put_device(struct admin *s, struct account *account)
{
	const json_t      *o = json_object_get(s->request, "device"), *use;
	struct actor       actor = admin_actor(s);
	struct device_info d = {
		.name = text(o, "name"),
		.client = text(o, "client"),
		.alarm_ms = number(o, "alarm_ms"),
	};
	size_t i;
	int    r = admin_policy_of(text(o, "policy"), &d.policy);

	if (r < 0)
		return r;
	json_array_foreach (json_object_get(o, "uses"), i, use)
		read_use(use, &d);
	return device_put(account, &d, &actor);
}

/* What is set already stays. */
static int
put_options(struct admin *s, struct account *account)
{
	const json_t       *given = json_object_get(s->request, "options");
	int64_t             percent = number(given, "alarm_percent");
	struct actor        actor = admin_actor(s);
	struct pop3_options o;
	enum pop3_policy    policy;
	int                 r = admin_policy_of(text(given, "policy"), &policy);

	if (r == 0)
		r = pop3_options_get(account, &o);
	if (r < 0)
		return r;
	if (o.policy == POP3_POLICY_NONE)
		o.policy = policy;
	if (!o.alarm_off && o.alarm_percent == 0) {
		o.alarm_off = json_is_true(json_object_get(given, "alarm_off"));
		o.alarm_percent = percent >= 0 && percent <= 100 ? (unsigned)percent : 0;
	}
	return pop3_options_set(account, &o, &actor);
}

/* address, and a device as "account-devices" tells it, or options */
int
admin_run_account_put(struct admin *s)
{
	OWN(account) account = NULL;
	struct str address;
	int        r = admin_text(s, "address", &address);

	if (r == 0)
		r = admin_account(s, address, &account);
	if (r == 0 && json_is_object(json_object_get(s->request, "device")))
		r = put_device(s, account);
	if (r == 0 && json_is_object(json_object_get(s->request, "options")))
		r = put_options(s, account);
	return r < 0 ? r : account_barrier(account);
}
