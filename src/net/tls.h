/*
 * net/tls.h: certificates in use, as the TLS filter sees them.
 *
 * Shape    a tls_set is what one load of the files gave: one SSL_CTX a pair and the names they
 *          serve. A reload makes a new set; connections keep the one they began with.
 * Owner    counted: tls_set_get takes a reference, tls_set_put gives it back.
 * Threads  any; LOCK_NET_TLS guards which set is current.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <openssl/ssl.h>

#include "net/net.h"

struct tls_set;

struct tls_set *tls_set_get(struct tls *);
void            tls_set_put(struct tls_set *);
SSL_CTX        *tls_set_ctx(struct tls_set *); /* the default pair's */

#endif
