/*
 * serve/smtp/smtp.h: the sessions of SMTP (RFC 5321), LMTP (RFC 2033) and submission (RFC 6409):
 * one program, three listener kinds. See docs/SMTP.md.
 *
 * Use      a listener gets one of the types and the struct server as its server. Submission on 465
 *          is the submission kind with TLS from the first byte (RFC 8314).
 */
#ifndef SERVE_SMTP_SMTP_H
#define SERVE_SMTP_SMTP_H

#include "serve/server.h"

extern const struct session_type SMTP_SESSION;       /* port 25: mail for our own accounts */
extern const struct session_type LMTP_SESSION;       /* from a mail server next to us */
extern const struct session_type SUBMISSION_SESSION; /* 587, 465: from our own accounts */

#endif
