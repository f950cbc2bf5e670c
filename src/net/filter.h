/*
 * net/filter.h: the wire of a connection as a stack of filters of one shape.
 *
 *   session  ->  tls  ->  sock          (a PROXY header is read by a filter that leaves the stack
 *   session  ->  sock                    as soon as it has done its work)
 *
 * Results  read and write: bytes (> 0); 0 from read: the peer sent its last byte. Negative: an
 *          error of base/error.def that ends the connection, or FILTER_WANT_IN / FILTER_WANT_OUT:
 *          call again with the same arguments when the socket is readable / writable.
 * Owner    a filter owns itself only; the connection drops the stack from the top down.
 * Threads  the worker that owns the connection.
 */
#ifndef NET_FILTER_H
#define NET_FILTER_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "net/address.h"

enum { FILTER_WANT_IN = -10001, FILTER_WANT_OUT = -10002 };

static inline bool
filter_is_wait(ssize_t r)
{
	return r == FILTER_WANT_IN || r == FILTER_WANT_OUT;
}

struct filter;
struct filter_type {
	const char *name;
	/* The handshake, or the header that comes first. 0 when done. NULL: nothing to do. */
	int     (*start)(struct filter *);
	ssize_t (*read)(struct filter *, char *to, size_t room);
	ssize_t (*write)(struct filter *, const char *p, size_t n);
	/* Holds bytes that epoll no longer knows of: read again before sleeping. */
	bool    (*pending)(struct filter *);
	/* Sends what write has taken and kept. 0, FILTER_WANT_*, or an error. NULL: keeps none. */
	int     (*flush)(struct filter *);
	/* Says goodbye in the filter's own words, once; best effort, never waits. Before flush: it
	 * goes with what was written last. */
	void    (*finish)(struct filter *);
	void    (*drop)(struct filter *);
};

struct filter {
	const struct filter_type *type;
	struct filter            *below;
};

/* --- the socket: the lowest filter of every connection, embedded in it --- */

struct filter_sock {
	struct filter filter;
	int           fd;
	bool          drained; /* the last read has taken all: epoll tells when there is more */
	uint64_t      sent;    /* bytes */
	bool          last;    /* what is written now is the last: it leaves with the end (FIN) */
};
void filter_sock_init(struct filter_sock *, int fd);

/* --- TLS as server --- */

struct tls;
/* 0, or E_NOMEM. */
int        filter_tls_new(struct tls *, struct filter *below, struct filter **ret);
struct str filter_tls_version(struct filter *); /* "TLSv1.3" */
struct str filter_tls_cipher(struct filter *);
/* The data of a channel binding, appended: see conn_tls_binding. */
int        filter_tls_binding(struct filter *, struct str type, struct buf *to);
/* What went wrong in the handshake: "no shared cipher"; a constant. */
const char *filter_tls_trouble(struct filter *);

/* --- PROXY protocol v2, the header only --- */

int  filter_proxy_new(struct filter *below, struct filter **ret);
/* After start: the addresses of the header; false when it named none (LOCAL, UNSPEC). */
bool filter_proxy_result(struct filter *, struct net_addr *ret_peer, struct net_addr *ret_local);

#endif
