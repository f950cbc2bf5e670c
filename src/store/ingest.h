/*
 * store/ingest.h: a message on its way in. Internal to store/; its calls are in store/message.h.
 *
 * Split    the blob's header is the header section, or its first BLOB_HEADER_MAX bytes when it is
 *          longer; all that follows is the blob's body. Where the header section ends for IMAP is
 *          another number (struct message: header_n), which the parser gives; the two differ for
 *          giant headers only.
 * Memory   at most BLOB_HEADER_MAX and one KV_BLOB_PIECE of the bytes, and the parser's arena. A
 *          body of up to one piece goes into the commit of the first append; a longer one is
 *          written piece by piece as it comes.
 * Parse    never fails a delivery: the parser bounds what it finds to a few MB (mime/message.h), so
 *          that the facts are always within KV_VALUE_MAX and the arena.
 */
#ifndef STORE_INGEST_H
#define STORE_INGEST_H

#include "mime/message.h"
#include "store/thread.h"

enum {
	BLOB_HEADER_MAX = 1 << 20,
	INGEST_ARENA_MAX = 48 << 20
};

struct ingest {
	struct store          *store;
	uint64_t               generation; /* kv_generation at the start */
	uint64_t               size_max;
	uint64_t               size;
	uint64_t               bare_lf_n;
	char                   last; /* byte; LF before the first */
	int                    err;
	bool                   ended;
	struct arena           arena;
	struct message_parser *parser;

	struct kv_blob_id blob;
	bool              in_body;
	bool              line_begins; /* the next byte is the first of a line */
	bool              after_cr;    /* the line has one CR so far, nothing else */
	struct buf        header;
	struct buf        piece;       /* of the body, not written yet */
	uint32_t          n_pieces;    /* written */
	bool              written;     /* all of the blob is in kv */

	uint64_t             header_n; /* of the header section */
	struct buf           facts;    /* facts_record */
	struct message_links links;
};

/* May it be appended? E_STATE before ingest_end, E_CONFLICT when its blob may be lost (kv.h,
 * Failure), and the error that writing ended with. */
int ingest_ready(const struct ingest *);
/* As in struct message; what is not known exactly is not said: 0. */
uint32_t ingest_wire_more(const struct ingest *);
/* Puts into the commit what of the blob is not in kv yet. */
void ingest_put(const struct ingest *, struct kv_batch *);

#endif
