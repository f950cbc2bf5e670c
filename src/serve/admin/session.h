/*
 * serve/admin/session.h: one control connection, for the files of this folder.
 *
 *   [line] --request--> run op on a job thread --woken--> answer --> [line]
 *   [line] --"append"--> [body] --all bytes--> answer --> [line]
 *   [line] --op with bytes--> [body of op] --all bytes--> run op on a job thread, as above
 *   [line] --"export"--> [export] --each message--> ... --> answer --> [line]
 */
#ifndef SERVE_ADMIN_SESSION_H
#define SERVE_ADMIN_SESSION_H

#include "serve/admin/admin.h"
#include "store/carry.h"

enum admin_state { ADMIN_LINE, ADMIN_JOB, ADMIN_BODY, ADMIN_OP_BODY, ADMIN_EXPORT };

enum { ADMIN_OP_BODY_MAX = 128 << 20 };

/* Where a message of "append" goes. */
struct admin_append {
	struct account       *account;
	mailbox_id            mailbox;
	struct ingest        *ingest;
	struct append_options options;
	uint64_t              left; /* bytes still to come */
	int                   err;  /* the bytes are read to their end all the same */
};

/* Where an "export" is. */
struct admin_export {
	struct account      *account;
	struct mailbox_info *mailboxes; /* in the session's arena */
	size_t               n_mailboxes, at;
	uint32_t             next_uid;
	struct message       message; /* being sent when sent < message.size */
	uint64_t             sent;
};

struct admin {
	struct server      *server;
	struct conn        *conn;   /* or NULL, and */
	const struct admin_caller *caller;
	enum admin_state    state;
	struct arena        arena; /* of one request */
	json_t             *request, *reply;
	const struct admin_op *op;
	struct buf          body;  /* bytes behind the request, for an op that takes them */
	uint64_t            body_left;
	int                 err;   /* of the op */
	struct str          about; /* which address or name failed */
	kv_ticket           ticket;
	struct uidl_taken  *taken; /* for the messages of "append" that have a UIDL; or NULL */
	struct admin_append append;
	struct admin_export export;
};

/* One row an operation. `run` may block: it runs on a job thread. */
struct admin_op {
	const char *name;
	int       (*run)(struct admin *);
	unsigned    needs;
};
enum admin_op_need {
	OP_BODY = 1,  /* "size" raw bytes follow the request: they are in s->body */
	OP_OWNER = 2, /* may be asked for by the owner of the account, too: admin_call */
	OP_MAIN = 4   /* but not by one who came by an app password */
};
extern const struct admin_op ADMIN_OPS[];
extern const size_t          ADMIN_N_OPS;

/* A text of the request; E_SYNTAX with `about` when it is missing. */
int admin_text(struct admin *, const char *key, struct str *ret);
const struct admin_op *admin_op_find(struct str name); /* or NULL */
/* "ok", and what is wrong, into s->reply. */
void admin_put_result(struct admin *);
/* Notes what the error is about, and returns it. */
int admin_fail(struct admin *, int err, struct str about);
/* Opens the account of an address. */
int admin_account(struct admin *, struct str address, struct account **ret);
/* Who did it, in the change log. */
struct actor admin_actor(struct admin *);

/* serve/admin/names.c. Bytes that are no UTF-8 become U+FFFD. */
json_t     *admin_json_text(struct str);
const char *admin_protocol_name(enum actor_protocol);
int         admin_policy_of(struct str name, enum pop3_policy *ret);

/* serve/admin/device_ops.c */
int admin_run_devices(struct admin *);
int admin_run_pop3(struct admin *);
int admin_run_journal_restore(struct admin *);

/* serve/admin/carry_ops.c */
int  admin_read_carried(struct admin *, struct account *, struct append_options *);
void admin_tell_uidl(struct admin *, int err);
int  admin_run_account_put(struct admin *);

/* serve/admin/uidl_ops.c */
int admin_run_uidl(struct admin *);

/* serve/admin/journal_ops.c */
int admin_run_journal(struct admin *);

/* serve/admin/fault.c, in builds for tests */
int admin_run_fault(struct admin *);

/* serve/admin/app_ops.c */
int admin_run_app_add(struct admin *);
int admin_run_app_list(struct admin *);
int admin_run_app_restrict(struct admin *);
int admin_run_app_remove(struct admin *);

/* serve/admin/store_ops.c */
int admin_run_snapshot(struct admin *);
int admin_run_message_list(struct admin *);
int admin_run_unexpunge(struct admin *);

/* serve/admin/mail.c */
int       admin_append_begin(struct admin *);
enum step admin_append_take(struct admin *); /* STEP_DONE when all bytes came: err is set */
int       admin_export_begin(struct admin *);
enum step admin_export_more(struct admin *); /* STEP_DONE when all is sent: err is set */
void      admin_mail_done(struct admin *);

#endif
