/*
 * tests/unit/net/rig.h: what the tests of net/ share: a line protocol, clients, certificates.
 *
 * The protocol, one command a line; "hi" is the greeting:
 *   ECHO text      text                         BIG n      n bytes, then a line "end"
 *   STLS           "go", then TLS, then "tls"   PARK       a job, then "woken"
 *   DELAY ms       conn_wake_after, "late"      IDLE       "idle"; each poke then says "poke value"
 *   WHO            peer, port, local, is_local  SPIN       STEP_DONE until rig.release, "spun"
 *   TIMEOUT ms     conn_timeout, "ok"           DEADLINE ms  conn_deadline, "ok"
 *   MAX n          conn_input_max, "ok"         BODY       until a line ".": no boundary, "stored"
 *   TLS            version or "-"               QUIT       "bye", then close
 *   FAT n          n bytes at once, then as PARK  LEAVE    conn_peer_ends, then as QUIT
 *   SLIP           says nothing, leaves an error in the thread's queue of OpenSSL
 * WHY_TIMEOUT says "timeout", WHY_SHUTDOWN says "shutdown", and both close.
 */
#ifndef TESTS_NET_RIG_H
#define TESTS_NET_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "net/net.h"

struct rig {
	struct net      *net;
	atomic_int       open;         /* sessions now */
	atomic_int       opened;       /* sessions ever */
	atomic_int       jobs;         /* run */
	atomic_int       entered;      /* BODY, PARK and DELAY that have begun */
	atomic_int       sends;        /* before_send was called */
	atomic_int       send_error;   /* what before_send returns */
	atomic_int       tell_lost;    /* not_durable says "lost" */
	atomic_int       send_later;   /* a job has to allow each send first */
	atomic_int       release;      /* ends SPIN */
	atomic_int       hold_jobs;    /* a job of PARK waits while it is set */
	atomic_int       max_output;   /* the largest output seen by run() */
	atomic_int       refused;      /* connections that ended before a session */
	_Atomic(const char *) end;     /* conn_end of the last that ended */
	atomic_int       wrong_thread; /* run() was entered twice at once */
	_Atomic(struct conn *) idle;   /* the session that idles, to be poked */
	atomic_ulong     value;        /* what a poke shows */
	atomic_ulong     seen;         /* the last value that an idle session saw */
};

extern const struct session_type LINE_TYPE;

/* A net with few threads; listens on what is asked for. */
void rig_start(struct rig *, const struct net_options *);
int  rig_listen(struct rig *, const char *address, unsigned flags, struct tls *);
void rig_stop(struct rig *);

/* No connection is open, and the last ended for this reason. */
void rig_expect_end(struct rig *, const char *why);

/* Waits up to 10 s until the condition holds. */
#define WAIT_FOR(cond)                                                                           \
	do {                                                                                     \
		for (int tries_ = 0; tries_ < 10000 && !(cond); tries_++)                        \
			rig_nap();                                                               \
		assert_true(cond);                                                               \
	} while (0)
void rig_nap(void); /* 1 ms */

/* --- clients: blocking sockets with a time limit of 10 s --- */

struct client {
	int      fd;
	SSL     *ssl;
	char     in[8192];
	size_t   n;
};

int  client_connect(int port); /* the fd, or -1 */
int  client_reach(int fd, int port); /* connect(2) */
void client_open(struct client *, int port);
void client_of(struct client *, int fd);
void client_close(struct client *);
/* As client; SNI may be NULL. Returns the result of SSL_connect. */
int  client_tls(struct client *, const char *sni);
void client_send(struct client *, const char *text);
/* Reads a line and compares it. */
void client_expect(struct client *, const char *line);
/* Sends a command and expects its answer. */
void client_ask(struct client *, const char *command, const char *line);
/* Reads n bytes and throws them away. */
void client_skip(struct client *, size_t n);
/* True when the server has closed: end of file or a reset. */
bool client_is_closed(struct client *);

/* --- certificates in a folder of the test's own --- */

const char *rig_folder(void); /* made once */
/* Self-signed for the names (comma separated DNS names); writes NAME.pem and NAME.key. */
void rig_make_cert(const char *file, const char *names);
struct tls_pair rig_pair(const char *file); /* its paths; rig_free_pair */
void rig_free_pair(struct tls_pair *);
/* Puts the files of one in the place of another's, as renewing does. */
void rig_move_pair(const char *from, const char *to);
void rig_move_key(const char *from, const char *to);
void rig_clean(void);

#endif
