/*
 * store/ledger.h: the devices of an open account in memory, and which of its rare kinds of rows
 * there are. Internal to store/; the calls for others are in store/device.h.
 *
 * Shape    devices ascending by number, each a block of its own: pointers are good while the
 *          account's lock is held. Strings of a record are the ledger's.
 * Threads  under the account's lock, but for ledger_save_old.
 */
#ifndef STORE_LEDGER_H
#define STORE_LEDGER_H

#include "store/device_records.h"
#include "store/edit.h"

struct device {
	device_id            id;
	struct device_record rec;
	bool                 unsaved;
	bool                 alarming; /* somebody writes its alarm letter */
};

struct ledger {
	struct device     **d;
	size_t              n, cap;
	device_id           last;    /* the highest number, also of a row that cannot be read */
	struct pop3_options options;
};

/* Reads it if it is not there; a call of an account that is ready. */
int  ledger_need(struct account *);
/* account_ready and ledger_need: the beginning of a call about devices. */
int  ledger_ready(struct account *);
void ledger_drop(struct account *);
/* NULL: there is none. */
struct device *ledger_find(const struct account *, device_id);
struct device *ledger_named(const struct account *, struct str name);
struct device_use *ledger_use(struct device *, enum actor_protocol);
/* The policy in force; NULL: the account's. */
enum pop3_policy ledger_policy(const struct account *, const struct device *);
/* One more device, with room for it in the ledger; then it is added, in the place of `gone` if that
 * is not NULL, or freed. */
int  ledger_new(struct account *, device_id, const struct device_record *, struct device **ret);
void ledger_add(struct account *, struct device *, struct device *gone);
void ledger_free_device(struct device *);
/* Replaces a string of a record by a copy. */
int  ledger_set_str(struct str *, struct str to);
/* Puts the device's row into the commit. */
void ledger_put(struct edit *, const struct device *);
/* Messages were removed by IMAP, if it was that: counted when the ledger is there. */
void ledger_removed(struct account *, const struct actor *, uint64_t n, uint64_t bytes);
/* Its row is to be written, some time. */
void ledger_unsaved(struct account *, struct device *);
/* Writes all that is unsaved. */
int  ledger_save(struct account *);
/* Saves those of open accounts that are unsaved for DEVICE_SAVE_MS; for store_tend. */
int  ledger_save_old(struct store *);
/* What a device may be called: cut, at a whole character. */
struct str device_name(struct str);

/* Does the account have rows of this rare kind ('q', 'p' or 'U')? 1 or 0; looked up once. Who puts
 * the first one says so before the commit. */
int  rare_has(struct account *, char kind);
void rare_put(struct account *, char kind);

#endif
