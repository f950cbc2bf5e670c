/* SELECT, EXAMINE, CLOSE, UNSELECT. RFC 3501 s6.3.1, s6.3.2, s6.4.2, RFC 3691, RFC 7162 s3.1.2 */
#include "base/error.h"
#include "base/log.h"
#include "serve/imap/verbs.h"

static void
put_mailbox_state(struct imap_session *s, const struct mailbox_status *status)
{
	struct view *v = s->view;

	view_put_flag_list(v, conn_output(s->conn), true);
	imap_untagged(s, "%u EXISTS", ranges_count(&v->uids));
	imap_untagged(s, "%u RECENT", v->recent_told);
	if (status->first_unseen != 0)
		imap_untagged(s, "OK [UNSEEN %u] First unseen.",
		    view_number(v, status->first_unseen));
	imap_untagged(s, "OK [UIDVALIDITY %u] UIDs valid", status->uidvalidity);
	imap_untagged(s, "OK [UIDNEXT %u] Predicted next UID", status->uidnext);
	imap_untagged(s, "OK [HIGHESTMODSEQ %llu] Highest",
	    (unsigned long long)status->highest_modseq);
}

/* Those that can be read are served. */
static void
log_damage(const struct imap_session *s, mailbox_id id, const struct mailbox_status *status)
{
	if (status->damaged != 0)
		log_event(LOG_ERROR, "mailbox-damaged", LOG_U("session", conn_id(s->conn)),
		    LOG_U("account", account_number(s->account)), LOG_U("mailbox", id),
		    LOG_U("unreadable", status->damaged));
}

static enum step
open_mailbox(struct imap_session *s, struct imap_command *c, bool read_only)
{
	struct mailbox_status status;
	mailbox_id            id;
	int                   r;

	/* RFC 3501 s6.3.1: the old mailbox is left also when the new one cannot be had. */
	if (s->view != NULL) {
		imap_deselect(s);
		imap_untagged(s, "OK [CLOSED] Previous mailbox closed.");
	}
	r = mailbox_find(s->account, c->args.select.mailbox, &id);
	if (r == 0)
		r = view_open(s->account, id, read_only, &status, &s->view);
	if (r < 0)
		return imap_fail(s, r);
	log_damage(s, id, &status);
	imap_state_set(s, IMAP_SELECTED);
	if (c->args.select.condstore)
		s->condstore = true;
	put_mailbox_state(s, &status);
	return imap_ok(s, "[READ-%s] %s completed%s.", read_only ? "ONLY" : "WRITE",
	    read_only ? "Examine" : "Select",
	    c->args.select.condstore ? ", CONDSTORE is now enabled" : "");
}

enum step
imap_run_select(struct imap_session *s, struct imap_command *c)
{
	return open_mailbox(s, c, false);
}

enum step
imap_run_examine(struct imap_session *s, struct imap_command *c)
{
	return open_mailbox(s, c, true);
}

/* Expunges without saying so. */
enum step
imap_run_close(struct imap_session *s, struct imap_command *c)
{
	struct actor actor = imap_actor(s);
	uint32_t     from = 0;
	int          r = 0;

	(void)c;
	if (!s->view->read_only) {
		do
			r = message_expunge(s->account, s->view->mailbox, NULL, false, from, &actor,
			    NULL, &from);
		while (r == 0 && from != 0);
	}
	imap_deselect(s);
	return r < 0 && r != E_NO_MAILBOX ? imap_fail(s, r) : imap_ok(s, "Close completed.");
}

enum step
imap_run_unselect(struct imap_session *s, struct imap_command *c)
{
	(void)c;
	imap_deselect(s);
	return imap_ok(s, "Unselect completed.");
}
