/*
 * bench/load/corpus.h: the messages that are sent, and how they are known when they come back.
 *
 * Shape    made messages: CORPUS_MADE kinds of exactly `size` bytes, each body different, text of
 *          plain words; or the messages of a folder (files *.eml below it), CRLF line ends.
 *          Message n is kind n % n_kinds. A made one carries its number in the Message-ID.
 * Left out of a folder: what servers may change on the way: NUL bytes, lines of more than 998
 *          bytes, a header that is none. corpus_load counts them in `skipped`.
 * Known    a server may add header fields, so a message is known by the length and hash of the
 *          bytes behind its first empty line.
 * Threads  read only after corpus_make or corpus_load.
 */
#ifndef LOAD_CORPUS_H
#define LOAD_CORPUS_H

#include "base/buf.h"
#include "base/map.h"
#include "load/feed.h"

enum { CORPUS_MADE = 64, CORPUS_ID_BYTES = 16, DIGEST_BLOCK_BYTES = 64 };

struct corpus_kind {
	struct str text;
	struct str dotted; /* as SMTP sends it; the number of a made one is at the same place */
	bool       eight_bit;
};

struct corpus {
	struct corpus_kind *kinds;
	size_t              n_kinds, skipped;
	size_t              id_at;  /* of made messages: where the number stands; 0 otherwise */
	uint64_t            id_base; /* other in each run: some servers drop repeated IDs */
	struct map          bodies; /* by hash and length */
	uint64_t            bytes;  /* of all kinds */
};

/* Hash and length of bytes that come in pieces. */
struct digest {
	_Alignas(16) uint64_t lane[DIGEST_BLOCK_BYTES / 8];
	uint64_t n;
	char     carry[DIGEST_BLOCK_BYTES]; /* the bytes that no whole block holds yet */
};

void     digest_init(struct digest *);
void     digest_put(struct digest *, struct str);
uint64_t digest_end(const struct digest *);

/* The body of a message as it comes: what follows the first empty line. */
struct body_sink {
	struct sink   sink;
	struct digest digest;
	uint64_t      n;       /* of the whole message */
	unsigned      matched; /* bytes of CR LF CR LF seen; 4 when the body began */
};

void body_sink_init(struct body_sink *);

int  corpus_make(struct corpus *, size_t size);
int  corpus_load(struct corpus *, const char *folder);
void corpus_done(struct corpus *);
/* Appends message n. */
void corpus_put(const struct corpus *, uint64_t n, struct buf *to);
/* Appends message n with dots stuffed and the final line of a dot, RFC 5321 s4.5.2. */
void corpus_put_dotted(const struct corpus *, uint64_t n, struct buf *to);
bool corpus_eight_bit(const struct corpus *, uint64_t n);
size_t corpus_bytes(const struct corpus *, uint64_t n);
/* Whether this is the body of one of the messages; all of its bytes count. */
bool corpus_knows(const struct corpus *, const struct body_sink *);
/* How many of messages 0..n-1 have the word in their body, in any case. */
uint64_t corpus_hits(const struct corpus *, uint64_t n, struct str word);

#endif
