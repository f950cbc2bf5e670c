/* The operations on devices: who they are, what POP3 removals do, putting back what one removed. */
#include "auth/address.h"
#include "auth/app_password.h"
#include "base/error.h"
#include "serve/admin/session.h"
#include "store/carry.h"
#include "store/journal.h"

static json_t *
describe_use(enum actor_protocol protocol, const struct device_use *use)
{
	json_t *o = json_object();

	json_object_set_new(o, "protocol", json_string(admin_protocol_name(protocol)));
	json_object_set_new(o, "first_ms", json_integer(use->first_ms));
	json_object_set_new(o, "last_ms", json_integer(use->last_ms));
	json_object_set_new(o, "peer", admin_json_text(use->peer));
	json_object_set_new(o, "sessions", json_integer((json_int_t)use->sessions));
	json_object_set_new(o, "fetched", json_integer((json_int_t)use->fetched_n));
	json_object_set_new(o, "fetched_bytes", json_integer((json_int_t)use->fetched_bytes));
	json_object_set_new(o, "removed", json_integer((json_int_t)use->removed_n));
	json_object_set_new(o, "removed_bytes", json_integer((json_int_t)use->removed_bytes));
	return o;
}

json_t *
admin_device_json(const struct device_info *d)
{
	json_t *o = json_object(), *uses = json_array();

	for (size_t i = 0; i < ACTOR_PROTOCOLS; i++)
		if (i != ACTOR_ADMIN && d->use[i].last_ms != 0)
			json_array_append_new(
			    uses, describe_use((enum actor_protocol)i, &d->use[i]));
	json_object_set_new(o, "name", admin_json_text(d->name));
	json_object_set_new(o, "client", admin_json_text(d->client));
	json_object_set_new(o, "policy", json_string(admin_policy_name(d->policy)));
	json_object_set_new(o, "alarm_ms", json_integer(d->alarm_ms));
	json_object_set_new(o, "uses", uses);
	return o;
}

/* What holds for the account; its policy is the one in force. */
static int
put_options(struct admin *s, struct account *account)
{
	struct pop3_options o;
	enum pop3_policy    policy;
	int                 r = pop3_options_get(account, &o);

	if (r == 0)
		r = device_policy(account, 0, &policy);
	if (r < 0)
		return r;
	json_object_set_new(s->reply, "policy", json_string(admin_policy_name(policy)));
	json_object_set_new(s->reply, "alarm", json_boolean(!o.alarm_off));
	json_object_set_new(s->reply, "alarm_percent",
	    json_integer(o.alarm_percent != 0 ? o.alarm_percent : ALARM_PERCENT));
	return 0;
}

static int
put_devices(struct admin *s, struct account *account)
{
	json_t             *out = json_array();
	struct device_info *list;
	size_t              n;
	int                 r = device_list(account, &s->arena, &list, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		json_array_append_new(out, admin_device_json(&list[i]));
	json_object_set_new(s->reply, "devices", out);
	return r < 0 ? r : put_options(s, account);
}

static int
named_account(struct admin *s, struct account **ret)
{
	struct str address;
	int        r = admin_text(s, "address", &address);

	return r < 0 ? r : admin_account(s, address, ret);
}

int
admin_run_devices(struct admin *s)
{
	OWN(account) account = NULL;
	int r = named_account(s, &account);

	return r < 0 ? r : put_devices(s, account);
}

/* --- policy and alarm --- */

static bool
has(const struct admin *s, const char *key)
{
	return json_object_get(s->request, key) != NULL;
}

/* As the +tag of a login: names of addresses are kept without case. */
static int
name_as_tag(struct admin *s, struct str name, struct str *ret)
{
	const char *address = arena_printf(&s->arena, "a+%.*s@a.example", STR_ARG(name));
	struct str  normal;
	int         r = address == NULL ? E_NOMEM : 0;

	if (r == 0)
		r = address_normalise(str_c(address), &s->arena, &normal);
	if (r == 0 && normal.n > DEVICE_NAME_MAX)
		r = E_BAD_ADDRESS;
	if (r == E_BAD_ADDRESS)
		return admin_fail(s, E_PARAM,
		    STR("a device is called as an app password, or as the +tag of its login"));
	if (r == 0)
		*ret = str_skip(address_local(normal), 2);
	return r;
}

/* What a device that was not here yet will be called. */
static int
name_of_new(struct admin *s, struct str name, struct str *ret)
{
	struct app_password *list;
	struct str           address;
	size_t               n;
	int                  r = admin_text(s, "address", &address);

	if (r == 0)
		r = app_password_list(s->server->directory, address, &s->arena, &list, &n);
	if (r < 0)
		return r;
	*ret = name;
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i].name, name))
			return 0;
	return name.n == 0 ? 0 : name_as_tag(s, name, ret);
}

/* It may have a policy before it comes for the first time. */
static int
make_device(struct admin *s, struct account *account, struct str name, enum pop3_policy policy)
{
	const struct device_info info = { .name = name, .policy = policy };
	struct actor             actor = admin_actor(s);
	int                      r = device_put(account, &info, &actor);

	return r == E_LIMIT ? admin_fail(s, r, STR("an account has at most 1,000 devices")) : r;
}

static int
set_device_policy(struct admin *s, struct account *account, enum pop3_policy policy)
{
	struct actor actor = admin_actor(s);
	struct str   name;
	device_id    id;
	int          r = admin_text(s, "device", &name);

	if (r == 0)
		r = device_find(account, name, &id);
	if (r == E_NOT_FOUND) {
		r = name_of_new(s, name, &name);
		if (r == 0)
			r = device_find(account, name, &id);
	}
	if (r == E_NOT_FOUND && policy != POP3_POLICY_NONE)
		return make_device(s, account, name, policy);
	if (r == 0)
		r = device_policy_set(account, id, policy, &actor);
	return r == E_NOT_FOUND ? admin_fail(s, r, STR("no such device")) : r;
}

static int
read_policy(struct admin *s, enum pop3_policy *ret)
{
	struct str name;
	int        r = admin_text(s, "policy", &name);

	if (r < 0 || admin_policy_of(name, ret) == 0)
		return r;
	return admin_fail(s, E_PARAM,
	    STR("a policy is keep, read, archive, trash or delete, or default"));
}

/* false, or the share in percent */
static int
read_alarm(struct admin *s, struct pop3_options *o)
{
	const json_t *alarm = json_object_get(s->request, "alarm");

	o->alarm_off = json_is_false(alarm);
	if (o->alarm_off)
		return 0;
	if (!json_is_integer(alarm) || json_integer_value(alarm) < 1 ||
	    json_integer_value(alarm) > 100)
		return admin_fail(s, E_PARAM,
		    STR("an alarm is off, or a share of 1 to 100 percent"));
	o->alarm_percent = (unsigned)json_integer_value(alarm);
	return 0;
}

static int
set_options(struct admin *s, struct account *account)
{
	struct actor        actor = admin_actor(s);
	enum pop3_policy    policy = POP3_POLICY_NONE;
	struct pop3_options o;
	int                 r = pop3_options_get(account, &o);

	if (r == 0 && has(s, "policy"))
		r = read_policy(s, &policy);
	if (r == 0 && has(s, "alarm"))
		r = read_alarm(s, &o);
	if (r < 0)
		return r;
	if (has(s, "device")) {
		r = has(s, "policy") ? set_device_policy(s, account, policy) : 0;
		if (r < 0 || !has(s, "alarm"))
			return r;
	} else if (has(s, "policy")) {
		o.policy = policy;
	}
	return pop3_options_set(account, &o, &actor);
}

int
admin_run_pop3(struct admin *s)
{
	OWN(account) account = NULL;
	int r = named_account(s, &account);

	if (r == 0 && (has(s, "policy") || has(s, "alarm"))) {
		r = set_options(s, account);
		if (r == 0)
			r = account_barrier(account);
	}
	return r < 0 ? r : put_devices(s, account);
}

/* --- putting back --- */

/* A name that no device has would put back nothing and say so: rather a mistake. */
static int
read_device(struct admin *s, struct account *account, struct journal_restore *u)
{
	device_id id;
	int       r;

	u->any_device = !has(s, "by");
	if (u->any_device)
		return 0;
	r = admin_text(s, "by", &u->device);
	if (r == 0)
		r = device_find(account, u->device, &id);
	return r < 0 ? admin_fail(s, r, u->device) : 0;
}

int
admin_run_journal_restore(struct admin *s)
{
	OWN(account) account = NULL;
	struct journal_restore u = {
		.since_ms = json_integer_value(json_object_get(s->request, "since_ms"))
	};
	struct actor actor = admin_actor(s);
	bool         done = false;
	int          r = named_account(s, &account), wait;

	if (r == 0)
		r = read_device(s, account, &u);
	if (r < 0)
		return r;
	while (r == 0 && !done)
		r = journal_restore_part(account, &u, &actor, &done);
	json_object_set_new(s->reply, "restored", json_integer((json_int_t)u.restored));
	json_object_set_new(s->reply, "unhidden", json_integer((json_int_t)u.unhidden));
	json_object_set_new(s->reply, "unread", json_integer((json_int_t)u.unread));
	/* What was put back is told, so it rests on disk also when the quota ended it. */
	wait = account_barrier(account);
	return r < 0 ? r : wait;
}
