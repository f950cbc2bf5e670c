#include "serve/imap/view.h"

#include "base/error.h"
#include "base/mem.h"
#include "proto/imap_write.h"
#include "serve/imap/digits.h"
#include "serve/imap/uids.h"
#include "serve/imap/walk.h"

/* EXPUNGE lines are made for so many messages at a time: about 120 KiB. */
enum { EXPUNGE_BATCH = 8192 };
enum { SYSTEM_FLAGS_ROOM = 64 };

int
view_open(struct account *account, mailbox_id mailbox, bool read_only,
    struct mailbox_status *ret_status, struct view **ret)
{
	OWN(view)        v = MEM_NEW(struct view);
	struct mailbox_status status;
	uint32_t              recent_from;
	int                   r;

	if (v == NULL)
		return E_NOMEM;
	v->account = account;
	v->mailbox = mailbox;
	v->read_only = read_only;
	r = mailbox_view(account, mailbox, !read_only, &status, &v->uids, &recent_from, &v->modseq);
	if (r == 0 && recent_from != 0)
		r = ranges_add(&v->recent, recent_from, UINT32_MAX);
	if (r == 0)
		r = uids_keep_only(&v->recent, &v->uids);
	if (r < 0)
		return r;
	v->uidvalidity = status.uidvalidity;
	v->uidnext_told = status.uidnext;
	v->recent_told = view_recent_count(v);
	*ret_status = status;
	*ret = TAKE(v);
	return 0;
}

/*
 * Messages that came while we were here were \Recent for us, and are so no more for those who come
 * later (RFC 3501 s2.3.2): written once, at the end. One that we were not told of keeps them all
 * \Recent, which is the lesser wrong.
 */
static void
claim_recent(struct view *v)
{
	OWN_RANGES struct ranges uids = { 0 };
	struct mailbox_status    status;
	uint32_t                 recent_from;
	uint64_t                 modseq;

	if (!v->took_recent || v->read_only || v->deleted)
		return;
	if (mailbox_status(v->account, v->mailbox, &status) < 0 || status.recent == 0 ||
	    status.uidnext > v->uidnext_told)
		return;
	(void)mailbox_view(v->account, v->mailbox, true, &status, &uids, &recent_from, &modseq);
}

void
view_drop(struct view *v)
{
	if (v == NULL)
		return;
	claim_recent(v);
	ranges_done(&v->uids);
	ranges_done(&v->recent);
	ranges_done(&v->gone);
	ranges_done(&v->changed);
	ranges_done(&v->marked);
	ranges_done(&v->added);
	mem_free(v);
}

/* --- reading the change log --- */

struct collect {
	const struct view *v;
	struct uid_pile         added, gone, changed;
	bool                    mailbox_changed;
};

static bool
is_own(const struct view *v, uint64_t modseq)
{
	for (unsigned i = 0; i < v->n_own; i++)
		if (v->own[i] == modseq)
			return true;
	return false;
}

static int
collect_one(void *arg, const struct change *ch)
{
	struct collect *c = arg;

	switch (ch->kind) {
	case CHANGE_APPEND:
		uid_pile_add(&c->added, ch->uid_lo, ch->uid_hi);
		break;
	case CHANGE_EXPUNGE:
		uid_pile_add(&c->gone, ch->uid_lo, ch->uid_hi);
		break;
	case CHANGE_FLAGS:
		if (!is_own(c->v, ch->modseq))
			uid_pile_add(&c->changed, ch->uid_lo, ch->uid_hi);
		break;
	case CHANGE_MAILBOX:
		c->mailbox_changed = true;
		break;
	case CHANGE_FETCHED:
	case CHANGE_HIDDEN:
	case CHANGE_PURGED:
		break; /* the journal's alone */
	}
	return 0;
}

/* The log reaches no longer back to what we know: compare with the mailbox as it is. */
static int
collect_all_anew(struct collect *c, uint64_t *ret_modseq)
{
	const struct view  *v = c->v;
	OWN_RANGES struct ranges now = { 0 }, gone = { 0 }, added = { 0 };
	struct mailbox_status    status;
	struct message           m;
	struct walk              w;
	uint32_t                 recent_from;
	int                      r;

	r = mailbox_view(v->account, v->mailbox, false, &status, &now, &recent_from, ret_modseq);
	if (r == 0)
		r = uids_minus(&v->uids, &now, &gone);
	if (r == 0)
		r = uids_minus(&now, &v->uids, &added);
	if (r < 0)
		return r;
	for (size_t i = 0; i < gone.n; i++)
		uid_pile_add(&c->gone, gone.r[i].lo, gone.r[i].hi);
	for (size_t i = 0; i < added.n; i++)
		uid_pile_add(&c->added, added.r[i].lo, added.r[i].hi);
	walk_init(&w, v->account, v->mailbox, &now, SCAN_RECORDS);
	while ((r = walk_next(&w, &m, NULL)) == 1 || r == E_CORRUPT)
		if (r == 1 && m.modseq > v->modseq && !is_own(v, m.modseq))
			uid_pile_add(&c->changed, m.uid, m.uid);
	walk_pause(&w);
	return r;
}

/* Puts what was collected into the view's sets. Doing it twice does no harm. */
static int
take_in(struct view *v, struct collect *c)
{
	OWN_RANGES struct ranges added = { 0 }, gone = { 0 }, changed = { 0 };
	int                      r;

	r = uid_pile_close(&c->added, &added);
	if (r == 0)
		r = uid_pile_close(&c->gone, &gone);
	if (r == 0)
		r = uid_pile_close(&c->changed, &changed);
	/* UIDs only grow: what is not above all we know was there before. */
	if (r == 0 && ranges_max(&v->uids) != 0)
		r = uids_drop_through(&added, ranges_max(&v->uids));
	if (r == 0)
		r = uids_add_all(&v->added, &added);
	if (r == 0)
		r = uids_remove_all(&v->added, &gone);
	if (r == 0)
		r = uids_keep_only(&gone, &v->uids);
	if (r == 0)
		r = uids_add_all(&v->gone, &gone);
	if (r == 0)
		r = uids_keep_only(&changed, &v->uids);
	if (r == 0)
		r = uids_add_all(&v->changed, &changed);
	if (r == 0)
		r = uids_remove_all(&v->changed, &v->gone);
	if (r == 0)
		r = uids_remove_all(&v->marked, &v->gone);
	return r;
}

static int
check_mailbox(struct view *v)
{
	struct mailbox_status status;
	int                   r = mailbox_status(v->account, v->mailbox, &status);

	if (r == E_NO_MAILBOX || (r == 0 && status.uidvalidity != v->uidvalidity)) {
		v->deleted = true;
		return E_NO_MAILBOX;
	}
	return r;
}

int
view_collect(struct view *v)
{
	struct collect c = { .v = v };
	uint64_t       upto;
	int            r;

	if (v->deleted)
		return E_NO_MAILBOX;
	if (account_modseq(v->account) == v->modseq)
		return 0;
	uid_pile_init(&c.added);
	uid_pile_init(&c.gone);
	uid_pile_init(&c.changed);
	r = change_scan(v->account, v->modseq, v->mailbox, collect_one, &c, &upto);
	if (r == E_NOT_FOUND)
		r = collect_all_anew(&c, &upto);
	if (r == 0 && c.mailbox_changed)
		r = check_mailbox(v);
	if (r == E_NOT_FOUND) {
		/* The account is gone, and the mailbox with it. */
		v->deleted = true;
		r = E_NO_MAILBOX;
	}
	if (r == 0)
		r = take_in(v, &c);
	if (r == 0) {
		v->modseq = upto;
		v->n_own = 0;
	}
	uid_pile_done(&c.added);
	uid_pile_done(&c.gone);
	uid_pile_done(&c.changed);
	return r;
}

/* --- what changed since --- */

/* The log is read up to so many entries beyond four for each message; a scan costs less then. */
enum { LOG_ENTRIES_FREE = 1000, LOG_ENTRIES_A_MESSAGE = 4 };

static int
pile_change(void *arg, const struct change *ch)
{
	if (ch->uid_lo != 0)
		uid_pile_add(arg, ch->uid_lo, ch->uid_hi);
	return 0;
}

static int
keep_logged(const struct view *v, uint64_t since, struct ranges *uids)
{
	OWN_RANGES struct ranges changed = { 0 };
	struct uid_pile          pile;
	uint64_t                 upto;
	int                      r;

	uid_pile_init(&pile);
	r = change_scan(v->account, since, v->mailbox, pile_change, &pile, &upto);
	if (r == 0)
		r = uid_pile_close(&pile, &changed);
	if (r == 0)
		r = uids_keep_only(uids, &changed);
	uid_pile_done(&pile);
	return r == E_NOT_FOUND ? 0 : r; /* it does not reach back so far */
}

int
view_keep_changed(const struct view *v, uint64_t since, struct ranges *uids)
{
	uint64_t              most = LOG_ENTRIES_FREE;
	struct mailbox_status status;
	int                   r = mailbox_status(v->account, v->mailbox, &status);

	if (r < 0)
		return r == E_NO_MAILBOX ? 0 : r;
	if (status.highest_modseq <= since) {
		ranges_done(uids);
		return 0;
	}
	most += (uint64_t)LOG_ENTRIES_A_MESSAGE * ranges_count(uids);
	return account_modseq(v->account) - since > most ? 0 : keep_logged(v, since, uids);
}

uint64_t
view_own_begin(struct view *v)
{
	return account_modseq(v->account);
}

void
view_own_end(struct view *v, uint64_t begun)
{
	/* Exactly one commit since: it is ours. Else we cannot tell; repeating it is harmless. */
	if (account_modseq(v->account) != begun + 1)
		return;
	/* Nothing else since the news were taken in: the log need not be read. */
	if (v->modseq == begun) {
		v->modseq = begun + 1;
		return;
	}
	if (v->n_own < VIEW_OWN_MAX)
		v->own[v->n_own++] = begun + 1;
	if (v->n_own == VIEW_OWN_MAX)
		(void)view_collect(v); /* its error comes back when the news is due */
}

/* --- telling --- */

uint32_t
view_number(const struct view *v, uint32_t uid)
{
	return ranges_rank(&v->uids, uid);
}

bool
view_is_recent(const struct view *v, uint32_t uid)
{
	return v->recent.n != 0 && ranges_has(&v->recent, uid);
}

uint32_t
view_recent_count(const struct view *v)
{
	uint32_t n = 0;

	for (size_t i = 0; i < v->recent.n; i++)
		n += ranges_rank(&v->uids, v->recent.r[i].hi) -
		     ranges_rank(&v->uids, v->recent.r[i].lo - 1);
	return n;
}

static void
put_all_flags(struct view *v, struct buf *out, bool any_new)
{
	buf_str(out, STR("\\Answered \\Flagged \\Deleted \\Seen \\Draft"));
	for (unsigned i = 0; i < v->keywords_told; i++) {
		buf_byte(out, ' ');
		buf_str(out, keyword_name(v->account, i));
	}
	if (any_new)
		buf_str(out, STR(" \\*"));
}

void
view_put_flag_list(struct view *v, struct buf *out, bool always)
{
	unsigned n = keyword_count(v->account);

	if (n == v->keywords_told && !always)
		return;
	v->keywords_told = n;
	buf_str(out, STR("* FLAGS ("));
	put_all_flags(v, out, false);
	buf_str(out, STR(")\r\n* OK [PERMANENTFLAGS ("));
	if (v->read_only) {
		buf_str(out, STR(")] Read-only mailbox.\r\n"));
		return;
	}
	put_all_flags(v, out, n < KEYWORD_MAX);
	buf_str(out, STR(")] Flags permitted.\r\n"));
}

void
view_put_flag_list_for(struct view *v, struct buf *out, const struct flags *flags)
{
	for (unsigned w = KEYWORD_MAX / 64; w-- > 0;) {
		uint64_t bits = flags->keywords[w];

		if (bits == 0)
			continue;
		if (w * 64 + 63 - (unsigned)__builtin_clzll(bits) >= v->keywords_told)
			view_put_flag_list(v, out, false);
		return;
	}
}

/* The system flags with a blank behind each. */
static char *
put_system(char *p, unsigned flags)
{
	if ((flags & FLAG_ANSWERED) != 0)
		p = PUT_TEXT(p, "\\Answered ");
	if ((flags & FLAG_FLAGGED) != 0)
		p = PUT_TEXT(p, "\\Flagged ");
	if ((flags & FLAG_DELETED) != 0)
		p = PUT_TEXT(p, "\\Deleted ");
	if ((flags & FLAG_SEEN) != 0)
		p = PUT_TEXT(p, "\\Seen ");
	if ((flags & FLAG_DRAFT) != 0)
		p = PUT_TEXT(p, "\\Draft ");
	if ((flags & IMAP_FLAG_RECENT) != 0)
		p = PUT_TEXT(p, "\\Recent ");
	return p;
}

static void
put_keywords(struct view *v, struct buf *out, const struct flags *flags)
{
	for (unsigned w = 0; w < KEYWORD_MAX / 64; w++)
		for (uint64_t bits = flags->keywords[w]; bits != 0; bits &= bits - 1) {
			buf_str(out, keyword_name(v->account,
			                 w * 64 + (unsigned)__builtin_ctzll(bits)));
			buf_byte(out, ' ');
		}
}

void
view_put_flags(struct view *v, struct buf *out, const struct message *m)
{
	unsigned     system = m->flags.system & FLAG_SYSTEM_ALL;
	const size_t at = out->n;
	char        *p = buf_room(out, SYSTEM_FLAGS_ROOM);

	if (p == NULL)
		return;
	if (view_is_recent(v, m->uid))
		system |= IMAP_FLAG_RECENT;
	buf_commit(out, (size_t)(put_system(p, system) - p));
	put_keywords(v, out, &m->flags);
	if (out->n > at)
		out->n--; /* the last blank */
}

bool
view_has_news(const struct view *v, bool expunges)
{
	return v->changed.n != 0 || v->marked.n != 0 || v->added.n != 0 ||
	       (expunges && v->gone.n != 0);
}

static void
put_change(struct view *v, const struct view_telling *t, const struct message *m)
{
	struct buf *out = conn_output(t->conn);
	const char *blank = "";

	buf_str(out, STR("* "));
	buf_u64(out, view_number(v, m->uid));
	buf_str(out, STR(" FETCH ("));
	if (v->with_uid || t->condstore) {
		buf_str(out, STR("UID "));
		buf_u64(out, m->uid);
		blank = " ";
	}
	if (ranges_has(&v->changed, m->uid)) {
		buf_str(out, str_c(blank));
		buf_str(out, STR("FLAGS ("));
		view_put_flags(v, out, m);
		buf_byte(out, ')');
		blank = " ";
	}
	if (t->condstore) {
		buf_str(out, str_c(blank));
		buf_str(out, STR("MODSEQ ("));
		buf_u64(out, m->modseq);
		buf_byte(out, ')');
	}
	buf_str(out, STR(")\r\n"));
}

static int
tell_changes(struct view *v, const struct view_telling *t)
{
	OWN_RANGES struct ranges all = { 0 };
	struct message           m;
	struct walk              w;
	uint32_t                 done = 0;
	int                      r = uids_or(&v->changed, &v->marked, &all);

	if (r < 0)
		return r;
	walk_init(&w, v->account, v->mailbox, &all, t->condstore ? SCAN_RECORDS : SCAN_FLAGS);
	do {
		r = walk_next(&w, &m, NULL);
		if (r != 1 && r != E_CORRUPT)
			break;
		done = m.uid;
		if (r == E_CORRUPT) /* nothing is known of its flags */
			continue;
		view_put_flag_list_for(v, conn_output(t->conn), &m.flags);
		put_change(v, t, &m);
	} while (!conn_output_full(t->conn));
	walk_pause(&w);
	if (r < 0 && r != E_CORRUPT)
		return r;
	if (r == 0)
		done = UINT32_MAX;
	r = uids_drop_through(&v->changed, done);
	return r < 0 ? r : uids_drop_through(&v->marked, done);
}

/* "* 12 EXISTS" */
static void
put_number_line(struct buf *out, uint32_t number, struct str what)
{
	char *p = buf_room(out, 2 + DIGITS_MAX), *end;

	if (p == NULL)
		return;
	end = put_digits(PUT_TEXT(p, "* "), number);
	buf_commit(out, (size_t)(end - p));
	buf_str(out, what);
}

/* From the last to the first, so that no number shifts before it is named. */
static int
tell_expunges(struct view *v, const struct view_telling *t)
{
	OWN_RANGES struct ranges batch = { 0 }, left = { 0 };
	struct buf              *out = conn_output(t->conn);
	int                      r = uids_last(&v->gone, EXPUNGE_BATCH, &batch);

	if (r == 0)
		r = uids_minus(&v->uids, &batch, &left);
	if (r == 0)
		r = uids_drop_from(&v->gone, ranges_min(&batch));
	if (r < 0)
		return r;
	for (size_t i = batch.n; i-- > 0;) {
		uint32_t number = view_number(v, batch.r[i].hi);

		for (uint32_t k = batch.r[i].hi - batch.r[i].lo + 1; k-- > 0; number--)
			put_number_line(out, number, STR(" EXPUNGE\r\n"));
	}
	ranges_done(&v->uids);
	v->uids = left;
	left = (struct ranges){ 0 };
	return 0;
}

static int
tell_added(struct view *v, const struct view_telling *t)
{
	struct buf *out = conn_output(t->conn);
	uint32_t    recent;
	int         r = 0;

	if (v->added.n != 0) {
		r = uids_add_all(&v->recent, &v->added);
		if (r == 0)
			r = uids_add_all(&v->uids, &v->added);
		if (r < 0)
			return r;
		v->uidnext_told = ranges_max(&v->added) + 1;
		v->took_recent = true;
		ranges_done(&v->added);
		put_number_line(out, ranges_count(&v->uids), STR(" EXISTS\r\n"));
	}
	recent = view_recent_count(v);
	if (recent != v->recent_told) {
		put_number_line(out, recent, STR(" RECENT\r\n"));
		v->recent_told = recent;
	}
	return r;
}

enum step
view_tell(struct view *v, const struct view_telling *t, int *ret_err)
{
	int r = 0;

	view_put_flag_list(v, conn_output(t->conn), false);
	while (r == 0 && (v->changed.n != 0 || v->marked.n != 0)) {
		r = tell_changes(v, t);
		if (r == 0 && conn_output_full(t->conn))
			goto more;
	}
	while (r == 0 && t->expunges && v->gone.n != 0) {
		r = tell_expunges(v, t);
		if (r == 0 && conn_output_full(t->conn))
			goto more;
	}
	if (r == 0)
		r = tell_added(v, t);
	*ret_err = r;
	return STEP_DONE;
more:
	*ret_err = 0;
	return STEP_MORE;
}
