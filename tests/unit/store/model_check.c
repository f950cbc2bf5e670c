#include "model.h"

static void
check_views(struct model *md)
{
	assert_true(md->last_email < EMAILS);
	for (unsigned device = 0; device < DEVICES; device++) {
		struct device_view v = view(md->e, MODEL_DEVICES[device]);
		uint32_t           n = 0;

		for (email_id email = 1; email <= md->last_email; email++)
			if (model_sees(md, device, email)) {
				assert_true(n < v.n && v.m[n].email == email);
				n++;
			}
		assert_int_equal(v.n, n);
		device_view_done(&v);
	}
}

static void
check_message(struct model *md, const struct model_box *b, const struct model_message *want,
    const struct message *m)
{
	OWN_BUF struct buf bytes = BUF_INIT(1000);
	char               text[200];

	assert_int_equal(m->uid, want->uid);
	assert_true(m->email == want->email && m->size == want->size);
	assert_int_equal(m->flags.system, want->system);
	assert_true(m->flags.keywords[0] == want->keywords);
	assert_true(m->modseq <= status(md->e, b->id).highest_modseq);
	if (model_pick(md, 10) != 0)
		return;
	model_body(want->body, text);
	assert_ok(message_read(md->e->a, m, 0, SIZE_MAX, &bytes));
	assert_str(buf_view(&bytes), text);
}

static void
check_box(struct model *md, const struct model_box *b)
{
	struct mailbox_status s = status(md->e, b->id), want = { 0 };
	OWN(message_iter)     it = NULL;
	struct message        m;

	assert_ok(message_scan(md->e->a, b->id, 1, UINT32_MAX, SCAN_RECORDS, &it));
	for (size_t i = 0; i < b->n; i++) {
		assert_int_equal(message_iter_next(it, &m, NULL), 1);
		check_message(md, b, &b->m[i], &m);
		want.unseen += (b->m[i].system & FLAG_SEEN) == 0;
		want.deleted += (b->m[i].system & FLAG_DELETED) != 0;
		want.recent += b->m[i].uid >= b->recent_from;
		want.size += b->m[i].size;
	}
	assert_int_equal(message_iter_next(it, &m, NULL), 0);
	assert_int_equal(s.messages, b->n);
	assert_int_equal(s.unseen, want.unseen);
	assert_int_equal(s.deleted, want.deleted);
	assert_int_equal(s.recent, want.recent);
	assert_int_equal(s.size, want.size);
	assert_int_equal(s.uidnext, b->uidnext);
	assert_int_equal(s.uidvalidity, b->uidvalidity);
}

static int
client_change(void *arg, const struct change *c)
{
	struct model *md = arg;

	assert_true(c->modseq > md->client_modseq);
	for (size_t i = 0; i < BOXES; i++) {
		struct model_box *b = &md->boxes[i];

		if (!b->used || b->id != c->mailbox)
			continue;
		if (c->kind == CHANGE_APPEND)
			assert_ok(ranges_add(&b->client, c->uid_lo, c->uid_hi));
		if (c->kind == CHANGE_EXPUNGE)
			assert_ok(ranges_remove(&b->client, c->uid_lo, c->uid_hi));
	}
	return 0;
}

static void
check_client(struct model *md)
{
	uint64_t upto;

	assert_ok(change_scan(md->e->a, md->client_modseq, 0, client_change, md, &upto));
	md->client_modseq = upto;
	for (size_t i = 0; i < BOXES; i++) {
		struct model_box *b = &md->boxes[i];

		if (!b->used || b->no_select)
			continue;
		assert_int_equal(ranges_count(&b->client), b->n);
		for (size_t j = 0; j < b->n; j++)
			assert_true(ranges_has(&b->client, b->m[j].uid));
	}
}

static void
check_list(struct model *md)
{
	OWN_ARENA struct arena arena = ARENA_INIT(1 << 20);
	struct mailbox_info   *info;
	size_t                 n;

	assert_ok(mailbox_list(md->e->a, &arena, &info, &n));
	assert_int_equal(n, model_box_count(md));
	for (size_t i = 0; i < n; i++) {
		char                    name[64];
		const struct model_box *b;

		snprintf(name, sizeof(name), "%.*s", STR_ARG(info[i].name));
		b = model_named(md, name);
		assert_non_null(b);
		assert_int_equal(info[i].id, b->id);
		assert_int_equal(info[i].subscribed, b->subscribed);
		assert_int_equal(info[i].no_select, b->no_select);
		assert_int_equal(info[i].has_children, model_has_children(md, name));
	}
}

static int
check_gone(void *arg, const struct expunged *x)
{
	struct model *md = arg;

	for (size_t i = 0; i < md->n_gone; i++)
		if (md->gone[i].m.email == x->message.email) {
			assert_int_equal(md->gone[i].box, x->mailbox);
			assert_int_equal(md->gone[i].m.uid, x->message.uid);
			return 0;
		}
	fail();
	return 0;
}

void
model_check(struct model *md)
{
	struct quota       quota;
	struct quota_usage use, want = { 0 };

	check_list(md);
	check_client(md);
	for (size_t i = 0; i < BOXES; i++) {
		const struct model_box *b = &md->boxes[i];

		if (!b->used || b->no_select)
			continue;
		check_box(md, b);
		want.count += b->n;
		for (size_t j = 0; j < b->n; j++)
			want.storage += b->m[j].size;
	}
	account_quota(md->e->a, &quota, &use);
	assert_true(use.count == want.count && use.storage == want.storage);
	assert_ok(expunged_scan(md->e->a, check_gone, md));
	check_views(md);
	env_verify(md->e);
}
