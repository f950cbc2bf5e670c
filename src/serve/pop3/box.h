/*
 * serve/pop3/box.h: the mail that one POP3 session sees: its device's view of one moment, which
 * messages are marked as deleted, and which were fetched.
 *
 * Shape    message number i is view.m[i - 1]; ascending by email id. Numbers stay as they are.
 * Sizes    those of the wire: octets with CRLF at each line's end, without the dots that are
 *          doubled (RFC 1939 s11).
 * Lock     none: other sessions go on. What they move or expunge meanwhile can still be read here,
 *          as long as it can be restored; then it is E_MESSAGE_GONE.
 * Memory   56 bytes a message, 4 KiB once any was fetched; at most VIEW_MESSAGES_MAX, the oldest
 *          ones.
 * Work     loading and updating go in parts of bounded size. What was fetched is noted with every
 *          POP3_NOTE_MAX messages, and with the first one after POP3_NOTE_MS.
 * Threads  the session's.
 */
#ifndef SERVE_POP3_BOX_H
#define SERVE_POP3_BOX_H

#include "store/device_view.h"

enum { /* marks of a view_message */
	POP3_DELETED = 1,
	POP3_FETCHED = 2, /* all of it was sent, */
	POP3_READ_IT = 4  /* by RETR */
};

enum { POP3_NOTE_MAX = 1000, POP3_NOTE_MS = 60 * 1000 };

struct pop3_box {
	struct account      *account; /* NULL: not open */
	struct device_view   view;
	uint32_t             n_left;  /* not marked as deleted */
	uint64_t             size_left;
	/* fetched, and not told to journal and ledger yet */
	struct device_counts fetched;
	uint32_t            *fresh;   /* room for POP3_NOTE_MAX indexes of the view; or NULL */
	uint32_t             n_fresh;
	int64_t              noted_ms; /* when the rest was told; clock_mono_ms */
	/* updating */
	struct pop3_removal  removal;
	bool                 planned;
	struct ranges        seen;    /* gets \Seen, */
	uint32_t             seen_at; /* from here on; 0: done */
};

/* Takes the account over, also on error. Then pop3_box_load until it is done. */
int  pop3_box_open(struct pop3_box *, struct account *, device_id);
int  pop3_box_load(struct pop3_box *, bool *ret_done);
void pop3_box_done(struct pop3_box *);

uint64_t pop3_box_size(const struct view_message *);
/* E_NOT_FOUND when there is no such number, or it is marked as deleted. Valid until done. */
int  pop3_box_find(struct pop3_box *, uint32_t number, struct view_message **ret);
void pop3_box_delete(struct pop3_box *, struct view_message *);
void pop3_box_reset(struct pop3_box *);
/* All of it was sent, by RETR or by TOP. true: pop3_box_note is due. */
bool pop3_box_fetched(struct pop3_box *, struct view_message *, bool by_retr);
/* What was fetched goes into journal and ledger, in one commit of bounded size that nobody waits
 * for; also at the end of a session, with QUIT or without. What cannot be noted is forgotten. */
int  pop3_box_note(struct pop3_box *, const struct actor *);

/* Parts of the end of a session, visible at once, and durable after account_barrier: */
/* what is marked is removed by the device's policy, */
int  pop3_box_remove(struct pop3_box *, const struct actor *, bool *ret_done);
/* and the rest that was fetched by RETR gets \Seen. */
int  pop3_box_set_seen(struct pop3_box *, const struct actor *, bool *ret_done);

#endif
