/*
 * main/backup_set.h: a folder of backups: DIR/<UTC stamp>/, each a complete data folder with its
 * list of contents.
 *
 * Contents  DIR/<stamp>/contents, one line a file: BLAKE2b-256 in hex, size, path; before them
 *           lines "# key value", at the end "# sum" over all that stands above.
 * Sharing   a file that is equal to that of the backup before is a hard link to it. The files of
 *           a store never change once written, so the links are safe; never edit a backup.
 * Errors    told on standard error; exit codes.
 */
#ifndef MAIN_BACKUP_SET_H
#define MAIN_BACKUP_SET_H

#include "base/arena.h"
#include "base/map.h"

enum { BACKUP_SUM_HEX = 64 };

struct backup_file {
	char       sum[BACKUP_SUM_HEX + 1];
	uint64_t   size;
	const char *path; /* below the backup */
};

struct backup_contents {
	struct backup_file *files;
	size_t              n, cap;
	uint64_t            copied; /* bytes that are not shared with the backup before */
};

struct backup_stamps {
	char  **s; /* ascending */
	size_t  n;
};

/* The stamps of all finished backups in DIR. */
int backup_stamps(const char *dir, struct arena *, struct backup_stamps *ret);
/* DIR/<stamp> itself, or the latest in DIR. */
int backup_find(const char *path, struct arena *, const char **ret);

int backup_contents_read(const char *backup, struct arena *, struct backup_contents *ret);
int backup_contents_write(const char *backup, const struct backup_contents *);
int backup_contents_add(struct backup_contents *, struct arena *, const struct backup_file *);

/* The sum and size of a file. 0 or an error. */
int backup_sum(const char *path, struct backup_file *ret);
/* Every file is there and has its sum; each that is not is told. The number of faults in *ret. */
int backup_verify_sums(const char *backup, const struct backup_contents *, size_t *ret);

#endif
