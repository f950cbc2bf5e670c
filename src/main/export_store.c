#include "main/export_store.h"

#include "auth/directory.h"
#include "base/error.h"
#include "main/engine.h"
#include "main/store_view.h"
#include "store/message.h"

struct job {
	const struct options       *o;
	const struct export_target *target;
	struct account             *account;
	struct buf                  bytes;
	uint64_t                    n, failed;
	bool                        begun;
};

static int
write_one(struct job *j, const struct mailbox_info *box, const struct message *m)
{
	struct export_message e = {
		.mailbox = box->name,
		.uid = m->uid,
		.date_ms = m->internal_ms,
		.seen = (m->flags.system & FLAG_SEEN) != 0,
		.answered = (m->flags.system & FLAG_ANSWERED) != 0,
		.flagged = (m->flags.system & FLAG_FLAGGED) != 0,
		.deleted = (m->flags.system & FLAG_DELETED) != 0,
		.draft = (m->flags.system & FLAG_DRAFT) != 0,
	};
	int r;

	buf_reset(&j->bytes);
	r = message_read(j->account, m, 0, (size_t)m->size, &j->bytes);
	if (r < 0 || j->bytes.n != m->size) {
		tell("mailbox %.*s, UID %u cannot be read: %s", STR_ARG(box->name), m->uid,
		    error_row(r < 0 ? r : E_CORRUPT)->text);
		j->failed++;
		return EXIT_OK;
	}
	e.bytes = buf_view(&j->bytes);
	r = j->begun ? EXIT_OK : export_begin(j->target);
	j->begun = true;
	if (r == EXIT_OK)
		r = export_message(j->target, &e);
	j->n += r == EXIT_OK;
	return r;
}

static int
write_mailbox(struct job *j, const struct mailbox_info *box)
{
	OWN(message_iter) it = NULL;
	struct message m;
	int            r = EXIT_OK, e;

	e = message_scan(j->account, box->id, 1, UINT32_MAX, SCAN_RECORDS, &it);
	while (r == EXIT_OK && e >= 0 &&
	    ((e = message_iter_next(it, &m, NULL)) > 0 || e == E_CORRUPT)) {
		if (e > 0) {
			r = write_one(j, box, &m);
			continue;
		}
		tell("mailbox %.*s, UID %u cannot be read: %s", STR_ARG(box->name), m.uid,
		    error_row(e)->text);
		j->failed++;
		e = 0;
	}
	if (e >= 0)
		return r;
	tell("mailbox %.*s cannot be read: %s", STR_ARG(box->name), error_row(e)->text);
	j->failed++;
	return EXIT_OK;
}

static bool
is_wanted(const struct job *j, const struct mailbox_info *box)
{
	if (box->id == 0)
		return false;
	return j->o->mailbox.n == 0 || str_eq(j->o->mailbox, box->name) ||
	    (str_ieq(j->o->mailbox, STR("INBOX")) && str_eq(box->name, STR("INBOX")));
}

static int
write_all(struct job *j, struct arena *a)
{
	struct mailbox_info *list;
	size_t               n, wanted = 0;
	int                  e = mailbox_list(j->account, a, &list, &n), r = EXIT_OK;

	if (e < 0) {
		tell("%s", error_row(e)->text);
		return EXIT_FAILED;
	}
	for (size_t i = 0; r == EXIT_OK && i < n; i++) {
		wanted += is_wanted(j, &list[i]);
		if (is_wanted(j, &list[i]) && !list[i].no_select)
			r = write_mailbox(j, &list[i]);
	}
	if (r == EXIT_OK && wanted == 0) {
		tell("%.*s: %s", STR_ARG(j->o->mailbox), error_row(E_NO_MAILBOX)->text);
		return EXIT_FAILED;
	}
	if (r == EXIT_OK && !j->begun)
		r = export_begin(j->target);
	return r;
}

static int
open_account(struct job *j, struct store *store, struct arena *a)
{
	OWN(directory) directory = NULL;
	struct directory_account who;
	int                      r = directory_open(store_kv(store), &directory);

	if (r == 0)
		r = directory_account_get(directory, j->o->account, a, &who);
	if (r == 0)
		r = account_open(store, who.id, &j->account);
	if (r == 0)
		return EXIT_OK;
	tell("%.*s: %s", STR_ARG(j->o->account), error_row(r)->text);
	return EXIT_FAILED;
}

int
export_store(const struct config *config, const struct options *o,
    const struct export_target *target, uint64_t *ret_n)
{
	OWN_ARENA struct arena a = ARENA_INIT(64 << 20);
	OWN_BUF struct buf     detail = BUF_INIT(4096);
	struct job             j = { .o = o, .target = target, .bytes = BUF_INIT((size_t)1 << 30) };
	struct store_view      view = { 0 };
	const char            *dir = engine_path(config, "store", &a);
	int                    r = dir != NULL ? store_view_open(dir, &detail, &view) : E_NOMEM;

	if (r < 0) {
		tell("cannot open the store in %s: %s %.*s (see postrider check, postrider "
		    "repair)", dir,
		    error_row(r)->text, STR_ARG(buf_view(&detail)));
		return EXIT_FAILED;
	}
	r = open_account(&j, view.store, &a);
	if (r == EXIT_OK)
		r = write_all(&j, &a);
	account_drop(j.account);
	buf_done(&j.bytes);
	store_view_close(&view);
	*ret_n = j.n;
	return r == EXIT_OK && j.failed != 0 ? EXIT_PARTLY : r;
}
