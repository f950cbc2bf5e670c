/*
 * main/options.h: the command line, parsed once. `postrider [OPTIONS] COMMAND [WORD...]`; options
 * may stand anywhere.
 *
 * Errors   a bad command line is told on standard error with the usage, and gives EXIT_USAGE.
 */
#ifndef MAIN_OPTIONS_H
#define MAIN_OPTIONS_H

#include "main/config.h"

/* Exit codes; postrider(1) lists them. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_DATA_IN_USE = 3, EXIT_PARTLY = 4 };

/* Which options a command takes; a set of bits. --config and --data go with all. */
enum option_bit {
	OPT_LISTEN = 1, OPT_ACCOUNT = 2, OPT_MAILBOX = 4, OPT_FORMAT = 8, OPT_GENERATE = 16,
	OPT_HASH = 32, OPT_BLOBS = 64, OPT_OUT = 128, OPT_LIST = 256, OPT_VERIFY = 512,
	    OPT_KEEP = 1024,
	OPT_ALL = 2048, OPT_MESSAGE = 4096, OPT_TO = 8192, OPT_PROTOCOLS = 16384,
	OPT_POLICY = 1 << 15, OPT_DEVICE = 1 << 16, OPT_ALARM = 1 << 17, OPT_SINCE = 1 << 18,
	OPT_BY = 1 << 19, OPT_UIDL_FORMAT = 1 << 20, OPT_X_UIDL = 1 << 21,
	OPT_UIDVALIDITY = 1 << 22, OPT_KEEP_SESSIONS = 1 << 23
};

struct options {
	unsigned        given;    /* option bits */
	const char     *config;   /* or NULL */
	const char     *data;     /* or NULL */
	struct str_list listen;
	struct str      account, mailbox, format, hash;
	struct str      out, message, to, protocols;
	struct str      policy, device, alarm, since, by, uidl_format, uidvalidity;
	uint64_t        keep;
	char          **words;    /* after the command's name */
	int             n_words;
};

/* One row a command. */
struct command {
	const char *group, *name; /* "domain", "add"; the name may be NULL, or two words */
	int         words_min, words_max;
	unsigned    options;
	int       (*run)(const struct command *, const struct options *, struct arena *);
	const char *usage, *help;
};

/* Finds the command and its options: EXIT_OK, or an exit code after telling. --help and --version
 * are answered here (*ret_command is NULL then). */
int options_parse(int argc, char **argv, const struct command *table, size_t n, struct arena *,
    struct options *ret, const struct command **ret_command);

/* The configuration of these options: defaults, file, --data, --listen. EXIT_OK or EXIT_USAGE. */
int options_config(const struct options *, struct arena *, struct config *ret);

/* One line on standard error: "postrider: what, and what to do". */
void tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
