#include "serve/admin/session.h"

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"

enum { ADMIN_ARENA_MAX = 64 << 20 };

static int
open_session(void *server, struct conn *conn, void **ret)
{
	struct admin *s = MEM_NEW(struct admin);

	if (s == NULL)
		return E_NOMEM;
	s->server = server;
	s->conn = conn;
	arena_init(&s->arena, ADMIN_ARENA_MAX);
	buf_init(&s->body, ADMIN_OP_BODY_MAX);
	conn_input_max(conn, ADMIN_LINE_MAX);
	*ret = s;
	return 0;
}

static void
end_request(struct admin *s)
{
	admin_mail_done(s);
	buf_done(&s->body);
	buf_init(&s->body, ADMIN_OP_BODY_MAX);
	json_decref(s->request);
	json_decref(s->reply);
	s->request = s->reply = NULL;
	s->op = NULL;
	s->err = 0;
	s->about = STR_NONE;
	arena_reset(&s->arena);
	s->state = ADMIN_LINE;
}

static void
close_session(void *session)
{
	struct admin *s = session;

	end_request(s);
	arena_done(&s->arena);
	uidl_taken_drop(s->taken);
	mem_free(s);
}

int
admin_put_json(const char *bytes, size_t n, void *to)
{
	buf_put(to, bytes, n);
	return 0;
}

void
admin_put_result(struct admin *s)
{
	const struct error_row *row = error_row(s->err);

	json_object_set_new(s->reply, "ok", json_boolean(s->err == 0));
	if (s->err == 0)
		return;
	json_object_set_new(s->reply, "error", json_string(row->name));
	json_object_set_new(s->reply, "text", json_string(row->text));
	json_object_set_new(s->reply, "about", admin_json_text(s->about));
}

static enum step
answer(struct admin *s)
{
	struct buf *out = conn_output(s->conn);

	if (s->reply == NULL)
		s->reply = json_object();
	admin_put_result(s);
	if (json_dump_callback(s->reply, admin_put_json, out, JSON_COMPACT) != 0)
		out->err = E_NOMEM;
	buf_byte(out, '\n');
	if (s->op != NULL)
		log_event(s->err < 0 ? LOG_WARN : LOG_INFO, "admin",
		    LOG_U("session", conn_id(s->conn)), LOG_C("op", s->op->name),
		    LOG_C("result", s->err < 0 ? error_row(s->err)->name : "ok"));
	end_request(s);
	return STEP_DONE;
}

static void
run_job(void *arg)
{
	struct admin *s = arg;

	s->err = s->op->run(s);
	conn_wake(s->conn);
}

static enum step
run_op(struct admin *s)
{
	int r;

	s->state = ADMIN_JOB;
	r = net_job(conn_net(s->conn), run_job, s);
	if (r < 0)
		return s->err = r, answer(s);
	return STEP_WAIT;
}

/* Without a size the next line cannot be found: then there are no bytes. */
static enum step
take_body(struct admin *s)
{
	struct str in = conn_input(s->conn);

	in = str_head(in, s->body_left < in.n ? (size_t)s->body_left : in.n);
	if (in.n == 0 && s->body_left > 0)
		return STEP_NEED;
	buf_str(&s->body, in); /* too many are read to their end all the same */
	s->body_left -= in.n;
	conn_consume(s->conn, in.n);
	if (s->body_left > 0)
		return STEP_NEED;
	if (s->body.err < 0)
		return s->err = admin_fail(s, s->body.err, STR("bytes of the request")), answer(s);
	return run_op(s);
}

static enum step
begin_body(struct admin *s)
{
	json_int_t size = json_integer_value(json_object_get(s->request, "size"));

	s->body_left = size > 0 ? (uint64_t)size : 0;
	s->state = ADMIN_OP_BODY;
	return take_body(s);
}

const struct admin_op *
admin_op_find(struct str name)
{
	for (size_t i = 0; i < ADMIN_N_OPS; i++)
		if (str_eq(name, str_c(ADMIN_OPS[i].name)))
			return &ADMIN_OPS[i];
	return NULL;
}

static enum step
start_op(struct admin *s, struct str name)
{
	int r;

	if (str_eq(name, STR("append"))) {
		r = admin_append_begin(s);
		if (r < 0)
			return s->err = r, answer(s);
		s->state = ADMIN_BODY;
		return STEP_DONE;
	}
	if (str_eq(name, STR("export"))) {
		s->err = admin_export_begin(s);
		if (s->err < 0)
			return answer(s);
		s->state = ADMIN_EXPORT;
		return STEP_DONE;
	}
	s->op = admin_op_find(name);
	if (s->op == NULL)
		return s->err = admin_fail(s, E_UNKNOWN_COMMAND, name), answer(s);
	return (s->op->needs & OP_BODY) != 0 ? begin_body(s) : run_op(s);
}

static enum step
take_line(struct admin *s)
{
	struct str   in = conn_input(s->conn);
	size_t       n = str_find_byte(in, '\n');
	struct str   name;
	json_error_t why;

	if (n == in.n)
		return in.n >= ADMIN_LINE_MAX ? STEP_CLOSE : STEP_NEED;
	s->request = json_loadb(in.p, n, JSON_REJECT_DUPLICATES, &why);
	s->reply = json_object();
	conn_consume(s->conn, n + 1);
	if (s->request == NULL || s->reply == NULL || admin_text(s, "op", &name) < 0)
		return s->err = E_SYNTAX, answer(s);
	return start_op(s, name);
}

static enum step
run(void *session, unsigned why)
{
	struct admin *s = session;
	enum step     step;

	switch (s->state) {
	case ADMIN_LINE:
		conn_at_boundary(s->conn, true);
		step = take_line(s);
		conn_at_boundary(s->conn, s->state == ADMIN_LINE);
		if (step == STEP_NEED && (why & (WHY_EOF | WHY_SHUTDOWN)) != 0)
			return STEP_CLOSE;
		return step;
	case ADMIN_JOB:
		return (why & WHY_WAKE) != 0 ? answer(s) : STEP_WAIT;
	case ADMIN_BODY:
		step = admin_append_take(s);
		if (step == STEP_NEED && (why & WHY_EOF) != 0)
			return STEP_CLOSE;
		return step == STEP_DONE ? answer(s) : step;
	case ADMIN_OP_BODY:
		step = take_body(s);
		return step == STEP_NEED && (why & WHY_EOF) != 0 ? STEP_CLOSE : step;
	case ADMIN_EXPORT:
		step = admin_export_more(s);
		return step == STEP_DONE ? answer(s) : step;
	}
	return STEP_CLOSE;
}

static int
before_send(void *session)
{
	struct admin *s = session;

	return store_wait(s->server->store, s->ticket);
}

const struct session_type ADMIN_SESSION = {
	.name = "admin",
	.open = open_session,
	.run = run,
	.before_send = before_send,
	.close = close_session,
};

int
admin_text(struct admin *s, const char *key, struct str *ret)
{
	const json_t *value = json_object_get(s->request, key);

	if (!json_is_string(value))
		return admin_fail(s, E_SYNTAX, str_c(key));
	*ret = str_of(json_string_value(value), json_string_length(value));
	return 0;
}

int
admin_fail(struct admin *s, int err, struct str about)
{
	/* The text may go with the request's arena or the op's stack: keep a copy. */
	if (arena_dup(&s->arena, about, &s->about) < 0)
		s->about = STR_NONE;
	return err;
}

int
admin_account(struct admin *s, struct str address, struct account **ret)
{
	struct directory_account who;
	int r = directory_account_get(s->server->directory, address, &s->arena, &who);

	if (r == 0)
		r = account_open(s->server->store, who.id, ret);
	return r < 0 ? admin_fail(s, r, address) : 0;
}

struct actor
admin_actor(struct admin *s)
{
	if (s->caller != NULL)
		return s->caller->actor;
	return (struct actor){ .protocol = ACTOR_ADMIN, .session = conn_id(s->conn),
		.peer = conn_peer(s->conn) };
}
