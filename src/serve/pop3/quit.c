/* QUIT and the UPDATE state. RFC 1939 s6 */
#include "base/error.h"
#include "base/log.h"
#include "serve/alarm.h"
#include "serve/pop3/session.h"

/* Nothing that was read or done is told from here on, so the reply needs no sync to stand on. */
static enum step
update_failed(struct pop3_session *s, int err)
{
	log_event(LOG_ERROR, "pop3-update-failed", LOG_U("session", conn_id(s->conn)),
	    LOG_U("account", account_number(s->box.account)), LOG_ERR(err));
	pop3_box_done(&s->box);
	pop3_err_text(s, err, "some deleted messages were not removed");
	return STEP_CLOSE;
}

/* One part of the stage that the session is in; *ret_done: all stages are through. */
static int
update_part(struct pop3_session *s, const struct actor *actor, bool *ret_done)
{
	struct pop3_box *b = &s->box;
	bool             done = false;
	int              r;

	switch (s->stage) {
	case STAGE_NOTE:
		r = pop3_box_note(b, actor);
		done = true;
		break;
	case STAGE_REMOVE:
		r = pop3_box_remove(b, actor, &done);
		if (r == 0 && done && b->removal.removed_n != 0)
			alarm_after_removal(s->server, b->account, b->view.device, actor);
		break;
	default:
		r = pop3_box_set_seen(b, actor, &done);
		*ret_done = r == 0 && done;
		return r;
	}
	if (r == 0 && done)
		s->stage++;
	return r;
}

enum step
pop3_update_more(struct pop3_session *s)
{
	struct actor actor = pop3_actor(s);
	bool         done = false;
	int          r = update_part(s, &actor, &done);

	s->n_removed = s->box.removal.removed_n;
	if (r == 0 && !done)
		return STEP_DONE;
	if (r == 0)
		r = account_barrier(s->box.account);
	if (r < 0)
		return update_failed(s, r);
	pop3_ok(s, "bye, %u messages left", s->box.n_left);
	return STEP_CLOSE;
}

enum step
pop3_quit(struct pop3_session *s, const union pop3_args *a)
{
	(void)a;
	if (s->state == POP3_AUTHORIZATION) {
		pop3_ok(s, "bye");
		return STEP_CLOSE;
	}
	pop3_set_state(s, POP3_UPDATE);
	return STEP_DONE;
}

void
pop3_note_fetched(struct pop3_session *s)
{
	struct actor actor = pop3_actor(s);
	int          r = s->box.account != NULL ? pop3_box_note(&s->box, &actor) : 0;

	if (r < 0 && r != E_NOT_FOUND)
		log_event(LOG_WARN, "pop3-note-failed", LOG_U("session", conn_id(s->conn)),
		    LOG_U("account", account_number(s->box.account)), LOG_ERR(r));
}
