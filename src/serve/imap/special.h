/*
 * serve/imap/special.h: the names of special uses. RFC 6154 s2, RFC 8457 (\Important)
 */
#ifndef SERVE_IMAP_SPECIAL_H
#define SERVE_IMAP_SPECIAL_H

#include "store/mailbox.h"

/* The bit of "\Drafts" in any case; 0: no such use. */
unsigned special_use_bit(struct str name);
/* " \Drafts" for each bit. */
void     special_use_put(struct buf *, unsigned bits);

#endif
