#include "serve/server.h"

void
server_limits_default(struct server_limits *l)
{
	*l = (struct server_limits){
		.message_max = (uint64_t)100 << 20,
		.rcpt_max = 1000,
		.received_max = 100,            /* RFC 5321 s6.3: at least 100 */
		.errors_max = 20,
		.smtp_idle_ms = 5 * 60 * 1000,
		.imap_idle_ms = 31 * 60 * 1000, /* more than the 30 minutes clients count on */
		.pop3_idle_ms = 10 * 60 * 1000,
		.login_idle_ms = 2 * 60 * 1000,
	};
}
