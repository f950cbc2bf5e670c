/*
 * serve/imap/imap.h: the IMAP server for a listener. RFC 3501 and what CAPABILITY names: docs/IMAP.md
 */
#ifndef SERVE_IMAP_IMAP_H
#define SERVE_IMAP_IMAP_H

#include "net/net.h"

extern const struct session_type IMAP_SESSION; /* its server is a struct server */

#endif
