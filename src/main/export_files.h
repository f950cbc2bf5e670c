/*
 * main/export_files.h: messages into files: eml, mbox, Maildir.
 *
 * eml       OUT/MAILBOX/UID.eml, the bytes as they are.
 * mbox      one file when one mailbox was asked for, else OUT/MAILBOX.mbox. mboxrd quoting. A
 *           message whose lines all end in CRLF gets the line ends of Unix; import turns them back.
 * maildir   OUT/ is INBOX, OUT/.Sub.Name the others (Maildir++, modified UTF-7), flags in the
 *           names; line ends as for mbox.
 * Safety    OUT must be new or an empty folder; nothing is overwritten. Mailbox names cannot leave
 *           OUT: a level "..", or one that begins with a dot, is written with '_'.
 * Memory    one message at a time.
 */
#ifndef MAIN_EXPORT_FILES_H
#define MAIN_EXPORT_FILES_H

#include "base/arena.h"
#include "base/buf.h"

enum export_format { EXPORT_MBOX, EXPORT_MAILDIR, EXPORT_EML };

struct export_message {
	struct str bytes;
	struct str mailbox;
	uint32_t   uid;
	int64_t    date_ms;
	bool       seen, answered, flagged, deleted, draft;
};

struct export_target {
	enum export_format format;
	const char        *out;
	bool               one_mailbox;
};

/* Makes OUT. EXIT_OK, or told and an exit code. */
int export_begin(const struct export_target *);
int export_message(const struct export_target *, const struct export_message *);

#endif
