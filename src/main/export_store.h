/*
 * main/export_store.h: export without a server: the store is opened for reading alone, so that a
 * damaged one is exported as far as it can be read.
 *
 * Errors   told, one line for each message or stretch that cannot be read; EXIT_PARTLY then.
 */
#ifndef MAIN_EXPORT_STORE_H
#define MAIN_EXPORT_STORE_H

#include "main/export_files.h"
#include "main/options.h"

int export_store(const struct config *, const struct options *, const struct export_target *,
    uint64_t *ret_n);

#endif
