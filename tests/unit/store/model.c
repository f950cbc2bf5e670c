/*
 * Random operations on a store and on a naive model of it, compared after each step.
 *
 * The model is arrays. Beside it runs a client that never looks at a mailbox again: it learns all
 * from the change log alone, and must come to the same UIDs.
 * MODEL_SEED and MODEL_STEPS in the environment run another course.
 */
#include "model.h"

#include <stdlib.h>

unsigned
model_pick(struct model *md, unsigned n)
{
	md->rand = md->rand * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(md->rand >> 33) % n;
}

static struct model_box *
pick_box(struct model *md)
{
	for (;;) {
		struct model_box *b = &md->boxes[model_pick(md, BOXES)];

		if (b->used && !b->no_select)
			return b;
	}
}

struct model_box *
model_named(struct model *md, const char *name)
{
	for (size_t i = 0; i < BOXES; i++)
		if (md->boxes[i].used && strcmp(md->boxes[i].name, name) == 0)
			return &md->boxes[i];
	return NULL;
}

static bool
is_below(const char *name, const char *top)
{
	size_t n = strlen(top);

	return strncmp(name, top, n) == 0 && name[n] == '/';
}

/* A set of UIDs that hits some messages, some gaps, and now and then all. */
static struct ranges
pick_uids(struct model *md, const struct model_box *b)
{
	struct ranges set = { 0 };
	unsigned      n = 1 + model_pick(md, 4);

	if (model_pick(md, 10) == 0) {
		assert_ok(ranges_add(&set, 1, UINT32_MAX));
		return set;
	}
	while (n-- > 0) {
		uint32_t lo = 1 + model_pick(md, b->uidnext), len = model_pick(md, 6);

		assert_ok(ranges_add(&set, lo, lo + len));
	}
	return set;
}

void
model_body(unsigned body, char text[200])
{
	int n = snprintf(text, 200, "Message-ID: <%u@model>\r\nSubject: %u\r\n\r\n", body, body);

	memset(text + n, '-', body % 100);
	text[(unsigned)n + body % 100] = '\0';
}

static struct model_message *
box_put(struct model_box *b, struct model_message m)
{
	assert_true(b->n < MESSAGES);
	m.uid = b->uidnext++;
	b->m[b->n] = m;
	return &b->m[b->n++];
}

static void
box_take(struct model_box *b, size_t i)
{
	b->n--;
	memmove(&b->m[i], &b->m[i + 1], (b->n - i) * sizeof(b->m[0]));
}

/* --- operations --- */

static void
do_append(struct model *md)
{
	struct model_box    *b = pick_box(md);
	struct model_message m = { .body = md->next_body++ };
	struct flags         flags = { 0 };
	struct appended      done;
	char                 text[200];

	if (b->n == MESSAGES)
		return;
	m.system = model_pick(md, 32);
	m.keywords = md->n_keywords != 0 ? model_pick(md, 1u << md->n_keywords) : 0;
	flags.system = m.system;
	flags.keywords[0] = m.keywords;
	model_body(m.body, text);
	m.size = strlen(text);
	assert_ok(try_append(md->e, b->id, str_c(text), flags, &done));
	m.email = m.thread = ++md->last_email;
	assert_true(done.email == m.email && done.uidvalidity == b->uidvalidity);
	assert_int_equal(done.uid, box_put(b, m)->uid);
}

static void
do_flags(struct model *md)
{
	struct model_box        *b = pick_box(md);
	OWN_RANGES struct ranges set = pick_uids(md, b), changed = { 0 }, want = { 0 };
	struct flag_change       change = { .op = (enum flag_op)model_pick(md, 3) };
	uint32_t                 at = 0;

	change.flags.system = model_pick(md, 32);
	change.flags.keywords[0] = md->n_keywords != 0 ? model_pick(md, 1u << md->n_keywords) : 0;
	for (size_t i = 0; i < b->n; i++) {
		struct model_message *m = &b->m[i];
		unsigned              system = m->system;
		uint64_t              keywords = m->keywords;

		if (!ranges_has(&set, m->uid))
			continue;
		if (change.op == FLAGS_REPLACE) {
			m->system = change.flags.system;
			m->keywords = change.flags.keywords[0];
		} else if (change.op == FLAGS_ADD) {
			m->system |= change.flags.system;
			m->keywords |= change.flags.keywords[0];
		} else {
			m->system &= ~change.flags.system;
			m->keywords &= ~change.flags.keywords[0];
		}
		if (m->system != system || m->keywords != keywords)
			assert_ok(ranges_add(&want, m->uid, m->uid));
	}
	do
		assert_ok(message_change_flags(
		    md->e->a, b->id, &set, at, &change, &ACTOR, &changed, &at));
	while (at != 0);
	assert_string_equal(list_of(&changed), list_of(&want));
}

static void
do_transfer(struct model *md)
{
	struct model_box        *from = pick_box(md), *to = pick_box(md);
	OWN_RANGES struct ranges set = pick_uids(md, from);
	bool                     is_move = model_pick(md, 2) == 0;
	struct copied            copied = { 0 };
	uint32_t                 end = from->uidnext, at = 0, n = 0;

	if (to->n + from->n > MESSAGES)
		return;
	if (is_move)
		do
			assert_ok(message_move(
			    md->e->a, from->id, &set, at, to->id, &ACTOR, &copied, &at));
		while (at != 0);
	else
		assert_ok(message_copy(md->e->a, from->id, &set, to->id, &ACTOR, &copied));
	for (size_t i = 0; i < from->n;) {
		struct model_message m = from->m[i];

		if (m.uid >= end || !ranges_has(&set, m.uid)) {
			i++;
			continue;
		}
		assert_int_equal(ranges_nth(&copied.from, ++n), m.uid);
		if (is_move && strcmp(to->name, "INBOX") == 0)
			md->left[m.email] = false;
		if (is_move)
			box_take(from, i);
		else
			m.email = ++md->last_email;
		assert_int_equal(ranges_nth(&copied.to, n), box_put(to, m)->uid);
		i += !is_move;
	}
	assert_int_equal(ranges_count(&copied.from), n);
	assert_int_equal(ranges_count(&copied.to), n);
	ranges_done(&copied.from);
	ranges_done(&copied.to);
}

static void
model_expunge(struct model *md, struct model_box *b, size_t i)
{
	assert_true(md->n_gone < ARRAY_LEN(md->gone));
	md->left[b->m[i].email] = false;
	md->gone[md->n_gone++] = (struct model_gone){ b->m[i], b->id };
	box_take(b, i);
}

static void
do_expunge(struct model *md)
{
	struct model_box        *b = pick_box(md);
	OWN_RANGES struct ranges set = pick_uids(md, b), removed = { 0 }, want = { 0 };
	bool                     all = model_pick(md, 3) == 0;
	bool                     any = !all && model_pick(md, 2) == 0;
	uint32_t                 at = 0;

	if (md->n_gone + b->n > ARRAY_LEN(md->gone))
		return;
	do
		assert_ok(message_expunge(
		    md->e->a, b->id, all ? NULL : &set, any, at, &ACTOR, &removed, &at));
	while (at != 0);
	for (size_t i = 0; i < b->n;) {
		struct model_message *m = &b->m[i];

		if ((all || ranges_has(&set, m->uid)) && (any || (m->system & FLAG_DELETED) != 0)) {
			assert_ok(ranges_add(&want, m->uid, m->uid));
			model_expunge(md, b, i);
		} else {
			i++;
		}
	}
	assert_string_equal(list_of(&removed), list_of(&want));
}

static void
do_restore(struct model *md)
{
	struct model_box    *b = pick_box(md);
	struct appended      done;
	struct model_message m;
	size_t               i;

	if (md->n_gone == 0 || b->n == MESSAGES)
		return;
	i = model_pick(md, (unsigned)md->n_gone);
	m = md->gone[i].m;
	m.system &= ~(unsigned)FLAG_DELETED;
	assert_ok(expunged_restore(md->e->a, m.email, b->id, &ACTOR, &done));
	assert_int_equal(done.uid, box_put(b, m)->uid);
	if (strcmp(b->name, "INBOX") == 0)
		md->left[m.email] = false;
	md->gone[i] = md->gone[--md->n_gone];
}

static struct model_box *
model_create(struct model *md, const char *name, mailbox_id id)
{
	struct model_box *b = model_named(md, name);

	for (size_t i = 0; b == NULL; i++) {
		assert_true(i < BOXES);
		if (!md->boxes[i].used)
			b = &md->boxes[i];
	}
	*b = (struct model_box){ .used = true, .id = id, .uidnext = 1, .recent_from = 1 };
	snprintf(b->name, sizeof(b->name), "%s", name);
	b->uidvalidity = status(md->e, id).uidvalidity;
	assert_true(b->uidvalidity > md->last_uidvalidity);
	md->last_uidvalidity = b->uidvalidity;
	return b;
}

static void
pick_name(struct model *md, char name[64])
{
	static const char *const WORDS[] = { "a", "b", "c" };
	unsigned                 depth = 1 + model_pick(md, 3);
	size_t                   n = 0;

	while (depth-- > 0)
		n += (size_t)snprintf(
		    name + n, 64 - n, "%s%s", n != 0 ? "/" : "", WORDS[model_pick(md, 3)]);
}

/* The levels above a name, in the order of their making. */
static void
model_parents(struct model *md, const char *name)
{
	for (const char *p = strchr(name, '/'); p != NULL; p = strchr(p + 1, '/')) {
		char       level[64];
		mailbox_id id;

		snprintf(level, sizeof(level), "%.*s", (int)(p - name), name);
		if (model_named(md, level) != NULL)
			continue;
		assert_ok(mailbox_find(md->e->a, str_c(level), &id));
		model_create(md, level, id);
	}
}

size_t
model_box_count(struct model *md)
{
	size_t n = 0;

	for (size_t i = 0; i < BOXES; i++)
		n += md->boxes[i].used;
	return n;
}

static void
do_create(struct model *md)
{
	char              name[64];
	struct model_box *b;
	mailbox_id        id = 0;
	int               r;

	pick_name(md, name);
	b = model_named(md, name);
	if (model_box_count(md) + 3 > BOXES)
		return;
	r = mailbox_create(md->e->a, str_c(name), 0, &ACTOR, &id);
	if (b != NULL && !b->no_select) {
		assert_int_equal(r, E_EXISTS);
		return;
	}
	assert_ok(r);
	model_parents(md, name);
	if (b != NULL)
		assert_int_equal(id, b->id);
	/* A level that comes back keeps its subscription. */
	bool subscribed = b != NULL && b->subscribed;
	model_create(md, name, id)->subscribed = subscribed;
}

bool
model_has_children(struct model *md, const char *name)
{
	for (size_t i = 0; i < BOXES; i++)
		if (md->boxes[i].used && is_below(md->boxes[i].name, name))
			return true;
	return false;
}

/* The id of a level without messages is only in the list. */
static mailbox_id
listed_id(struct model *md, const char *name)
{
	OWN_ARENA struct arena arena = ARENA_INIT(1 << 20);
	struct mailbox_info   *info;
	size_t                 n;

	assert_ok(mailbox_list(md->e->a, &arena, &info, &n));
	for (size_t i = 0; i < n; i++)
		if (str_eq(info[i].name, str_c(name)))
			return info[i].id;
	return 0;
}

static void
do_delete(struct model *md)
{
	char              name[64];
	struct model_box *b;
	bool              parent;
	int               r;

	pick_name(md, name);
	b = model_named(md, name);
	if (b != NULL && md->n_gone + b->n > ARRAY_LEN(md->gone))
		return;
	parent = model_has_children(md, name);
	r = mailbox_delete(md->e->a, str_c(name), &ACTOR);
	if (b == NULL || (b->no_select && parent)) {
		assert_int_equal(r, b == NULL ? E_NO_MAILBOX : E_HAS_CHILDREN);
		return;
	}
	assert_ok(r);
	while (b->n > 0)
		model_expunge(md, b, 0);
	ranges_done(&b->client);
	b->used = false;
	if (parent) {
		*b = (struct model_box){ .used = true, .no_select = true };
		snprintf(b->name, sizeof(b->name), "%s", name);
		b->id = listed_id(md, name);
	}
}

static void
do_rename(struct model *md)
{
	char              from[64], to[64];
	struct model_box *b;
	int               r;

	pick_name(md, from);
	pick_name(md, to);
	b = model_named(md, from);
	if (model_box_count(md) + 3 > BOXES)
		return;
	r = mailbox_rename(md->e->a, str_c(from), str_c(to), &ACTOR);
	if (b == NULL || model_named(md, to) != NULL || is_below(to, from)) {
		int want = model_named(md, to) != NULL ? E_EXISTS : E_CANNOT;

		assert_int_equal(r, b == NULL ? E_NO_MAILBOX : want);
		return;
	}
	assert_ok(r);
	for (size_t i = 0; i < BOXES; i++) {
		struct model_box *c = &md->boxes[i];
		char              old[64];

		if (!c->used || (c != b && !is_below(c->name, from)))
			continue;
		/* Subscriptions stay with the name; the model drops them to keep it simple. */
		if (c->subscribed)
			assert_ok(mailbox_subscribe(md->e->a, str_c(c->name), false, &ACTOR));
		c->subscribed = false;
		memcpy(old, c->name, sizeof(old));
		assert_true(snprintf(c->name, sizeof(c->name), "%s%s", to, old + strlen(from)) <
		    (int)sizeof(c->name));
	}
	model_parents(md, to);
}

static void
do_subscribe(struct model *md)
{
	struct model_box *b = pick_box(md);

	b->subscribed = model_pick(md, 2) == 0;
	assert_ok(mailbox_subscribe(md->e->a, str_c(b->name), b->subscribed, &ACTOR));
}

static void
do_keyword(struct model *md)
{
	char     name[16];
	unsigned number;

	if (md->n_keywords == KEYWORDS)
		return;
	snprintf(name, sizeof(name), "key%u", md->n_keywords);
	assert_ok(keyword_number(md->e->a, str_c(name), true, &ACTOR, &number));
	assert_int_equal(number, md->n_keywords++);
}

static void
do_view(struct model *md)
{
	struct model_box        *b = pick_box(md);
	OWN_RANGES struct ranges uids = { 0 };
	struct mailbox_status    s;
	uint32_t                 recent;
	uint64_t                 modseq;

	assert_ok(mailbox_view(md->e->a, b->id, true, &s, &uids, &recent, &modseq));
	assert_int_equal(recent, b->recent_from);
	if (s.recent != 0)
		b->recent_from = b->uidnext;
}

/* --- POP3 --- */

const char *const MODEL_DEVICES[DEVICES] = { "", "phone", "desk" };

static size_t
find_email(const struct model_box *b, email_id email)
{
	size_t i = 0;

	while (i < b->n && b->m[i].email != email)
		i++;
	return i;
}

bool
model_sees(struct model *md, unsigned device, email_id email)
{
	const struct model_box *inbox = model_named(md, "INBOX");

	return !md->hidden[device][email] &&
	    (md->left[email] || find_email(inbox, email) < inbox->n);
}

static void
model_remove(struct model *md, unsigned device, enum pop3_policy policy, email_id email)
{
	struct model_box   *inbox = model_named(md, "INBOX");
	size_t              i = find_email(inbox, email);
	struct model_message m;

	md->hidden[device][email] = true;
	if (i == inbox->n)
		return;
	m = inbox->m[i];
	if (policy == POP3_READ) {
		inbox->m[i].system |= FLAG_SEEN;
	} else if (policy == POP3_ARCHIVE || policy == POP3_TRASH) {
		box_take(inbox, i);
		box_put(model_named(md, policy == POP3_TRASH ? "Trash" : "Archive"), m);
		md->left[email] = true;
	} else if (policy == POP3_DELETE) {
		model_expunge(md, inbox, i);
		md->left[email] = true;
	}
}

static void
do_pop3(struct model *md)
{
	unsigned            device = model_pick(md, DEVICES), one_in = 1 + model_pick(md, 4);
	enum pop3_policy    policy = (enum pop3_policy)(POP3_KEEP + model_pick(md, 5));
	const struct actor  actor = pop3(MODEL_DEVICES[device]);
	struct device_view  v = view(md->e, MODEL_DEVICES[device]);
	struct pop3_removal rm = { .device = v.device, .m = v.m, .n = v.n, .mark = 1 };
	bool                done = false;

	assert_ok(device_policy_set(md->e->a, v.device, policy, &ACTOR));
	if (md->n_gone + v.n > ARRAY_LEN(md->gone) ||
	    model_named(md, "Trash")->n + v.n > MESSAGES ||
	    model_named(md, "Archive")->n + v.n > MESSAGES)
		done = true;
	for (uint32_t i = 0; i < v.n; i++)
		v.m[i].marks = model_pick(md, one_in) == 0;
	while (!done)
		assert_ok(pop3_remove_part(md->e->a, &rm, &actor, &done));
	for (uint32_t i = 0; i < rm.at; i++)
		if (v.m[i].marks != 0)
			model_remove(md, device, policy, v.m[i].email);
	device_view_done(&v);
}

static void
do_reopen(struct model *md)
{
	assert_ok(account_barrier(md->e->a));
	if (model_pick(md, 2) == 0)
		env_crash(md->e);
	else
		env_account(md->e);
}

/* --- the course --- */

static const struct {
	void (*run)(struct model *);
	unsigned weight;
} OPERATIONS[] = {
	{ do_append, 30 }, { do_flags, 20 }, { do_transfer, 12 }, { do_expunge, 10 },
	{ do_restore, 5 }, { do_create, 5 }, { do_delete, 3 }, { do_rename, 4 },
	{ do_subscribe, 3 }, { do_keyword, 1 }, { do_view, 4 }, { do_reopen, 3 },
	{ do_pop3, 6 },
};

static void
step(struct model *md)
{
	unsigned sum = 0, at;

	for (size_t i = 0; i < ARRAY_LEN(OPERATIONS); i++)
		sum += OPERATIONS[i].weight;
	at = model_pick(md, sum);
	for (size_t i = 0; i < ARRAY_LEN(OPERATIONS); i++) {
		if (at < OPERATIONS[i].weight) {
			OPERATIONS[i].run(md);
			return;
		}
		at -= OPERATIONS[i].weight;
	}
}

static uint64_t
number_from_environment(const char *name, uint64_t otherwise)
{
	uint64_t v = otherwise;

	return str_to_u64(str_c(getenv(name)), &v) == 0 ? v : otherwise;
}

static void
run_course(struct env *e, uint64_t seed, uint64_t steps)
{
	static const char *const FIRST[] = {
		"INBOX", "Drafts", "Sent", "Archive", "Junk", "Trash"
	};
	struct model            *md = calloc(1, sizeof(*md));

	assert_non_null(md);
	md->e = e;
	md->rand = number_from_environment("MODEL_SEED", seed);
	steps = number_from_environment("MODEL_STEPS", steps);
	md->client_modseq = account_modseq(e->a);
	for (size_t i = 0; i < ARRAY_LEN(FIRST); i++) {
		mailbox_id id;

		assert_ok(mailbox_find(e->a, str_c(FIRST[i]), &id));
		model_create(md, FIRST[i], id)->subscribed = true;
	}
	for (uint64_t i = 0; i < steps; i++) {
		step(md);
		model_check(md);
	}
	for (size_t i = 0; i < BOXES; i++)
		ranges_done(&md->boxes[i].client);
	free(md);
}

static void
test_model(void **state)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct env *e = *state;

		run_course(e, seed, 400);
		env_done(state);
		env_mem(state);
	}
}

static void
test_model_on_disk(void **state)
{
	run_course(*state, 99, 150);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_model, env_mem, env_done),
		cmocka_unit_test_setup_teardown(test_model_on_disk, env_rocks, env_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
