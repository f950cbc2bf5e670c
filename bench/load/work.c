/* The table of the works. */
#include "load/work.h"

#include "base/error.h"

static const struct work WORKS[] = {
	{ .name = "lmtp", .run = run_lmtp },
	{ .name = "smtp", .run = run_smtp },
	{ .name = "smtp-to-mailbox", .run = run_smtp_to_mailbox, .before = before_smtp_to_mailbox,
	    .once = true },
	{ .name = "append", .run = run_append },
	{ .name = "fetch-flags", .run = run_fetch_flags },
	{ .name = "fetch-header-fields", .run = run_fetch_header_fields },
	{ .name = "fetch-envelope", .run = run_fetch_envelope },
	{ .name = "fetch-bodies", .run = run_fetch_bodies },
	{ .name = "search-body", .run = run_search_body },
	{ .name = "newest-flags", .run = run_newest_flags },
	{ .name = "newest-envelopes", .run = run_newest_envelopes },
	{ .name = "any-body", .run = run_any_body },
	{ .name = "search-uid", .run = run_search_uid },
	{ .name = "search-since", .run = run_search_since },
	{ .name = "select", .run = run_select },
	{ .name = "store", .run = run_store },
	{ .name = "login", .run = run_login, .after = after_sessions },
	{ .name = "phone", .run = run_phone, .after = after_sessions },
	{ .name = "pop3", .run = run_pop3, .after = after_sessions },
	{ .name = "pop3-delete", .run = run_pop3_delete, .after = after_sessions },
	{ .name = "pop3-newest", .run = run_pop3_newest, .after = after_sessions },
	{ .name = "idle", .run = run_idle, .before = before_idle, .after = after_idle,
	    .extra = extra_idle, .once = true },
	{ .name = "mixed", .run = run_mixed, .before = before_mixed, .roles = mixed_roles,
	    .role = role_mixed },
	{ .name = "fill", .run = run_fill, .before = before_fill, .once = true },
};

const struct work *
work_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(WORKS); i++)
		if (strcmp(WORKS[i].name, name) == 0)
			return &WORKS[i];
	return NULL;
}

int
work_check_body(struct client *c, const struct body_sink *body, uint64_t n)
{
	if (c->load->o.any_body || corpus_knows(&c->load->corpus, body))
		return 0;
	return client_fail(c, E_SYNTAX, "message %llu, %llu bytes: not a body that was sent",
	    (unsigned long long)n, (unsigned long long)body->n);
}
