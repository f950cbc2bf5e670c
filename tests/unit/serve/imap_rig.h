/*
 * A whole small server for the tests of serve/imap: net, memory store, directory, and clients at
 * the other end of socketpairs, which play scripts.
 *
 *   play(r, "1> a1 NOOP\n"          client 1 sends a line (CRLF is added; \xNN as in C)
 *            "1< a1 OK ~\n"          and gets one; '~' stands for any text
 *            "1+ abc\n"              sends without a line end
 *            "1= abc\n"              exactly these bytes come, wherever lines end
 *            "1.\n"                  the connection is closed
 *            "1* a1\n"               lines up to and with the one that begins "a1 " are skipped
 *            "1! a1\n");             as '*', and that one must be OK
 */
#ifndef TESTS_IMAP_RIG_H
#define TESTS_IMAP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "serve/imap/session.h"

enum { RIG_CLIENTS = 10 };

struct client {
	int        fd;
	struct buf in;
};

struct rig {
	struct server  server;
	struct kv     *kv;      /* a kv_fault around memory */
	struct client  clients[RIG_CLIENTS];
	uint64_t       account; /* of alice@example.org, password "secret" */
	struct buf     line;    /* the last one that was read */
	bool           shows_progress; /* the lines of searches that go on are read, too */
};

int  rig_setup(void **state); /* cmocka's: *state is a struct rig */
int  rig_teardown(void **state);
/* Opens client n and reads its greeting. */
void rig_open(struct rig *, int n);
/* Opened and logged in; then `select` (or NULL) is selected. */
void rig_login(struct rig *, int n, const char *select);
void rig_close(struct rig *, int n);
void play(struct rig *, const char *script);
/* Sends raw bytes. try: false when the connection is closed. */
void client_put(struct client *, struct str bytes);
bool client_try_put(struct client *, struct str bytes);
/* Passes over n bytes; false at the end of the connection. */
bool client_skip(struct client *, size_t n);
/* Exactly these bytes come. */
void client_expect_bytes(struct client *, struct str want);
/* The next line without its end; fails after some seconds. */
struct str client_line(struct rig *, struct client *);
/* n messages into a mailbox through the store, with Subject "message <i>" from `first` on. */
void rig_fill(struct rig *, const char *mailbox, int first, int n);
/* The account for direct use of the store. */
struct account *rig_account(struct rig *);

/* A test that has a fresh rig. */
#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

#endif
