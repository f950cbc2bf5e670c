/*
 * serve/alarm.h: the letter that tells the owner of an account that a device which was not known,
 * or not seen for long, took a good part of the Inbox away by POP3. store/device.h says when.
 *
 * Letter   from the postmaster of the account's domain, in the Inbox, appended there and never sent
 *          by SMTP, so it can neither bounce nor loop; at most one a device in 30 days. It is new
 *          mail to the next session; the one that removed does not see it. A full quota does not
 *          keep it out.
 * Errors   are logged: the removal is done, whatever comes of the letter.
 * Threads  that of the session. Without an alarm it costs one look at the ledger in memory.
 * Tests    tests/unit/serve/alarm.c
 */
#ifndef SERVE_ALARM_H
#define SERVE_ALARM_H

#include "serve/server.h"
#include "store/device.h"

/* After the last pop3_remove_part of a session and before account_barrier, which then covers the
 * letter, too. The actor is the session's. */
void alarm_after_removal(struct server *, struct account *, device_id, const struct actor *);

/* --- for tests --- */

struct alarm_letter {
	struct str          address;  /* of the account, normalised */
	struct str          hostname; /* of this server, for the Message-ID */
	struct str          device;
	struct str          peer;
	enum pop3_policy    policy;   /* what became of the messages; never NONE */
	int64_t             now_ms;
	struct device_alarm alarm;
};
/* The whole letter, with CRLF; errors are latched in *to. */
void alarm_put_letter(const struct alarm_letter *, struct buf *to);

#endif
