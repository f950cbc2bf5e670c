/*
 * APPEND. RFC 3501 s6.3.11, RFC 4315 s3 (APPENDUID), RFC 7888 (LITERAL+)
 *
 *   [check] --refused--> NO; the literal is not asked for, or thrown away when it comes unasked
 *      '--> [body] literal streams into the ingest --> [tail] end of the line --> kept, answered
 *
 * The message never lies in memory as a whole.
 */
#include "base/error.h"
#include "serve/imap/verbs.h"

/* An unasked literal bigger than this is not waited out: the connection is closed. */
enum { DRAIN_MAX = 512 << 20 };

enum phase { PHASE_BODY, PHASE_TAIL };

struct append_job {
	enum phase            phase;
	struct ingest        *ingest;
	uint64_t              left; /* of the literal */
	struct str            name;
	struct append_options options;
};

static void
append_drop(void *job)
{
	struct append_job *j = job;

	if (j->ingest != NULL)
		ingest_drop(j->ingest);
}

static enum step
fail(struct imap_session *s, int err)
{
	/* The client may create it and try again, RFC 3501 s6.3.11. */
	return imap_fail(s, err == E_NO_MAILBOX ? E_TRY_CREATE : err);
}

static enum step
refuse(struct imap_session *s, struct imap_command *c, int err)
{
	fail(s, err);
	imap_frame_message_refuse(&s->frame);
	if (s->frame.skip_n > DRAIN_MAX) {
		imap_untagged(s, "BYE [TOOBIG] Literal too big.");
		c->then = STEP_CLOSE;
	}
	return STEP_DONE;
}

/* All that can be said before the message comes. */
static int
check(struct imap_session *s, struct imap_command *c, struct append_job *j)
{
	const struct imap_append *a = &c->args.append;
	mailbox_id                id;
	int                       r;

	if (s->frame.literal_n > s->server->limits.message_max)
		return E_TOO_BIG;
	r = mailbox_find(s->account, a->mailbox, &id);
	if (r == 0)
		r = account_quota_check(s->account, s->frame.literal_n);
	if (r == 0)
		r = imap_flags_resolve(s, &a->flags, true, &j->options.flags);
	if (r == 0)
		r = arena_dup(&s->arena, a->mailbox, &j->name);
	if (r == 0)
		r = ingest_new(s->server->store, s->server->limits.message_max, &j->ingest);
	return r;
}

static enum step
start(struct imap_session *s, struct imap_command *c)
{
	const struct imap_append *a = &c->args.append;
	struct append_job        *j = ARENA_NEW(&s->arena, struct append_job);
	int                       r;

	if (j == NULL)
		return refuse(s, c, E_NOMEM);
	c->job = j;
	c->drop = append_drop;
	if (a->has_date) {
		j->options.internal_ms = a->date_ms;
		j->options.internal_zone_min = a->zone_min;
	}
	r = check(s, c, j);
	if (r < 0)
		return refuse(s, c, r);
	j->left = s->frame.literal_n;
	if (s->frame.literal_sync)
		buf_str(conn_output(s->conn), STR("+ OK\r\n"));
	return STEP_DONE;
}

/* STEP_DONE when all of the literal was taken. An error of the store is kept in the ingest, and the
 * rest of the literal is taken all the same. */
static enum step
take_body(struct imap_session *s, struct append_job *j)
{
	struct str in;

	while (j->left > 0) {
		in = conn_input(s->conn);
		if (in.n == 0)
			return STEP_NEED;
		in = str_head(in, j->left < SIZE_MAX ? (size_t)j->left : SIZE_MAX);
		(void)ingest_write(j->ingest, in);
		j->left -= in.n;
		conn_consume(s->conn, in.n);
	}
	imap_frame_message_end(&s->frame);
	j->phase = PHASE_TAIL;
	return STEP_DONE;
}

static enum step
keep(struct imap_session *s, struct append_job *j)
{
	struct actor    actor = imap_actor(s);
	struct appended done;
	mailbox_id      id;
	int             r = ingest_end(j->ingest);

	if (r == 0)
		r = mailbox_find(s->account, j->name, &id);
	if (r == 0)
		r = message_append(s->account, id, j->ingest, &j->options, &actor, &done);
	if (r < 0)
		return fail(s, r);
	return imap_ok(s, "[APPENDUID %u %u] Append completed.", done.uidvalidity, done.uid);
}

static enum step
end_of_command(struct imap_session *s, struct append_job *j)
{
	struct imap_reader r;
	struct imap_args   args;

	imap_reader_init(&r, buf_view(&s->frame.text), &s->arena);
	if (imap_parse_append_next(&r, &args) < 0)
		return imap_bad(s, "%s", r.what);
	return keep(s, j);
}

static enum step
take_tail(struct imap_session *s, struct append_job *j)
{
	size_t used;

	for (;;) {
		enum imap_frame_event event =
		    imap_frame_feed(&s->frame, conn_input(s->conn), &used);

		conn_consume(s->conn, used);
		switch (event) {
		case IMAP_FRAME_NEED:
			return STEP_NEED;
		case IMAP_FRAME_CONTINUE:
			buf_str(conn_output(s->conn), STR("+ OK\r\n"));
			break;
		case IMAP_FRAME_COMMAND:
			return end_of_command(s, j);
		case IMAP_FRAME_MESSAGE:
			imap_frame_message_refuse(&s->frame);
			return imap_bad(s, "Only one message at a time.");
		case IMAP_FRAME_BAD:
			return imap_bad(s, "Bad end of the command.");
		}
	}
}

enum step
imap_run_append(struct imap_session *s, struct imap_command *c)
{
	enum step step = STEP_DONE;

	if (c->job == NULL) {
		step = start(s, c);
		if (c->answer.n != 0)
			return step;
	}
	if (((struct append_job *)c->job)->phase == PHASE_BODY)
		step = take_body(s, c->job);
	return step == STEP_DONE ? take_tail(s, c->job) : step;
}
