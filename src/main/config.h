/*
 * main/config.h: what the configuration file says, on top of the defaults of config.def.
 *
 * Shape    one member for each row of config.def; texts and lists live in the arena given to load.
 * Units    sizes in bytes, times in ms.
 * Errors   a bad file gives E_SYNTAX and one text for people with file and line: unknown sections
 *          and keys are errors.
 */
#ifndef MAIN_CONFIG_H
#define MAIN_CONFIG_H

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"

/* In the order in which they are opened and shown. */
enum listener {
	LISTENER_SMTP, LISTENER_LMTP, LISTENER_SUBMISSION, LISTENER_SUBMISSIONS,
	LISTENER_IMAP, LISTENER_IMAPS, LISTENER_POP3, LISTENER_POP3S,
	LISTENER_COUNT
};
extern const char *const LISTENER_NAMES[LISTENER_COUNT];
/* LISTENER_COUNT when there is no such name. */
enum listener listener_by_name(struct str name);

struct str_list {
	struct str *s;
	size_t      n;
};

#define CONFIG_TYPE_TEXT   struct str
#define CONFIG_TYPE_PATH   struct str
#define CONFIG_TYPE_CHOICE struct str
#define CONFIG_TYPE_LIST   struct str_list
#define CONFIG_TYPE_NUMBER uint64_t
#define CONFIG_TYPE_SIZE   uint64_t
#define CONFIG_TYPE_TIME   int64_t

struct config {
	struct str      hostname, data;
	struct str_list listen[LISTENER_COUNT];
	struct str_list proxy;
	struct str      certificate, key;
	struct str_list more_pairs;
	struct str      scram;
	struct str      pop3_lock;
	int64_t         pop3_login_delay;
	struct str      pop3_utf8_headers;
	uint64_t        message_max, rcpt_max, received_max, errors_max;
	int64_t         login_idle, smtp_idle, imap_idle, pop3_idle;
	uint64_t        connections, connections_per_address;
	int64_t         retention;
	uint64_t        quota_storage, quota_count, cache, memtable;
	uint64_t        workers, job_threads;
	struct str      log_level, log_format;
};

/* The defaults. */
int config_init(struct config *, struct arena *);
/* Reads the file over what is there. *problem gets "NAME:LINE: what is wrong". */
int config_read(struct config *, FILE *, const char *name, struct arena *, struct buf *problem);
int config_load(struct config *, const char *path, struct arena *, struct buf *problem);
/* Replaces or, after the first call for a name, adds an address: --listen NAME=ADDR:PORT. With the
 * first call of all, every listener of the file and the defaults is dropped. E_SYNTAX. */
int config_listen(struct config *, struct str option, bool first, struct arena *);
/* Writes the file that would give this configuration, with the help as comments. */
void config_show(const struct config *, struct buf *to);

#endif
