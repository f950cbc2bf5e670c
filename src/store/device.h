/*
 * store/device.h: the devices of an account: who logs in under which name, what each of them
 * fetched and removed, and what a POP3 deletion means for it. docs/POP3.md tells it to users.
 *
 * Device   the name that a login carries: the app password's name, else the login's +tag, else ""
 *          (the main login): struct actor. Its number is the account's and never used again.
 * Ledger   in memory with the account, loaded when it is asked for first. A new device, a policy,
 *          an alarm and a removal are written at once; who was seen and what was fetched, by
 *          store_tend after a minute, and when the account leaves memory. A crash loses at most
 *          that minute of counts.
 * Limits   DEVICES_MAX devices; when there are more, the longest unseen one that hides nothing goes
 *          (E_LIMIT when all hide something). Names and clients that are longer are cut.
 * Errors   E_NOT_FOUND: no device has that number (any more), and those of the storage.
 * Threads  any.
 */
#ifndef STORE_DEVICE_H
#define STORE_DEVICE_H

#include "store/store.h"

typedef uint32_t device_id; /* within an account; 0: none */

enum {
	DEVICES_MAX = 1000,
	DEVICE_NAME_MAX = 64,      /* bytes of UTF-8 */
	DEVICE_CLIENT_MAX = 255,
	DEVICE_SAVE_MS = 60 * 1000
};

/* What DELE and QUIT do with a message, beside hiding it from the device for good. */
enum pop3_policy {
	POP3_POLICY_NONE, /* of a device: the account's is in force; of an account: the default */
	POP3_KEEP,        /* stays in INBOX */
	POP3_READ,        /* stays there with \Seen */
	POP3_ARCHIVE,     /* is moved to the mailbox with that special use */
	POP3_TRASH,       /* likewise; the default */
	POP3_DELETE       /* is expunged (restorable) */
};

/* What a device did by one protocol. */
struct device_use {
	int64_t    first_ms, last_ms; /* seen; 0: never */
	struct str peer;              /* of the last login */
	uint64_t   sessions;
	uint64_t   fetched_n, fetched_bytes; /* whole messages */
	uint64_t   removed_n, removed_bytes;
};

struct device_info {
	device_id         id;
	struct str        name;
	struct str        client;   /* IMAP ID, or empty */
	enum pop3_policy  policy;   /* its own, or POP3_POLICY_NONE */
	int64_t           alarm_ms; /* the last alarm letter; 0: none */
	struct device_use use[ACTOR_PROTOCOLS]; /* by enum actor_protocol */
};

/* A login of actor->device by actor->protocol: its number, made if it is new. */
int device_seen(struct account *, const struct actor *, device_id *ret);
/* The client program's name, when it is told. */
int device_client(struct account *, device_id, struct str client);

struct device_counts {
	uint64_t fetched_n, fetched_bytes, removed_n, removed_bytes;
};
/* Adds to the counts, at the end of a session. What pop3_remove_part removes it counts itself. */
int device_count(struct account *, device_id, enum actor_protocol, const struct device_counts *);

/* All, by number; in the arena. */
int device_list(struct account *, struct arena *, struct device_info **ret, size_t *ret_n);
int device_find(struct account *, struct str name, device_id *ret);
/* When the actor's device was seen last by the actor's protocol; 0: never. */
int device_last_seen(struct account *, const struct actor *, int64_t *ret_ms);

/* --- policy and alarm --- */

struct pop3_options {
	enum pop3_policy policy;
	bool             alarm_off;
	unsigned         alarm_percent; /* share of the Inbox, 1..100; 0: 50 */
};
int pop3_options_get(struct account *, struct pop3_options *ret);
/* E_PARAM. */
int pop3_options_set(struct account *, const struct pop3_options *, const struct actor *);
int device_policy_set(struct account *, device_id, enum pop3_policy, const struct actor *);
/* The policy in force: the device's, else the account's, else POP3_TRASH; never NONE. device 0: the
 * account's. */
int device_policy(struct account *, device_id, enum pop3_policy *ret);

/*
 * The alarm: a device that was new or unseen by POP3 for ALARM_UNSEEN_MS, and that within
 * ALARM_WATCH_MS from then took more than the share out of INBOX (ALARM_MIN messages at least), by
 * archive, trash or delete. At most once a device in ALARM_AGAIN_MS, and ALARMS_A_DAY of all
 * devices together: whoever has the password may come by ever new tags. Ask it after the last
 * pop3_remove_part of a session: *ret_due is true for one caller, who then sends the letter and
 * calls device_alarm_end. Only what was sent is committed as sent, so a crash may repeat the letter
 * once but not lose it; after `sent` is false the next removal asks again.
 */
enum { ALARM_MIN = 5, ALARM_PERCENT = 50, ALARMS_A_DAY = 5 };
#define ALARM_DAY_MS    ((int64_t)24 * 3600 * 1000)
#define ALARM_UNSEEN_MS ((int64_t)30 * 24 * 3600 * 1000)
#define ALARM_WATCH_MS  ((int64_t)7 * 24 * 3600 * 1000)
#define ALARM_AGAIN_MS  ((int64_t)30 * 24 * 3600 * 1000)
struct device_alarm {
	int64_t  since_ms;  /* the login with which the watch began */
	uint64_t removed_n; /* since then */
	uint64_t inbox_n;   /* what there was and came since then */
};
int device_alarm_due(struct account *, device_id, bool *ret_due, struct device_alarm *ret);
int device_alarm_end(struct account *, device_id, const struct actor *, bool sent);

#endif
