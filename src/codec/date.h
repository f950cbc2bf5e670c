/*
 * codec/date.h: dates of mail and of IMAP, to milliseconds since 1970 and back.
 *
 * Units    ms: real time (UTC). zone_min: minutes east of UTC, -1439..1439. day: days since
 *          1970-01-01, no zone.
 * Limits   years 1..9999; what lies outside is written as the nearest of them.
 * Errors   E_SYNTAX; a date that does not exist (31 Feb) is one too.
 * Threads  plain values.
 * Tests    tests/unit/codec/date.c   fuzz/codec.c
 */
#ifndef CODEC_DATE_H
#define CODEC_DATE_H

#include "base/buf.h"

/* The value of a Date field, RFC 5322 s3.3 and s4.3, and near misses of it: comments anywhere, no
 * or a wrong day name, "Feb 13 1999", "13-Feb-1999", "1999-02-13", no seconds, no time, no zone,
 * "+05:30". An unknown zone is -0000. */
int  date_parse_rfc5322(struct str, int64_t *ret_ms, int *ret_zone_min);
/* Wed, 17 Jul 1996 02:23:25 -0700 */
void date_put_rfc5322(struct buf *, int64_t ms, int zone_min);

/* IMAP date-time without its quotes: "17-Jul-1996 02:44:25 -0700", RFC 9051 s9. The day may be one
 * digit with or without the blank before it. */
int  date_parse_imap(struct str, int64_t *ret_ms, int *ret_zone_min);
void date_put_imap(struct buf *, int64_t ms, int zone_min);

/* IMAP date-text of SEARCH, without quotes: "1-Feb-1994". */
int  date_parse_imap_day(struct str, int32_t *ret_day);

/* The day that a clock in that zone shows at that time: SEARCH ON and the SENT keys. */
int32_t date_day(int64_t ms, int zone_min);

#endif
