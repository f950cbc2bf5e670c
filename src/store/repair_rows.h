/*
 * store/repair_rows.h: the files of the repair among themselves. Internal to store/.
 */
#ifndef STORE_REPAIR_ROWS_H
#define STORE_REPAIR_ROWS_H

#include "store/name.h"
#include "store/records.h"
#include "store/repair.h"

/* A reference that was read; where its message was, when no record of it is left. */
struct orphan {
	account_id        account;
	email_id          email;
	struct kv_blob_id blob;
	bool              is_lost; /* its record is gone */
	bool              is_over; /* nothing of it is to come back */
	mailbox_id        mailbox; /* 0: unknown */
	bool              is_notice; /* only the header is left: m is the message */
	struct message    m;
};

struct orphans {
	struct orphan *o; /* ascending by account and email */
	size_t         n, cap;
};

int orphans_add(struct orphans *, const struct orphan *);

/* What clients may know and the store does not. */
enum repair_jump {
	JUMP_NONE,
	JUMP_AHEAD, /* records may be lost: numbers jump ahead */
	JUMP_RENEW  /* the store is an older one: a new UIDVALIDITY, too */
};

/* Makes the account agree with itself; marks those of its orphans that have no record. */
int repair_account(struct store *, account_id, enum repair_jump, struct orphans *,
    struct store_repair *);
/* Brings the account's lost messages back, through the store's own calls. */
int repair_orphans(struct store *, account_id, const struct orphans *, struct store_repair *);

void repair_say(struct store_repair *, account_id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The next string of an ENVELOPE: "..." or {n}CRLF... or NIL. */
struct str repair_envelope_next(struct str *envelope);
/* All bytes of a message: *ret_whole false when some are missing. */
int repair_read_whole(struct store *, const struct message *, bool *ret_whole, bool *ret_header);

#endif
