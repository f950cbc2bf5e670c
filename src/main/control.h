/*
 * main/control.h: a command's line to the store: the running server's control socket, or, when no
 * server runs, the same session in this process.
 *
 * Errors   told on standard error; an exit code comes back.
 * Threads  one.
 */
#ifndef MAIN_CONTROL_H
#define MAIN_CONTROL_H

#include <jansson.h>

#include "main/engine.h"

struct control {
	int           fd;
	struct buf    in;     /* read and not used yet */
	struct engine engine; /* when no server runs */
	bool          has_engine;
};

/* The session in this process points into the struct: it stays where it is until control_close. */
int  control_open(const struct config *, struct control *);
void control_close(struct control *);

/* Sends a request object (taken over). */
int control_send(struct control *, json_t *request);
int control_send_bytes(struct control *, struct str);
/* Reads one object; the caller's to json_decref. */
int control_receive(struct control *, json_t **ret);
/* Reads n raw bytes in pieces: each to fn(arg). */
int control_receive_bytes(struct control *, uint64_t n, int (*fn)(void *arg, struct str),
    void *arg);
/* Tells why a reply is not ok; EXIT_OK when it is. */
int control_check(const json_t *reply);
/* Send, receive, check. */
int control_call(struct control *, json_t *request, json_t **ret_reply);

#endif
