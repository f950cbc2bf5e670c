/*
 * serve/imap/view.h: a selected mailbox as one session knows it: message numbers, and the news it
 * was not told yet. RFC 3501 s5.2, s7.3, s7.4.1, RFC 2180
 *
 * Numbers  uids holds the UIDs the client knows: message i is its i-th member. A message that
 *          another session expunged stays in it until EXPUNGE is told, so numbers never shift
 *          unsaid.
 * News     view_collect reads the change log since `modseq` into the sets gone, changed, marked and
 *          added; view_tell writes what is in them and empties them, piece by piece. Both may be
 *          called at any time; nothing is told twice and nothing is lost between them.
 * Own      changes that the client knows of by its own command are named with view_own before
 *          view_collect: they are not told as news.
 * Cost     near linear in what changed, in any order; memory within ranges of the mailbox.
 * Threads  the session's worker.
 */
#ifndef SERVE_IMAP_VIEW_H
#define SERVE_IMAP_VIEW_H

#include "net/net.h"
#include "store/message.h"

enum { VIEW_OWN_MAX = 8 };

struct view {
	struct account *account;      /* borrowed from the session */
	mailbox_id      mailbox;
	bool            read_only;
	bool            deleted;      /* the mailbox is gone: the session ends */
	bool            took_recent;  /* messages came in and were told as \Recent */
	bool            with_uid;     /* FETCH answers of the next view_tell name the UID */
	uint32_t        uidvalidity;
	uint32_t        uidnext_told; /* above all UIDs the client was told of */
	uint32_t        recent_told;
	unsigned        keywords_told;
	uint64_t        modseq;       /* changes up to here are in the sets */
	struct ranges   uids;
	struct ranges   recent;       /* those that are \Recent here; may hold gone ones */
	struct ranges   gone;         /* of uids: expunged, not told yet */
	struct ranges   changed;      /* of uids: flags to tell */
	struct ranges   marked;       /* of uids: MODSEQ to tell, as the client knows the flags */
	struct ranges   added;        /* not in uids yet */
	uint64_t        own[VIEW_OWN_MAX];
	unsigned        n_own;
};

/* Opens the mailbox; *ret_status is that of the same moment. */
int  view_open(struct account *, mailbox_id, bool read_only, struct mailbox_status *ret_status,
     struct view **ret);
void view_drop(struct view *);
OWN_DEFINE(view)

/* Takes in what changed since the last time. E_NO_MAILBOX when the mailbox is deleted. */
int view_collect(struct view *);
/* Is there anything to tell? */
bool view_has_news(const struct view *, bool expunges);

/* Writes the news. STEP_DONE when all is told, STEP_MORE when the output is full; *ret_err (always
 * set) is 0 or why the messages could not be read. */
struct view_telling {
	struct conn *conn;
	bool         expunges; /* may EXPUNGE be told now */
	bool         condstore; /* MODSEQ goes with FLAGS */
};
enum step view_tell(struct view *, const struct view_telling *, int *ret_err);

/* Numbers of one's own change: view_own_begin before it, view_own_end behind it. What comes between
 * is not told, unless somebody else changed something at the same moment. */
uint64_t view_own_begin(struct view *);
void     view_own_end(struct view *, uint64_t begun);

/* Drops UIDs of messages that did not change after `since`, as far as that is cheap to know: by the
 * mailbox's own modseq and by the log. The messages that are left must still be looked at. */
int view_keep_changed(const struct view *, uint64_t since, struct ranges *uids);

uint32_t view_number(const struct view *, uint32_t uid); /* of a member */
bool     view_is_recent(const struct view *, uint32_t uid);
uint32_t view_recent_count(const struct view *);

/* "FLAGS (...)" and PERMANENTFLAGS as untagged lines, when keywords came that were not named yet,
 * or always. Before any answer that uses them. */
void view_put_flag_list(struct view *, struct buf *, bool always);
/* The same when one of these flags was not named yet. */
void view_put_flag_list_for(struct view *, struct buf *, const struct flags *);
/* "\Seen $Junk": the flags of one message, with \Recent. */
void view_put_flags(struct view *, struct buf *, const struct message *);

#endif
