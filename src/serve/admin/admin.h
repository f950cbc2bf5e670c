/*
 * serve/admin/admin.h: the control socket: what the command line asks of the store and the
 * directory.
 *
 * Wire     one JSON object a line asks, one answers: {"op": NAME, ...} gives {"ok": true, ...} or
 *          {"ok": false, "error": NAME of error.def, "text": ..., "about": ...}. Requests may be
 *          pipelined; answers come in order.
 *          "append" and "account-uidl" are followed by "size" raw bytes. "export" answers one
 *          object with "size" and that many raw bytes for each message, {"damaged": true,
 *          "mailbox", "uid", "text"} for one that cannot be read, then the closing {"ok": ...}.
 * Access   a unix socket of mode 0600, or a socketpair within the process: whoever can open it is
 *          the operator.
 * Ops      the table in ops.c; docs/ADMIN.md tells parameters, answers and errors.
 * Durable  an answer leaves when what it says is on disk.
 */
#ifndef SERVE_ADMIN_ADMIN_H
#define SERVE_ADMIN_ADMIN_H

#include <jansson.h>

#include "serve/server.h"
#include "store/device.h"

/* The listener's `server` is a struct server. */
extern const struct session_type ADMIN_SESSION;

enum { ADMIN_LINE_MAX = 1 << 20, ADMIN_ENVELOPE_HASH = 16 };

/*
 * The same operations without a socket, for somebody who has logged in: only those on their own
 * account that the table marks so (docs/ADMIN.md lists them). What they do is in the journal as the
 * actor's.
 */
struct admin_caller {
	struct str   address; /* of the account */
	bool         by_app_password;
	struct actor actor;
};
/* `request` as on the socket, "address" left out or the caller's; `body` the bytes behind it. 0
 * and a whole reply, "ok" true or false (the caller's to json_decref), what it says on disk; or
 * E_NOMEM. Blocks: a job thread. */
int admin_call(struct server *, const struct admin_caller *, const json_t *request, struct str body,
    json_t **ret_reply);

/* For json_dump_callback: `to` is a struct buf. */
int admin_put_json(const char *bytes, size_t n, void *to);

/* A device as "account-devices" tells it and "account-put" takes it. */
json_t     *admin_device_json(const struct device_info *);
const char *admin_policy_name(enum pop3_policy);

#endif
