#include "auth/password.h"
#include "auth/scram_store.h"
#include "base/error.h"
#include "serve/admin/session.h"

/* --- domains --- */

static int
run_domain_add(struct admin *s)
{
	struct str name;
	int        r = admin_text(s, "name", &name);

	if (r == 0)
		r = directory_domain_add(s->server->directory, name);
	return r < 0 ? admin_fail(s, r, name) : 0;
}

static int
run_domain_remove(struct admin *s)
{
	struct str name;
	int        r = admin_text(s, "name", &name);

	if (r == 0)
		r = directory_domain_remove(s->server->directory, name);
	return r < 0 ? admin_fail(s, r, name) : 0;
}

static json_t *
json_str(struct str s)
{
	return json_stringn(s.p != NULL ? s.p : "", s.n);
}

static int
run_domain_list(struct admin *s)
{
	struct str *names;
	size_t      n;
	json_t     *list = json_array();
	int         r = directory_domain_list(s->server->directory, &s->arena, &names, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		json_array_append_new(list, json_str(names[i]));
	json_object_set_new(s->reply, "domains", list);
	return r;
}

/* --- accounts --- */

/* Calls fn for each of "addresses"; the first error stops. */
static int
each_address(struct admin *s, int (*fn)(struct admin *, struct str address, const void *arg),
    const void *arg)
{
	const json_t *list = json_object_get(s->request, "addresses");
	size_t        i;
	json_t       *item;

	if (!json_is_array(list) || json_array_size(list) == 0)
		return admin_fail(s, E_SYNTAX, STR("addresses"));
	json_array_foreach(list, i, item) {
		struct str address = str_of(json_string_value(item), json_string_length(item));
		int        r = json_is_string(item) ? fn(s, address, arg) : E_SYNTAX;

		if (r < 0)
			return admin_fail(s, r, address);
	}
	return 0;
}

/* What to store: the hash, and the password itself when SCRAM wants keys of it. */
struct secret {
	struct str hash;
	struct str password; /* or empty */
};

/* The hash to store: that of "password" or the given "hash". One hash serves all addresses of the
 * request, as one password does. */
static int
wanted_secret(struct admin *s, struct secret *ret)
{
	struct secret w = { 0 };
	struct str    text;
	int           r;

	if (admin_text(s, "hash", &w.hash) == 0) {
		r = password_hash_check(w.hash);
		*ret = w;
		return r < 0 ? admin_fail(s, r, STR("password hash")) : 0;
	}
	if (admin_text(s, "password", &text) < 0)
		return E_SYNTAX;
	if (text.n == 0)
		return admin_fail(s, E_PARAM, STR("empty password"));
	r = password_hash(text, &s->arena, &w.hash);
	if (auth_scram(s->server->auth) == AUTH_SCRAM_ALL)
		w.password = text;
	*ret = w;
	return r;
}

/* After the hash was set. */
static int
set_keys(struct admin *s, struct str address, const struct secret *w)
{
	if (w->password.n == 0)
		return 0;
	return directory_scram_set_main(s->server->directory, address, w->password, w->hash);
}

static int
add_account(struct admin *s, struct str address, const void *arg)
{
	const struct secret *w = arg;
	struct actor         actor = admin_actor(s);
	struct quota         quota = s->server->new_account_quota;
	uint64_t             id;
	int r = directory_account_add(s->server->directory, address, w->hash, &id);

	if (r == 0)
		r = account_create(s->server->store, id, &quota, &actor);
	return r < 0 ? r : set_keys(s, address, w);
}

/* Everything on the accounts made by this request is on disk before it is answered. */
static int
wait_account(struct admin *s, struct str address, const void *unused)
{
	OWN(account) account = NULL;
	int r = admin_account(s, address, &account);

	(void)unused;
	return r < 0 ? r : account_barrier(account);
}

static int
run_account_add(struct admin *s)
{
	struct secret w;
	int           r = wanted_secret(s, &w);

	if (r == 0)
		r = each_address(s, add_account, &w);
	return r < 0 ? r : each_address(s, wait_account, NULL);
}

static int
set_password(struct admin *s, struct str address, const void *arg)
{
	const struct secret *w = arg;
	int r = directory_account_set_hash(s->server->directory, address, w->hash,
	    json_is_true(json_object_get(s->request, "keep_sessions")) ? SESSIONS_KEEP :
	                                                                 SESSIONS_END);

	return r < 0 ? r : set_keys(s, address, w);
}

static int
run_account_password(struct admin *s)
{
	struct secret w;
	int           r = wanted_secret(s, &w);

	return r < 0 ? r : each_address(s, set_password, &w);
}

static int
enable(struct admin *s, struct str address, const void *unused)
{
	(void)unused;
	return directory_account_enable(s->server->directory, address, true);
}

static int
disable(struct admin *s, struct str address, const void *unused)
{
	(void)unused;
	return directory_account_enable(s->server->directory, address, false);
}

static int
run_account_enable(struct admin *s)
{
	return each_address(s, enable, NULL);
}

static int
run_account_disable(struct admin *s)
{
	return each_address(s, disable, NULL);
}

static int
remove_account(struct admin *s, struct str address, const void *unused)
{
	uint64_t id;
	int      r = directory_account_remove(s->server->directory, address, &id);

	(void)unused;
	if (r < 0)
		return r;
	r = account_remove(s->server->store, id);
	return r == E_NOT_FOUND ? 0 : r;
}

static int
run_account_remove(struct admin *s)
{
	return each_address(s, remove_account, NULL);
}

static json_t *
describe(const struct directory_account *a)
{
	json_t *o = json_object();

	json_object_set_new(o, "id", json_integer((json_int_t)a->id));
	json_object_set_new(o, "address", json_str(a->address));
	json_object_set_new(o, "enabled", json_boolean(a->enabled));
	json_object_set_new(o, "created_ms", json_integer(a->created_ms));
	return o;
}

static int
run_account_list(struct admin *s)
{
	struct directory_account *list;
	size_t                    n;
	json_t                   *out = json_array();
	int r = directory_account_list(s->server->directory, &s->arena, &list, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		json_array_append_new(out, describe(&list[i]));
	json_object_set_new(s->reply, "accounts", out);
	return r;
}

static int
describe_mailboxes(struct admin *s, struct account *account, json_t *out)
{
	struct mailbox_info *list;
	size_t               n;
	int                  r = mailbox_list(account, &s->arena, &list, &n);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct mailbox_status status;
		json_t               *o;

		if (list[i].id == 0 || list[i].no_select)
			continue;
		r = mailbox_status(account, list[i].id, &status);
		o = json_object();
		json_object_set_new(o, "name", json_str(list[i].name));
		json_object_set_new(o, "messages", json_integer(r == 0 ? status.messages : 0));
		json_object_set_new(o, "unseen", json_integer(r == 0 ? status.unseen : 0));
		json_object_set_new(o, "bytes", json_integer(r == 0 ? (json_int_t)status.size : 0));
		json_array_append_new(out, o);
	}
	return r;
}

static int
show_account(struct admin *s, struct str address, const void *unused)
{
	OWN(account) account = NULL;
	struct directory_account who;
	struct quota             quota;
	struct quota_usage       usage;
	json_t                  *o, *mailboxes;
	int r = directory_account_get(s->server->directory, address, &s->arena, &who);

	(void)unused;
	if (r == 0)
		r = account_open(s->server->store, who.id, &account);
	if (r < 0)
		return r;
	account_quota(account, &quota, &usage);
	o = describe(&who);
	json_array_append_new(json_object_get(s->reply, "accounts"), o);
	json_object_set_new(o, "quota_bytes", json_integer((json_int_t)quota.storage_max));
	json_object_set_new(o, "quota_messages", json_integer((json_int_t)quota.count_max));
	json_object_set_new(o, "bytes", json_integer((json_int_t)usage.storage));
	json_object_set_new(o, "messages", json_integer((json_int_t)usage.count));
	mailboxes = json_array();
	json_object_set_new(o, "mailboxes", mailboxes);
	return describe_mailboxes(s, account, mailboxes);
}

static int
run_account_show(struct admin *s)
{
	json_object_set_new(s->reply, "accounts", json_array());
	return each_address(s, show_account, NULL);
}

/* --- aliases --- */

static int
alias_args(struct admin *s, struct str *address, struct str **targets, size_t *n)
{
	const json_t *list = json_object_get(s->request, "targets");
	int           r = admin_text(s, "address", address);

	if (r < 0)
		return r;
	*n = json_array_size(list);
	*targets = arena_alloc(&s->arena, *n * sizeof(**targets));
	if (*targets == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < *n; i++) {
		const json_t *item = json_array_get(list, i);

		(*targets)[i] = str_of(json_string_value(item), json_string_length(item));
	}
	return 0;
}

static int
run_alias_add(struct admin *s)
{
	struct str address = STR_NONE, *targets;
	size_t     n;
	int        r = alias_args(s, &address, &targets, &n);

	if (r == 0)
		r = directory_alias_add(s->server->directory, address, targets, n);
	return r < 0 ? admin_fail(s, r, address) : 0;
}

static int
run_alias_remove(struct admin *s)
{
	struct str address = STR_NONE, *targets;
	size_t     n;
	int        r = alias_args(s, &address, &targets, &n);

	if (r == 0)
		r = directory_alias_remove(s->server->directory, address, targets, n);
	return r < 0 ? admin_fail(s, r, address) : 0;
}

static int
run_alias_list(struct admin *s)
{
	struct directory_alias *list;
	size_t                  n;
	json_t                 *out = json_array();
	int r = directory_alias_list(s->server->directory, &s->arena, &list, &n);

	for (size_t i = 0; r == 0 && i < n; i++) {
		json_t *o = json_object(), *targets = json_array();

		for (size_t k = 0; k < list[i].n_targets; k++)
			json_array_append_new(targets, json_str(list[i].targets[k]));
		json_object_set_new(o, "address", json_str(list[i].address));
		json_object_set_new(o, "targets", targets);
		json_array_append_new(out, o);
	}
	json_object_set_new(s->reply, "aliases", out);
	return r;
}

/* --- the table --- */

const struct admin_op ADMIN_OPS[] = {
	/* name             run, needs               arguments */
	{ "domain-add",       run_domain_add, 0 },       /* name */
	{ "domain-remove",    run_domain_remove, 0 },    /* name */
	{ "domain-list",      run_domain_list, 0 },      /* -> domains */
	{ "account-add",      run_account_add, 0 },      /* addresses, password or hash */
	{ "account-password", run_account_password, 0 }, /* addresses, password or hash,
	                                                        keep_sessions */
	{ "account-enable",   run_account_enable, 0 },   /* addresses */
	{ "account-disable",  run_account_disable, 0 },  /* addresses */
	{ "account-remove",   run_account_remove, 0 },   /* addresses */
	{ "account-list",     run_account_list, 0 },     /* -> accounts */
	{ "account-show",     run_account_show, 0 },     /* addresses -> accounts, mailboxes */
	/* address, name, protocols -> password */
	{ "account-app-password-add", admin_run_app_add, OP_OWNER | OP_MAIN },
	/* address -> app_passwords */
	{ "account-app-password-list", admin_run_app_list, OP_OWNER | OP_MAIN },
	/* address, name, protocols */
	{ "account-app-password-restrict", admin_run_app_restrict, OP_OWNER | OP_MAIN },
	/* address, name */
	{ "account-app-password-remove", admin_run_app_remove, OP_OWNER | OP_MAIN },
	{ "account-devices",  admin_run_devices, OP_OWNER }, /* address -> devices, policy, alarm */
	/* address, policy, device, alarm -> the same */
	{ "account-pop3",     admin_run_pop3, OP_OWNER },
	/* address, message, since_ms, after, skip -> events, next */
	{ "account-journal",  admin_run_journal, OP_OWNER },
	/* address, since_ms, by -> restored, unread, unhidden */
	{ "account-restore",  admin_run_journal_restore, OP_OWNER },
	/* address, size -> set, bad: [line, text] */
	{ "account-uidl",     admin_run_uidl, OP_BODY | OP_OWNER },
	{ "account-put",      admin_run_account_put, 0 }, /* address, device or options: what
	                                                         the account has not */
	{ "alias-add",        run_alias_add, 0 },        /* address, targets */
	{ "alias-remove",     run_alias_remove, 0 },     /* address, targets (none: all) */
	{ "alias-list",       run_alias_list, 0 },       /* -> aliases */
	{ "snapshot",         admin_run_snapshot, 0 },     /* dir */
	{ "message-list",     admin_run_message_list, 0 }, /* account, mailbox, from */
	{ "unexpunge",        admin_run_unexpunge, 0 },    /* account, mailbox, email */
#ifdef POSTRIDER_FAULTS
	{ "fault",            admin_run_fault, 0 },      /* see fault.c */
#endif
};
const size_t ADMIN_N_OPS = ARRAY_LEN(ADMIN_OPS);
