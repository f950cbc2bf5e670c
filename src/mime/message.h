/*
 * mime/message.h: one streaming pass over a message of any size, in bounded memory.
 *
 * Use      message_parser_new; message_parser_feed for each chunk as it comes; message_parser_end
 *          gives the summary. No chunk is kept; what the summary needs is copied into the arena.
 * Input    any bytes. Malformed input never fails: it yields the best reading, and past a limit the
 *          rest is treated as plain content of the part at hand. Time is linear in the input.
 *          Line ends: CRLF is the rule; a bare LF ends a line too. Sizes and lines are those of the
 *          bytes as they are.
 * Output   the answers of IMAP as they go on the wire: RFC 9051 s7.5.2 (ENVELOPE, BODY,
 *          BODYSTRUCTURE), RFC 3501 s7.4.2. Strings are quoted where possible, else literals with
 *          CRLF after the count; an empty string is "", never {0}. Names as in
 *          the header, 8-bit bytes pass as literal (RFC 6855 lets UTF-8 be quoted; the session
 *          decides nothing here).
 * Limits   past header_bytes the rest of a header section is skipped. A part at the limit of depth
 *          is shown as application/octet-stream; at the limit of parts, or when all parts make more
 *          than 2 * header_bytes of wire bytes, no more parts are looked for. Address lists end at
 *          256 KiB. With the default header_bytes envelope, body and body_structure are together at
 *          most 14 MiB, whatever comes.
 * Memory   all in the arena: a letter 8 KiB, with the default limits at most 28 MiB.
 * Errors   E_NOMEM only.
 * Threads  plain value.
 * Tests    tests/unit/mime/   fuzz/mime.c
 */
#ifndef MIME_MESSAGE_H
#define MIME_MESSAGE_H

#include "base/arena.h"
#include "base/buf.h"

struct message_limits {
	size_t   header_bytes; /* of one header section that is looked at; 0: 1 MiB */
	uint32_t depth;        /* nesting of multipart and message/rfc822; 0: 50 */
	uint32_t parts;        /* in all; 0: 1000 */
	uint32_t params;       /* of one field; 0: 64 */
	uint32_t addresses;    /* of one field; 0: 2000 */
};

enum mime_encoding { /* Content-Transfer-Encoding, RFC 2045 s6 */
	ENCODING_7BIT,
	ENCODING_8BIT,
	ENCODING_BINARY,
	ENCODING_QP,
	ENCODING_BASE64,
	ENCODING_UNKNOWN /* decoding gives the bytes as they are */
};

/* One part. Offsets count from the message's first byte. */
struct message_part {
	uint32_t           parent;      /* index in the array; itself for the root */
	uint32_t           n_children;  /* direct children, which follow in order of appearance */
	uint32_t           first_child; /* index, or 0 */
	uint32_t           next;        /* index of the next sibling, or 0 */
	uint64_t           header_off;  /* the part's header, with the empty line that ends it */
	uint64_t           header_n;
	uint64_t           body_off;
	uint64_t           body_n;      /* without the line end that belongs to the boundary */
	uint32_t           body_lines;
	bool               is_multipart;
	bool               is_message;  /* message/rfc822 or global: its child is the message */
	enum mime_encoding encoding;
	struct str         type;        /* lower case, "text"; at most 127 bytes */
	struct str         subtype;     /* lower case, "plain" */
	struct str         charset;     /* lower case, may be empty */
};

struct message_summary {
	uint64_t             size;
	uint64_t             header_n;  /* bytes of the header section with its empty line */
	uint32_t             lines;     /* of the whole message */
	struct message_part *parts;     /* [0] is the message itself */
	uint32_t             n_parts;
	struct str           envelope;       /* "(...)" */
	struct str           body;           /* BODY: without extension data */
	struct str           body_structure; /* BODYSTRUCTURE */
	/* For THREAD, SORT, search and JMAP: the first of each, unfolded; may be empty. */
	struct str           message_id;     /* with its <> */
	struct str           in_reply_to;
	struct str           references;
	struct str           subject;        /* raw, encoded words not decoded */
	int64_t              date_ms;        /* of the Date field; INT64_MIN when absent or bad */
};

struct message_parser;
int  message_parser_new(const struct message_limits *, struct arena *, struct message_parser **ret);
int  message_parser_feed(struct message_parser *, struct str chunk);
/* The summary lives in the arena. The parser is used up. */
int  message_parser_end(struct message_parser *, struct message_summary *ret);
/* All of it at once. */
int  message_parse(struct str whole, const struct message_limits *, struct arena *,
     struct message_summary *ret);

/* The parts array as bytes for the store, and back. unpack: E_CORRUPT, E_NOMEM. */
void message_parts_pack(const struct message_summary *, struct buf *to);
int message_parts_unpack(
    struct str bytes, struct arena *, struct message_part **ret, uint32_t *ret_n);

/* Finds the part of an IMAP section number such as "1.2" (RFC 9051 s6.4.5.1). path has n numbers.
 * For a message/rfc822 part with multipart inside, numbers go on inside the multipart; "1" of a
 * non-multipart message is its body. NULL when there is none. */
const struct message_part *message_part_find(
    const struct message_part *parts, uint32_t n_parts, const uint32_t *path, size_t n);

#endif
