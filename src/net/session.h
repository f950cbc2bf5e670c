/*
 * net/session.h: what a protocol is to its connections: how it is run, and what it answers. The
 * head of net/net.h draws when.
 */
#ifndef NET_SESSION_H
#define NET_SESSION_H

struct conn;

enum step {
	STEP_DONE,  /* made progress; call run() again at once */
	STEP_NEED,  /* needs more input; also woken by conn_poke */
	STEP_MORE,  /* has more to say when the output has drained; not woken by input */
	STEP_WAIT,  /* parked, not armed: woken by conn_wake (a job's end) or conn_wake_after only;
	               never closed meanwhile, even if the peer is gone or the server stops */
	STEP_TLS,   /* send the output, throw away input that was already read, start TLS as server,
	               then run() again with WHY_TLS */
	STEP_CLOSE  /* send the output, then close */
};

/* Why run() is called; a set of bits. */
enum why {
	WHY_OPEN = 1,      /* first call: greet */
	WHY_INPUT = 2,     /* input may have come */
	WHY_DRAINED = 4,   /* output is sent; after STEP_MORE */
	WHY_POKE = 8,      /* conn_poke was called */
	WHY_WAKE = 16,     /* conn_wake was called; after STEP_WAIT */
	WHY_TIMEOUT = 32,  /* the deadline passed: say so and return STEP_CLOSE, or set a new one */
	WHY_SHUTDOWN = 64, /* the server stops: say so at a command's end and return STEP_CLOSE */
	WHY_TLS = 128,     /* TLS is on */
	WHY_EOF = 256      /* the peer sent its last byte; input may still hold commands. STEP_NEED
	                      then means that all is done: the output is sent, and it is closed */
};

enum {
	CONN_OUTPUT_HIGH = 256 << 10, /* producers stop here and return STEP_MORE */
	CONN_OUTPUT_MAX = 64 << 20    /* the buffer's own limit: a reply over it is the end */
};

struct session_type {
	const char *name; /* "imap": for logs */
	/* Makes the session; `server` is the listener's. 0, or an error, which closes. */
	int       (*open)(void *server, struct conn *, void **ret_session);
	enum step (*run)(void *session, unsigned why);
	/* Or NULL. 0: send; an error closes; 1: not yet. Then conn_may_send will be called, once,
	 * the session stays open until then, and before_send is called again. */
	int       (*before_send)(void *session);
	/* before_send gave an error, and what was to be sent is thrown away. Says so instead, in
	 * words that rest on nothing; they are sent, without before_send, and it is closed. Not
	 * called in the middle of an answer in pieces (after STEP_MORE), where words would be taken
	 * for a part of it, nor while the session waits. Or NULL: closed without a word. */
	void      (*not_durable)(void *session);
	void      (*close)(void *session);       /* frees it; the connection is still readable */
	/* A connection ended before it had a session: conn_end says why. For logs; or NULL. */
	void      (*refused)(void *server, struct conn *);
};

#endif
