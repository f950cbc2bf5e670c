/*
 * store/records.h: every value of the mail model, byte by byte. Keys are in store/keys.h.
 *
 * Each value begins with a version byte. A reader refuses a higher one (E_FORMAT_NEWER) and passes
 * over bytes at the end that it does not know. uN is little-endian of N bits, var is 7 bits a byte,
 * low first, str is var(n) and n bytes.
 *
 * account_record, version 1
 *   u8 version, u8 state (enum account_state), var next_mailbox, var next_email,
 *   u32 last_uidvalidity, var storage_max, var count_max, var storage, var count, var log_floor,
 *   var n_dying
 * mailbox_record, version 1
 *   u8 version, u8 bits (1 no_select, 2 dying), u8 special_use, u32 uidvalidity, u32 uidnext,
 *   var messages, var unseen, var deleted, var recent, var recent_from, var size,
 *   var highest_modseq, str name
 * message_record, version 1
 *   u8 version, u8 system flags, var modseq, str keyword bits (bit 0 of byte 0 is keyword 0, zero
 *   bytes at the end are cut), u64 internal_ms, u16 internal_zone_min, u64 save_ms, var email,
 *   var thread, 16 bytes blob id, var size, var header_n, var blob_header_n, and var wire_more if
 *   it is not 0
 * facts_record, version 3: the lengths lie together, and the fields with their directory behind
 * them, so that a reader touches what it needs only
 *   u8 version, str hash of the Message-ID (16 bytes, or none), var lengths of fields
 *   (store/fields.h), envelope, body, body_structure and parts (mime/message.h packs them), then
 *   their bytes in this order
 * facts_record, version 2, read but no longer written
 *   as version 3, in the order envelope, body, body_structure, parts, fields (in their old shape)
 * facts_record, version 1, read but no longer written
 *   u8 version, str hash, str envelope, str body, str body_structure, str parts
 * place_record, version 1
 *   u8 version, u8 state (1 live, 2 expunged), live: var mailbox, var uid; expunged: u64 when_ms
 * thread_record, version 1
 *   u8 version, var thread, var email: the last message that came with this Message-ID; the record
 *   goes when that message is purged
 * expunged_record, version 1
 *   u8 version, var mailbox, var uid, u8 protocol, str peer, str login, str message_record,
 *   str facts_record
 * log_record, version 2
 *   u8 version, u64 when_ms, u8 protocol, var session, str peer, str login, str device, then to
 *   the end: u8 kind (enum change_kind) + 16 * way (enum change_way), var mailbox, var uid_lo,
 *   var n - 1, var email, and of CHANGE_FLAGS u8 set, u8 cleared
 * log_record, version 1, read but no longer written
 *   u8 version, u64 when_ms, u8 protocol, var session, str peer, str login, then to the end:
 *   u8 kind, var mailbox, var uid_lo, var n - 1
 *
 * Errors   decoding: E_CORRUPT, E_FORMAT_NEWER. Encoding latches in the buf.
 * Owner    decoded strings point into the value.
 * Tests    tests/unit/store/records.c
 * Those of devices and POP3 are in store/device_records.h.
 *
 */
#ifndef STORE_RECORDS_H
#define STORE_RECORDS_H

#include "store/keys.h"
#include "store/message.h"

enum account_state {
	ACCOUNT_LIVE = 1,
	ACCOUNT_REMOVING = 2, /* its keys are being deleted */
	ACCOUNT_REMOVED = 3   /* nothing but this record is left; the id is used up */
};

struct account_record {
	enum account_state state;
	mailbox_id         next_mailbox;
	email_id           next_email;
	uint32_t           last_uidvalidity;
	struct quota       quota;
	struct quota_usage usage;
	uint64_t           log_floor; /* the log has every change with a higher modseq */
	uint32_t           n_dying;   /* mailboxes whose messages are still to be expunged */
};

struct mailbox_record {
	bool       no_select;
	bool       dying; /* deleted: has no name any more, messages are being expunged */
	unsigned   special_use;
	uint32_t   uidvalidity;
	uint32_t   uidnext;
	uint32_t   messages;
	uint32_t   unseen;
	uint32_t   deleted;
	uint32_t   recent;      /* messages with a UID >= recent_from */
	uint32_t   recent_from; /* no session was told of UIDs from here on */
	uint64_t   size;
	uint64_t   highest_modseq;
	struct str name;
};

struct facts_record {
	bool                 has_msgid;
	struct msgid_hash    msgid;
	struct message_facts facts;
};

struct place_record {
	bool       expunged;
	mailbox_id mailbox; /* live */
	uint32_t   uid;
	int64_t    when_ms; /* expunged */
};

struct thread_record {
	uint64_t thread;
	email_id email;
};

struct expunged_record {
	mailbox_id          mailbox;
	uint32_t            uid;
	enum actor_protocol protocol;
	struct str          peer;
	struct str          login;
	struct str          message; /* message_record as it was */
	struct str          facts;   /* facts_record as it was */
};

enum { LOG_VERSION = 2 }; /* the one that is written */
struct log_record {
	int64_t             when_ms;
	enum actor_protocol protocol;
	uint64_t            session;
	struct str          peer;
	struct str          login;
	struct str          device;
	unsigned            version; /* set by unpack */
	struct str          items;   /* log_item_next takes them off */
};

void account_record_pack(const struct account_record *, struct buf *to);
int  account_record_unpack(struct str value, struct account_record *ret);
void mailbox_record_pack(const struct mailbox_record *, struct buf *to);
/* Takes the version byte off: the version, up to `newest`, or an error. */
struct unpack;
int  record_open(struct str value, uint8_t newest, struct unpack *ret);

int  mailbox_record_unpack(struct str value, struct mailbox_record *ret);
void message_record_pack(const struct message *, struct buf *to);
int  message_record_unpack(struct str value, uint32_t uid, struct message *ret);
void facts_record_pack(const struct facts_record *, struct buf *to);
int  facts_record_unpack(struct str value, struct facts_record *ret);
void place_record_pack(const struct place_record *, struct buf *to);
int  place_record_unpack(struct str value, struct place_record *ret);
void thread_record_pack(const struct thread_record *, struct buf *to);
int  thread_record_unpack(struct str value, struct thread_record *ret);
void expunged_record_pack(const struct expunged_record *, struct buf *to);
int  expunged_record_unpack(struct str value, struct expunged_record *ret);
void log_record_pack(const struct log_record *, struct buf *to);
int  log_record_unpack(struct str value, struct log_record *ret);
void log_item_pack(const struct change *, struct buf *to);
/* 1 and the item without its modseq, 0 at the end, E_CORRUPT. */
int  log_item_next(struct log_record *, struct change *ret);

#endif
