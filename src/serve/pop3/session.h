/*
 * serve/pop3/session.h: what the files of this folder share: one POP3 session.
 *
 * States     drawn in session.c. pop3_set_state alone changes them.
 * Replies    pop3_ok and pop3_fail append one whole line to the output.
 * Threads    the worker that owns the connection.
 */
#ifndef SERVE_POP3_SESSION_H
#define SERVE_POP3_SESSION_H

#include "proto/pop3.h"
#include "serve/login.h"
#include "serve/pop3/box.h"
#include "serve/pop3/lock.h"
#include "store/uidl.h"

enum { POP3_LINE_MAX = 1024 }; /* RFC 2449 s4 asks for 255 */

enum pop3_state { /* a set of bits in the verbs table */
	POP3_AUTHORIZATION = 1,
	POP3_TRANSACTION = 2,
	POP3_IN_AUTH = 4, /* here and below no commands are read */
	POP3_IN_LOGIN = 8,
	POP3_OPENING = 16,
	POP3_IN_LIST = 32,
	POP3_IN_MESSAGE = 64,
	POP3_UPDATE = 128
};

/* What UPDATE does, in this order. */
enum pop3_stage { STAGE_NOTE, STAGE_REMOVE, STAGE_SEEN };

struct pop3_session;

/* What LIST and UIDL say of a message, behind its number. */
typedef int pop3_put_fn(struct pop3_session *, const struct view_message *, struct buf *to);

/* LIST and UIDL without a number: what is left to say. */
struct pop3_listing {
	pop3_put_fn       *put;
	uint32_t           next; /* index */
	struct uidl_reader uidls;
};

/* RETR and TOP: what is left to send. */
struct pop3_sending {
	struct message    message;
	struct view_message *of;
	struct pop3_stuff stuff;
	uint64_t          off;
	bool              is_top;
	uint64_t          lines;  /* of the body, for TOP */
};

struct pop3_session {
	struct server      *server;
	struct conn        *conn;
	enum pop3_state     state;
	unsigned            pending;  /* WHY_EOF, WHY_SHUTDOWN */
	struct buf          user;     /* of USER, until PASS; after login the name as typed */
	struct kv_waiter    waiter;   /* of before_send */
	struct buf          device;   /* after login, see struct actor */
	struct login        login;
	struct pass         pass;     /* from the login on; see serve/login.h */
	struct pop3_box     box;
	struct pop3_lock    lock;     /* where a session shuts others out */
	struct pop3_listing listing;
	struct pop3_sending sending;
	enum pop3_stage     stage;    /* of UPDATE */
	uint32_t            n_errors;
	size_t              line_seen; /* bytes of the input that hold no LF */
	bool                utf8;      /* the client knows of UTF-8 in headers */
	bool                line_skip; /* throwing away the rest of a line that is too long */
	uint32_t            n_retr, n_top, n_removed; /* for the log */
	uint64_t            sent_bytes;
};

/* session.c */
void      pop3_set_state(struct pop3_session *, enum pop3_state);
struct actor pop3_actor(const struct pop3_session *);

/* reply.c */
void      pop3_ok(struct pop3_session *, const char *fmt, ...)
          __attribute__((format(printf, 2, 3)));
/* The error's own reply, or with other words. */
void      pop3_err(struct pop3_session *, int err);
void      pop3_err_text(struct pop3_session *, int err, const char *text);
/* The same, counted as the client's mistake: STEP_CLOSE after too many. */
enum step pop3_fail(struct pop3_session *, int err);
enum step pop3_fail_text(struct pop3_session *, int err, const char *text);

/* verbs.c */
enum step pop3_command(struct pop3_session *, struct str line);

/* auth.c */
enum step pop3_auth_begin(struct pop3_session *, const union pop3_args *);
enum step pop3_auth_line(struct pop3_session *, struct str line);
enum step pop3_auth_failed(struct pop3_session *, int err, const char *text);
enum step pop3_pass(struct pop3_session *, const union pop3_args *);
enum step pop3_login_woken(struct pop3_session *);
enum step pop3_open_more(struct pop3_session *);

/* list.c */
enum step pop3_stat(struct pop3_session *, const union pop3_args *);
enum step pop3_list(struct pop3_session *, const union pop3_args *);
enum step pop3_uidl(struct pop3_session *, const union pop3_args *);
enum step pop3_list_more(struct pop3_session *);
void      pop3_listing_done(struct pop3_session *);

/* retr.c */
enum step pop3_retr(struct pop3_session *, const union pop3_args *);
enum step pop3_top(struct pop3_session *, const union pop3_args *);
enum step pop3_message_more(struct pop3_session *);

/* quit.c */
enum step pop3_quit(struct pop3_session *, const union pop3_args *);
enum step pop3_update_more(struct pop3_session *);
/* Journal and ledger get what was fetched, when there was no QUIT. */
void      pop3_note_fetched(struct pop3_session *);

#endif
