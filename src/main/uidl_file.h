/*
 * main/uidl_file.h: files that tell messages' UIDLs by Message-ID.
 *
 * Forms      lines "UIDL TAB Message-ID": sent to the server as they are. What `doveadm fetch` of
 *            Dovecot prints: with "-f tab" a line of names, then the values, TAB between them; with
 *            "-f flow" lines "name=value name=value". Needed is hdr.message-id; the UIDL is
 *            pop3.uidl, else made by a format from uid and guid.
 * Errors     a line that gives no UIDL or has no Message-ID is told.
 * Fuzzer     fuzz/uidl.c
 */
#ifndef MAIN_UIDL_FILE_H
#define MAIN_UIDL_FILE_H

#include "main/uidl_format.h"

struct uidl_file {
	struct str format;
	uint32_t   uidvalidity; /* 0: not known */
	void     (*bad)(void *arg, size_t line, const char *why); /* from 1 */
	void      *arg;
};

/* Is it what doveadm prints? */
bool uidl_file_is_doveadm(struct str text);
/* Makes it into "UIDL TAB Message-ID", a line for each line (a blank one where there is nothing),
 * appended to *to. What the buf gives. */
int uidl_file_convert(const struct uidl_file *, struct str text, struct buf *to);

#endif
