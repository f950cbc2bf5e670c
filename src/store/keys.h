/*
 * store/keys.h: every key of the mail model, byte by byte. The values are in store/records.h.
 *
 * Partition KV_META 0
 *   "format"                      value: u32 little-endian, STORE_FORMAT of the writer
 *
 * Partition KV_ACCOUNT <account id>; its version is the modseq of the last commit. Numbers in keys
 * are big-endian, so that they sort.
 *
 *   key                           value
 *   'A'                           account_record: counters, quota and its use
 *   'S' name                      empty: the name is subscribed
 *   'U' email:8                   the UIDL that was moved in with the message
 *   'b' mailbox:4                 mailbox_record
 *   'c' modseq:8                  log_record: who changed what in that commit
 *   'd' device:4                  device_record: its name, what it did, its policy
 *   'e' email:8                   place_record: where the message is, live or expunged
 *   'f' mailbox:4 uid:4           facts_record: envelope and body structure as IMAP sends them
 *   'h' device:4 lo:8             hidden_record: a range of email ids that the device has removed
 *   'k' number:1                  the name of a keyword, as first written
 *   'm' mailbox:4 uid:4           message_record: flags, dates, size, blob; small, for scans
 *   'o'                           options_record: what a POP3 deletion means, the alarm
 *   'p' device:4 modseq:8         removal_record: what a QUIT of many messages has still to remove
 *   'q' email:8                   left_record: it left INBOX by a POP3 policy, and may be read by
 *                                 other devices; goes when that is over
 *   't' hash:16                   thread_record: which thread a Message-ID belongs to
 *   'x' when_ms:8 email:8         expunged_record: all that a restore needs
 *
 * The first 16 bytes of BLAKE2b of a Message-ID without its <> are its hash.
 * Blobs are referred to by (account, email); a message that is expunged keeps its reference until
 * it is purged.
 */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#include "store/device.h"
#include "store/mailbox.h"

/* 1: before small blobs had their first reference in the head. Never released. */
enum { STORE_FORMAT = 2 };
enum { MSGID_HASH_BYTES = 16 };

struct msgid_hash {
	unsigned char b[MSGID_HASH_BYTES];
};

/* Any key but that of a subscription, which is as long as a name. */
struct key {
	uint8_t n;
	char    b[23];
};
enum { SUBSCRIPTION_KEY_MAX = 1 + MAILBOX_NAME_MAX };

static inline struct str
key_str(const struct key *k)
{
	return str_of(k->b, k->n);
}

struct key key_account(void);
struct key key_mailbox(mailbox_id);
struct key key_log(uint64_t modseq);
struct key key_place(email_id);
struct key key_facts(mailbox_id, uint32_t uid);
struct key key_keyword(unsigned number);
struct key key_message(mailbox_id, uint32_t uid);
struct key key_thread(const struct msgid_hash *);
struct key key_expunged(int64_t when_ms, email_id);
struct key key_device(device_id);
struct key key_hidden(device_id, email_id lo);
struct key key_pending(device_id, uint64_t modseq);
struct key key_options(void);
struct key key_left(email_id);
struct key key_uidl(email_id);
/* The name has at most MAILBOX_NAME_MAX bytes; the key is in `hold`. */
struct str key_subscription(struct str name, char hold[static SUBSCRIPTION_KEY_MAX]);

/* The first key of a kind, and the first behind all of the kind. */
struct key key_kind(char kind);
struct key key_kind_end(char kind);
/* The first key behind uid `hi` of a mailbox; kind is 'm' or 'f'. */
struct key key_uid_end(char kind, mailbox_id, uint32_t hi);

/* The numbers of a key that was read. E_CORRUPT when it is not of the kind or length. */
int key_read_mailbox(struct str key, mailbox_id *ret);
int key_read_log(struct str key, uint64_t *ret_modseq);
int key_read_place(struct str key, email_id *ret);
int key_read_uid(struct str key, char kind, mailbox_id *ret, uint32_t *ret_uid);
int key_read_expunged(struct str key, int64_t *ret_when_ms, email_id *ret);
int key_read_keyword(struct str key, unsigned *ret);
int key_read_subscription(struct str key, struct str *ret_name);
int key_read_thread(struct str key, struct msgid_hash *ret);
int key_read_device(struct str key, device_id *ret);
int key_read_hidden(struct str key, device_id *ret, email_id *ret_lo);
int key_read_pending(struct str key, device_id *ret, uint64_t *ret_modseq);
int key_read_left(struct str key, email_id *ret);
int key_read_uidl(struct str key, email_id *ret);

#endif
