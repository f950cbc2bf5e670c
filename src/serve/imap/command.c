#include <strings.h>

#include "base/error.h"
#include "base/log.h"
#include "serve/imap/verbs.h"
#include "serve/login.h"

/* So many bytes of a refused {n+} literal are read and thrown away; beyond that we hang up. */
enum { SKIP_BEFORE_LOGIN_MAX = 64 << 10, SKIP_MAX = 512 << 20 };

static enum step
too_many_errors(struct imap_session *s)
{
	return imap_bye(s, "Too many errors.");
}

/* Puts "tag status text", forgets the command's text, counts errors. */
static enum step
answer(struct imap_session *s, struct str tag, struct str text)
{
	struct buf *out = conn_output(s->conn);

	buf_str(out, tag.n != 0 ? tag : STR("*"));
	buf_byte(out, ' ');
	buf_str(out, text);
	buf_str(out, STR("\r\n"));
	if (str_starts(text, STR("BAD")))
		s->errors++;
	else if (s->state != IMAP_NOT_AUTH)
		s->errors = 0;
	return s->errors > s->server->limits.errors_max ? too_many_errors(s) : STEP_DONE;
}

static enum step
finish(struct imap_session *s)
{
	struct imap_command *c = s->cmd;
	enum step            then = c->then;
	enum step            r = answer(s, c->tag, c->answer);

	if ((c->verb->needs & HIDE_TEXT) != 0 && s->frame.text.p != NULL)
		explicit_bzero(s->frame.text.p, s->frame.text.cap);
	imap_command_drop(s);
	imap_frame_next(&s->frame);
	if (then == STEP_CLOSE)
		imap_state_set(s, IMAP_LOGOUT);
	return r != STEP_DONE ? r : then;
}

void
imap_command_drop(struct imap_session *s)
{
	struct imap_command *c = s->cmd;

	if (c == NULL)
		return;
	if (c->drop != NULL)
		c->drop(c->job);
	s->cmd = NULL;
	arena_reset(&s->arena);
}

/* --- beginning --- */

/* A command that cannot be run: its answer, and the literals that may still come. */
static enum step
refuse(struct imap_session *s, enum imap_frame_event event, struct str tag, const char *text)
{
	char             line[300];
	const char      *status = strncmp(text, "NO ", 3) == 0 ? "" : "BAD ";
	enum step        r;
	const uint64_t   skip_max = s->state == IMAP_NOT_AUTH ? SKIP_BEFORE_LOGIN_MAX : SKIP_MAX;

	snprintf(line, sizeof(line), "%s%s", status, text);
	r = answer(s, tag, str_c(line));
	if (s->state == IMAP_NOT_AUTH && s->frame.text.p != NULL)
		explicit_bzero(s->frame.text.p, s->frame.text.cap);
	if (event == IMAP_FRAME_MESSAGE)
		imap_frame_message_refuse(&s->frame);
	if (event != IMAP_FRAME_COMMAND && s->frame.skip_n > skip_max)
		return imap_bye(s, "[TOOBIG] Literal too big.");
	imap_frame_next(&s->frame);
	arena_reset(&s->arena);
	return r;
}

/* The same for arguments that were not understood: what says why, and may be NULL. */
static enum step
refuse_args(struct imap_session *s, enum imap_frame_event event, struct str tag, int err,
    const char *what)
{
	const struct error_row *row = error_row(err);
	char                    text[200];

	if (what == NULL)
		what = row->text;
	if (strcmp(row->imap_code, "BAD") == 0)
		snprintf(text, sizeof(text), "%c%s.", ascii_upper(what[0]), what + 1);
	else
		snprintf(text, sizeof(text), "NO [%s] %c%s.", row->imap_code, ascii_upper(what[0]),
		    what + 1);
	return refuse(s, event, tag, text);
}

static const char *
wrong_state(const struct imap_session *s, const struct imap_verb *v)
{
	if (s->state == IMAP_NOT_AUTH)
		return "Please log in first.";
	if (v->states == IMAP_SELECTED)
		return "No mailbox selected.";
	return "Command not allowed now.";
}

/* What the row asks for; NULL when all is there. */
static const char *
check_needs(const struct imap_session *s, const struct imap_verb *v)
{
	if ((v->states & s->state) == 0)
		return wrong_state(s, v);
	if ((v->needs & NEED_PRIVATE) != 0 && !login_is_private(s->conn))
		return "NO [PRIVACYREQUIRED] Plaintext login needs TLS: use STARTTLS first.";
	if ((v->needs & NEED_WRITE) != 0 && s->view->read_only)
		return "NO [READ-ONLY] The mailbox is open read-only.";
	return NULL;
}

static enum step
begin(struct imap_session *s, enum imap_frame_event event)
{
	struct imap_reader      r;
	struct imap_head        head = { 0 };
	const struct imap_verb *v;
	struct imap_command    *c = ARENA_NEW(&s->arena, struct imap_command);
	const char             *why;
	int                     err;

	imap_reader_init(&r, buf_view(&s->frame.text), &s->arena);
	if (c == NULL)
		return imap_bye(s, "[UNAVAILABLE] Out of memory.");
	if (imap_read_head(&r, &head) < 0)
		return refuse_args(s, event, head.tag, E_SYNTAX, r.what);
	v = imap_verb_find(head.name, head.uid);
	if (v == NULL)
		return refuse(s, event, head.tag, "Unknown command.");
	why = check_needs(s, v);
	if (why != NULL)
		return refuse(s, event, head.tag, why);
	c->uid = head.uid;
	c->verb = v;
	c->then = STEP_DONE;
	/* Some commands read on while they run: their tag must outlive the text. */
	err = arena_dup(&s->arena, head.tag, &c->tag);
	if (err == 0)
		err = v->parse(&r, &c->args);
	if (err < 0)
		return refuse_args(s, event, head.tag, err, r.what);
	s->cmd = c;
	return imap_command_step(s);
}

static const char *
bad_frame_text(int err)
{
	switch (err) {
	case E_LINE_TOO_LONG:
		return "Command line too long.";
	case E_LIMIT:
		return "Too many or too big literals.";
	default:
		return error_row(err)->text;
	}
}

/* Nothing of a command is there: an idle session holds next to no memory. */
static enum step
wait_for_input(struct imap_session *s)
{
	bool at_start = imap_frame_at_start(&s->frame);

	if (at_start)
		arena_done(&s->arena);
	conn_at_boundary(s->conn, at_start);
	return STEP_NEED;
}

enum step
imap_command_next(struct imap_session *s)
{
	enum imap_frame_event event;
	size_t                used;

	if (s->stopping && imap_frame_at_start(&s->frame))
		return imap_bye(s, "The server is shutting down.");
	if (conn_output_full(s->conn))
		return STEP_MORE;
	for (;;) {
		event = imap_frame_feed(&s->frame, conn_input(s->conn), &used);
		conn_consume(s->conn, used);
		switch (event) {
		case IMAP_FRAME_NEED:
			return wait_for_input(s);
		case IMAP_FRAME_CONTINUE:
			buf_str(conn_output(s->conn), STR("+ OK\r\n"));
			break;
		case IMAP_FRAME_COMMAND:
		case IMAP_FRAME_MESSAGE:
			conn_at_boundary(s->conn, false);
			return begin(s, event);
		case IMAP_FRAME_BAD:
			/* Without its text there is no tag to answer with. */
			if (s->frame.err == E_NOMEM)
				return imap_bye(s, "[UNAVAILABLE] Out of memory.");
			return refuse(s, event, imap_tag_of(buf_view(&s->frame.text)),
			    bad_frame_text(s->frame.err));
		}
	}
}

/* --- running, news, answer --- */

static bool
may_tell_expunges(const struct imap_command *c)
{
	return c->verb->news == NEWS_ALL || (c->verb->news == NEWS_KEEP_NUMBERS && c->uid);
}

static void
collect(struct imap_session *s)
{
	int r;

	if (s->view == NULL || s->cmd->verb->news == NEWS_NONE)
		return;
	r = view_collect(s->view);
	if (r < 0 && r != E_NO_MAILBOX)
		log_event(LOG_WARN, "imap-news-failed", LOG_U("session", conn_id(s->conn)),
		    LOG_ERR(r));
}

static enum step
tell(struct imap_session *s)
{
	struct imap_command *c = s->cmd;
	struct view_telling  t = { s->conn, may_tell_expunges(c), s->condstore };
	enum step            step;
	int                  err;

	if (s->view == NULL || s->view->deleted || c->verb->news == NEWS_NONE)
		return STEP_DONE;
	s->view->with_uid = c->uid;
	step = view_tell(s->view, &t, &err);
	if (err < 0)
		log_event(LOG_WARN, "imap-news-failed", LOG_U("session", conn_id(s->conn)),
		    LOG_ERR(err));
	return step;
}

enum step
imap_command_step(struct imap_session *s)
{
	struct imap_command *c = s->cmd;
	enum step            step;

	if (!c->ran) {
		c->waiting = false;
		step = c->verb->run(s, c);
		c->waiting = step == STEP_WAIT;
		if (step != STEP_DONE)
			return step;
		c->ran = true;
		collect(s);
	}
	step = tell(s);
	if (step != STEP_DONE)
		return step;
	step = finish(s);
	if (step == STEP_DONE && s->view != NULL && s->view->deleted)
		return imap_bye(s, "The selected mailbox was deleted.");
	return step;
}
