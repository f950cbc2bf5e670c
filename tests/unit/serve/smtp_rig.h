/*
 * A whole server in memory for the tests of serve/smtp: kv_mem under kv_fault, store, directory,
 * auth and net, with a client at the other end of a socketpair. Everything fails the test by
 * itself.
 */
#ifndef TESTS_SMTP_RIG_H
#define TESTS_SMTP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/error.h"
#include "base/own.h"
#include "serve/smtp/smtp.h"

struct rig {
	struct kv       *memory; /* kv_mem, owned by */
	struct kv       *kv;     /* the kv_fault, owned by the store */
	struct server    server;
	const struct session_type *type; /* of the next client */
	pthread_t        stopper;
	bool             stopping;
	/* domain example.com: */
	uint64_t         ann, ben, dora; /* accounts; dora is disabled */
	uint64_t         cara;           /* at most 2000 bytes */
};

/* setup and teardown for cmocka; *state is the rig. */
int rig_up(void **state);
int rig_down(void **state);
/* Begins the shutdown of net, as main does; rig_down waits for its end. */
void rig_stop_soon(struct rig *);

struct client {
	int        fd;
	struct buf got; /* read and not yet looked at */
	struct buf reply;
};
struct client *client_open(struct rig *); /* has read the greeting */
void           client_close(struct client *);
void           client_send(struct client *, struct str);
/* The next whole reply with its line ends, valid until the next call. Empty: the peer has closed.
 * */
struct str     client_reply(struct client *);
/* Sends the line with CRLF and checks how the reply begins. */
void           say(struct client *, const char *line, const char *want);
void           expect(struct client *, const char *want);
void           expect_closed(struct client *);
/* EHLO or LHLO, MAIL from x@elsewhere.test (ann@example.com on submission, after AUTH), RCPT. */
void           open_mail(struct client *, const char *hello, const char *from, const char *to);

/* Messages in the account's INBOX. */
uint32_t       inbox_count(struct rig *, uint64_t account);
/* Appends the last message there as it is stored. */
void           inbox_last(struct rig *, uint64_t account, struct buf *to);
/* Is the last message the trace fields, then exactly this? */
void           check_last(struct rig *, uint64_t account, struct str want);

#endif
