/*
 * store/hidden.h: sets of email ids, and those that are hidden from a device ('h' rows). Internal
 * to store/.
 *
 * Shape    spans ascend and neither overlap nor touch, in memory and as rows.
 * Cost     adding and removing read the rows between the first and the last id that changes.
 */
#ifndef STORE_HIDDEN_H
#define STORE_HIDDEN_H

#include "store/device.h"
#include "store/edit.h"

struct span {
	email_id lo, hi;
};
struct spans {
	struct span *s;
	size_t       n, cap;
};

void spans_done(struct spans *);
/* At the end, or touching or overlapping the end: lo is not below the last span's. */
int  spans_add(struct spans *, email_id lo, email_id hi);
bool spans_has(const struct spans *, email_id);
#define OWN_SPANS __attribute__((cleanup(spans_done)))

/* Does the device hide anything? 1 or 0. */
int hidden_any(struct account *, device_id);
int hidden_load(struct account *, device_id, struct spans *ret);
/* Puts into the commit what changes; once a device and commit. */
int hidden_add(struct edit *, device_id, const struct spans *);
/* *n grows by the ids that were hidden. */
int hidden_remove(struct edit *, device_id, const struct spans *, uint64_t *n);
/*
 * Messages that this commit deletes for good, ascending: ids that are never used again. Rows that
 * hide nothing else go, others begin with the first message that there is. So a device has no more
 * rows than the account has messages, the restorable ones too, whatever was there before (but for
 * a row that journal_restore has cut and nothing of it is left). Reads for each device that hides
 * anything at most a row for each message.
 */
int hidden_purge(struct edit *, const email_id *emails, size_t n);

#endif
