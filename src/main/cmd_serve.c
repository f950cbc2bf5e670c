/* serve: opens everything, waits for signals, closes everything. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "main/certificate.h"
#include "main/commands.h"
#include "main/engine.h"
#include "serve/admin/admin.h"
#include "serve/imap/imap.h"
#include "serve/pop3/pop3.h"
#include "serve/smtp/smtp.h"

enum { TEND_EVERY_MS = 5000, CERTIFICATE_EVERY_MS = 10000 };

/* What each listener is: its protocol and its security. */
static const struct {
	const struct session_type *type;
	unsigned                   flags;
} LISTENERS[LISTENER_COUNT] = {
	[LISTENER_SMTP] = { &SMTP_SESSION, LISTEN_STARTTLS },
	[LISTENER_LMTP] = { &LMTP_SESSION, LISTEN_STARTTLS },
	[LISTENER_SUBMISSION] = { &SUBMISSION_SESSION, LISTEN_STARTTLS },
	[LISTENER_SUBMISSIONS] = { &SUBMISSION_SESSION, LISTEN_TLS },
	[LISTENER_IMAP] = { &IMAP_SESSION, LISTEN_STARTTLS },
	[LISTENER_IMAPS] = { &IMAP_SESSION, LISTEN_TLS },
	[LISTENER_POP3] = { &POP3_SESSION, LISTEN_STARTTLS },
	[LISTENER_POP3S] = { &POP3_SESSION, LISTEN_TLS },
};

static enum log_level
level_of(struct str name)
{
	static const char *const NAMES[] = { "error", "warn", "info", "debug" };
	unsigned                 i = 0;

	while (i + 1 < ARRAY_LEN(NAMES) && !str_eq(name, str_c(NAMES[i])))
		i++;
	return (enum log_level)i;
}

/* Every connection is a file descriptor: take all that the system grants. */
static void
raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* --- TLS --- */

static void
reload_certificates(void *arg)
{
	OWN_BUF struct buf detail = BUF_INIT(4096);
	struct tls        *tls = arg;
	int                r = tls_reload(tls, &detail);

	log_event(r < 0 ? LOG_ERROR : LOG_INFO, "certificates",
	    LOG_C("result", r < 0 ? "kept the old ones" : "loaded"),
	    LOG_S("detail", buf_view(&detail)));
}

static void
watch_certificates(void *arg)
{
	if (tls_changed(arg))
		reload_certificates(arg);
}

/* certificate and key, then the "CERTIFICATE:KEY" pairs of tls.more. */
static int
list_pairs(const struct config *c, struct arena *a, struct tls_pair **ret, size_t *ret_n)
{
	struct tls_pair *pairs = arena_alloc(a, (1 + c->more_pairs.n) * sizeof(*pairs));

	if (pairs == NULL)
		return E_NOMEM;
	pairs[0].cert_path = engine_path(c, arena_cstr(a, c->certificate), a);
	pairs[0].key_path = engine_path(c, arena_cstr(a, c->key), a);
	for (size_t i = 0; i < c->more_pairs.n; i++) {
		struct str key = c->more_pairs.s[i];
		struct str cert = str_cut(&key, ':');

		if (key.n == 0)
			return E_SYNTAX;
		pairs[i + 1].cert_path = engine_path(c, arena_cstr(a, cert), a);
		pairs[i + 1].key_path = engine_path(c, arena_cstr(a, key), a);
	}
	*ret = pairs;
	*ret_n = 1 + c->more_pairs.n;
	return 0;
}

static int
open_tls(const struct config *c, struct arena *a, struct tls **ret)
{
	OWN_BUF struct buf detail = BUF_INIT(4096);
	struct tls_pair   *pairs;
	size_t             n;
	const char        *folder = engine_path(c, "tls", a);

	if (list_pairs(c, a, &pairs, &n) < 0) {
		tell("tls.more wants CERTIFICATE:KEY words");
		return EXIT_USAGE;
	}
	/* Only the default place gets a certificate of our own making. */
	if (str_eq(c->certificate, STR("tls/certificate.pem")) && folder != NULL) {
		if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
			tell("cannot make %s: %s", folder, strerrordesc_np(errno));
			return EXIT_FAILED;
		}
		if (certificate_make(pairs[0].cert_path, pairs[0].key_path, c->hostname) != EXIT_OK)
			return EXIT_FAILED;
	}
	if (tls_new(pairs, n, &detail, ret) == 0)
		return EXIT_OK;
	tell(
	    "cannot load the certificate %s: %.*s", pairs[0].cert_path, STR_ARG(buf_view(&detail)));
	return EXIT_FAILED;
}

/* --- listeners --- */

static bool
has_word(const struct str_list *l, const char *word)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->s[i], str_c(word)))
			return true;
	return false;
}

static int
listen_one(struct engine *e, const struct config *c, enum listener which, struct str address,
    struct tls *tls)
{
	OWN_BUF struct buf    detail = BUF_INIT(1024);
	struct listen_options o = { .name = LISTENER_NAMES[which],
		.address = address,
		.flags = LISTENERS[which].flags,
		.type = LISTENERS[which].type,
		.server = &e->server,
		.tls = tls,
		.detail = &detail };
	int                   port = 0;

	if (has_word(&c->proxy, LISTENER_NAMES[which]))
		o.flags |= LISTEN_PROXY;
	if (net_listen(e->net, &o, &port) < 0) {
		tell("cannot listen for %s: %.*s; choose another address with --listen", o.name,
		    STR_ARG(buf_view(&detail)));
		return EXIT_FAILED;
	}
	log_event(LOG_INFO, "listening", LOG_C("name", o.name), LOG_S("address", address),
	    LOG_U("port", port));
	return EXIT_OK;
}

static int
listen_all(struct engine *e, const struct config *c, struct tls *tls, struct arena *a)
{
	const char           *path = engine_path(c, "control.sock", a);
	char                 *address = path != NULL ? arena_printf(a, "unix:%s", path) : NULL;
	struct listen_options control = {
		.name = "control", .type = &ADMIN_SESSION, .server = &e->server
	};

	for (int which = 0; which < LISTENER_COUNT; which++)
		for (size_t i = 0; i < c->listen[which].n; i++)
			if (listen_one(e, c, (enum listener)which, c->listen[which].s[i], tls) !=
			    EXIT_OK)
				return EXIT_FAILED;
	control.address = str_c(address);
	if (address != NULL && net_listen(e->net, &control, NULL) == 0)
		return EXIT_OK;
	tell("cannot make the control socket %s", path != NULL ? path : "");
	return EXIT_FAILED;
}

/* --- life --- */

static void
tend(void *arg)
{
	struct engine *e = arg;
	int            r = store_tend(e->store);

	if (r < 0)
		log_event(LOG_ERROR, "store-tend", LOG_ERR(r));
}

/* Before any thread starts, those of the storage engine too: a signal that one thread does not
 * block ends the process. So only sigwait sees them. */
static void
block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* A write beyond a limit on file sizes is an error like a full disk. */
	signal(SIGXFSZ, SIG_IGN);
}

static void
wait_for_end(const sigset_t *set, struct tls *tls)
{
	int signal_number;

	do {
		if (sigwait(set, &signal_number) == 0 && signal_number == SIGHUP)
			reload_certificates(tls);
	} while (signal_number == SIGHUP);
	log_event(LOG_INFO, "stopping", LOG_U("signal", signal_number));
}

static int
serve(struct engine *e, const struct config *c, const sigset_t *signals, struct arena *a)
{
	OWN(tls) tls = NULL;
	int r = open_tls(c, a, &tls);

	if (r != EXIT_OK)
		return r;
	if (net_start(e->net) < 0 || net_every(e->net, TEND_EVERY_MS, tend, e) < 0 ||
	    net_every(e->net, CERTIFICATE_EVERY_MS, watch_certificates, tls) < 0) {
		tell("cannot start threads");
		return EXIT_FAILED;
	}
	r = listen_all(e, c, tls, a);
	if (r == EXIT_OK) {
		log_event(LOG_INFO, "ready", LOG_S("version", e->server.version),
		    LOG_S("hostname", c->hostname), LOG_S("data", c->data), LOG_U("pid", getpid()));
		wait_for_end(signals, tls);
	}
	net_stop(e->net);
	if (r == EXIT_OK)
		log_event(LOG_INFO, "stopped", LOG_U("pid", getpid()));
	/* No session may outlive its certificates. */
	engine_close(e);
	return r;
}

int
cmd_serve(const struct command *command, const struct options *o, struct arena *a)
{
	struct config c;
	struct engine e;
	sigset_t      signals;
	int           r = options_config(o, a, &c);

	(void)command;
	if (r != EXIT_OK)
		return r;
	block_signals(&signals);
	log_setup(level_of(c.log_level),
	    str_eq(c.log_format, STR("json")) ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT, STDERR_FILENO);
	raise_file_limit();
	r = engine_open(&c, false, &e);
	if (r != EXIT_OK)
		return r;
	log_start();
	r = serve(&e, &c, &signals, a);
	engine_close(&e);
	log_stop();
	return r;
}
