/*
 * bench/load/imap.h: the client's side of IMAP: commands out, answers parsed as they come. RFC 9051
 *
 * Shape    a command is put, flushed and finished; imap_finish takes all answers to the tagged one
 *          and gathers them in a struct imap_seen. One FETCH answer at a time goes to on_fetch.
 * Errors   besides wire.h: E_SYNTAX for a wrong answer, or one that is not OK; client_fail has
 *          the text.
 */
#ifndef LOAD_IMAP_H
#define LOAD_IMAP_H

#include "load/load.h"

/* One FETCH answer. What it does not have is 0. */
struct imap_fetch {
	uint32_t         seq, uid;
	bool             has_flags, is_seen, is_flagged, is_deleted;
	bool             has_size, has_body;
	uint64_t         size;
	uint64_t         envelope_members, structure_members;
	struct body_sink body; /* of the BODY[...] text */
};

/* What a command's answers told. */
struct imap_seen {
	int    (*on_fetch)(struct client *, const struct imap_fetch *); /* may be NULL */
	bool     has_exists, has_status, has_capability, has_bye, has_inbox, has_flags;
	bool     has_append_uid;
	uint64_t exists, uid_validity, uid_next, status_messages;
	uint64_t expunged, searches, hits, lists, fetches;
	uint64_t exists_count; /* how many EXISTS answers there were */
};

enum imap_took { IMAP_UNTAGGED, IMAP_CONTINUE, IMAP_TAGGED };

/* Connects, takes the greeting, STARTTLS where asked, logs in as account n. */
int imap_open(struct client *, const struct endpoint *, uint64_t account);
/* Puts "aN <command>" and CR LF. */
void imap_put(struct client *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Puts "aN " for a command whose rest the caller puts. */
void imap_put_tag(struct client *);
int  imap_flush(struct client *);
/* Takes one answer; a tagged one must be OK and the next in order. */
int  imap_take(struct client *, struct imap_seen *, enum imap_took *ret);
/* Takes all to the tagged answer. */
int  imap_finish(struct client *, struct imap_seen *);
/* Flush and finish. */
int  imap_run(struct client *, struct imap_seen *);
/* Takes answers until the server asks to go on. */
int  imap_until_continue(struct client *, struct imap_seen *);
/* SELECTs --mailbox; checks EXISTS, UIDVALIDITY, FLAGS, and --expect when `exactly`. */
int  imap_select(struct client *, bool exactly, struct imap_seen *ret);
/* Learns the capabilities when no answer told them yet. */
int  imap_know(struct client *, const struct imap_seen *);
/* Puts APPEND of message n to --mailbox, up to its literal; date_ms 0: without an INTERNALDATE. */
void imap_put_append(struct client *, uint64_t n, int64_t date_ms);
/* The whole of it with its answer; the literal is synchronizing without LITERAL+. */
int  imap_append(struct client *, uint64_t n, int64_t date_ms);
/* STATUS (MESSAGES) of --mailbox. */
int  imap_status(struct client *, uint64_t *ret);
int  imap_logout(struct client *);

#endif
