/*
 * serve/pop3/pop3.h: the sessions of POP3. RFC 1939, RFC 2449, RFC 2595 s4, RFC 5034. See
 * docs/POP3.md.
 *
 * Use      a listener gets the type and the struct server as its server; POP3S is the same with TLS
 *          from the first byte (RFC 8314 s3.2).
 */
#ifndef SERVE_POP3_POP3_H
#define SERVE_POP3_POP3_H

#include "serve/server.h"

extern const struct session_type POP3_SESSION;

#endif
