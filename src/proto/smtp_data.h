/*
 * proto/smtp_data.h: the bytes of a message out of DATA, chunk by chunk: the end found, the doubled
 * dots taken away, everything else as it is. RFC 5321 s4.5.2
 *
 * End      only CRLF "." CRLF (or "." CRLF at once); nothing else ends the data, so no sequence
 *          with a bare CR or LF can smuggle in a command.
 * Bare     a CR without LF or an LF without CR is noted in `bare`; the caller refuses the message
 *          at its end (RFC 5321 s2.3.8). From there on no bytes are given out.
 * Output   slices of the input; nothing is copied, lines may have any length. The result does not
 *          depend on where chunks end.
 * Cost     linear; two memchr a line.
 * Threads  plain value.
 * Tests    tests/unit/proto/smtp_data.c   fuzz/smtp.c
 */
#ifndef PROTO_SMTP_DATA_H
#define PROTO_SMTP_DATA_H

#include "base/str.h"

enum smtp_data_at {
	SMTP_DATA_LINE,    /* at the start of a line */
	SMTP_DATA_DOT,     /* after a dot that starts a line */
	SMTP_DATA_DOT_CR,  /* and a CR behind it */
	SMTP_DATA_TEXT,
	SMTP_DATA_TEXT_CR,
	SMTP_DATA_END
};

struct smtp_data { /* all zero: before the first byte */
	enum smtp_data_at at;
	bool              bare;
};

/* Takes bytes off *in and gives the next slice of the message, which may be empty. Call it until
 * *in is empty or at == SMTP_DATA_END; what is left in *in then are commands. */
struct str smtp_data_next(struct smtp_data *, struct str *in);

/* For BDAT, whose end is counted: looks for bare CR and LF in the bytes of a message, which may
 * come in pieces. Only LINE, TEXT and TEXT_CR are used; a CR at the very end is for the caller to
 * see: at == SMTP_DATA_TEXT_CR. */
void smtp_data_scan(struct smtp_data *, struct str bytes);

#endif
