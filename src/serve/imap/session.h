/*
 * serve/imap/session.h: one IMAP connection: its states, the command under way, its answers.
 * RFC 3501 s3, RFC 9051 s3
 *
 *              LOGIN, AUTHENTICATE              SELECT, EXAMINE
 *   [NOT_AUTH] -------------------> [AUTH] ------------------------> [SELECTED] --.
 *       |                             |  ^--- CLOSE, UNSELECT, a failed SELECT ---'
 *       '--- LOGOUT, timeout, too ----'--------> [LOGOUT]
 *            many errors, shutdown
 *
 *   bytes -> imap_frame -> imap_read_head -> row of VERBS -> row->parse -> row->run -> news
 *         -> tagged answer
 *
 * Command  row->run is called until it returns STEP_DONE, after it has set the tagged answer with
 *          one of imap_ok, imap_no, imap_bad, imap_fail. STEP_MORE: again when the output has
 *          drained; STEP_NEED: again when input came; STEP_WAIT: again after conn_wake. What it
 *          keeps between calls is in c->job, and c->drop releases what of that is not in the
 *          arena, however the command ends.
 * News     after the command, what changed in the mailbox is told (view.h), then the tagged answer.
 *          Answers leave in the order of the commands.
 * Durable  before bytes leave, account_barrier waits until what they rest on is on disk.
 * Memory   between commands a session is this struct, its view, and a small frame buffer.
 * Threads  one worker at a time; no locks. The watch only pokes.
 */
#ifndef SERVE_IMAP_SESSION_H
#define SERVE_IMAP_SESSION_H

#include "proto/imap_frame.h"
#include "proto/imap_write.h"
#include "serve/imap/view.h"
#include "serve/server.h"
#include "store/device.h"

enum imap_state { IMAP_NOT_AUTH = 1, IMAP_AUTH = 2, IMAP_SELECTED = 4, IMAP_LOGOUT = 8 };

enum { IMAP_COMMAND_ARENA_MAX = 64 << 20 };

struct imap_session;
struct imap_command;

typedef enum step imap_run_fn(struct imap_session *, struct imap_command *);

enum imap_form { FORM_PLAIN = 1, FORM_UID = 2 }; /* "FETCH", "UID FETCH"; a set of bits */

enum imap_news { /* what may be told at the end of a command: RFC 3501 s7.4.1 */
	NEWS_NONE,
	NEWS_KEEP_NUMBERS, /* all but EXPUNGE in the plain form: FETCH, STORE, SEARCH */
	NEWS_ALL
};

enum imap_need {
	NEED_NONE = 0,
	NEED_WRITE = 1,   /* the mailbox is not open read-only */
	NEED_PRIVATE = 2, /* TLS, or both ends on one host: what carries a password */
	HIDE_TEXT = 4,    /* the command's text is a secret: cleared after use */
	OWN_TIMEOUT = 8   /* run is called with WHY_TIMEOUT: IDLE */
};

struct imap_verb {
	struct str     name;
	unsigned       form;
	unsigned       states; /* legal in: enum imap_state */
	unsigned       needs;
	enum imap_news news;
	imap_parse_fn *parse;
	imap_run_fn   *run;
	const char    *rfc;
};

/* A command from its parse to its tagged answer; in the session's arena. */
struct imap_command {
	struct str              tag;
	bool                    uid;
	const struct imap_verb *verb;
	struct imap_args        args;  /* strings point into frame.text or the arena */
	bool                    ran;   /* run returned STEP_DONE: news and the answer are next */
	bool                    waiting; /* run returned STEP_WAIT: a job refers to it */
	void                   *job;
	void                  (*drop)(void *job);
	struct str              answer; /* "OK done": without the tag and the line end */
	enum step               then;   /* after the answer: STEP_DONE, STEP_CLOSE, STEP_TLS */
};

struct imap_session {
	struct server       *server;
	struct conn         *conn;
	enum imap_state      state;
	unsigned             why;       /* of this run: enum why */
	bool                 condstore; /* a CONDSTORE enabling command came, RFC 7162 s3.1 */
	bool                 stopping;  /* say BYE at the next boundary */
	uint32_t             errors;    /* bad commands in a row; before login all of them */
	bool                 in_pieces; /* an answer is half said: no words between */
	struct account      *account;   /* from AUTH on */
	struct pass          pass;      /* the same; see serve/login.h */
	struct str           login;     /* as typed; on the heap, with the device behind it */
	struct str           device;    /* see struct actor */
	device_id            device_id; /* 0: the ledger does not have it */
	struct device_counts counts;    /* what it fetched, told at the end */
	char                *client;    /* of an ID before the login; else NULL */
	struct view    *view;      /* in SELECTED */
	struct imap_command *cmd;       /* NULL between commands */
	struct arena         arena;     /* the command's */
	struct imap_frame    frame;
	struct watch         watch;     /* registered during IDLE */
	struct kv_waiter        waiter; /* of before_send */
};

/* The one setter of the state; logs it. */
void imap_state_set(struct imap_session *, enum imap_state);
/* Leaves SELECTED (or does nothing): the view goes. */
void imap_deselect(struct imap_session *);
struct actor imap_actor(const struct imap_session *);

/* --- the tagged answer; the last one set counts; all return STEP_DONE --- */

/* text: "Fetch completed." or "[READ-ONLY] Examined." */
#define PRINTF_2 __attribute__((format(printf, 2, 3)))
enum step imap_ok(struct imap_session *, const char *fmt, ...) PRINTF_2;
enum step imap_ok_str(struct imap_session *, struct str text);
enum step imap_no(struct imap_session *, const char *fmt, ...) PRINTF_2;
enum step imap_bad(struct imap_session *, const char *fmt, ...) PRINTF_2;
/* NO or BAD with the code and text of the error's row. */
enum step imap_fail(struct imap_session *, int err);

/* --- untagged answers, straight into the output --- */

/* "* " fmt CRLF */
void imap_untagged(struct imap_session *, const char *fmt, ...) PRINTF_2;

/* --- message sets --- */

/* The UIDs in the view that the set names, by number or by UID. Into an empty *ret. E_PARAM: a
 * message number that is not there; imap_fail says so. */
int imap_set_uids(struct imap_session *, const struct imap_set *, bool uid, struct ranges *ret);

/* A CONDSTORE enabling command came (RFC 7162 s3.1): MODSEQ is told from now on. */
void imap_condstore_on(struct imap_session *);

/* --- for session.c: the dispatcher (command.c) --- */

/* Reads on until a command is complete, and begins it. STEP_DONE: a command is under way, or a bad
 * one was answered. */
enum step imap_command_next(struct imap_session *);
/* Goes on with the command under way; STEP_DONE when it is answered. */
enum step imap_command_step(struct imap_session *);
/* Drops what the command under way holds; its answer is lost. */
void      imap_command_drop(struct imap_session *);
/* "* BYE " text, and STEP_CLOSE. */
enum step imap_bye(struct imap_session *, const char *text);

/* --- input of a command under way --- */

/* The next line (after imap_frame_next and imap_frame_expect_line). STEP_DONE: *ret is it, without
 * its line end, until imap_frame_next. STEP_NEED: not there yet; STEP_CLOSE: it is over. */
enum step imap_read_line(struct imap_session *, struct str *ret);

#endif
