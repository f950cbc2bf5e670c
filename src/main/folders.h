/*
 * main/folders.h: folders and files of the data folder, for repair, backup and restore.
 *
 * Errors   told on standard error where an exit code comes back.
 */
#ifndef MAIN_FOLDERS_H
#define MAIN_FOLDERS_H

#include "main/config.h"

/* Locks DIR/store, without opening it. EXIT_DATA_IN_USE. *ret -1: there is no lock file. */
int  store_folder_lock(const struct config *, struct arena *, int *ret);
/* Makes a folder; it may be there already when it is empty. */
int  folder_make_new(const char *path);
/* What lies in the data folder beside the store (TLS files) is copied, regular files only. */
int  folder_copy_beside(const struct config *, const char *out, struct arena *);
/* 20261122T031500Z */
void folder_stamp(char *to, size_t n);
/* All files of a folder, and the folder, to the disk. 0 or E_IO. */
int  folder_sync(const char *path);
void folder_sync_parent(const char *path);
/* Copies a file's bytes and mode, synced. 0 or an error. */
int  file_copy(const char *from, const char *to);
void remove_tree(const char *path);

#endif
