/*
 * main/import_files.h: messages out of files: .eml, folders of them, mbox, Maildir.
 *
 * Kinds      a folder with cur/ and new/ is a Maildir, and its .Sub.Name folders (Maildir++) are
 *            mailboxes too; any other folder is walked for files; a .eml file is one message;
 *            another file that begins with "From " is an mbox (mboxrd quoting), else one message.
 * Line ends  a file whose first line ends in CRLF is taken byte for byte. Else it has those of
 *            Unix, and each LF without CR becomes CRLF, as mail has them on the wire.
 * Flags      of Maildir names (":2,FRS"), and of Status and X-Status fields in an mbox.
 * Date       Maildir: the file's time; mbox: the "From " line; else the Date field, or the file's
 *            time.
 * UIDLs      that the old server gave to POP3 programs: from the P fields of dovecot-uidlist; else
 *            from X-UIDL fields, if asked for; else made from UID, UIDVALIDITY or file name by a
 *            format. Of the Maildir or mbox itself, not of a Maildir's subfolders: POP3 shows none.
 *            With a dovecot-uidlist messages come in the order of POP3 (its O fields), then of
 *            UIDs.
 * Memory     one message at a time, FOLDER_NAMES_MAX names of a folder, and a list of UIDs.
 * Source     https://cr.yp.to/proto/maildir.html, RFC 4155 (mbox)
 */
#ifndef MAIN_IMPORT_FILES_H
#define MAIN_IMPORT_FILES_H

#include "base/arena.h"
#include "base/buf.h"

enum { IMPORT_MESSAGE_MAX = 1 << 30 };

struct import_message {
	struct str bytes;   /* as it goes to the store; valid during the call */
	struct str mailbox; /* of a Maildir++ folder, or empty: the one that was asked for */
	int64_t    date_ms; /* 0: unknown */
	bool       seen, answered, flagged, deleted, draft;
	struct str uidl;    /* that the old server gave it, valid (store/uidl.h), or empty */
};

/* How the old server made its UIDLs. */
struct import_uidl {
	struct str format;      /* main/uidl_format.h */
	bool       given;       /* asked for; else it is for a Maildir with a list of UIDs alone */
	bool       from_header; /* an X-UIDL field comes first */
};

struct import {
	/* 0, or an exit code that stops the walk. */
	int   (*take)(void *arg, const char *path, const struct import_message *);
	/* A file that cannot be read; the walk goes on. */
	void  (*problem)(void *arg, const char *path, const char *what);
	/* Something is wrong with a UIDL, or with a line (not 0) of a list: mail is taken
	 * without. */
	void  (*doubt)(void *arg, const char *path, size_t line, const char *what);
	void *arg;
	struct import_uidl uidl;
};

/* Walks one path. 0, or what take returned. */
int import_path(const struct import *, const char *path);

#endif
