/*
 * main/check_store.h: what is wrong with a store's folder? For check, repair and backup.
 *
 * Two looks   the files, each by itself (kv/salvage.h); then the mail model (store/verify.h), in a
 *             process of its own, through a view that changes nothing.
 * Output      one line a fault or note on standard output.
 */
#ifndef MAIN_CHECK_STORE_H
#define MAIN_CHECK_STORE_H

#include "base/buf.h"

struct check_result {
	size_t   file_faults, model_faults;
	size_t   n_files;
	uint64_t bytes;
	uint64_t accounts, messages; /* that the model check has seen */
	bool     broken;             /* the model could not be looked at, or not to its end */
};

struct check_how {
	bool read_blobs; /* each message byte by byte */
	bool quiet;      /* no lines */
};

/* EXIT_OK when the looks could be taken, whatever they found. */
int check_store(const char *dir, const struct check_how *, struct check_result *ret);

#endif
