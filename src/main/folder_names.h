/*
 * main/folder_names.h: the names in a folder in the order of their bytes, a batch at a time.
 *
 * Shape    folder_names_next reads the whole folder and keeps the first names behind the last of
 *          the batch before: a folder of n names is read once for each FOLDER_NAMES_MAX of them.
 * Limits   FOLDER_NAMES_MAX names in memory. "." and ".." are left out.
 * Errors   E_IO with errno, E_NOMEM.
 * Threads  one.
 */
#ifndef MAIN_FOLDER_NAMES_H
#define MAIN_FOLDER_NAMES_H

#include <stdbool.h>
#include <stddef.h>

enum { FOLDER_NAMES_MAX = 1 << 16 };

struct folder_names {
	const char *path; /* the caller's */
	char      **names;
	size_t      n;
	bool        more; /* there are names behind these */
};
#define FOLDER_NAMES_INIT(path_) { .path = (path_) }

/* The next batch takes the place of this one. */
int  folder_names_next(struct folder_names *);
void folder_names_done(struct folder_names *);

#endif
