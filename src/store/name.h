/*
 * store/name.h: names of mailboxes: checked, with INBOX in capitals. Internal to store/.
 */
#ifndef STORE_NAME_H
#define STORE_NAME_H

#include "store/mailbox.h"

#define INBOX STR("INBOX")

struct name {
	size_t n;
	char   b[MAILBOX_NAME_MAX];
};

static inline struct str
name_str(const struct name *name)
{
	return str_of(name->b, name->n);
}

/* E_CANNOT for what is no name of a mailbox. */
int name_read(struct str, struct name *ret);
/* The name of the level above, empty at the top. */
struct str name_parent(struct str name);
/* Is `name` below `top`? */
bool name_is_below(struct str name, struct str top);

#endif
