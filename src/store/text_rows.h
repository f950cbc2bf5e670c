/*
 * store/text_rows.h: the rows of the partition KV_TEXT <account id>, byte by byte. Internal to
 * store/.
 *
 *   key              value
 *   'a'              text_state: u8 version, u64 next: the background has seen all emails below it
 *   'c' chunk:8be    text_chunk: u8 version, var n, then n times: var email, u64 mark, u8 bits
 *                    (1 has a date, 2 is large), u32 day if it has a date, var top_n, var head_n,
 *                    var n; then var bytes of all texts together, and they packed (codec/lz.h)
 *   'd' page:8be     text_page: u8 version, then for TEXT_PAGE emails from page * TEXT_PAGE on, in
 *                    runs: var count, var chunk (0: their text is not kept)
 *
 * A chunk's number is the version of its commit. `mark` is half of the blob's id: a text is that of
 * a message only when both email and mark are the same.
 *
 * Errors   decoding: E_CORRUPT, also for a version that is not known; E_NOMEM.
 */
#ifndef STORE_TEXT_ROWS_H
#define STORE_TEXT_ROWS_H

#include "store/keys.h"
#include "store/text.h"

enum {
	TEXT_VERSION = 1,
	TEXT_PAGE = 256,
	TEXT_CHUNK_BYTES = 128 << 10, /* a chunk that has so much is full */
	TEXT_CHUNK_MESSAGES = 1024,
	TEXT_PLAIN_MAX = TEXT_CHUNK_BYTES + TEXT_KEEP_MAX
};

struct text_entry {
	email_id         email;
	uint64_t         mark;
	struct text_date date;
	bool             is_large;
	size_t           at; /* in the plain text */
	size_t           top_n, head_n, n;
};

struct text_chunk {
	struct text_entry *entries; /* room for TEXT_CHUNK_MESSAGES */
	size_t             n;
	size_t             hint; /* where the next look-up begins */
	struct buf         plain;
};

struct text_page {
	uint64_t chunk[TEXT_PAGE];
};

struct kv_part text_part(account_id);
struct key     key_text_state(void);
struct key     key_text_chunk(uint64_t chunk);
struct key     key_text_page(uint64_t page);
int            key_read_text(struct str key, char kind, uint64_t *ret); /* 'c' or 'd' */

uint64_t text_mark(const struct message *);

int  text_chunk_init(struct text_chunk *);
void text_chunk_done(struct text_chunk *);
void text_chunk_reset(struct text_chunk *);
/* An entry's folded text. */
struct str text_entry_text(const struct text_chunk *, const struct text_entry *);
/* The entry gets its place and length. E_LIMIT: the chunk is full. */
int  text_chunk_add(struct text_chunk *, const struct text_entry *, struct str folded);
int  text_chunk_pack(const struct text_chunk *, struct buf *to);
/* Without the texts when `entries_only`. */
int  text_chunk_unpack(struct str value, bool entries_only, struct text_chunk *);
/* NULL when there is none. */
const struct text_entry *text_chunk_find(struct text_chunk *, email_id);

void text_page_pack(const struct text_page *, struct buf *to);
int  text_page_unpack(struct str value, struct text_page *ret);

/* --- for the rest of store/: deletion and housekeeping --- */

/* Deletes the texts of emails that are to be purged: none of them is in a mailbox any more. Takes
 * the account's lock, for one chunk at a time. */
int text_remove(struct account *, const email_id *, size_t n);
/* The same for one email, with the lock held. */
int text_remove_one(struct account *, email_id);
/* Deletes all that is kept of an account. */
int text_remove_all(struct store *, account_id);
/* Is so much not made yet that text_part_make is worth while? */
int text_is_behind(struct store *, account_id, email_id next_email, bool *ret);
/* Calls fault for each text that is not of a message, or that the directory does not lead to, and
 * for each row that cannot be read. With the lock held. */
struct text_check {
	void (*fault)(void *arg, const char *text);
	void *arg;
};
int text_verify(struct account *, const struct text_check *);
/* Makes texts until the time is over; *ret_done when there are none to make. */
int text_part_make(struct account *, int64_t budget_ms, bool *ret_done);

#endif
