/*
 * net/net.h: listeners, epoll workers, connections and their filters, timers and job threads.
 *
 * One epoll set and N workers. The worker that takes a connection's event owns it until it lets it
 * sleep again, so a session needs no lock and its code reads straight down.
 *
 *                       bytes, drained, poke, job done, timeout
 *        .------------------------------------------------------.
 *        v                                                      |
 *   [owned by a worker] -- session->run() until it returns --> [armed]  STEP_NEED  (input)
 *        |                 STEP_NEED/MORE/WAIT                 [armed]  STEP_MORE  (output drained)
 *        |                                                     [parked] STEP_WAIT  (conn_wake only)
 *        '-- STEP_CLOSE, or the peer is gone --> flush --> session->close() --> freed
 *
 * Session  a protocol gives a `struct session_type` to its listener. run() is called by the owning
 *          worker with what happened since the last call; it consumes input from conn_input,
 *          appends output to conn_output, and says what it waits for.
 * Output   is sent when run() returns anything but STEP_DONE, or when it has passed
 *          CONN_OUTPUT_HIGH. Before bytes leave, session->before_send (may be NULL) is called: it
 *          waits until what the reply rests on is durable; on error the output is thrown away,
 *          session->not_durable (may be NULL) says so instead, and the connection is closed.
 *          run() is not called while output waits for a slow peer: pokes are kept until it has
 *          drained, and a deadline that passes meanwhile closes the connection.
 * Memory   a connection that waits for input with empty buffers holds no buffer.
 * Threads  conn_poke and conn_wake from any thread; all else by the owning worker.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/own.h"
#include "net/session.h"

struct net;      /* the whole: epoll set, workers, timers, jobs */
struct conn;     /* one connection */
struct tls;      /* certificates and TLS settings, shared by listeners */

/* --- the whole --- */

struct net_options {
	int      workers;               /* 0: 2 x cores, at least 4 */
	int      job_threads;           /* 0: as many as cores, at least 2 */
	int      jobs_max;              /* waiting jobs; 0: 4096 */
	int      conns_max;             /* in total; 0: 50000 */
	int      conns_per_address_max; /* 0: 1000; loopback is not limited */
	int64_t  shutdown_grace_ms;     /* 0: 10 s */
};

/* Also makes the process ignore SIGPIPE. */
int  net_new(const struct net_options *, struct net **ret);
int  net_start(struct net *); /* starts the threads */
/* Stops accepting, gives each session WHY_SHUTDOWN at its next command boundary, waits for commands
 * in flight up to the grace time, closes the rest, ends the threads. */
void net_stop(struct net *);
void net_drop(struct net *);
OWN_DEFINE(net)

/* --- listeners --- */

enum listen_flags {
	LISTEN_TLS = 1,       /* TLS from the first byte */
	LISTEN_STARTTLS = 2,  /* STEP_TLS is possible: conn_can_tls */
	LISTEN_PROXY = 4      /* a PROXY protocol v2 header comes first; from anyone: firewall it */
};

struct listen_options {
	const char                *name;    /* "imaps" */
	struct str                 address; /* "127.0.0.1:993", "[::1]:143", "*:25" (IPv4 and
	                                       IPv6), or "unix:/path" (mode 0600) */
	unsigned                   flags;
	const struct session_type *type;
	void                      *server;  /* given to type->open */
	struct tls                *tls;     /* borrowed; NULL without TLS */
	struct buf                *detail;  /* or NULL: gets a line for people when it fails */
};

/* Opens a listener; before or after net_start. *ret_port (or NULL) gets the port in use, for ":0".
 * E_SYNTAX (the address), E_IN_USE, E_NO_PERMISSION, E_IO. The options are copied. */
int net_listen(struct net *, const struct listen_options *, int *ret_port);
/* Makes a connected stream socket (such as one end of a socketpair) a connection; takes the fd. */
int net_adopt(struct net *, int fd, const struct session_type *, void *server);
/* Number of open connections. */
size_t net_conns(struct net *);
/* net_stop has begun: a long job looks and ends early. */
bool net_stopping(struct net *);

/* --- TLS --- */

/* Loads a certificate chain and key (PEM). More pairs serve other names by SNI; the first is the
 * default. TLS 1.2 and later, session tickets. */
struct tls_pair {
	const char *cert_path;
	const char *key_path;
};
int  tls_new(const struct tls_pair *, size_t n, struct buf *detail, struct tls **ret);
/* Loads the files again; on error the old ones stay in use. */
int  tls_reload(struct tls *, struct buf *detail);
/* True when a file's mtime or inode is not that of the loaded one. */
bool tls_changed(struct tls *);
void tls_drop(struct tls *);
OWN_DEFINE(tls)

/* --- one connection, for its session --- */

/* Bytes that came and are not consumed yet. The slice is valid until the next conn_consume or the
 * end of run(). */
struct str  conn_input(struct conn *);
void        conn_consume(struct conn *, size_t n);
/* How much input may wait at once: a session with a big token raises it. 64 KiB at first. STEP_NEED
 * with so much not consumed closes the connection: check the length of a line first. */
void        conn_input_max(struct conn *, size_t bytes);
struct buf *conn_output(struct conn *);
bool        conn_output_full(struct conn *); /* at CONN_OUTPUT_HIGH */

bool        conn_is_tls(struct conn *);
bool        conn_can_tls(struct conn *);
/* Both ends are the same host: loopback, or peer address == local address. RFC-less, as Dovecot. */
bool        conn_is_local(struct conn *);
uint64_t    conn_id(struct conn *);              /* for logs, never used again in this process */
struct str  conn_peer(struct conn *);            /* "192.0.2.1", "::1", "unix" */
int         conn_peer_port(struct conn *);
struct str  conn_local(struct conn *);
const char *conn_listener(struct conn *);        /* "imaps" */
struct str  conn_tls_version(struct conn *);     /* "TLSv1.3", or empty */
struct str  conn_tls_cipher(struct conn *);
/* What binds a login to this TLS channel, appended: "tls-exporter" (TLS 1.3, RFC 9266),
 * "tls-server-end-point" (RFC 5929 s4), "tls-unique" (TLS 1.2 with extended master secret, RFC 5929
 * s3, RFC 7627). At most NET_BINDING_MAX bytes. E_UNSUPPORTED: not here. */
enum { NET_BINDING_MAX = 64 };
int         conn_tls_binding(struct conn *, struct str type, struct buf *to);
/* In close and refused, why it ended: "closed" (STEP_CLOSE), "peer closed", "reset", "timeout",
 * "stop", "input limit", "output limit", "not durable" (before_send), "no session" (open),
 * "no memory", "no TLS here", "bad PROXY header", "address limit", or what OpenSSL says of a
 * handshake that failed. */
struct str  conn_end(struct conn *);

/* run() gets WHY_TIMEOUT when this time has passed with nothing received or sent; ms from now, 0:
 * never. Set again after each command, or only when the state changes. Checked every 200 ms. */
void conn_timeout(struct conn *, int64_t idle_ms);
/* WHY_TIMEOUT ms from now whatever comes and goes, 0: never: so a trickle of bytes does not keep a
 * connection open before login. It fires once. */
void conn_deadline(struct conn *, int64_t ms);
/* While parked: wake up by itself after ms (a delay after a wrong password), give or take 200 ms.
 * The next run() cancels it. */
void conn_wake_after(struct conn *, int64_t ms);

/* A session between commands says true, as it is at first: it gets WHY_SHUTDOWN when it next
 * returns STEP_NEED or STEP_DONE, or at once when it sleeps in STEP_NEED. One command a run() is
 * best, so that the stop comes between two. */
void conn_at_boundary(struct conn *, bool);

/* The client has asked for the end, and sends no more (LOGOUT, QUIT): STEP_CLOSE need not wait
 * until it has closed its side, unless input is there all the same. */
void conn_peer_ends(struct conn *);

/* From any thread, as long as the session is known to be open (the caller holds the watch lock, or
 * the session is parked for this very job). Never lost: a running session is run again, and a wake
 * that comes before STEP_WAIT is kept. */
void conn_poke(struct conn *);
/* After before_send gave 1: ask it again. */
void conn_may_send(struct conn *);
void conn_wake(struct conn *);

/* --- jobs: what may take long runs on a bounded pool --- */

/* Runs fn(arg) on a job thread. E_BUSY when the queue is full. A session that parks for it returns
 * STEP_WAIT, and fn ends with conn_wake; the session stays open until then. */
int net_job(struct net *, void (*fn)(void *arg), void *arg);
struct net *conn_net(struct conn *);
/* Runs fn(arg) on a job thread every `every_ms`, first after that time, until net_stop. */
int net_every(struct net *, int64_t every_ms, void (*fn)(void *arg), void *arg);

#endif
