/* IDLE. RFC 2177 */
#include "base/error.h"
#include "base/log.h"
#include "serve/imap/verbs.h"

/* Shorter than the 5 minutes after which many routers forget a quiet connection. */
enum { IDLE_NOTICE_MS = 4 * 60 * 1000 };

static void
on_change(void *arg)
{
	conn_poke(arg);
}

static void
idle_drop(void *job)
{
	struct imap_session *s = job;

	if (s->watch.notify != NULL)
		account_unwatch(s->account, &s->watch);
	s->watch.notify = NULL;
}

static void
start_idle(struct imap_session *s, struct imap_command *c)
{
	buf_str(conn_output(s->conn), STR("+ idling\r\n"));
	imap_frame_next(&s->frame);
	imap_frame_expect_line(&s->frame);
	c->job = s;
	c->drop = idle_drop;
	if (s->view != NULL) {
		s->watch = (struct watch){ .notify = on_change, .arg = s->conn };
		account_watch(s->account, &s->watch);
	}
	conn_timeout(s->conn, IDLE_NOTICE_MS);
	conn_at_boundary(s->conn, true);
}

static enum step
end_idle(struct imap_session *s, struct str line)
{
	conn_at_boundary(s->conn, false);
	conn_timeout(s->conn, s->server->limits.imap_idle_ms);
	if (!str_ieq(line, STR("DONE")))
		return imap_bad(s, "Expected DONE.");
	return imap_ok(s, "Idle completed.");
}

/* Everything there is to tell; the watch was set before, so nothing falls between. */
static enum step
tell_news(struct imap_session *s)
{
	struct view_telling t = { s->conn, true, s->condstore };
	enum step           step;
	int                 r = view_collect(s->view);

	if (r == E_NO_MAILBOX)
		return imap_bye(s, "The selected mailbox was deleted.");
	s->view->with_uid = false;
	step = view_tell(s->view, &t, &r);
	if (r < 0)
		log_event(LOG_WARN, "imap-news-failed", LOG_U("session", conn_id(s->conn)),
		    LOG_ERR(r));
	return step == STEP_DONE ? STEP_NEED : step;
}

enum step
imap_run_idle(struct imap_session *s, struct imap_command *c)
{
	struct str line;
	enum step  step;

	if (c->job == NULL)
		start_idle(s, c);
	step = imap_read_line(s, &line);
	if (step == STEP_DONE)
		return end_idle(s, line);
	if (step != STEP_NEED)
		return step;
	if (s->stopping)
		return imap_bye(s, "The server is shutting down.");
	if ((s->why & WHY_TIMEOUT) != 0) {
		imap_untagged(s, "OK Still here");
		conn_timeout(s->conn, IDLE_NOTICE_MS);
	}
	return s->view != NULL ? tell_news(s) : STEP_NEED;
}
