/*
 * proto/imap_write.h: the pieces of IMAP answers. RFC 9051 s4, s7, s9
 *
 * Errors   latched in the buf.
 * Strings  an empty one is "", never {0}: some clients stall on it. A literal is written where a
 *          quoted string cannot hold the bytes (CR, LF, NUL; 8-bit without utf8) or is long.
 * Tests    tests/unit/proto/imap_write.c
 */
#ifndef PROTO_IMAP_WRITE_H
#define PROTO_IMAP_WRITE_H

#include "base/buf.h"
#include "base/ranges.h"
#include "proto/imap.h"

void imap_put_quoted(struct buf *, struct str);            /* the caller knows that it fits */
void imap_put_literal(struct buf *, struct str);           /* "{n}" CRLF bytes; "" when empty */
void imap_put_literal_head(struct buf *, uint64_t n);      /* "{n}" CRLF; the bytes come after it */
void imap_put_string(struct buf *, struct str, bool utf8); /* quoted or literal */
void imap_put_nstring(struct buf *, struct str, bool utf8); /* NIL when p == NULL */
void imap_put_astring(struct buf *, struct str, bool utf8); /* atom where it can be */
/* A mailbox name, given as UTF-8: modified UTF-7 where utf8 is off. */
void imap_put_mailbox(struct buf *, struct str name, bool utf8);
/* The system flags, blanks between and none around: "\Seen \Draft". True when anything was put. */
bool imap_put_system_flags(struct buf *, unsigned flags);
void imap_put_set(struct buf *, const struct ranges *);    /* "1:3,5" */
/* INTERNALDATE: "17-Jul-1996 02:44:25 -0700", with its quotes. */
void imap_put_date_time(struct buf *, int64_t ms, int zone_min);
/* "BODY[1.HEADER.FIELDS (To)]<0>": as an item's answer is named, RFC822 and the like too. */
void imap_put_item_name(struct buf *, const struct imap_fetch_item *);
/* Text for people after OK, NO, BAD, +: control bytes and 8-bit become '?', at most 200 bytes. */
void imap_put_text(struct buf *, struct str);

#endif
