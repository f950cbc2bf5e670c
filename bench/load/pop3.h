/*
 * bench/load/pop3.h: the client's side of POP3. RFC 1939
 *
 * Errors   besides wire.h: E_SYNTAX for -ERR or a wrong answer; client_fail has the text.
 */
#ifndef LOAD_POP3_H
#define LOAD_POP3_H

#include "load/load.h"

/* A whole session: login, CAPA, STAT, UIDL, RETR (pipelined where announced) of all or of the
 * newest, DELE of all when asked, QUIT. *ret: messages retrieved. */
enum pop3_kind { POP3_ALL, POP3_ALL_DELETE, POP3_NEWEST };
int pop3_session(struct client *, const struct endpoint *, enum pop3_kind, uint64_t *ret);

#endif
