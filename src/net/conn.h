/*
 * net/conn.h: one connection from inside: its slot, its phases, who may touch what.
 *
 * Slot     connections live in slots that are never unmapped while the net lives (net/slab.h), so a
 *          late event or poke may always look. `gen` tells the tenants of a slot apart.
 *
 *   state, under guard.lock                     phase, the owner's
 *
 *            .--------- claim ---------.         START -- header, handshake --> RUN
 *            v                         |         RUN   -- run() returned -----> FLUSH
 *   OWNED -- sleep --> ARMED ----------+         FLUSH -- DONE NEED MORE -----> RUN
 *            |           | post        |               -- TLS ----------------> START
 *            +-- PARKED -+--> QUEUED --'               -- WAIT --------------> PARK -- wake --> RUN
 *            |                                         -- CLOSE --------------> LINGER
 *            '-- free                            LINGER -- peer closed, or time is up --> freed
 *
 * When before_send says "not yet" FLUSH leads to HOLD, and conn_may_send leads back.
 *
 * Threads  guard by its lock. All else by the owner: the worker that claimed it, until it sleeps.
 * Sleep    conn_sleep looks at what was posted or has fired and goes to sleep under one lock;
 *          conn_post and conn_claim_event note and wake under it too: nothing is lost in between.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/lock.h"
#include "net/filter.h"
#include "net/net.h"

enum {
	START_MS = 30 * 1000,       /* a header or a handshake may take this long */
	CLOSE_STALL_MS = 30 * 1000, /* the last output may stand still this long */
	LINGER_MS = 2 * 1000,       /* the peer may take this long to close its side */
	TURNS_MAX = 64              /* then the other connections have their turn */
};

enum conn_state { CONN_FREE, CONN_OWNED, CONN_ARMED, CONN_PARKED, CONN_QUEUED };
enum conn_phase { PHASE_START, PHASE_RUN, PHASE_FLUSH, PHASE_HOLD, PHASE_PARK, PHASE_LINGER };

/* What others may post, beside WHY_POKE, WHY_WAKE and WHY_TIMEOUT. */
enum {
	POST_STOP = 1 << 16, /* the server stops: look */
	POST_KILL = 1 << 17, /* close at once */
	POST_MAY_SEND = 1 << 18
};

struct conn_guard {
	struct lock     lock;
	enum conn_state state;
	uint32_t        gen;
	unsigned        posted;
	uint32_t        fired; /* epoll events since the owner looked last */
	uint32_t        want;  /* the events that end this sleep, while ARMED */
	unsigned        wakes; /* posted bits that end this sleep */
	struct list     queue; /* the run queue's link, while QUEUED */
};

struct conn_in {
	char  *p;
	size_t off, n, cap; /* not consumed: p[off..n) */
	size_t max;
	bool   lent;        /* p is the worker's scratch memory */
	bool   readable;    /* a read may bring something; epoll tells of it once only */
	bool   hung_up;     /* epoll has told of the end: read on until it shows */
	bool   wants_out;   /* the last read waits for the socket to be writable */
	bool   eof;
	bool   eof_told;
};

struct conn_out {
	struct buf buf;
	size_t     sent;
	size_t     cleared; /* before_send has spoken for so many bytes */
	bool       taken_back; /* the rest was not durable; before_send is not asked again */
};

/* Monotonic milliseconds; 0: none. */
struct conn_time {
	int64_t idle_ms; /* a length */
	int64_t moved;   /* bytes came or went, or the idle time was set anew */
	int64_t deadline;
	int64_t phase_end; /* of START and LINGER */
	int64_t wake;      /* conn_wake_after */
};

struct conn_who {
	uint64_t        id;
	struct net_addr peer, local;
	bool            counted;    /* in the per-address table */
	bool            proxied;
	bool            local_known;
	char            peer_text[NET_ADDR_TEXT_MAX];
	char            local_text[NET_ADDR_TEXT_MAX];
};

struct listener;
struct worker;

struct conn {
	struct conn_guard          guard;
	uint32_t                   index; /* of the slot */
	_Atomic int64_t           *due;   /* when the sweeper wakes it; INT64_MAX: never */
	struct net                *net;
	struct worker             *worker; /* the owner */
	struct listener           *listener; /* NULL: adopted */
	const struct session_type *type;
	void                      *server;
	void                      *session;
	bool                       opened, had_session; /* the session is there; was there */
	bool                       boundary, stop_told;
	bool                       peer_ends; /* conn_peer_ends was called */
	bool                       in_pieces; /* what was sent last may end in the middle */
	bool                       dead;  /* the wire is gone, but the session waits for a wake */
	uint32_t                   armed; /* what epoll looks for; 0: it does not know the socket */
	enum conn_phase            phase;
	enum step                  step;  /* what run() returned last */
	unsigned                   why;   /* for the next run() */
	uint32_t                   want;  /* epoll events to sleep for; 0: park */
	const char                *end;   /* why it ends */
	struct filter             *top;
	struct filter             *tls;   /* in the stack, or NULL */
	struct filter_sock         sock;
	struct conn_in             in;
	struct conn_out            out;
	struct conn_time           time;
	struct conn_who            who;
};

/* --- turn.c: the phases --- */

/* Makes a claimed slot a connection on fd (taken, also on error) that has not begun. */
void conn_begin(struct conn *, int fd);
/* Works on an owned connection until it sleeps or ends. The caller forgets it. */
void conn_work(struct worker *, struct conn *);
/* Ends an owned connection at once: session, filters, buffers, slot. */
void conn_free(struct conn *);

/* --- guard.c: owning, posting, sleeping --- */

/* An event of epoll: true when the caller now owns the connection; else its owner sees it. */
bool conn_claim_event(struct conn *, uint32_t gen, uint32_t events);
/* One taken from the run queue. */
void conn_claim_queued(struct conn *);
/* Posts bits; wakes the connection if it sleeps for one of them. Any thread. */
void conn_post(struct conn *, unsigned bits);
/* As above, by the sweeper, if it is due. */
void conn_post_due(struct conn *, int64_t now);
/* Takes what was posted and has fired: poke and wake into c->why, the rest is returned. */
unsigned conn_posted(struct conn *);
/* Gives the connection up to sleep for c->want and `wakes`, until `due`. 1: it sleeps, and is no
 * longer the caller's. 0: something was posted or fired. E_NOMEM: epoll refused. */
int  conn_sleep(struct conn *, unsigned wakes, int64_t due);
/* Gives the connection up to be run later, behind the others. */
void conn_requeue(struct conn *);

/* --- io.c: bytes in and out --- */

/* Reads what is there. > 0: bytes came; 0: none now, or in.eof; E_LIMIT: there is no room, the
 * session does not consume; or another error. */
ssize_t conn_fill(struct conn *);
/* Writes what is to be sent. 0: all sent; FILTER_WANT_*; FLUSH_HOLD: before_send said 1;
 * FLUSH_REFUSED: it gave an error; or an error of the wire. */
enum { FLUSH_HOLD = 1, FLUSH_REFUSED = 2 };
int     conn_flush(struct conn *);
/* Throws away what before_send has not spoken for; what is put in now is sent without it. */
void    conn_take_back(struct conn *);
/* What a filter kept: the ticket after STARTTLS, an answer to a change of keys. As above. */
int     conn_flush_kept(struct conn *);
/* Bytes came that no event will tell of. */
bool    conn_has_unread(struct conn *);
/* Gives back lent memory, and empty buffers, before the connection leaves the worker. */
int     conn_settle(struct conn *);
void    conn_borrow_output(struct conn *);
void    conn_forget_input(struct conn *); /* throws away what came */
void    conn_drop_buffers(struct conn *); /* frees both */

#endif
