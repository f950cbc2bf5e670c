/*
 * serve/admin/find.h: messages by what people know of them. One pass over the account's mailboxes,
 * and over what was expunged and is still kept.
 */
#ifndef SERVE_ADMIN_FIND_H
#define SERVE_ADMIN_FIND_H

#include "serve/admin/session.h"

enum { FOUND_MAX = 1000, HEADER_READ_MAX = 64 << 10 };

/* The Message-ID, with its brackets, at the end of an ENVELOPE; empty when there is none. */
struct str find_envelope_id(struct str envelope);
/* `what`: an email id in decimal, a UIDL, or a Message-ID with or without its brackets. Ascending,
 * at most FOUND_MAX, in the arena; an email id also when nothing has it. E_NOT_FOUND. */
int find_messages(struct account *, struct str what, struct arena *, email_id **ret, size_t *ret_n);
/* The header section, or its beginning. E_MESSAGE_GONE. */
int find_header(struct account *, email_id, struct buf *to);

#endif
