/*
 * serve/imap/imap.h: the IMAP server for a listener. RFC 3501, and all that docs/IMAP.md names.
 */
#ifndef SERVE_IMAP_IMAP_H
#define SERVE_IMAP_IMAP_H

#include "net/net.h"

extern const struct session_type IMAP_SESSION; /* its server is a struct server */

#endif
