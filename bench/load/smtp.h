/*
 * bench/load/smtp.h: the client's side of SMTP and LMTP. RFC 5321, RFC 2033, RFC 2920
 *
 * Errors   besides wire.h: E_SYNTAX for an answer other than expected; client_fail has the text.
 */
#ifndef LOAD_SMTP_H
#define LOAD_SMTP_H

#include "load/load.h"

/* Connects, greets (LHLO or EHLO), STARTTLS where asked. */
int smtp_open(struct client *, const struct endpoint *, bool lmtp);
/* One transaction: message n of the corpus to accounts first, first+1, ... */
int smtp_deliver(struct client *, uint64_t n, uint64_t first_account, bool lmtp);
int smtp_quit(struct client *);

#endif
