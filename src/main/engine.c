#include "main/engine.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/error.h"
#include "kv/open.h"
#include "main/options.h"
#include "main/version.h"

char *
engine_path(const struct config *c, const char *name, struct arena *a)
{
	if (name[0] == '/')
		return arena_printf(a, "%s", name);
	return arena_printf(a, "%.*s/%s", STR_ARG(c->data), name);
}

static void
set_limits(const struct config *c, struct server *s)
{
	server_limits_default(&s->limits);
	s->limits.message_max = c->message_max;
	s->limits.rcpt_max = (uint32_t)c->rcpt_max;
	s->limits.received_max = (uint32_t)c->received_max;
	s->limits.errors_max = (uint32_t)c->errors_max;
	s->limits.smtp_idle_ms = c->smtp_idle;
	s->limits.imap_idle_ms = c->imap_idle;
	s->limits.pop3_idle_ms = c->pop3_idle;
	s->limits.login_idle_ms = c->login_idle;
	s->pop3.exclusive = str_eq(c->pop3_lock, STR("exclusive"));
	s->pop3.login_delay_ms = c->pop3_login_delay;
	s->pop3.utf8_refused = str_eq(c->pop3_utf8_headers, STR("refuse"));
	s->new_account_quota = (struct quota){ c->quota_storage, c->quota_count };
	s->hostname = c->hostname;
	s->version = STR(POSTRIDER_VERSION);
}

static enum auth_scram
scram_of(const struct config *c)
{
	if (str_eq(c->scram, STR("all")))
		return AUTH_SCRAM_ALL;
	return str_eq(c->scram, STR("off")) ? AUTH_SCRAM_OFF : AUTH_SCRAM_APPS;
}

/* With its parents. The path is changed meanwhile. */
static int
make_folder(char *path)
{
	for (char *p = path + 1;; p++) {
		char end = *p;

		if (end != '/' && end != '\0')
			continue;
		*p = '\0';
		if (mkdir(path, 0700) != 0 && errno != EEXIST) {
			tell("cannot make the data folder %s: %s", path, strerrordesc_np(errno));
			return EXIT_FAILED;
		}
		*p = end;
		if (end == '\0')
			return EXIT_OK;
	}
}

static int
open_store(const struct config *c, bool quiet, struct arena *a, struct store **ret)
{
	const struct kv_rocks_options rocks = { .cache_bytes = (size_t)c->cache,
		.memtable_bytes = (size_t)c->memtable };
	const struct store_options    options = { .retention_ms = c->retention };
	OWN_BUF struct buf            detail = BUF_INIT(4096);
	char                         *folder = arena_cstr(a, c->data);
	const char                   *path = engine_path(c, "store", a);
	OWN(kv) kv = NULL;
	int r;

	if (folder == NULL || path == NULL)
		return EXIT_FAILED;
	if (make_folder(folder) != EXIT_OK)
		return EXIT_FAILED;
	r = kv_rocks_open(path, &rocks, &detail, &kv);
	if (r == 0 && detail.n != 0)
		tell("the end of the log in %s: %.*s; the store is opened without it", path,
		    STR_ARG(buf_view(&detail)));
	if (r == 0)
		buf_reset(&detail);
#ifdef POSTRIDER_FAULTS
	/* The op "fault" of the control socket makes it fail. */
	if (r == 0)
		r = kv_fault_open(TAKE(kv), &kv);
#endif
	if (r == 0)
		r = store_open(TAKE(kv), &options, &detail, ret);
	if (r == 0)
		return EXIT_OK;
	if (r == E_IN_USE && quiet)
		return EXIT_DATA_IN_USE;
	if (r == E_IN_USE)
		tell(
		    "another postrider uses the data folder %.*s: stop it first, or choose another "
		    "with --data",
		    STR_ARG(c->data));
	else
		tell("cannot open the store in %s: %s%s%.*s%s", path, error_row(r)->text,
		    detail.n != 0 ? ": " : "", STR_ARG(buf_view(&detail)),
		    r == E_CORRUPT && str_find(buf_view(&detail),
		    STR("postrider check")) == detail.n
		        ? " (see postrider check, postrider repair)" : "");
	return r == E_IN_USE ? EXIT_DATA_IN_USE : EXIT_FAILED;
}

/* An account whose making was cut short between directory and store gets its mailboxes now. */
static int
complete_accounts(struct engine *e, struct arena *a)
{
	struct directory_account *list;
	size_t                    n;
	const struct actor        actor = { .protocol = ACTOR_SYSTEM };
	int                       r = directory_account_list(e->directory, a, &list, &n);

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct kv_part part = { KV_ACCOUNT, list[i].id };
		uint64_t             version;

		r = kv_version(store_kv(e->store), part, &version);
		if (r == 0 && version == 0)
			r = account_create(
			    e->store, list[i].id, &e->server.new_account_quota, &actor);
	}
	return r;
}

int
engine_open(const struct config *c, bool quiet, struct engine *ret)
{
	struct engine            e = { 0 };
	const struct net_options net = { .workers = (int)c->workers,
		.job_threads = (int)c->job_threads,
		.conns_max = (int)c->connections,
		.conns_per_address_max = (int)c->connections_per_address };
	OWN_ARENA struct arena   a = ARENA_INIT(512 << 20);
	int                      exit_code, r;

	set_limits(c, &e.server);
	exit_code = open_store(c, quiet, &a, &e.store);
	if (exit_code != EXIT_OK)
		return exit_code;
	r = directory_open(store_kv(e.store), &e.directory);
	if (r == 0)
		r = auth_new(e.directory, &e.auth);
	if (r == 0)
		r = net_new(&net, &e.net);
	if (r == 0)
		r = complete_accounts(&e, &a);
	if (r < 0) {
		tell("cannot start: %s%s", error_row(r)->text,
		    r == E_CORRUPT ? " (see postrider check, postrider repair)" : "");
		engine_close(&e);
		return EXIT_FAILED;
	}
	auth_set_scram(e.auth, scram_of(c));
	e.server.net = e.net;
	e.server.store = e.store;
	e.server.directory = e.directory;
	e.server.auth = e.auth;
	*ret = e;
	return EXIT_OK;
}

void
engine_close(struct engine *e)
{
	net_drop(e->net);
	auth_drop(e->auth);
	directory_drop(e->directory);
	store_drop(e->store);
	*e = (struct engine){ 0 };
}
