/* Operations for the owner of an account, without a socket. */
#include "base/error.h"
#include "base/log.h"
#include "serve/admin/session.h"

enum { CALL_ARENA_MAX = 64 << 20 };

/* Whose account it is the login says, not the request. */
static int
check_address(struct admin *s)
{
	const struct admin_caller *c = s->caller;
	struct str                 asked;
	int                        r;

	if (json_object_get(s->request, "address") != NULL) {
		r = admin_text(s, "address", &asked);
		if (r < 0)
			return r;
		if (!str_eq(asked, c->address))
			return admin_fail(s, E_NO_PERMISSION, asked);
		return 0;
	}
	return json_object_set_new(s->request, "address",
	           json_stringn(c->address.p, c->address.n)) == 0 ? 0 : E_NOMEM;
}

static int
find_op(struct admin *s)
{
	struct str name;
	int        r = admin_text(s, "op", &name);

	if (r < 0)
		return r;
	s->op = admin_op_find(name);
	if (s->op == NULL)
		return admin_fail(s, E_UNKNOWN_COMMAND, name);
	if ((s->op->needs & OP_OWNER) == 0 ||
	    ((s->op->needs & OP_MAIN) != 0 && s->caller->by_app_password))
		return admin_fail(s, E_NO_PERMISSION, name);
	return 0;
}

static int
run(struct admin *s, struct str body)
{
	int r = find_op(s);

	if (r == 0)
		r = check_address(s);
	if (r == 0 && (s->op->needs & OP_BODY) != 0) {
		buf_str(&s->body, body);
		r = s->body.err;
	}
	if (r == 0)
		r = s->op->run(s);
	if (r == 0)
		r = store_wait(s->server->store, s->ticket);
	return r;
}

int
admin_call(struct server *server, const struct admin_caller *caller, const json_t *request,
    struct str body, json_t **ret_reply)
{
	struct admin s = { .server = server, .caller = caller };

	s.request = json_deep_copy(request);
	s.reply = json_object();
	if (s.request == NULL || s.reply == NULL) {
		json_decref(s.request);
		json_decref(s.reply);
		return E_NOMEM;
	}
	arena_init(&s.arena, CALL_ARENA_MAX);
	buf_init(&s.body, ADMIN_OP_BODY_MAX);
	s.err = run(&s, body);
	admin_put_result(&s);
	log_event(s.err < 0 ? LOG_WARN : LOG_INFO, "owner-op",
	    LOG_U("session", caller->actor.session), LOG_S("login", caller->actor.login),
	    LOG_C("op", s.op != NULL ? s.op->name : "?"),
	    LOG_C("result", s.err < 0 ? error_row(s.err)->name : "ok"));
	*ret_reply = s.reply;
	json_decref(s.request);
	buf_done(&s.body);
	arena_done(&s.arena);
	return 0;
}
