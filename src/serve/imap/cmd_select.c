/* SELECT, EXAMINE, CLOSE, UNSELECT. RFC 3501 s6.3.1, s6.3.2, s6.4.2, RFC 3691, RFC 7162 s3.1.2 */
#include "base/error.h"
#include "base/log.h"
#include "serve/imap/digits.h"
#include "serve/imap/verbs.h"

/* Room for the lines below with the longest numbers. */
enum { STATE_ROOM = 320 };

static void
put_mailbox_state(struct imap_session *s, const struct mailbox_status *status)
{
	struct view *v = s->view;
	struct buf  *out = conn_output(s->conn);
	char        *room, *p;

	view_put_flag_list(v, out, true);
	p = room = buf_room(out, STATE_ROOM);
	if (room == NULL)
		return;
	p = put_digits(PUT_TEXT(p, "* "), ranges_count(&v->uids));
	p = put_digits(PUT_TEXT(p, " EXISTS\r\n* "), v->recent_told);
	p = PUT_TEXT(p, " RECENT\r\n");
	if (status->first_unseen != 0) {
		p = put_digits(PUT_TEXT(p, "* OK [UNSEEN "), view_number(v, status->first_unseen));
		p = PUT_TEXT(p, "] First unseen.\r\n");
	}
	p = put_digits(PUT_TEXT(p, "* OK [UIDVALIDITY "), status->uidvalidity);
	p = put_digits(PUT_TEXT(p, "] UIDs valid\r\n* OK [UIDNEXT "), status->uidnext);
	p = PUT_TEXT(p, "] Predicted next UID\r\n* OK [HIGHESTMODSEQ ");
	p = PUT_TEXT(put_digits(p, status->highest_modseq), "] Highest\r\n");
	buf_commit(out, (size_t)(p - room));
}

static enum step
answer(struct imap_session *s, bool read_only, bool condstore)
{
	if (condstore)
		return imap_ok(s, "[READ-%s] %s completed, CONDSTORE is now enabled.",
		    read_only ? "ONLY" : "WRITE", read_only ? "Examine" : "Select");
	return read_only ? imap_ok(s, "[READ-ONLY] Examine completed.")
			 : imap_ok(s, "[READ-WRITE] Select completed.");
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
		buf_str(conn_output(s->conn),
		    STR("* OK [CLOSED] Previous mailbox closed.\r\n"));
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
	return answer(s, read_only, c->args.select.condstore);
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
