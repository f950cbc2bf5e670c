/* LIST, LSUB, XLIST. RFC 3501 s6.3.8, s6.3.9, RFC 5258 (LIST-EXTENDED), RFC 6154, RFC 5819 */
#include "base/error.h"
#include "base/map.h"
#include "proto/imap_match.h"
#include "serve/imap/special.h"
#include "serve/imap/verbs.h"

enum list_kind { KIND_LIST, KIND_LSUB, KIND_XLIST };

/* What a name above a selected one is to the list; a value of `parents`. */
static char PARENT_UNLISTED, PARENT_LISTED;

struct list_job {
	enum list_kind       kind;
	unsigned             select, returns, status;
	struct imap_pattern *patterns;
	size_t               n_patterns;
	struct mailbox_info *boxes;
	size_t               n_boxes;
	size_t               at;      /* next of boxes */
	struct map           parents; /* names above those that are selected */
	struct map_at        parents_at;
};

static void
list_drop(void *job)
{
	struct list_job *j = job;

	map_done(&j->parents);
}

static bool
matches(const struct list_job *j, struct str name)
{
	for (size_t i = 0; i < j->n_patterns; i++)
		if (imap_pattern_match(&j->patterns[i], name))
			return true;
	return false;
}

static bool
is_selected(const struct list_job *j, const struct mailbox_info *box)
{
	if ((j->select & IMAP_LIST_SUBSCRIBED) != 0 && !box->subscribed)
		return false;
	if ((j->select & IMAP_LIST_SPECIAL_USE) != 0 && box->special_use == 0)
		return false;
	return box->id != 0 || (j->select & IMAP_LIST_SUBSCRIBED) != 0;
}

/* --- one answer --- */

static void
put_child_attributes(const struct list_job *j, const struct mailbox_info *box, struct buf *out)
{
	if (box->id == 0)
		buf_str(out, j->kind == KIND_LIST ? STR(" \\NonExistent") : STR(" \\Noselect"));
	else if (box->no_select)
		buf_str(out, STR(" \\Noselect"));
	buf_str(out, box->has_children ? STR(" \\HasChildren") : STR(" \\HasNoChildren"));
}

static void
put_box(struct imap_session *s, const struct list_job *j, const struct mailbox_info *box,
    bool child_info)
{
	static const char *const words[] = { "LIST", "LSUB", "XLIST" };
	struct buf              *out = conn_output(s->conn);
	size_t                   open;

	buf_str(out, STR("* "));
	buf_str(out, str_c(words[j->kind]));
	buf_str(out, STR(" ("));
	open = out->n;
	if (((j->select | j->returns) & IMAP_LIST_SUBSCRIBED) != 0 && j->kind == KIND_LIST &&
	    box->subscribed)
		buf_str(out, STR(" \\Subscribed"));
	if (j->kind == KIND_LSUB && !box->subscribed)
		buf_str(out, STR(" \\Noselect \\HasChildren"));
	else
		put_child_attributes(j, box, out);
	if (j->kind == KIND_XLIST && str_ieq(box->name, STR("INBOX")))
		buf_str(out, STR(" \\Inbox"));
	special_use_put(out, box->special_use);
	/* Each attribute came with a blank before it; the first needs none. */
	if (out->err == 0 && out->n > open) {
		memmove(out->p + open, out->p + open + 1, out->n - open - 1);
		out->n--;
	}
	buf_str(out, STR(") \""));
	buf_byte(out, MAILBOX_SEPARATOR);
	buf_str(out, STR("\" "));
	imap_put_mailbox(out, box->name, false);
	if (child_info)
		buf_str(out, STR(" (\"CHILDINFO\" (\"SUBSCRIBED\"))"));
	buf_str(out, STR("\r\n"));
}

/* RETURN (STATUS (...)), RFC 5819 s2: a mailbox without an answer is simply left out. */
static void
put_box_status(struct imap_session *s, const struct list_job *j, const struct mailbox_info *box)
{
	struct buf           *out = conn_output(s->conn);
	struct mailbox_status status;

	if ((j->returns & IMAP_LIST_STATUS) == 0 || box->id == 0 || box->no_select)
		return;
	if (mailbox_status(s->account, box->id, &status) < 0)
		return;
	buf_str(out, STR("* STATUS "));
	imap_put_mailbox(out, box->name, false);
	buf_byte(out, ' ');
	imap_put_status(out, &status, j->status);
	buf_str(out, STR("\r\n"));
}

/* --- the names above --- */

/* LSUB names them when they match and what is below does not (RFC 3501 s6.3.9); RECURSIVEMATCH
 * names all that match (RFC 5258 s3.1). */
static bool
wants_parents(const struct list_job *j, const struct mailbox_info *box)
{
	if (!is_selected(j, box))
		return false;
	if ((j->select & IMAP_LIST_RECURSIVEMATCH) != 0)
		return true;
	return j->kind == KIND_LSUB && !matches(j, box->name);
}

static int
add_parents(struct list_job *j)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < j->n_boxes; i++) {
		struct str name = j->boxes[i].name;

		if (!wants_parents(j, &j->boxes[i]))
			continue;
		while (r == 0) {
			size_t cut = str_rfind_byte(name, MAILBOX_SEPARATOR);

			if (cut == name.n)
				break;
			name = str_head(name, cut);
			if (map_get(&j->parents, name) != NULL)
				break;
			r = map_put(&j->parents, name, &PARENT_UNLISTED);
		}
	}
	return r;
}

static void
show_box(struct imap_session *s, struct list_job *j, const struct mailbox_info *box)
{
	bool above = j->parents.n != 0 && map_get(&j->parents, box->name) != NULL;

	if (above)
		(void)map_put(&j->parents, box->name, &PARENT_LISTED); /* it is there: no memory */
	if (!matches(j, box->name) || (!is_selected(j, box) && !above))
		return;
	put_box(s, j, box, above && j->kind == KIND_LIST);
	put_box_status(s, j, box);
}

/* Names above a subscription that no mailbox has. */
static void
show_missing_parent(struct imap_session *s, const struct list_job *j)
{
	struct mailbox_info box = { .name = j->parents_at.key, .has_children = true };

	if (j->parents_at.value == &PARENT_UNLISTED && matches(j, box.name))
		put_box(s, j, &box, j->kind == KIND_LIST);
}

static enum step
list_more(struct imap_session *s, struct list_job *j)
{
	for (; j->at < j->n_boxes; j->at++) {
		if (conn_output_full(s->conn))
			return STEP_MORE;
		show_box(s, j, &j->boxes[j->at]);
	}
	while (map_next(&j->parents, &j->parents_at)) {
		show_missing_parent(s, j);
		if (conn_output_full(s->conn))
			return STEP_MORE;
	}
	return imap_ok(s, j->kind == KIND_LSUB ? "Lsub completed." : "List completed.");
}

static int
list_start(struct imap_session *s, struct imap_command *c, struct list_job *j)
{
	const struct imap_strs *texts = &c->args.list.patterns;
	int                     r;

	j->patterns = arena_alloc(&s->arena, texts->n * sizeof(*j->patterns));
	if (j->patterns == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < texts->n; i++) {
		r = imap_pattern_make(c->args.list.reference, texts->s[i], MAILBOX_SEPARATOR,
		    &s->arena, &j->patterns[i]);
		if (r < 0)
			return r;
	}
	j->n_patterns = texts->n;
	r = mailbox_list(s->account, &s->arena, &j->boxes, &j->n_boxes);
	return r < 0 ? r : add_parents(j);
}

/* LIST "" "": the separator and the root, RFC 3501 s6.3.8. */
static bool
asks_for_root(const struct imap_command *c)
{
	const struct imap_strs *texts = &c->args.list.patterns;

	return !c->args.list.extended && texts->n == 1 && texts->s[0].n == 0;
}

static enum step
run_list(struct imap_session *s, struct imap_command *c, enum list_kind kind)
{
	struct list_job *j = c->job;
	int              r;

	if (j != NULL)
		return list_more(s, j);
	j = ARENA_NEW(&s->arena, struct list_job);
	if (j == NULL)
		return imap_fail(s, E_NOMEM);
	map_init(&j->parents);
	c->job = j;
	c->drop = list_drop;
	j->kind = kind;
	j->select = kind == KIND_LSUB ? IMAP_LIST_SUBSCRIBED : c->args.list.select;
	j->returns = c->args.list.returns;
	j->status = c->args.list.status;
	if ((j->returns & IMAP_LIST_STATUS) != 0 && (j->status & IMAP_STATUS_HIGHESTMODSEQ) != 0)
		imap_condstore_on(s);
	if (kind != KIND_LSUB && asks_for_root(c)) {
		imap_untagged(s, "%s (\\Noselect) \"%c\" \"\"",
		    kind == KIND_XLIST ? "XLIST" : "LIST", MAILBOX_SEPARATOR);
		return imap_ok(s, "List completed.");
	}
	r = list_start(s, c, j);
	return r < 0 ? imap_fail(s, r) : list_more(s, j);
}

enum step
imap_run_list(struct imap_session *s, struct imap_command *c)
{
	const unsigned others = c->args.list.select & ~(unsigned)(IMAP_LIST_RECURSIVEMATCH |
	                                                          IMAP_LIST_REMOTE);

	if ((c->args.list.select & IMAP_LIST_RECURSIVEMATCH) != 0 && others == 0)
		return imap_bad(s, "RECURSIVEMATCH needs another selection option.");
	return run_list(s, c, KIND_LIST);
}

enum step
imap_run_lsub(struct imap_session *s, struct imap_command *c)
{
	return run_list(s, c, KIND_LSUB);
}

enum step
imap_run_xlist(struct imap_session *s, struct imap_command *c)
{
	return run_list(s, c, KIND_XLIST);
}
