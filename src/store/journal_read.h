/*
 * store/journal_read.h: what the files of the journal share. Internal to store/.
 */
#ifndef STORE_JOURNAL_READ_H
#define STORE_JOURNAL_READ_H

#include "store/journal.h"
#include "store/records.h"

/* The log behind a modseq; with the account's lock held. */
int journal_open(struct account *, uint64_t after, struct kv_iter **ret);
/*
 * Moves *after up to where a scan for what happened from since_ms on may begin: binary search, so
 * as many looks as the log's modseqs have bits, then at most the entries of JOURNAL_CLOCK_MS
 * before. With the account's lock held.
 */
int journal_seek(struct account *, int64_t since_ms, uint64_t *after);
/* From where an entry moved messages; 0: it moved none. */
mailbox_id journal_moved_from(struct log_record);

#endif
