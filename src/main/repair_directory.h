/* main/repair_directory.h: the directory of a repaired store: every account with mail has an
 * address, every address its account. Mends are printed. */
#ifndef MAIN_REPAIR_DIRECTORY_H
#define MAIN_REPAIR_DIRECTORY_H

/* EXIT_OK, or told. */
int repair_directory(const char *store_dir);

#endif
