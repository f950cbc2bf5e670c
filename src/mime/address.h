/*
 * mime/address.h: the addresses of a header field. RFC 5322 s3.4, s4.4; RFC 6532 s3.2
 *
 * Shape    a reader gives one address after another from a raw, folded value.
 *          Mailbox: name (display name or, without one, the last comment), route, mailbox, domain.
 *          A group is ADDRESS_GROUP with its name in mailbox, its members, ADDRESS_GROUP_END.
 *          Unquoted; encoded words (RFC 2047) are left as they are.
 * Errors   none: what is missing reads "MISSING_MAILBOX", "MISSING_DOMAIN"; a broken <...> has the
 *          domain "SYNTAX_ERROR"; behind junk the list ends. E_NOMEM latches in text.err.
 * Cost     linear. Memory: the longest address of the field.
 * Threads  plain value.
 * Tests    tests/unit/mime/address.c   fuzz/mime.c
 */
#ifndef MIME_ADDRESS_H
#define MIME_ADDRESS_H

#include "base/buf.h"

enum address_kind { ADDRESS_MAILBOX, ADDRESS_GROUP, ADDRESS_GROUP_END };

/* Slices into the reader, good until the next call. p == NULL stands for NIL. */
struct address {
	enum address_kind kind;
	struct str        name;
	struct str        route; /* "@a,@b", RFC 5322 s4.4 */
	struct str        mailbox;
	struct str        domain;
};

struct address_reader {
	struct str left;
	struct buf text; /* the pieces of the current address */
	bool       in_group;
	bool       started; /* the field or the group has given its first member */
	bool       ended;
};

void address_reader_init(struct address_reader *, struct str value);
void address_reader_done(struct address_reader *);
bool address_next(struct address_reader *, struct address *ret);

#define OWN_ADDRESS_READER __attribute__((cleanup(address_reader_done)))

#endif
