#include "main/options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"
#include "main/version.h"

enum {
	KEY_CONFIG = 256,
	KEY_DATA,
	KEY_LISTEN,
	KEY_ACCOUNT,
	KEY_MAILBOX,
	KEY_FORMAT,
	KEY_GENERATE,
	KEY_HASH,
	KEY_BLOBS,
	KEY_OUT,
	KEY_LIST,
	KEY_VERIFY,
	KEY_KEEP,
	KEY_ALL,
	KEY_MESSAGE,
	KEY_TO,
	KEY_PROTOCOLS,
	KEY_POLICY,
	KEY_DEVICE,
	KEY_ALARM,
	KEY_SINCE,
	KEY_BY,
	KEY_UIDL_FORMAT,
	KEY_X_UIDL,
	KEY_UIDVALIDITY,
	KEY_KEEP_SESSIONS,
	KEY_HELP,
	KEY_VERSION
};

static const struct option LONG[] = {
	{ "config", required_argument, NULL, KEY_CONFIG },
	{ "data", required_argument, NULL, KEY_DATA },
	{ "listen", required_argument, NULL, KEY_LISTEN },
	{ "account", required_argument, NULL, KEY_ACCOUNT },
	{ "mailbox", required_argument, NULL, KEY_MAILBOX },
	{ "format", required_argument, NULL, KEY_FORMAT },
	{ "generate", no_argument, NULL, KEY_GENERATE },
	{ "password-hash", required_argument, NULL, KEY_HASH },
	{ "blobs", no_argument, NULL, KEY_BLOBS },
	{ "out", required_argument, NULL, KEY_OUT },
	{ "list", no_argument, NULL, KEY_LIST },
	{ "verify", no_argument, NULL, KEY_VERIFY },
	{ "keep", required_argument, NULL, KEY_KEEP },
	{ "all", no_argument, NULL, KEY_ALL },
	{ "message", required_argument, NULL, KEY_MESSAGE },
	{ "to", required_argument, NULL, KEY_TO },
	{ "protocols", required_argument, NULL, KEY_PROTOCOLS },
	{ "policy", required_argument, NULL, KEY_POLICY },
	{ "device", required_argument, NULL, KEY_DEVICE },
	{ "alarm", required_argument, NULL, KEY_ALARM },
	{ "since", required_argument, NULL, KEY_SINCE },
	{ "by", required_argument, NULL, KEY_BY },
	{ "uidl-format", required_argument, NULL, KEY_UIDL_FORMAT },
	{ "x-uidl", no_argument, NULL, KEY_X_UIDL },
	{ "uidvalidity", required_argument, NULL, KEY_UIDVALIDITY },
	{ "keep-sessions", no_argument, NULL, KEY_KEEP_SESSIONS },
	{ "help", no_argument, NULL, KEY_HELP },
	{ "version", no_argument, NULL, KEY_VERSION },
	{ NULL, 0, NULL, 0 },
};

static const struct {
	int             key;
	enum option_bit bit;
} BITS[] = { { KEY_LISTEN, OPT_LISTEN }, { KEY_ACCOUNT, OPT_ACCOUNT }, { KEY_MAILBOX, OPT_MAILBOX },
	{ KEY_FORMAT, OPT_FORMAT }, { KEY_GENERATE, OPT_GENERATE }, { KEY_HASH, OPT_HASH },
	{ KEY_BLOBS, OPT_BLOBS }, { KEY_OUT, OPT_OUT }, { KEY_LIST, OPT_LIST },
	{ KEY_VERIFY, OPT_VERIFY }, { KEY_KEEP, OPT_KEEP }, { KEY_ALL, OPT_ALL },
	{ KEY_MESSAGE, OPT_MESSAGE }, { KEY_TO, OPT_TO },
	{ KEY_PROTOCOLS, OPT_PROTOCOLS }, { KEY_POLICY, OPT_POLICY }, { KEY_DEVICE, OPT_DEVICE },
	{ KEY_ALARM, OPT_ALARM }, { KEY_SINCE, OPT_SINCE }, { KEY_BY, OPT_BY },
	{ KEY_UIDL_FORMAT, OPT_UIDL_FORMAT }, { KEY_X_UIDL, OPT_X_UIDL },
	{ KEY_UIDVALIDITY, OPT_UIDVALIDITY }, { KEY_KEEP_SESSIONS, OPT_KEEP_SESSIONS } };

void
tell(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("postrider: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}

static void
print_help(const struct command *table, size_t n)
{
	puts("postrider: mail by SMTP, LMTP, IMAP and POP3 in one program\n");
	for (size_t i = 0; i < n; i++)
		printf("  postrider %s\n      %s\n", table[i].usage, table[i].help);
	puts("\nWith every command: [--config FILE] [--data DIR]. Passwords are asked for, or\n"
	     "read as one line from standard input. See postrider(1).");
}

static int
take_listen(struct options *o, struct str value, struct arena *a)
{
	struct str_list *l = &o->listen;

	l->s = arena_grow(a, l->s, l->n * sizeof(value), (l->n + 1) * sizeof(value));
	if (l->s == NULL)
		return E_NOMEM;
	l->s[l->n++] = value;
	return 0;
}

static int
take_option(struct options *o, int key, struct arena *a)
{
	for (size_t i = 0; i < ARRAY_LEN(BITS); i++)
		if (BITS[i].key == key)
			o->given |= BITS[i].bit;
	switch (key) {
	case KEY_CONFIG:
		o->config = optarg;
		return 0;
	case KEY_DATA:
		o->data = optarg;
		return 0;
	case KEY_LISTEN:
		return take_listen(o, str_c(optarg), a);
	case KEY_ACCOUNT:
		o->account = str_c(optarg);
		return 0;
	case KEY_MAILBOX:
		o->mailbox = str_c(optarg);
		return 0;
	case KEY_FORMAT:
		o->format = str_c(optarg);
		return 0;
	case KEY_HASH:
		o->hash = str_c(optarg);
		return 0;
	case KEY_OUT:
		o->out = str_c(optarg);
		return 0;
	case KEY_MESSAGE:
		o->message = str_c(optarg);
		return 0;
	case KEY_TO:
		o->to = str_c(optarg);
		return 0;
	case KEY_PROTOCOLS:
		o->protocols = str_c(optarg);
		return 0;
	case KEY_POLICY:
		o->policy = str_c(optarg);
		return 0;
	case KEY_DEVICE:
		o->device = str_c(optarg);
		return 0;
	case KEY_ALARM:
		o->alarm = str_c(optarg);
		return 0;
	case KEY_SINCE:
		o->since = str_c(optarg);
		return 0;
	case KEY_BY:
		o->by = str_c(optarg);
		return 0;
	case KEY_UIDL_FORMAT:
		o->uidl_format = str_c(optarg);
		return 0;
	case KEY_UIDVALIDITY:
		o->uidvalidity = str_c(optarg);
		return 0;
	case KEY_KEEP:
		return str_to_u64(str_c(optarg), &o->keep);
	case KEY_GENERATE:
	case KEY_BLOBS:
	case KEY_LIST:
	case KEY_VERIFY:
	case KEY_ALL:
	case KEY_X_UIDL:
	case KEY_KEEP_SESSIONS:
		return 0;
	default:
		return E_SYNTAX;
	}
}

static bool
names(const char *word, const char *name)
{
	return str_eq(str_c(word), str_c(name));
}

/* How many words the name takes: all of them are there, or 0. */
static int
words_of_name(const char *name, char **words, int n_words)
{
	struct str left = str_c(name);
	int        n = 0;

	while (left.n > 0) {
		if (n == n_words || !str_eq(str_cut(&left, ' '), str_c(words[n])))
			return 0;
		n++;
	}
	return n;
}

static const struct command *
find_command(const struct command *table, size_t n, struct options *o)
{
	for (size_t i = 0; i < n && o->n_words > 0; i++) {
		int of_name;

		if (!names(o->words[0], table[i].group))
			continue;
		if (table[i].name == NULL) {
			o->words += 1;
			o->n_words -= 1;
			return &table[i];
		}
		of_name = words_of_name(table[i].name, o->words + 1, o->n_words - 1);
		if (of_name != 0) {
			o->words += 1 + of_name;
			o->n_words -= 1 + of_name;
			return &table[i];
		}
	}
	return NULL;
}

static int
check_use(const struct command *c, const struct options *o)
{
	if ((o->given & ~c->options) == 0 && o->n_words >= c->words_min &&
	    (c->words_max < 0 || o->n_words <= c->words_max))
		return EXIT_OK;
	tell("use it as: postrider %s", c->usage);
	return EXIT_USAGE;
}

int
options_parse(int argc, char **argv, const struct command *table, size_t n, struct arena *a,
    struct options *ret, const struct command **ret_command)
{
	struct options o = { 0 };
	int            key;

	*ret_command = NULL;
	opterr = 0;
	while ((key = getopt_long(argc, argv, "", LONG, NULL)) != -1) {
		if (key == KEY_HELP) {
			print_help(table, n);
			return EXIT_OK;
		}
		if (key == KEY_VERSION) {
			puts("postrider " POSTRIDER_VERSION);
			return EXIT_OK;
		}
		if (take_option(&o, key, a) < 0) {
			tell("unknown option or missing value: %s (try --help)", argv[optind - 1]);
			return EXIT_USAGE;
		}
	}
	o.words = argv + optind;
	o.n_words = argc - optind;
	*ret_command = find_command(table, n, &o);
	if (*ret_command == NULL) {
		tell("%s (try --help)", o.n_words == 0 ? "which command?" : "unknown command");
		return EXIT_USAGE;
	}
	*ret = o;
	return check_use(*ret_command, &o);
}

int
options_config(const struct options *o, struct arena *a, struct config *ret)
{
	OWN_BUF struct buf problem = BUF_INIT(4096);
	struct config      c;

	if (config_init(&c, a) < 0) {
		tell("out of memory");
		return EXIT_FAILED;
	}
	if (o->config != NULL && config_load(&c, o->config, a, &problem) < 0) {
		tell("%.*s", STR_ARG(buf_view(&problem)));
		return EXIT_USAGE;
	}
	if (o->data != NULL)
		c.data = str_c(o->data);
	for (size_t i = 0; i < o->listen.n; i++) {
		if (config_listen(&c, o->listen.s[i], i == 0, a) < 0) {
			tell("--listen wants NAME=ADDRESS:PORT with a NAME of smtp lmtp submission "
			     "submissions imap imaps pop3 pop3s, not \"%.*s\"",
			    STR_ARG(o->listen.s[i]));
			return EXIT_USAGE;
		}
	}
	*ret = c;
	return EXIT_OK;
}
