/*
 * serve/imap/verbs.h: the run functions of the table in verbs.c, one file cmd_*.c per family, and
 * what those files share. Session and command are in session.h.
 */
#ifndef SERVE_IMAP_VERBS_H
#define SERVE_IMAP_VERBS_H

#include "serve/imap/session.h"

/* The row of a command, or NULL. */
const struct imap_verb *imap_verb_find(struct str name, bool uid);

imap_run_fn imap_run_capability, imap_run_noop, imap_run_id, imap_run_enable, imap_run_namespace;
imap_run_fn imap_run_starttls, imap_run_login, imap_run_authenticate, imap_run_logout;
imap_run_fn imap_run_select, imap_run_examine, imap_run_close, imap_run_unselect;
imap_run_fn imap_run_create, imap_run_delete, imap_run_rename;
imap_run_fn imap_run_subscribe, imap_run_unsubscribe;
imap_run_fn imap_run_list, imap_run_lsub, imap_run_xlist, imap_run_status;
imap_run_fn imap_run_append, imap_run_idle;
imap_run_fn imap_run_fetch, imap_run_store, imap_run_copy, imap_run_move, imap_run_expunge;
imap_run_fn imap_run_search; /* cmd_search.c */

/* "IMAP4rev1 SASL-IR ...": what is offered in the session's state. cmd_misc.c */
void imap_put_capabilities(struct imap_session *, struct buf *);
/* "(MESSAGES 3 UNSEEN 1)". cmd_status.c */
void imap_put_status(struct buf *, const struct mailbox_status *, unsigned items);
/* Flags as the store keeps them; unknown keywords are made with `create`, else left out.
 * cmd_store.c */
int  imap_flags_resolve(struct imap_session *, const struct imap_flags *, bool create,
     struct flags *ret);

#endif
