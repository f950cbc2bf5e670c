/*
 * serve/imap/fetch.h: one FETCH under way: which messages, and where in the answer of one it is.
 *
 * Use      fetch_message_begin for a message, then fetch_message_more until it returns FETCH_DONE.
 *          FETCH_FULL: the output must drain; what the rest of the answer needs was copied, so the
 *          walk may be paused.
 * Memory   one piece of a body (KV_BLOB_PIECE) above the output's high mark; one header section for
 *          a HEADER.FIELDS that the facts cannot answer.
 */
#ifndef SERVE_IMAP_FETCH_H
#define SERVE_IMAP_FETCH_H

#include "serve/imap/session.h"
#include "serve/imap/walk.h"
#include "store/fields.h"

enum { FETCH_DONE = 0, FETCH_FULL = 1 };

/* The message whose answer is under way. */
struct fetch_message {
	bool                 open;
	struct message       m;
	struct message_facts facts;
	struct buf           facts_hold;  /* what facts point into, once the walk was paused */
	size_t               item;        /* next of ask->items */
	bool                 any;         /* an item was put: a blank comes before the next */
	bool                 in_literal;
	uint64_t             literal_off; /* in the message */
	uint64_t             literal_left;
	size_t               line_at;     /* where its line begins in the output; while `whole` */
	bool                 whole;       /* no byte of the line was sent yet */
	struct message_part *parts;       /* NULL until needed */
	uint32_t             n_parts;
	struct arena         parts_arena;
	struct buf           header;      /* a header section */
	struct buf           chosen;      /* the fields that were chosen from it */
};

struct fetch {
	struct imap_session     *session;
	const struct imap_fetch *ask;
	struct str              *names;      /* "BODY[TEXT]<0> " for each item with a section */
	struct fields_ask       *fields;     /* what each HEADER.FIELDS of the whole message asks */
	struct fields_found     *found_fields; /* what answers it, in now.facts.fields */
	bool                     put_uid;    /* UID FETCH: the UID comes first, asked for or not */
	bool                     has_flags;  /* FLAGS is among the items */
	bool                     has_modseq;
	bool                     has_fields;
	bool                     needs_facts;
	bool                     needs_record;
	struct ranges            uids;       /* what is asked for */
	uint32_t                 found;      /* of uids, so far */
	uint32_t                 n_damaged;  /* of these, that cannot be read */
	struct walk              walk;
	bool                     sets_seen;  /* a body without PEEK, in a read-write mailbox */
	uint32_t                 seen_upto;  /* \Seen is set on all of uids up to here */
	struct ranges            seen;       /* those where that was new */
	struct fetch_message     now;
};

/* f is all zeros; `ask` outlives it. 0 or E_NOMEM; fetch_done in both cases. */
int  fetch_init(struct fetch *, struct imap_session *, const struct imap_fetch *ask, bool uid);
void fetch_done(struct fetch *);

/* What the walk must bring for it. */
enum message_parts fetch_parts(const struct fetch *);
/* The message is in f->now.m, and its facts in f->now.facts. E_MESSAGE_GONE when it is expunged and
 * more of it is needed; nothing was put then. */
int  fetch_message_begin(struct fetch *);
/* FETCH_DONE, FETCH_FULL or an error. After an error with `whole` the line was taken back; else a
 * literal is cut off and nothing but closing is left. */
int  fetch_message_more(struct fetch *);

#endif
