/*
 * serve/server.h: what all sessions share: the store, the directory, limits. Made by main/,
 * read-only while connections are open, except through the locks of its members.
 */
#ifndef SERVE_SERVER_H
#define SERVE_SERVER_H

#include "auth/auth.h"
#include "net/net.h"
#include "store/message.h"

struct server_limits {
	uint64_t message_max;      /* bytes, SIZE of SMTP and APPEND's limit */
	uint32_t rcpt_max;         /* recipients of one SMTP transaction */
	uint32_t received_max;     /* Received fields: more is a loop */
	uint32_t errors_max;       /* bad commands before the connection is closed */
	int64_t  smtp_idle_ms;     /* RFC 5321 s4.5.3.2: 5 minutes */
	int64_t  imap_idle_ms;     /* RFC 9051 s5.4: at least 30 minutes */
	int64_t  pop3_idle_ms;     /* RFC 1939 s3: at least 10 minutes */
	int64_t  login_idle_ms;    /* before login, all protocols */
};

struct pop3_settings {
	int64_t login_delay_ms; /* between logins of a device, RFC 2449 s6.5; 0: none */
	bool    exclusive;      /* one session at a time on an account, RFC 1939 s4 */
	bool    utf8_refused;   /* UTF-8 in headers to who did not say UTF8, RFC 6856 s2.1 */
};

struct server {
	struct net          *net;
	struct store        *store;
	struct directory    *directory;
	struct auth         *auth;
	struct str           hostname;
	struct str           version;   /* "0.1.0" */
	struct server_limits limits;
	struct pop3_settings pop3;
	struct quota         new_account_quota;
};

/* The defaults that config.def shows. */
void server_limits_default(struct server_limits *);

#endif
