/*
 * A whole server in memory for the tests of serve/pop3: kv_mem under kv_fault, store, directory,
 * auth and net, with a client at the other end of a socketpair. Everything fails the test by
 * itself.
 */
#ifndef TESTS_POP3_RIG_H
#define TESTS_POP3_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/own.h"
#include "serve/pop3/pop3.h"
#include "store/device.h"

struct rig {
	struct kv    *kv; /* the kv_fault; the store owns it */
	struct server server;
	uint64_t      ann, dora; /* ann@example.com, dora@example.com who is disabled; "secret" */
};

/* setup and teardown for cmocka; *state is the rig. */
int rig_up(void **state);
int rig_down(void **state);

/* --- what is in ann's INBOX --- */

#define MESSAGE_1 "From: a@x\r\nSubject: one\r\n\r\nline 1\r\n.line 2\r\n..\r\n"
#define MESSAGE_2 "Subject: two\r\n\r\n"
#define MESSAGE_3 "Subject: three\r\n\r\nno line end"

void      put_message(struct rig *, struct str text);
void      put_three(struct rig *); /* MESSAGE_1 to MESSAGE_3 */
kv_ticket put_message_unsynced(struct rig *, struct str text);
uint32_t count_messages(struct rig *);
uint32_t count_trash(struct rig *);
uint32_t count_seen(struct rig *);
struct account *open_inbox(struct rig *, mailbox_id *ret);
void     expunge_uid(struct rig *, uint32_t uid); /* as another session would */

/* --- a client --- */

/* A session with three messages that uses all verbs and changes nothing. */
#define SCRIPT                                                                                   \
	"CAPA\r\nUSER ann@example.com\r\nPASS secret\r\nSTAT\r\nLIST\r\nRETR 1\r\nTOP 3 1\n"     \
	"UIDL 2\r\nDELE 2\r\nNOSUCH\r\nRSET\r\nQUIT\r\n"

struct client {
	int        fd;
	struct buf got; /* read and not yet looked at */
	struct buf reply;
};
struct client *client_open(struct rig *); /* has read the greeting */
struct client *client_adopt(int fd);      /* nothing is read */
struct client *client_login(struct rig *); /* as ann */
struct client *client_login_as(struct rig *, const char *login); /* with ann's password */
void           client_close(struct client *);
void           client_send(struct client *, struct str);
/* The next line without its end, valid until the next call. Empty: the peer has closed. */
struct str     client_line(struct client *);
/* The body of a multi-line answer, with its dots taken away; valid until the next call. */
struct str     client_body(struct client *);
/* Sends the line with CRLF and checks how the reply begins. */
void           say(struct client *, const char *line, const char *want);
void           expect(struct client *, const char *want);
void           expect_body(struct client *, const char *want);
void           expect_closed(struct client *);
void           wait_for_conns(struct rig *, size_t n);

#endif
