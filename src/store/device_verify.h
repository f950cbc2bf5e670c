/*
 * store/device_verify.h: the rows of devices, hidden ids, what left INBOX, options and UIDLs:
 * checked, and mended after damage. Internal to store/.
 */
#ifndef STORE_DEVICE_VERIFY_H
#define STORE_DEVICE_VERIFY_H

#include "store/repair.h"
#include "store/state.h"

struct device_check {
	void (*fault)(void *arg, const char *text);
	void *arg;
};
/* Reports what is wrong; with the account's lock held, when it is ready. */
int device_verify(struct account *, const struct device_check *);

/* Rows that cannot be read, or lead nowhere, go; hidden ids that overlap are joined. For an account
 * whose other rows are in order, and that nobody has open. */
int device_repair(struct store *, account_id, struct store_repair *);

#endif
