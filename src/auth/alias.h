/*
 * auth/alias.h: what the removal of an account asks of the aliases.
 */
#ifndef AUTH_ALIAS_H
#define AUTH_ALIAS_H

#include "auth/change.h"

/* Takes the name out of all aliases; an alias that has no target left goes too, and out of the
 * aliases that name it, and so on. */
int alias_forget_target(struct dir_change *, struct str name);

#endif
