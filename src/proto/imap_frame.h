/*
 * proto/imap_frame.h: where an IMAP command ends. RFC 9051 s2.2.1, s4.3, RFC 7888 (LITERAL+)
 *
 *             feed
 *   [start] --------> [line] --"{n}" CRLF--> CONTINUE --> [literal] --> [line]
 *      ^                | \---"{n+}" CRLF-----------------^
 *      |                |---- CRLF ------------> COMMAND --> [done] -- imap_frame_next --> [start]
 *      |                |---- message literal -> MESSAGE --> [message]
 *      |                |         imap_frame_message_end    (it was streamed) --> [line]
 *      |                |         imap_frame_message_keep   (as any other)    --> [literal]
 *      |                |         imap_frame_message_refuse --> [skip] or [start]
 *      '-- [skip] <-----'---- over a limit ----> BAD
 *
 * Use      imap_frame_feed takes bytes as they come and says how many it used. At COMMAND `text`
 *          is the whole command with its literals and its last CRLF, for imap_reader; it stays
 *          valid until imap_frame_next, which the session calls when the reply is complete.
 *          The literal of APPEND's message is not kept: MESSAGE says that `literal_n` bytes of
 *          it come next in the input; the session takes them from there by itself.
 * Lines    CRLF, and a bare LF too. Empty lines before a command are passed over. A literal is
 *          what a line's end says, also inside an open quote: so the two sides never disagree
 *          about where a command begins.
 * Cost     every byte is looked at once, however the input is cut; memory within the limits.
 * Errors   E_LINE_TOO_LONG, E_LIMIT (literals), E_NOMEM, with BAD in `err`.
 * Threads  plain value.
 * Tests    tests/unit/proto/imap_frame.c   fuzz/imap.c
 */
#ifndef PROTO_IMAP_FRAME_H
#define PROTO_IMAP_FRAME_H

#include "base/buf.h"

struct imap_frame_limits {
	uint32_t line_max;        /* bytes of a command without its literals */
	uint32_t literals_max;    /* in one command */
	uint32_t literal_sum_max; /* bytes of the kept literals of one command */
	uint32_t nonsync_max;     /* bytes of one kept {n+}; 0: no limit. 4096 for LITERAL- */
};
#define IMAP_FRAME_BEFORE_LOGIN ((struct imap_frame_limits){ 16384, 10, 8192, 0 })
#define IMAP_FRAME_AFTER_LOGIN ((struct imap_frame_limits){ 65536, 100, 1 << 20, 0 })

enum imap_frame_event {
	IMAP_FRAME_NEED,     /* all input is used, more is needed */
	IMAP_FRAME_CONTINUE, /* send "+ OK", feed on: the client waits to send a literal */
	IMAP_FRAME_COMMAND,  /* text is a command (or the line that was asked for) */
	IMAP_FRAME_MESSAGE,  /* text ends with "{n}" CRLF of a message literal; see literal_n */
	IMAP_FRAME_BAD       /* err; text has the tag if there was one. Answer BAD and feed on: the
	                      * rest of the command is passed over, skip_n bytes of a literal {n+}
	                      * too: close the connection when those are too many. */
};

struct imap_frame {
	struct imap_frame_limits limits;
	struct buf               text;
	int                      err;
	uint64_t                 literal_n;    /* MESSAGE: its size */
	bool                     literal_sync; /* MESSAGE: the client waits for "+ OK" */
	uint64_t                 skip_n;
	/* private */
	uint8_t                  state;
	bool                     has_message; /* MESSAGE was reported in this command */
	bool                     is_line;     /* imap_frame_expect_line */
	uint32_t                 line_n;      /* bytes of the command outside literals */
	uint32_t                 n_literals;
	size_t                   segment;     /* where the current line begins in text */
	uint64_t                 left;        /* of the literal that is read or passed over */
	uint64_t                 literal_sum;
	char                     tail[32];    /* the last bytes of a line that is passed over */
	uint8_t                  tail_n;
};

void imap_frame_init(struct imap_frame *, struct imap_frame_limits);
void imap_frame_done(struct imap_frame *);
/* Between commands. */
void imap_frame_limits_set(struct imap_frame *, struct imap_frame_limits);

/* *used: how much of `in` to consume. Not to be called after COMMAND before imap_frame_next. */
enum imap_frame_event imap_frame_feed(struct imap_frame *, struct str in, size_t *used);

/* The command is answered: forget its text. Releases the memory of all but small commands. Does
 * nothing to a command that is still being passed over. */
void imap_frame_next(struct imap_frame *);
/* The next line is no command: an answer to a SASL challenge. It comes as COMMAND, may be empty,
 * and "{n}" at its end means nothing. To be called after imap_frame_next. */
void imap_frame_expect_line(struct imap_frame *);

/* --- after MESSAGE, one of: --- */
/* All literal_n bytes were taken: text begins anew with what follows them (" (flags) {n}", ")" or
 * CRLF): another MESSAGE or a COMMAND. */
void imap_frame_message_end(struct imap_frame *);
/* Keep this literal in text as any other: CATENATE URL. May answer BAD: feed says so. */
void imap_frame_message_keep(struct imap_frame *);
/* The session answers NO or BAD now. A synchronizing literal ends the command at once; the bytes
 * of {n+} and the rest of the command are passed over by feed (see skip_n). */
void imap_frame_message_refuse(struct imap_frame *);

/* True between commands: nothing of a command has come yet. */
bool imap_frame_at_start(const struct imap_frame *);

#endif
