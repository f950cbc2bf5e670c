/*
 * net/whole.h: struct net from inside.
 *
 * Epoll    one set. An event's 64 bits are slot index (low) and generation (high); the indexes from
 *          TAG_LISTENER on are listeners, TAG_RUN is the run queue's eventfd.
 * Run      the run queue holds connections that were woken by something else than their socket.
 *          run_fd is edge-triggered: each write wakes one worker, which takes connections until
 *          none is left, or it had RUN_TURNS of them. Whenever the queue is not empty a write has
 *          been made that no worker has answered yet (run_called): a worker is coming.
 */
#ifndef NET_WHOLE_H
#define NET_WHOLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "net/conn.h"
#include "net/jobs.h"
#include "net/slab.h"

enum { TAG_RUN = 0xffffffffu, TAG_LISTENER = 0xffff0000u };
enum {
	LISTENERS_MAX = 256,
	SWEEP_MS = 200,
	RUN_TURNS = 32, /* of the run queue, before the sockets are looked at again */
	SCRATCH_BYTES = 64 << 10,    /* one read, at most */
	SPARE_OUT_BYTES = 512 << 10  /* a bigger output buffer is not kept for the next */
};

struct listener {
	struct lock           lock; /* fd and paused */
	int                   fd;   /* -1: closed */
	bool                  paused;
	struct listen_options opt;
	char                 *name;
	char                 *path; /* of a unix socket, or NULL */
	uint64_t              ino;
	struct net           *net;
	uint32_t              tag;
};

struct worker {
	struct net *net;
	pthread_t   thread;
	char       *scratch; /* SCRATCH_BYTES; lent to the connection it works on */
	struct buf  spare;   /* an output buffer for the next connection */
};

struct net {
	struct net_options  opt; /* with the defaults filled in */
	int                 epoll_fd;
	int                 run_fd;
	int                 sweep_fd; /* told to end the sweeper */
	struct lock         run_lock;
	struct list         run;
	bool                run_called;
	struct slab         slab;
	struct jobs         jobs;
	struct lock         listen_lock;
	struct listener    *listeners[LISTENERS_MAX];
	atomic_size_t       listeners_n;
	struct worker      *workers;
	int                 workers_n; /* running */
	pthread_t           sweeper;
	bool                sweeping;
	bool                stopped;
	atomic_bool         stopping;
	atomic_bool         quitting;
	atomic_ullong       next_id;
};

/* --- worker.c --- */

void *worker_main(void *worker);
int   worker_init(struct worker *, struct net *);
void  worker_done(struct worker *);
/* Puts a QUEUED connection into the run queue and wakes a worker for it. */
void  net_run(struct net *, struct conn *);
/* Wakes one worker: for the run queue, or to see that it is time to quit. */
void  net_signal(struct net *);

/* --- listener.c --- */

/* Accepts one connection, owned by the caller; NULL when there is none or it was refused. */
struct conn *listener_accept(struct listener *);
/* Those that paused because the process had no file descriptors left try again. */
void         listener_resume(struct listener *);
void         listener_close(struct listener *);
void         listener_drop(struct listener *);

/* --- timer.c --- */

void *timer_main(void *net);

#endif
