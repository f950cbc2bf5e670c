/*
 * bench/load/wire.h: one connection to the server under test, plain or TLS.
 *
 * Shape    reading is a feed; writing gathers in `out` until wire_flush.
 * Limits   the input buffer is WIRE_IN_BYTES: a line may be that long; literals may be longer.
 *          A server that says nothing for WIRE_TIMEOUT_US is given up, unless `patient`.
 * Errors   E_CLOSED, E_TIMEOUT, E_IO, E_NOMEM, what feed.h gives.
 * Threads  its task's only.
 */
#ifndef LOAD_WIRE_H
#define LOAD_WIRE_H

#include <openssl/ssl.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "load/feed.h"
#include "load/task.h"

enum { WIRE_IN_BYTES = 128 * 1024, WIRE_TIMEOUT_US = 60 * 1000 * 1000 };

struct endpoint {
	struct sockaddr_storage addr;
	socklen_t               addr_n; /* 0: not given */
	bool                    tls, starttls;
};

struct wire {
	struct feed   feed;   /* first: the feed's `more` finds the wire by it */
	struct waiter waiter;
	int           fd;     /* -1 when closed */
	SSL          *ssl;    /* TLS by OpenSSL, or NULL */
	struct light *light;  /* TLS by tls13.h, or NULL */
	char         *in;
	struct buf    out;
	uint64_t     *bytes;  /* adds up what was read; may be NULL */
	int64_t       until_us; /* a time that ends a wait for input with E_TIMEOUT, or 0 */
	bool          patient;
	SSL_SESSION  *session; /* the last ticket, for resumption */
};

/* A context of OpenSSL for clients: TLS 1.3, no verification. NULL without memory. */
SSL_CTX *wire_tls_new(bool keep_sessions);

int  wire_init(struct wire *);
void wire_done(struct wire *);
int  wire_connect(struct wire *, struct task *, const struct endpoint *);
/* Handshake on a connected wire, by tls13.h when the context is NULL. OpenSSL asks to resume when
 * `session` is set. */
int  wire_start_tls(struct wire *, SSL_CTX *);
void wire_close(struct wire *);
int  wire_flush(struct wire *);
/* Waits for at least one byte of input, as feed.more does. */
int  wire_more(struct feed *);

#endif
