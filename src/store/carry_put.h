/*
 * store/carry_put.h: the part of store/carry.h that stands in the commit of an append. Internal to
 * store/.
 */
#ifndef STORE_CARRY_PUT_H
#define STORE_CARRY_PUT_H

#include "store/carry.h"
#include "store/edit.h"

/* Puts what the message has into its commit. A UIDL that it cannot have is left out and told in
 * *ret_uidl_err: E_SYNTAX, E_EXISTS. */
int  carry_put(struct edit *, const struct mailbox *, const struct message *,
     const struct append_options *, int *ret_uidl_err);
/* The commit was made, or failed. */
void carry_committed(struct account *, const struct append_options *, int err);

/* One that POP3 makes for another message of this account is taken: E_EXISTS. */
int  uidl_check_own(struct account *, const struct uidl *);
/* The account has other UIDLs than before: it gets a stamp that no account had. */
void uidl_changed(struct account *);

#endif
