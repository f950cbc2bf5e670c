/*
 * serve/smtp/session.h: what the files of this folder share: one SMTP session and its transaction.
 *
 * Lifetimes  the session's memory from open to close; a transaction's arena from MAIL to its end;
 *            the command's arena until its reply.
 * States     drawn in session.c. smtp_set_state alone changes them.
 * Replies    smtp_reply and smtp_fail append one whole reply to the output.
 */
#ifndef SERVE_SMTP_SESSION_H
#define SERVE_SMTP_SESSION_H

#include "proto/smtp.h"
#include "proto/smtp_data.h"
#include "proto/smtp_header.h"
#include "serve/login.h"

enum {
	SMTP_LINE_MAX = 2048,        /* RFC 5321 s4.5.3.1.4 asks for 512 */
	SMTP_PATH_MAX = 1024,        /* RFC 5321 s4.5.3.1.3 asks for 256 */
	SMTP_HOST_MAX = 255,
	SMTP_TARGETS_MAX = 2000,     /* accounts of one transaction, aliases expanded */
	SMTP_REFUSED_MAX = 100,      /* recipients and messages refused without one accepted */
	SMTP_COMMANDS_MAX = 10000,   /* commands without a message accepted */
	SMTP_TX_ARENA_MAX = 8 << 20,
	SMTP_COMMAND_ARENA_MAX = 1 << 20,
	SMTP_TRACE_MAX = 8192,       /* what the trace fields may add to a message */
	SMTP_DATA_GRACE_MS = 5 * 60 * 1000, /* a message may be slow for so long; */
	SMTP_DATA_MIN_RATE = 64      /* then it has to come with so many bytes a second */
};

/* What the kind of a listener decides; all else is common. */
enum { KIND_MX = 1, KIND_LMTP = 2, KIND_SUBMISSION = 4, KIND_ALL = 7 };
struct smtp_kind {
	unsigned            bit;
	struct str          name;        /* in logs */
	struct str          hello;       /* in the greeting, "ESMTP" */
	struct str          with;        /* in Received, "ESMTP" */
	struct str          with_utf8;   /* the same after SMTPUTF8, RFC 6531 s4.3 */
	enum actor_protocol actor;
	bool                reply_each;  /* one final reply for each recipient, RFC 2033 s4.2 */
	bool                auth;        /* AUTH is offered, and MAIL needs it */
	bool                edits;       /* Date, Message-ID, Bcc: RFC 6409 s8 */
	bool                trusts_peer; /* refused recipients are no sign of abuse */
};

enum smtp_state { /* a set of bits in the verbs table */
	SMTP_GREET = 1,    /* no EHLO yet */
	SMTP_READY = 2,    /* no transaction */
	SMTP_MAIL = 4,     /* a sender, no recipient */
	SMTP_RCPT = 8,     /* at least one recipient */
	SMTP_BDAT = 16,    /* between chunks */
	SMTP_IN_DATA = 32, /* here and below no commands are read */
	SMTP_IN_CHUNK = 64,
	SMTP_IN_AUTH = 128,
	SMTP_IN_LOGIN = 256,
	SMTP_IN_SYNC = 512
};

/* An account that gets the message, once, however many recipients lead to it. */
struct smtp_target {
	account_id      id;
	struct account *account;
	struct str      address; /* the recipient that led here first */
	bool            any_size; /* its quota does not stop this message */
	int             err;
	struct appended done;
};

struct smtp_rcpt {
	struct str address;
	uint32_t  *targets; /* indices */
	uint32_t   n_targets;
};

struct smtp_tx { /* from MAIL to the end; smtp_tx_reset */
	struct arena        arena;
	struct str          sender;  /* empty: <> */
	bool                smtputf8;
	uint64_t            size;    /* as declared, 0: not */
	struct smtp_rcpt   *rcpts;
	uint32_t            n_rcpts, cap_rcpts;
	struct smtp_target *targets;
	uint32_t            n_targets, cap_targets;
	/* the message */
	struct str              id;  /* in Received, reply and log */
	struct ingest          *ingest;
	struct smtp_data        data;
	struct smtp_header_edit edit;
	struct smtp_header      header;
	uint64_t                got; /* bytes of the message so far */
	int                     err; /* the first that is wrong with it */
	int64_t                 begun_ms;
	kv_ticket               ticket; /* of the last account's commit */
};

struct smtp_chunk { /* of BDAT, while its bytes come */
	uint64_t        left;
	uint64_t        size;
	bool            last;
	int             refused; /* the command was not allowed: skip the bytes, then say so */
	enum smtp_state back;    /* the state to return to then */
};

struct smtp_session {
	const struct smtp_kind *kind;
	struct server          *server;
	struct conn            *conn;
	enum smtp_state         state;
	unsigned                pending;  /* WHY_EOF, WHY_SHUTDOWN */
	struct buf              host;     /* as EHLO said */
	bool                    extended; /* it was EHLO, not HELO */
	bool                    logged_in;
	account_id              account;
	struct buf              login_as;
	struct buf              device;     /* of the login, see struct actor */
	struct login            login;
	struct pass             pass;       /* from the login on; see serve/login.h */
	struct kv_waiter        waiter;     /* while IN_SYNC */
	struct arena            command;
	struct smtp_tx          tx;
	struct smtp_chunk       chunk;
	uint32_t                n_messages; /* in this session */
	/* since the last accepted message: */
	uint32_t                n_commands, n_errors, n_refused;
	size_t                  line_seen;  /* bytes of the input that hold no LF */
	bool                    line_skip;  /* throwing away the rest of a line that is too long */
	int64_t                 opened_ms;
	int64_t                 since_ms;   /* of the last command's end */
};

/* session.c */
void      smtp_set_state(struct smtp_session *, enum smtp_state);
/* Forgets the transaction; the state is the caller's. */
void      smtp_tx_reset(struct smtp_session *);

/* reply.c */
void      smtp_reply(struct smtp_session *, int code, const char *enhanced, const char *text);
/* The error's own reply. Counts as the client's mistake; STEP_CLOSE after too many or a 421. */
enum step smtp_fail(struct smtp_session *, int err);
enum step smtp_fail_text(struct smtp_session *, int code, const char *enhanced, const char *text);
/* Well-formed but not wanted: a recipient, a message. The caller has replied. */
enum step smtp_count_refused(struct smtp_session *);
enum step smtp_bye(struct smtp_session *, int err); /* a last reply, 421 */

/* verbs.c */
enum step smtp_command(struct smtp_session *, struct str line);

/* auth.c */
enum step smtp_auth_begin(struct smtp_session *, const union smtp_args *);
enum step smtp_auth_line(struct smtp_session *, struct str line);
enum step smtp_auth_failed(struct smtp_session *, int err);
enum step smtp_auth_woken(struct smtp_session *);

/* envelope.c */
enum step smtp_mail_begin(struct smtp_session *, const union smtp_args *);
enum step smtp_rcpt_add(struct smtp_session *, const union smtp_args *);

/* content.c */
enum step smtp_data_begin(struct smtp_session *, const union smtp_args *);
enum step smtp_data_read(struct smtp_session *);
enum step smtp_chunk_begin(struct smtp_session *, const union smtp_args *);
enum step smtp_chunk_refuse(struct smtp_session *, const union smtp_args *, int err);
enum step smtp_chunk_read(struct smtp_session *);

/* deliver.c: the message is complete. Delivers, replies, ends the transaction. STEP_WAIT: a sync is
 * waited for, smtp_deliver_woken goes on. */
enum step smtp_deliver(struct smtp_session *);
enum step smtp_deliver_woken(struct smtp_session *);

/* trace.c: the Return-Path and Received fields of this transaction. RFC 5321 s4.4 */
void      smtp_trace_put(struct smtp_session *, struct buf *to);
int       smtp_trace_begin(struct smtp_session *); /* draws tx.id and makes tx.edit */

#endif
