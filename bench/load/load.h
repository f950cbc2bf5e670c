/*
 * bench/load/load.h: the load generator: one program, one workload a run, one JSON object out.
 *
 *   bench-load WORK --port N [options]
 *
 * Where    --host 127.0.0.1 --port N [--tls | --starttls]; more servers for works that use them:
 *          --lmtp [HOST:]PORT, --imap [HOST:]PORT, --pop3 [HOST:]PORT, --deliver [HOST:]PORT (as
 *          --lmtp). TLS is for --port, and for IMAP and POP3 of `mixed`.
 * How much --connections C (1), spread over --threads T (1); --seconds S (5) or --count N; before
 *          them --warm-up S, not counted. One count is what a client asks for at once: a message
 *          delivered, a command, a session. What was begun is finished and counted.
 * Whom     --accounts N (100) of --user-format 'user%d@bench.test', numbered from --first-account
 *          (1), all with --password (secret); --mailbox INBOX; connection i uses account i mod N.
 * What     --size 4096 (made messages) or --messages DIR (*.eml); --expect N messages in the
 *          mailbox; --text WORD and --hits N for search-body; --any-body takes unknown bodies.
 *          --no-pipelining, --recipients N (1), --rate N, --openssl (its TLS client instead of
 *          tls13.h), --resume (TLS tickets, by OpenSSL).
 *
 * Works
 *   lmtp smtp        a transaction a message on a kept connection
 *   smtp-to-mailbox  SMTP to --port; ends when --imap shows all; counted in messages readable
 *   append           APPEND with LITERAL+ where announced
 *   fetch-flags fetch-header-fields fetch-envelope fetch-bodies     FETCH 1:*, counted in messages
 *   newest-flags newest-envelopes any-body search-uid search-since   of the newest 20, of one
 *                    message anywhere, of the newest 20 again, of the last day (of a mailbox that
 *                    `fill` made, --expect messages); one command each
 *   select store search-body                       one command each; STORE changes a flag of one
 *                    of the newest messages
 *   login phone pop3 pop3-delete pop3-newest  whole sessions; POP3 is counted in messages
 *   idle             --connections sessions in IDLE. Writes `ready` to stderr, holds until stdin
 *                    ends. With --deliver, --count messages (100) go to random ones of them, at
 *                    most --rate a second; latency_us is from the 250 to the EXISTS,
 *                    which must come within --patience S (40: Dovecot looks each 30
 *                    seconds when it has no inotify left).
 *   mixed            all of: LMTP, phone sessions, IDLE, STORE, POP3; needs --lmtp and --pop3
 *   fill             --expect messages into each of --accounts mailboxes, by APPEND, or by LMTP
 *                    when --lmtp is given, with an INTERNALDATE an hour after the last; then
 *                    compares each mailbox's count (--port is IMAP)
 *
 * Answer   {"work", "ok", "failed", "first_error", "seconds", "per_second", "latency_us": {"p50",
 *          "p90", "p99", "max"}, "bytes": read, "load_cpu_us": own processor time, ...}. `mixed`
 *          adds "parts" with one such object for each role.
 * Checks   every answer: status, numbers, literal lengths, bodies by hash. Only what the server
 *          acknowledged is counted. Exit status 0 when nothing was wrong, 1 when something was,
 *          2 when it could not start.
 * Inside   load.h is what the works share; a work is a row of WORKS and a function that is a
 *          conversation written straight down (task.h). Threads share only atomics.
 */
#ifndef LOAD_LOAD_H
#define LOAD_LOAD_H

#include <jansson.h>
#include <stdatomic.h>

#include "load/corpus.h"
#include "load/hist.h"
#include "load/wire.h"

enum { LOAD_ROLES = 5, ERROR_ROOM = 400 };

struct load_options {
	const char     *user_format, *password, *mailbox, *messages, *text;
	struct endpoint main, lmtp, imap, pop3;
	bool            tls, starttls;
	unsigned        connections, threads, accounts, first_account, recipients, rate;
	uint64_t        count, size, expect, hits; /* 0: not given */
	double          seconds, warm_up, patience;
	bool            resume, openssl, any_body, no_pipelining, has_expect, has_hits;
};

/* What happened; one for each loop and role, so without locks. */
struct stats {
	uint64_t    ok, failed, bytes, resumed;
	int64_t     last_us;  /* when the last counted operation ended */
	struct hist latency;
	char        first_error[ERROR_ROOM];
};

struct client;
struct load;

struct work {
	const char *name;
	/* One conversation: claims operations until there are none. Again after a failure. */
	int  (*run)(struct client *);
	int  (*before)(struct load *);         /* may be NULL */
	void (*after)(struct load *, json_t *); /* adds to the answer; may be NULL */
	const char *const *roles;              /* names of stats, NULL for one */
	unsigned (*role)(unsigned index);      /* of a client; NULL: 0 */
	unsigned (*extra)(const struct load *); /* tasks besides --connections; NULL: none */
	bool     once;                         /* not called again after a failure */
};

struct load {
	struct load_options o;
	const struct work  *work;
	struct corpus       corpus;
	SSL_CTX            *tls;      /* NULL: tls13.h */
	void               *shared;   /* of the work */
	struct loop_run    *loops;
	atomic_uint_fast64_t claimed;
	int64_t             start_us, measure_us, end_us; /* end_us 0: by count */
	atomic_bool         measuring;
	int64_t             cpu_before_us; /* own CPU when measuring began */
	atomic_uint         failures;
};

struct client {
	struct task   task; /* first: the loop steps from one to the next */
	struct load  *load;
	unsigned      index;
	struct stats *stats; /* that of its role */
	struct wire   wire;
	int64_t       begun_us;
	uint64_t      claim; /* the number of the operation */
	unsigned      tag, answered; /* IMAP: the last command put, the last one answered */
	bool          literal_plus, pipelining, eight_bit; /* what the server announced */
	char          error[ERROR_ROOM];
	void         *own;   /* of the conversation, on its stack */
};

/* Takes the next operation to do, and its begin time; false when there are no more. */
bool load_claim(struct client *);
/* The operation ended well and was worth n; the time since load_claim counts once. */
void load_count(struct client *, uint64_t n);
/* The same, when something else is the time. */
void load_count_us(struct client *, uint64_t n, int64_t us);
/* Begins to count now: for works that prepare something on the wire. No task may be at work. */
void load_begin(struct load *);
bool load_over(const struct load *); /* no more operations will be claimed */
int64_t load_end_us(const struct load *); /* when it is over by time, 0 by count */

/* Keeps the text, when it is the first of this conversation, and returns `err`. */
int client_fail(struct client *, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The address of account n (0-based, taken modulo --accounts). */
struct str client_user(struct client *, uint64_t n, char *to, size_t room);
enum { USER_ROOM = 200 };

/* Connects, with TLS from the start where asked. */
int client_connect(struct client *, const struct endpoint *);

int  options_parse(struct load_options *, int argc, char **argv); /* argv[0] is the work */
int64_t cpu_us(void);
json_t *report_of(const char *work, const struct stats *, double seconds);
const struct work *work_find(const char *name);

/* Sums the stats of one role over all loops. */
void load_sum(const struct load *, unsigned role, struct stats *ret);

#endif
