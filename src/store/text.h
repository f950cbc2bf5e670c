/*
 * store/text.h: what messages say, decoded and folded for comparison once, and kept: what SEARCH
 * looks in.
 *
 * Text     of one message, valid UTF-8 in the form of codec/casefold.h, in three regions:
 *            [0, top_n)         the fields of its own header, "NAME: value"
 *            [top_n, head_n)    those of its parts and of the messages in it
 *            [head_n, n)        its text parts (text, and message parts that are not taken apart),
 *                               decoded from transfer encoding and charset
 *          Each field and each body ends with a byte TEXT_END, which no folded string has: what is
 *          found lies within one of them. Fields are unfolded, encoded words are decoded, a run of
 *          blanks is one blank; From, To, Cc and Bcc have behind the value a line "Name
 *          <mailbox@domain>" for each address.
 * Kept     in chunks of many messages, packed, in the partition KV_TEXT of the account
 *          (store/text_rows.h). They are derived: what is missing or unreadable is made again from
 *          the messages, their commits are no changes of the account (no modseq, no watcher), and
 *          they count in no quota. A message keeps its text through MOVE, EXPUNGE and restore; it
 *          goes for good when the message is purged.
 * Large    text over TEXT_KEEP_MAX is not kept, only that it is so: it is decoded at each search.
 * Made     by text_tend some time after delivery, and by a search that misses it.
 * Errors   E_MESSAGE_GONE, E_NOMEM, errors of the storage.
 * Threads  readers, builders and keepers have one owner at a time; any number of them on one
 *          account. Keeping takes the account's lock for the commit alone.
 * Tests    tests/unit/store/text.c   tests/unit/serve/imap_search_text.c   fuzz/text.c
 */
#ifndef STORE_TEXT_H
#define STORE_TEXT_H

#include "store/message.h"

enum { TEXT_KEEP_MAX = 1 << 20, TEXT_HEADER_MAX = 1 << 20 };
#define TEXT_END '\xff'

/* Of the first Date field that can be read. */
struct text_date {
	bool    is_there;
	int32_t day; /* in the field's own zone, as date_day gives it */
};

struct text {
	struct str       folded;
	size_t           top_n;
	size_t           head_n;
	struct text_date date;
	bool             is_large; /* there is no text here; the date is */
};

/* --- decoding --- */

enum text_where { TEXT_IN_TOP, TEXT_IN_PART, TEXT_IN_BODY };

/* A field, or a piece of a body. */
struct text_piece {
	enum text_where where;
	struct str      name;    /* of a field, as it stands; empty for a line that is none */
	struct str      folded;
	size_t          value;   /* of a field: where its value begins */
	bool            is_last; /* of the field or body */
};

/* put: 0 to go on, 1 to end early, or an error. */
struct text_sink {
	int (*put)(void *arg, const struct text_piece *);
	void *arg;
};

struct text_builder;
int  text_builder_new(struct account *, struct text_builder **ret);
void text_builder_drop(struct text_builder *);
OWN_DEFINE(text_builder)

/* What is wanted of a message. */
struct text_want {
	mailbox_id            mailbox; /* where it is */
	const struct message *message;
	bool                  top_only; /* its own header and no more */
};
/* Gives the sink one piece after the other, in bounded memory. */
int text_decode(struct text_builder *, const struct text_want *, const struct text_sink *,
    struct text_date *ret);
/* The whole text, in the builder until its next call. */
int text_make(struct text_builder *, const struct text_want *, struct text *ret);

/* --- reading what is kept --- */

struct text_reader;
int  text_reader_new(struct account *, struct text_reader **ret);
void text_reader_drop(struct text_reader *);
OWN_DEFINE(text_reader)

/* The chunk that a message's text is in; 0: it is not kept. Cheapest in the order of emails. */
int  text_locate(struct text_reader *, email_id, uint64_t *ret_chunk);
/* Unpacks a chunk, unless it is the one that is open. E_NOT_FOUND: it is not there (any more). */
int  text_open(struct text_reader *, uint64_t chunk);
/* The message's text in the open chunk, valid until the next text_open. */
bool text_get(struct text_reader *, const struct message *, struct text *ret);

/* --- keeping --- */

struct text_keeper;
int  text_keeper_new(struct account *, struct text_keeper **ret);
void text_keeper_drop(struct text_keeper *); /* what was not flushed is not kept */
OWN_DEFINE(text_keeper)

/* Adds a text; a full chunk is written. */
int    text_keep(struct text_keeper *, const struct message *, const struct text *);
/* Writes what there is; nobody waits for the disk. Texts that others kept first, and those of
 * messages that are gone, are left out. */
int    text_flush(struct text_keeper *);
/* Of texts that were added since the last write. */
size_t text_waiting(const struct text_keeper *);
/* Texts that were written by this keeper. */
size_t text_written(const struct text_keeper *);

#endif
