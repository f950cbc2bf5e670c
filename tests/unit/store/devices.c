#include "devices.h"

struct actor
pop3(const char *device)
{
	return (struct actor){
		ACTOR_POP3, 9, STR("192.0.2.9"), STR("anna@example.org"), str_c(device)
	};
}

device_id
login(struct env *e, const char *name)
{
	const struct actor actor = pop3(name);
	device_id          id = 0;

	assert_ok(device_seen(e->a, &actor, &id));
	return id;
}

struct device_view
view(struct env *e, const char *name)
{
	struct device_view v;
	bool               done = false;

	assert_ok(device_view_open(&v, e->a, login(e, name)));
	while (!done)
		assert_ok(device_view_load(&v, &done));
	return v;
}

const char *
sees(struct env *e, const char *name)
{
	static char        text[1000];
	struct device_view v = view(e, name);
	size_t             n = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < v.n; i++) {
		OWN_BUF struct buf bytes = BUF_INIT(1 << 20);
		struct message     m;

		assert_true(i == 0 || v.m[i - 1].email < v.m[i].email);
		assert_ok(device_view_message(e->a, v.inbox, &v.m[i], &m));
		assert_true(m.email == v.m[i].email && m.size == v.m[i].size);
		m = view_message_bytes(&v.m[i]);
		assert_ok(message_read(e->a, &m, 0, SIZE_MAX, &bytes));
		assert_int_equal(bytes.n, m.size);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%llu", n != 0 ? " " : "",
		    (unsigned long long)m.email);
	}
	device_view_done(&v);
	return text;
}

uint32_t
removes(struct env *e, const char *name, const char *emails)
{
	const struct actor       actor = pop3(name);
	struct device_view       v = view(e, name);
	OWN_RANGES struct ranges which = uids_of(emails);
	struct pop3_removal      rm = { .device = v.device, .m = v.m, .n = v.n, .mark = 1 };
	bool                     done = false;

	for (uint32_t i = 0; i < v.n; i++)
		v.m[i].marks = ranges_has(&which, (uint32_t)v.m[i].email) ? 3 : 2;
	while (!done)
		assert_ok(pop3_remove_part(e->a, &rm, &actor, &done));
	device_view_done(&v);
	return rm.removed_n;
}

void
put_some(struct env *e, int n)
{
	for (int i = 0; i < n; i++)
		put(e, 0, "A: 1\r\n\r\nx");
}

void
put_raw(struct env *e, struct key key, struct str value)
{
	const struct kv_part      part = { KV_ACCOUNT, ACCOUNT };
	OWN_BATCH struct kv_batch batch;
	uint64_t                  version;
	kv_ticket                 ticket;

	kv_batch_init(&batch);
	kv_put(&batch, key_str(&key), value);
	assert_ok(kv_version(e->kv, part, &version));
	assert_ok(kv_commit(e->kv, part, version, version + 1, &batch, &ticket));
	assert_ok(kv_wait(e->kv, ticket));
}
