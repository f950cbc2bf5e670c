/* The operations on app passwords: auth/app_password.h. */
#include "auth/app_password.h"
#include "base/error.h"
#include "serve/admin/session.h"

static unsigned
bit_of(struct str name)
{
	return str_eq(name, STR("all")) ? APP_ANY : app_protocol_of(name);
}

/* The names of "protocols" as bits; APP_ANY when there is no such list. */
static int
wanted_protocols(struct admin *s, unsigned *ret)
{
	const json_t *list = json_object_get(s->request, "protocols");
	unsigned      bits = 0;
	size_t        i;
	json_t       *item;

	if (list == NULL) {
		*ret = APP_ANY;
		return 0;
	}
	json_array_foreach (list, i, item) {
		struct str name = str_of(json_string_value(item), json_string_length(item));
		unsigned   bit = name.p != NULL ? bit_of(name) : 0;

		if (bit == 0)
			return admin_fail(
			    s, E_PARAM, STR("a protocol is imap, pop3 or submission, or all"));
		bits |= bit;
	}
	*ret = bits;
	return bits != 0 ? 0 : admin_fail(s, E_PARAM, STR("no protocols"));
}

int
admin_run_app_add(struct admin *s)
{
	struct app_password wanted = { 0 };
	struct str          address, secret;
	int                 r = admin_text(s, "address", &address);

	if (r == 0)
		r = admin_text(s, "name", &wanted.name);
	if (r == 0)
		r = wanted_protocols(s, &wanted.protocols);
	if (r < 0)
		return r;
	r = app_password_add(s->server->directory, address, &wanted, &s->arena, &secret);
	if (r == E_EXISTS || r == E_PARAM)
		return admin_fail(s, r, wanted.name);
	if (r == E_LIMIT)
		return admin_fail(s, r, STR("app passwords of the account"));
	if (r < 0)
		return admin_fail(s, r, address);
	json_object_set_new(s->reply, "password", json_stringn(secret.p, secret.n));
	return 0;
}

/* A list has to be there: nobody takes back a restriction by forgetting it. */
int
admin_run_app_restrict(struct admin *s)
{
	struct str address, name;
	unsigned   protocols = APP_ANY;
	int        r = admin_text(s, "address", &address);

	if (r == 0)
		r = admin_text(s, "name", &name);
	if (r == 0 && !json_is_array(json_object_get(s->request, "protocols")))
		return admin_fail(s, E_SYNTAX, STR("protocols"));
	if (r == 0)
		r = wanted_protocols(s, &protocols);
	if (r < 0)
		return r;
	r = app_password_set_protocols(s->server->directory, address, name, protocols);
	return r < 0 ? admin_fail(s, r, r == E_BAD_ADDRESS ? address : name) : 0;
}

int
admin_run_app_remove(struct admin *s)
{
	struct str address, name;
	int        r = admin_text(s, "address", &address);

	if (r == 0)
		r = admin_text(s, "name", &name);
	if (r == 0)
		r = app_password_remove(s->server->directory, address, name);
	return r < 0 ? admin_fail(s, r, r == E_BAD_ADDRESS ? address : name) : 0;
}

static json_t *
describe(const struct app_password *app)
{
	json_t    *o = json_object(), *protocols = json_array();
	struct str name;

	for (size_t i = 0; (name = app_protocol_name(i)).n != 0; i++)
		if ((app->protocols & app_protocol_of(name)) != 0)
			json_array_append_new(protocols, json_stringn(name.p, name.n));
	json_object_set_new(o, "id", json_integer((json_int_t)app->id));
	json_object_set_new(o, "name", json_stringn(app->name.p, app->name.n));
	json_object_set_new(o, "all", json_boolean(app->protocols == APP_ANY));
	json_object_set_new(o, "protocols", protocols);
	json_object_set_new(o, "created_ms", json_integer(app->created_ms));
	json_object_set_new(o, "last_used_ms", json_integer(app->last_used_ms));
	return o;
}

int
admin_run_app_list(struct admin *s)
{
	struct app_password *list;
	struct str           address;
	size_t               n;
	json_t              *out = json_array();
	int                  r = admin_text(s, "address", &address);

	json_object_set_new(s->reply, "app_passwords", out);
	if (r < 0)
		return r;
	r = app_password_list(s->server->directory, address, &s->arena, &list, &n);
	if (r < 0)
		return admin_fail(s, r, address);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(out, describe(&list[i]));
	return 0;
}
