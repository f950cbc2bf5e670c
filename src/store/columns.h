/*
 * store/columns.h: flags, days and sizes of many messages at once, from memory: what a search rules
 * messages in or out by without their records.
 *
 * Shape    rows in the order of the UIDs; the i-th row is that of the i-th UID of `uids`. flags[i]
 *          is an index into sets; day[i] the day of its INTERNALDATE in the zone that it was given
 *          in (codec/date.h), counted from COLUMN_DAY_BASE on; size[i] its bytes. Only the columns
 *          asked for are there.
 * Owner    a copy; columns_done frees it.
 * Cost     some 10 us for 16,384 rows. The first call that asks for days or sizes reads all records
 *          of the mailbox, see columns_at_hand.
 * Limits   COLUMNS_AT_ONCE rows.
 * Threads  any.
 * Tests    tests/unit/store/columns.c, tests/unit/serve/imap_search.c
 */
#ifndef STORE_COLUMNS_H
#define STORE_COLUMNS_H

#include "store/message.h"

enum { COLUMNS_AT_ONCE = 16384, COLUMN_DAY_BASE = -25567 /* 1 January 1900 */ };
enum { COLUMN_FLAGS = 1, COLUMN_DAYS = 2, COLUMN_SIZES = 4 };

struct columns {
	struct ranges  uids;
	uint32_t       n;
	uint32_t       next;   /* UID to go on with; 0: behind the last of [lo, hi] */
	struct flags  *sets;
	size_t         n_sets;
	unsigned char *flags;
	uint16_t      *day;
	uint32_t      *size;
};

/* Would a call for them read records first? */
bool columns_at_hand(struct account *, mailbox_id, unsigned which);
/* The first rows of those with UIDs in [lo, hi]. E_NOT_FOUND: this mailbox has no such columns (too
 * many different sets of flags, unusual dates, damage): its records tell; also when it is gone. */
struct columns_want {
	mailbox_id mailbox;
	uint32_t   lo, hi;
	unsigned   which; /* COLUMN_... */
};
int  columns_get(struct account *, const struct columns_want *, struct columns *ret);
void columns_done(struct columns *);
#define OWN_COLUMNS __attribute__((cleanup(columns_done)))

#endif
