/*
 * bench/load/wire_tls.h: what the files of wire.h share: sockets below, two kinds of TLS above.
 *
 * Shape    wire_ssl_* is OpenSSL, wire_light_* is tls13.h; a wire has one of them or none.
 */
#ifndef LOAD_WIRE_TLS_H
#define LOAD_WIRE_TLS_H

#include <sys/types.h>

#include "load/tls13.h"
#include "load/wire.h"

/* When a wait on the wire ends; 0 for never. */
int64_t wire_patience(const struct wire *);
/* As recv and send, without waiting; they keep the waiter's `ready` true. */
ssize_t wire_recv(struct wire *, char *to, size_t n);
ssize_t wire_send(struct wire *, const char *from, size_t n);
/* Sends all, plain or by OpenSSL. */
int     wire_send_all(struct wire *, struct str);

int  wire_ssl_start(struct wire *, SSL_CTX *);
/* After a call on ssl gave r <= 0: waits for what it wants. 0 to call again. */
int  wire_ssl_wait(struct wire *, int r);
void wire_ssl_close(struct wire *);

int  wire_light_start(struct wire *);
/* Bytes at `to`, which has room for a record, or 0 to call again. */
int  wire_light_read(struct wire *, char *to);
int  wire_light_send(struct wire *, struct str);
void wire_light_close(struct wire *);

#endif
