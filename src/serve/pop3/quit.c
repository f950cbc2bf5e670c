/* QUIT and the UPDATE state. RFC 1939 s6 */
#include "base/error.h"
#include "base/log.h"
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

enum step
pop3_update_more(struct pop3_session *s)
{
	struct actor actor = pop3_actor(s);
	bool         done = false;
	int          r = pop3_box_update(&s->box, &actor, &done);

	if (r == 0 && !done)
		return STEP_DONE;
	if (r == 0)
		r = account_barrier(s->box.account);
	if (r < 0)
		return update_failed(s, r);
	s->n_deleted = s->box.n - s->box.n_left;
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
