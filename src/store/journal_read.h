/*
 * store/journal_read.h: what the files of the journal share. Internal to store/.
 */
#ifndef STORE_JOURNAL_READ_H
#define STORE_JOURNAL_READ_H

#include "store/journal.h"
#include "store/records.h"

/* The log behind a modseq; with the account's lock held. */
int journal_open(struct account *, uint64_t after, struct kv_iter **ret);
/* From where an entry moved messages; 0: it moved none. */
mailbox_id journal_moved_from(struct log_record);

#endif
