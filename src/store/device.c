#include "store/device.h"

#include "base/clock.h"
#include "base/error.h"
#include "store/carry.h"
#include "store/hidden.h"
#include "store/ledger.h"
#include "store/name.h"

static int
find(struct account *a, device_id id, struct device **ret)
{
	struct device *d;
	int            r = ledger_ready(a);

	if (r < 0)
		return r;
	d = ledger_find(a, id);
	if (d == NULL)
		return E_NOT_FOUND;
	*ret = d;
	return 0;
}

/* --- a login --- */

static int64_t
last_seen(const struct device *d)
{
	int64_t last = 0;

	for (size_t i = 0; i < ACTOR_PROTOCOLS; i++)
		if (d->rec.use[i].last_ms > last)
			last = d->rec.use[i].last_ms;
	return last;
}

/* By number when both were never seen. */
static bool
is_longer_unseen(const struct device *x, const struct device *y)
{
	int64_t sx = last_seen(x), sy = last_seen(y);

	return sx != sy ? sx < sy : x->id < y->id;
}

/* The longest unseen one that hides nothing, or E_LIMIT. */
static int
pick_oldest_of(struct account *a, bool with_policy, struct device **ret)
{
	const struct ledger *l = a->ledger;
	const struct device *before = NULL;

	for (;;) {
		struct device *oldest = NULL;
		int            r;

		for (size_t i = 0; i < l->n; i++)
			if ((l->d[i]->rec.policy != POP3_POLICY_NONE) == with_policy &&
			    (before == NULL || is_longer_unseen(before, l->d[i])) &&
			    (oldest == NULL || is_longer_unseen(l->d[i], oldest)))
				oldest = l->d[i];
		if (oldest == NULL)
			return E_LIMIT;
		r = hidden_any(a, oldest->id);
		if (r < 0)
			return r;
		if (r == 0) {
			*ret = oldest;
			return 0;
		}
		before = oldest;
	}
}

/* A policy that somebody has set, perhaps for one that is to come, is worth more than counts. */
static int
pick_oldest(struct account *a, struct device **ret)
{
	int r = pick_oldest_of(a, false, ret);

	return r == E_LIMIT ? pick_oldest_of(a, true, ret) : r;
}

/* What was seen of it just now; the peer alone can fail. */
static int
note_login(struct device *d, const struct actor *actor, int64_t now_ms)
{
	struct device_use *use = ledger_use(d, actor->protocol);
	int                r = ledger_set_str(
	                   &use->peer, str_head(actor->peer, ACTOR_STRING_MAX));

	if (r < 0)
		return r;
	if (use->last_ms == 0)
		use->first_ms = now_ms;
	use->last_ms = now_ms;
	use->sessions++;
	return 0;
}

/* One that was not seen for long is watched from now on. */
static void
begin_watch(struct account *a, struct device *d, int64_t now_ms)
{
	const struct device_use *use = ledger_use(d, ACTOR_POP3);
	const struct mailbox    *inbox = account_box_named(a, INBOX);

	if (use->last_ms != 0 && now_ms - use->last_ms < ALARM_UNSEEN_MS)
		return;
	d->rec.watch = (struct device_alarm){
		.since_ms = now_ms, .inbox_n = inbox != NULL ? inbox->rec.messages : 0
	};
}

static int
add_device(struct edit *e, const struct actor *actor, struct device **ret)
{
	struct account            *a = e->a;
	struct ledger             *l = a->ledger;
	const struct device_record rec = { .name = device_name(actor->device) };
	struct device             *d, *gone = NULL;
	int                        r = 0;

	if (l->n >= DEVICES_MAX)
		r = pick_oldest(a, &gone);
	if (r == 0)
		r = ledger_new(a, l->last + 1, &rec, &d);
	if (r < 0)
		return r;
	if (actor->protocol == ACTOR_POP3)
		begin_watch(a, d, e->now_ms);
	r = note_login(d, actor, e->now_ms);
	if (r == 0) {
		ledger_put(e, d);
		if (gone != NULL) {
			struct key key = key_device(gone->id);

			edit_del(e, &key);
		}
		r = edit_commit(e, EDIT_LAZY);
	}
	if (r < 0) {
		ledger_free_device(d);
		return r;
	}
	ledger_add(a, d, gone);
	*ret = d;
	return 0;
}

int
device_seen(struct account *a, const struct actor *actor, device_id *ret)
{
	OWN_EDIT struct edit e = { 0 };
	struct device       *d;
	int                  r;

	ACCOUNT_SCOPE(a);
	r = ledger_ready(a);
	if (r < 0)
		return r;
	edit_begin(&e, a, actor);
	d = ledger_named(a, device_name(actor->device));
	if (d == NULL) {
		r = add_device(&e, actor, &d);
	} else {
		if (actor->protocol == ACTOR_POP3)
			begin_watch(a, d, e.now_ms);
		r = note_login(d, actor, e.now_ms);
		ledger_unsaved(a, d);
	}
	if (r < 0)
		return r;
	*ret = d->id;
	return 0;
}

int
device_client(struct account *a, device_id id, struct str client)
{
	struct device *d;
	int            r;

	ACCOUNT_SCOPE(a);
	r = find(a, id, &d);
	client = str_head(client, DEVICE_CLIENT_MAX);
	if (r < 0 || str_eq(d->rec.client, client))
		return r;
	r = ledger_set_str(&d->rec.client, client);
	ledger_unsaved(a, d);
	return r;
}

int
device_count(struct account *a, device_id id, enum actor_protocol protocol,
    const struct device_counts *counts)
{
	struct device_use *use;
	struct device     *d;
	int                r;

	ACCOUNT_SCOPE(a);
	r = find(a, id, &d);
	if (r < 0)
		return r;
	use = ledger_use(d, protocol);
	use->fetched_n += counts->fetched_n;
	use->fetched_bytes += counts->fetched_bytes;
	use->removed_n += counts->removed_n;
	use->removed_bytes += counts->removed_bytes;
	ledger_unsaved(a, d);
	return 0;
}

/* --- the list --- */

static int
copy_device(const struct device *d, struct arena *arena, struct device_info *ret)
{
	int r;

	*ret = (struct device_info){
		.id = d->id,
		.name = d->rec.name,
		.client = d->rec.client,
		.policy = d->rec.policy,
		.alarm_ms = d->rec.alarm_ms,
	};
	memcpy(ret->use, d->rec.use, sizeof(ret->use));
	r = arena_dup(arena, d->rec.name, &ret->name);
	if (r == 0)
		r = arena_dup(arena, d->rec.client, &ret->client);
	for (size_t i = 0; r == 0 && i < ACTOR_PROTOCOLS; i++)
		r = arena_dup(arena, d->rec.use[i].peer, &ret->use[i].peer);
	return r;
}

int
device_list(struct account *a, struct arena *arena, struct device_info **ret, size_t *ret_n)
{
	struct device_info *list;
	size_t              n;
	int                 r;

	ACCOUNT_SCOPE(a);
	r = ledger_ready(a);
	if (r < 0)
		return r;
	n = a->ledger->n;
	list = arena_alloc(arena, n * sizeof(*list));
	if (list == NULL)
		return E_NOMEM;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = copy_device(a->ledger->d[i], arena, &list[i]);
	if (r < 0)
		return r;
	*ret = list;
	*ret_n = n;
	return 0;
}

int
device_find(struct account *a, struct str name, device_id *ret)
{
	struct device *d;
	int            r;

	ACCOUNT_SCOPE(a);
	r = ledger_ready(a);
	if (r < 0)
		return r;
	d = ledger_named(a, name);
	if (d == NULL)
		return E_NOT_FOUND;
	*ret = d->id;
	return 0;
}

int
device_last_seen(struct account *a, const struct actor *actor, int64_t *ret_ms)
{
	struct device *d;
	int            r;

	ACCOUNT_SCOPE(a);
	r = ledger_ready(a);
	if (r < 0)
		return r;
	d = ledger_named(a, device_name(actor->device));
	*ret_ms = d != NULL ? ledger_use(d, actor->protocol)->last_ms : 0;
	return 0;
}

/* --- policy --- */

int
pop3_options_get(struct account *a, struct pop3_options *ret)
{
	int r;

	ACCOUNT_SCOPE(a);
	r = ledger_ready(a);
	if (r == 0)
		*ret = a->ledger->options;
	return r;
}

int
pop3_options_set(struct account *a, const struct pop3_options *options, const struct actor *actor)
{
	OWN_EDIT struct edit e = { 0 };
	struct key           key = key_options();
	int                  r;

	if (options->policy > POP3_DELETE || options->alarm_percent > 100)
		return E_PARAM;
	ACCOUNT_SCOPE(a);
	r = ledger_ready(a);
	if (r < 0)
		return r;
	edit_begin(&e, a, actor);
	options_record_pack(options, edit_value(&e));
	edit_put(&e, &key);
	r = edit_commit(&e, EDIT_DURABLE);
	if (r == 0)
		a->ledger->options = *options;
	return r;
}

/* Writes the device as `fresh` says; what cannot be written is taken back. */
static int
write_device(struct account *a, struct device *d, const struct actor *actor,
    const struct device_record *fresh)
{
	OWN_EDIT struct edit       e = { 0 };
	const struct device_record old = d->rec;
	int                        r;

	edit_begin(&e, a, actor);
	d->rec = *fresh;
	ledger_put(&e, d);
	r = edit_commit(&e, EDIT_DURABLE);
	/* After a conflict the ledger is another one. */
	if (r < 0 && r != E_CONFLICT)
		d->rec = old;
	else if (r == 0)
		d->unsaved = false;
	return r;
}

int
device_policy_set(struct account *a, device_id id, enum pop3_policy policy,
    const struct actor *actor)
{
	struct device_record rec;
	struct device       *d;
	int                  r;

	if (policy > POP3_DELETE)
		return E_PARAM;
	ACCOUNT_SCOPE(a);
	r = find(a, id, &d);
	if (r < 0)
		return r;
	rec = d->rec;
	rec.policy = policy;
	return write_device(a, d, actor, &rec);
}

int
device_policy(struct account *a, device_id id, enum pop3_policy *ret)
{
	struct device *d = NULL;
	int            r;

	ACCOUNT_SCOPE(a);
	r = id != 0 ? find(a, id, &d) : ledger_ready(a);
	if (r == 0)
		*ret = ledger_policy(a, d);
	return r;
}

/* --- as it was elsewhere --- */

static int
make_as(struct account *a, const struct device_info *info, const struct actor *actor)
{
	OWN_EDIT struct edit e = { 0 };
	struct device_record rec = {
		.name = device_name(info->name),
		.client = str_head(info->client, DEVICE_CLIENT_MAX),
		.policy = info->policy,
		.alarm_ms = info->alarm_ms,
	};
	struct device *d;
	int            r;

	if (a->ledger->n >= DEVICES_MAX)
		return E_LIMIT;
	memcpy(rec.use, info->use, sizeof(rec.use));
	for (size_t i = 0; i < ACTOR_PROTOCOLS; i++)
		rec.use[i].peer = str_head(rec.use[i].peer, ACTOR_STRING_MAX);
	edit_begin(&e, a, actor);
	r = ledger_new(a, a->ledger->last + 1, &rec, &d);
	if (r < 0)
		return r;
	ledger_put(&e, d);
	r = edit_commit(&e, EDIT_DURABLE);
	if (r < 0) {
		ledger_free_device(d);
		return r;
	}
	ledger_add(a, d, NULL);
	return 0;
}

/* Strings of what it was never seen by; the rest comes with the commit. */
static int
fill_use(struct device_use *use, const struct device_use *from)
{
	struct str peer = use->peer;
	int        r;

	if (use->last_ms != 0 || from->last_ms == 0)
		return 0;
	r = ledger_set_str(&peer, str_head(from->peer, ACTOR_STRING_MAX));
	if (r < 0)
		return r;
	*use = *from;
	use->peer = peer;
	return 0;
}

static int
fill(struct account *a, struct device *d, const struct device_info *info,
    const struct actor *actor)
{
	struct device_record rec;
	int                  r = 0;

	if (d->rec.client.n == 0)
		r = ledger_set_str(&d->rec.client, str_head(info->client, DEVICE_CLIENT_MAX));
	for (size_t i = 0; r == 0 && i < ACTOR_PROTOCOLS; i++)
		r = fill_use(&d->rec.use[i], &info->use[i]);
	if (r < 0)
		return r;
	rec = d->rec;
	if (rec.policy == POP3_POLICY_NONE)
		rec.policy = info->policy;
	if (rec.alarm_ms == 0)
		rec.alarm_ms = info->alarm_ms;
	return write_device(a, d, actor, &rec);
}

int
device_put(struct account *a, const struct device_info *info, const struct actor *actor)
{
	struct device *d;
	int            r;

	if (info->policy > POP3_DELETE)
		return E_PARAM;
	ACCOUNT_SCOPE(a);
	r = ledger_ready(a);
	if (r < 0)
		return r;
	d = ledger_named(a, device_name(info->name));
	return d != NULL ? fill(a, d, info, actor) : make_as(a, info, actor);
}

/* --- alarm --- */

/* Of all devices together. */
static bool
are_enough(const struct ledger *l, int64_t now_ms)
{
	unsigned n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->d[i]->alarming || (l->d[i]->rec.alarm_ms != 0 &&
		    now_ms - l->d[i]->rec.alarm_ms < ALARM_DAY_MS);
	return n >= ALARMS_A_DAY;
}

static bool
is_due(const struct account *a, const struct device *d, int64_t now_ms)
{
	const struct pop3_options *opt = &a->ledger->options;
	const struct device_alarm *w = &d->rec.watch;
	uint64_t percent = opt->alarm_percent != 0 ? opt->alarm_percent : ALARM_PERCENT;

	if (opt->alarm_off || w->since_ms == 0 || now_ms - w->since_ms > ALARM_WATCH_MS)
		return false;
	if (d->rec.alarm_ms != 0 && now_ms - d->rec.alarm_ms < ALARM_AGAIN_MS)
		return false;
	return w->removed_n >= ALARM_MIN && w->removed_n * 100 > w->inbox_n * percent;
}

int
device_alarm_due(struct account *a, device_id id, bool *ret_due, struct device_alarm *ret)
{
	const int64_t  now_ms = clock_real_ms();
	struct device *d;
	int            r;

	ACCOUNT_SCOPE(a);
	r = find(a, id, &d);
	if (r < 0)
		return r;
	*ret_due = !d->alarming && is_due(a, d, now_ms) && !are_enough(a->ledger, now_ms);
	if (*ret_due) {
		d->alarming = true;
		*ret = d->rec.watch;
	}
	return 0;
}

int
device_alarm_end(struct account *a, device_id id, const struct actor *actor, bool sent)
{
	struct device_record rec;
	struct device       *d;
	int                  r;

	ACCOUNT_SCOPE(a);
	r = find(a, id, &d);
	if (r == 0 && sent) {
		rec = d->rec;
		rec.alarm_ms = clock_real_ms();
		rec.watch = (struct device_alarm){ 0 };
		r = write_device(a, d, actor, &rec);
	}
	/* A letter that was sent is not sent again because that could not be noted. */
	if (r == 0)
		d->alarming = false;
	return r;
}
