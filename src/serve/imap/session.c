#include "serve/imap/session.h"

#include <stdarg.h>

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "serve/imap/imap.h"
#include "serve/imap/verbs.h"
#include "serve/login.h"

static const char *
state_name(enum imap_state state)
{
	switch (state) {
	case IMAP_NOT_AUTH:
		return "not-authenticated";
	case IMAP_AUTH:
		return "authenticated";
	case IMAP_SELECTED:
		return "selected";
	case IMAP_LOGOUT:
		return "logout";
	}
	return "?";
}

void
imap_state_set(struct imap_session *s, enum imap_state state)
{
	log_event(LOG_DEBUG, "imap-state", LOG_U("session", conn_id(s->conn)),
	    LOG_C("from", state_name(s->state)), LOG_C("to", state_name(state)));
	s->state = state;
}

void
imap_deselect(struct imap_session *s)
{
	if (s->view == NULL)
		return;
	view_drop(TAKE(s->view));
	imap_state_set(s, IMAP_AUTH);
}

struct actor
imap_actor(const struct imap_session *s)
{
	return (struct actor){
		.protocol = ACTOR_IMAP,
		.session = conn_id(s->conn),
		.peer = conn_peer(s->conn),
		.login = s->login,
		.device = s->device,
	};
}

/* --- answers --- */

/* text.p may be NULL: there was no memory for it. */
static void
set_plain_answer(struct imap_session *s, struct str status, struct str text)
{
	const size_t n = status.n + 1 + text.n;
	char        *p = text.p != NULL ? arena_alloc(&s->arena, n) : NULL;

	if (p == NULL) {
		s->cmd->answer = STR("NO [UNAVAILABLE] Out of memory.");
		return;
	}
	memcpy(p, status.p, status.n);
	p[status.n] = ' ';
	memcpy(p + status.n + 1, text.p, text.n);
	s->cmd->answer = str_of(p, n);
}

/* Most texts are as they stand: printing costs more than the rest of a short command. */
static void
set_answer(struct imap_session *s, const char *status, const char *fmt, va_list ap)
{
	char    small[256];
	va_list again;
	char   *text = small;
	int     n;

	if (strchr(fmt, '%') == NULL) {
		set_plain_answer(s, str_c(status), str_c(fmt));
		return;
	}
	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	if (n >= (int)sizeof(small)) {
		text = arena_alloc(&s->arena, (size_t)n + 1);
		if (text != NULL)
			vsnprintf(text, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	set_plain_answer(s, str_c(status), str_c(text));
}

enum step
imap_ok(struct imap_session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_answer(s, "OK", fmt, ap);
	va_end(ap);
	return STEP_DONE;
}

enum step
imap_ok_str(struct imap_session *s, struct str text)
{
	set_plain_answer(s, STR("OK"), text);
	return STEP_DONE;
}

enum step
imap_no(struct imap_session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_answer(s, "NO", fmt, ap);
	va_end(ap);
	return STEP_DONE;
}

enum step
imap_bad(struct imap_session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_answer(s, "BAD", fmt, ap);
	va_end(ap);
	return STEP_DONE;
}

enum step
imap_fail(struct imap_session *s, int err)
{
	const struct error_row *row = error_row(err);

	const char              first = ascii_upper(row->text[0]);

	if (err == E_PARAM)
		return imap_bad(s, "Invalid message set.");
	if (strcmp(row->imap_code, "BAD") == 0)
		return imap_bad(s, "%c%s.", first, row->text + 1);
	if (row->imap_code[0] == '\0')
		return imap_no(s, "%c%s.", first, row->text + 1);
	return imap_no(s, "[%s] %c%s.", row->imap_code, first, row->text + 1);
}

void
imap_untagged(struct imap_session *s, const char *fmt, ...)
{
	struct buf *out = conn_output(s->conn);
	char        line[1024];
	va_list     ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	buf_str(out, STR("* "));
	buf_str(out, str_c(line));
	buf_str(out, STR("\r\n"));
}

enum step
imap_bye(struct imap_session *s, const char *text)
{
	imap_untagged(s, "BYE %s", text);
	imap_state_set(s, IMAP_LOGOUT);
	return STEP_CLOSE;
}

/* --- message sets --- */

/* Number ranges to the stretches of UIDs between their ends. */
static int
numbers_to_uids(const struct ranges *uids, const struct ranges *numbers, struct ranges *ret)
{
	OWN_RANGES struct ranges spans = { 0 };
	int                      r = 0;

	for (size_t i = 0; r == 0 && i < numbers->n; i++)
		r = ranges_add(&spans, ranges_nth(uids, numbers->r[i].lo),
		    ranges_nth(uids, numbers->r[i].hi));
	return r < 0 ? r : ranges_and(&spans, uids, ret);
}

int
imap_set_uids(struct imap_session *s, const struct imap_set *set, bool uid, struct ranges *ret)
{
	const struct ranges     *uids = &s->view->uids;
	uint32_t                 count = ranges_count(uids);
	OWN_RANGES struct ranges closed = { 0 };
	int                      r;

	if (set->saved)
		return E_PARAM;
	if (uid) {
		r = imap_set_close(set, ranges_max(uids), &closed);
		return r < 0 ? r : ranges_and(&closed, uids, ret);
	}
	/* "1:*" is let pass in an empty mailbox, where strictly no number is right. */
	if (imap_set_max(set) > count && !(count == 0 && imap_set_has_star(set)))
		return E_PARAM;
	if (count == 0)
		return 0;
	r = imap_set_close(set, count, &closed);
	return r < 0 ? r : numbers_to_uids(uids, &closed, ret);
}

void
imap_condstore_on(struct imap_session *s)
{
	struct mailbox_status status;
	uint64_t              modseq;

	if (s->condstore)
		return;
	s->condstore = true;
	if (s->view == NULL || mailbox_status(s->account, s->view->mailbox, &status) < 0)
		return;
	/* Never a number whose changes this session has not been told of. */
	modseq = status.highest_modseq < s->view->modseq ? status.highest_modseq : s->view->modseq;
	imap_untagged(s, "OK [HIGHESTMODSEQ %llu] Highest", (unsigned long long)modseq);
}

enum step
imap_read_line(struct imap_session *s, struct str *ret)
{
	size_t used;

	switch (imap_frame_feed(&s->frame, conn_input(s->conn), &used)) {
	case IMAP_FRAME_NEED:
		conn_consume(s->conn, used);
		return STEP_NEED;
	case IMAP_FRAME_COMMAND:
		conn_consume(s->conn, used);
		*ret = str_trim(buf_view(&s->frame.text));
		return STEP_DONE;
	default:
		conn_consume(s->conn, used);
		return imap_bye(s, "Line too long.");
	}
}

/* --- the session type --- */

static int
session_open(void *server, struct conn *conn, void **ret_session)
{
	struct imap_session *s = MEM_NEW(struct imap_session);

	if (s == NULL)
		return E_NOMEM;
	s->server = server;
	s->conn = conn;
	s->state = IMAP_NOT_AUTH;
	arena_init(&s->arena, IMAP_COMMAND_ARENA_MAX);
	imap_frame_init(&s->frame, IMAP_FRAME_BEFORE_LOGIN);
	*ret_session = s;
	return 0;
}

static void
greet(struct imap_session *s)
{
	struct buf *out = conn_output(s->conn);

	buf_str(out, STR("* OK [CAPABILITY "));
	imap_put_capabilities(s, out);
	buf_str(out, STR("] "));
	buf_str(out, s->server->hostname);
	buf_str(out, STR(" Postrider ready.\r\n"));
	conn_deadline(s->conn, s->server->limits.login_idle_ms);
}

static bool
timed_out(const struct imap_session *s)
{
	if ((s->why & WHY_TIMEOUT) == 0)
		return false;
	return s->cmd == NULL || (s->cmd->verb->needs & OWN_TIMEOUT) == 0;
}

static enum step
bye_taken_back(struct imap_session *s)
{
	const char *text = login_ended_text(&s->pass);
	char        line[200];

	snprintf(line, sizeof(line), "[%s] %c%s.", login_ended_code(&s->pass),
	    ascii_upper(text[0]), text + 1);
	return imap_bye(s, line);
}

/* Whoever is here may not be any more. The command under way is not finished: its answer would be
 * theirs. RFC 9051 s7.1.5 */
static enum step
end_taken_back(struct imap_session *s)
{
	login_log_ended(s->conn, STR("imap"), s->login, &s->pass);
	imap_command_drop(s);
	return s->in_pieces ? STEP_CLOSE : bye_taken_back(s);
}

static enum step
go_on(struct imap_session *s)
{
	if (s->cmd != NULL && s->cmd->waiting && (s->why & WHY_WAKE) == 0)
		return STEP_WAIT;
	if (pass_ended(&s->pass) != 0)
		return end_taken_back(s);
	if (s->cmd != NULL && s->cmd->waiting)
		return imap_command_step(s);
	if (timed_out(s))
		return imap_bye(s, "Idle for too long.");
	return s->cmd != NULL ? imap_command_step(s) : imap_command_next(s);
}

static enum step
session_run(void *session, unsigned why)
{
	struct imap_session *s = session;
	enum step            step;

	s->why = why;
	if ((why & WHY_OPEN) != 0)
		greet(s);
	if ((why & WHY_SHUTDOWN) != 0)
		s->stopping = true;
	step = go_on(s);
	s->in_pieces = step == STEP_MORE && s->cmd != NULL;
	return step;
}

static void
on_durable(struct kv_waiter *w)
{
	conn_may_send(CONTAINER_OF(w, struct imap_session, waiter)->conn);
}

/* Others' syncs are not waited for by the worker: more sessions than workers may share one. */
static int
session_before_send(void *session)
{
	struct imap_session *s = session;

	if (s->account == NULL)
		return 0;
	s->waiter.wake = on_durable;
	return account_barrier_or_wake(s->account, &s->waiter);
}

/* RFC 9051 s7.1.5: what was answered is not said, so it was not done for the client. */
static void
session_not_durable(void *session)
{
	struct imap_session *s = session;

	if (pass_ended(&s->pass) != 0) {
		bye_taken_back(s);
		return;
	}
	if (account_barrier(s->account) == E_NOT_FOUND) {
		imap_bye(s, "This account was removed.");
		return;
	}
	log_event(LOG_WARN, "imap-not-durable", LOG_U("session", conn_id(s->conn)),
	    LOG_S("login", s->login));
	imap_bye(s, "[UNAVAILABLE] The changes could not be written; please try again later.");
}

/* What was removed the store has counted. */
static void
tell_counts(struct imap_session *s)
{
	if (s->device_id != 0 && s->counts.fetched_bytes != 0)
		device_count(s->account, s->device_id, ACTOR_IMAP, &s->counts);
}

static void
session_close(void *session)
{
	struct imap_session *s = session;

	imap_command_drop(s);
	pass_give(&s->pass);
	log_event(LOG_INFO, "imap-close", LOG_U("session", conn_id(s->conn)),
	    LOG_S("peer", conn_peer(s->conn)), LOG_S("login", s->login));
	if (s->view != NULL)
		view_drop(s->view);
	if (s->account != NULL) {
		tell_counts(s);
		account_drop(s->account);
	}
	imap_frame_done(&s->frame);
	arena_done(&s->arena);
	mem_free((char *)s->login.p);
	mem_free(s->client);
	mem_free(s);
}

const struct session_type IMAP_SESSION = {
	.name = "imap",
	.open = session_open,
	.run = session_run,
	.before_send = session_before_send,
	.not_durable = session_not_durable,
	.close = session_close,
};
