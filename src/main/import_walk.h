/*
 * main/import_walk.h: what the files of an import share. Internal to import_*.c.
 */
#ifndef MAIN_IMPORT_WALK_H
#define MAIN_IMPORT_WALK_H

#include "main/import_files.h"
#include "main/uidl_format.h"

enum { IMPORT_MS = 1000 };

struct walk {
	const struct import *im;
	struct str           mailbox;
	int                  depth;
};

struct mapped {
	struct str bytes;
	int64_t    mtime_ms;
};
/* E_IO with errno. */
int  map_file(const char *path, struct mapped *ret);
void unmap_file(struct mapped *);

/* Gives the message to take(), in wire form. */
int import_deliver(const struct import *, const char *path, struct import_message *);

/* Calls fn for each visible name, in order. */
typedef int (*entry_fn)(const struct walk *, const char *path, const char *name);
int  import_each(const struct walk *, const char *path, entry_fn);
bool import_is_folder(const char *path);

/* import_maildir.c: one with its subfolders. */
bool import_is_maildir(const char *path);
int  import_maildir(const struct walk *, const char *path);

/* import_mbox.c */
int import_mbox(const struct import *, const char *path, struct str bytes);

/*
 * import_uidl.c: the UIDL of a message, appended to *to; nothing when it has none. What cannot be
 * one is told.
 */
enum { IMPORT_UIDL_MAX = 64 << 10 };
void import_make_uidl(const struct import *, const char *path, const struct uidl_facts *,
    struct str message, struct buf *to);
/* One that the server kept. */
void import_keep_uidl(const struct import *, const char *path, struct str uidl, struct buf *to);

#endif
