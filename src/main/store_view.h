/*
 * main/store_view.h: a store opened for reading without one byte of its folder being changed: a
 * folder of links in the temporary folder ($TMPDIR, /tmp) stands for it.
 *
 * Errors   E_CORRUPT, E_IO... with the reason in *detail.
 */
#ifndef MAIN_STORE_VIEW_H
#define MAIN_STORE_VIEW_H

#include "store/store.h"

struct store_view {
	char         *folder; /* of the links */
	struct store *store;
};

/* `dir` is the store's folder itself. */
int  store_view_open(const char *dir, struct buf *detail, struct store_view *ret);
void store_view_close(struct store_view *);

/* A new folder with mkdtemp in the temporary folder; freed by mem_free. NULL: told in *detail. */
char *temporary_folder(struct buf *detail);

#endif
