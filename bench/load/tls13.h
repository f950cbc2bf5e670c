/*
 * bench/load/tls13.h: the least of a TLS 1.3 client that servers agree to talk to. RFC 8446
 *
 * Why      OpenSSL 3.0's client spends about 1 ms of processor time on a handshake, most of it
 *          on reading the certificate; the server under test spends half of that. This one spends
 *          a tenth, so that logins over TLS measure the server. `--openssl` uses the other.
 * Shape    a codec without sockets. X25519 or P-256, and TLS_AES_128_GCM_SHA256. One pair of
 *          keys serves the whole run. The server does all that it does for any client; it is not
 *          authenticated (its certificate and signature are not looked at), but its Finished is
 *          checked, and so is every record's tag.
 * Not there  resumption, HelloRetryRequest, client certificates, key updates: E_UNSUPPORTED.
 * Errors   E_SYNTAX for what no server may send, E_CLOSED for an alert, E_CORRUPT for a wrong tag.
 */
#ifndef LOAD_TLS13_H
#define LOAD_TLS13_H

#include "base/buf.h"

enum { TLS13_HEAD = 5, TLS13_RECORD_MAX = TLS13_HEAD + 16384 + 256, TLS13_DATA_MAX = 16384 };

struct tls13;

/* Once for the process, before threads begin. */
int tls13_setup(void);

struct tls13 *tls13_new(void);
void          tls13_drop(struct tls13 *);

/* Puts the ClientHello. */
int  tls13_start(struct tls13 *, struct buf *out);
/* The length of the record that begins at s, 0 when its head is not whole yet. */
size_t tls13_record_bytes(struct str s);
/* Takes one whole record. What must be sent goes to `out`. Data goes to `to`, which has room for
 * the record; *ret is how much, 0 for a record of the protocol's own. */
int  tls13_take(struct tls13 *, struct str record, struct buf *out, char *to, size_t *ret);
/* Puts data in records. */
int  tls13_put(struct tls13 *, struct str data, struct buf *out);
/* The handshake is over. */
bool tls13_is_open(const struct tls13 *);

#endif
