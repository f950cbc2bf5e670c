/*
 * main/uidl_format.h: UIDLs as Dovecot 2.x makes them from its setting pop3_uidl_format.
 *
 * Format     text with "%" [-][0][OFFSET.][WIDTH][MODIFIERS]VARIABLE; "%%" is a percent sign.
 * Variables  u UID, v UIDVALIDITY (decimal), f file name of a Maildir without flags, g GUID,
 *            m MD5 of some header fields (mbox).
 * Modifiers  L and U case, X decimal to hexadecimal, R reversed, M MD5 in hexadecimal; from
 *            left to right. OFFSET leaves out so many characters (-: all but the last so
 *            many), WIDTH cuts, or with 0 fills up with zeros.
 * Source     https://doc.dovecot.org/2.3 (pop3_uidl_format, config variables)
 * Threads    plain values.
 */
#ifndef MAIN_UIDL_FORMAT_H
#define MAIN_UIDL_FORMAT_H

#include "base/buf.h"

#define UIDL_FORMAT_DOVECOT "%08Xu%08Xv" /* when pop3_uidl_format is not set */

enum { UIDL_FORMAT_MAX = 256, UIDL_FORMAT_WIDTH_MAX = 1000 };

/* What is known of a message; 0 and empty: it is not. */
struct uidl_facts {
	uint32_t   uid, uidvalidity;
	struct str filename, guid, md5;
};

/* 0, or E_SYNTAX: *ret_at is where. */
int uidl_format_check(struct str format, size_t *ret_at);
/* Does it have the variable? */
bool uidl_format_uses(struct str format, char variable);
/* Appends to *to. E_NOT_FOUND: a variable is not known, *ret_variable is which. E_SYNTAX, and what
 * the buf gives. */
int uidl_format_expand(struct str format, const struct uidl_facts *, struct buf *to,
    char *ret_variable);

/* The MD5 of m, in hexadecimal: of the fields that Dovecot's mbox_md5 = apop3d takes. */
int uidl_header_md5(struct str message, struct buf *to);

#endif
