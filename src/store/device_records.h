/*
 * store/device_records.h: the values of devices and POP3, byte by byte. Keys are in store/keys.h,
 * the notation in store/records.h. Internal to store/.
 *
 * device_record, version 1
 *   u8 version, str name, str client, u8 policy (enum pop3_policy), u64 alarm_ms, u64 since_ms,
 *   var removed_n, var inbox_n (of the watch), u8 n, n times: u8 protocol, u64 first_ms,
 *   u64 last_ms, str peer, var sessions, var fetched_n, var fetched_bytes, var removed_n,
 *   var removed_bytes
 * hidden_record, version 1
 *   u8 version, var hi - lo; rows of a device neither overlap nor touch
 * left_record, version 1
 *   u8 version, u64 when_ms, var device, u8 policy, var mailbox it was in, 16 bytes blob id,
 *   var size, var header_n, var blob_header_n, and var wire_more if it is not 0 (these as in the
 *   message's record, for reading it)
 * removal_record, version 1 (store/pending.c)
 *   u8 version, u64 when_ms, str device, str login, str peer, var n, n times: var first id minus
 *   the one behind the last, var hi - lo
 * options_record, version 1
 *   u8 version, u8 policy, u8 bits (1 alarm_off), u8 alarm_percent
 *
 * Errors   decoding: E_CORRUPT, E_FORMAT_NEWER. Encoding latches in the buf.
 * Owner    decoded strings point into the value.
 */
#ifndef STORE_DEVICE_RECORDS_H
#define STORE_DEVICE_RECORDS_H

#include "base/buf.h"
#include "store/device.h"

struct device_record {
	struct str          name, client;
	enum pop3_policy    policy;
	int64_t             alarm_ms;
	struct device_alarm watch; /* since_ms 0: none */
	struct device_use   use[ACTOR_PROTOCOLS];
};

struct left_record {
	int64_t           when_ms;
	device_id         device;
	enum pop3_policy  policy;
	mailbox_id        mailbox;
	struct kv_blob_id blob;
	uint64_t          size, header_n;
	uint32_t          blob_header_n, wire_more;
};

void device_record_pack(const struct device_record *, struct buf *to);
int  device_record_unpack(struct str value, struct device_record *ret);
void hidden_record_pack(uint64_t more, struct buf *to);
int  hidden_record_unpack(struct str value, uint64_t *ret_more);
void left_record_pack(const struct left_record *, struct buf *to);
int  left_record_unpack(struct str value, struct left_record *ret);
void options_record_pack(const struct pop3_options *, struct buf *to);
int  options_record_unpack(struct str value, struct pop3_options *ret);

#endif
