#include "serve/imap/search.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "codec/date.h"
#include "serve/imap/search_text.h"
#include "serve/imap/walk.h"

_Static_assert(IMAP_FLAG_SEEN == (int)FLAG_SEEN && IMAP_FLAG_ANSWERED == (int)FLAG_ANSWERED &&
    IMAP_FLAG_FLAGGED == (int)FLAG_FLAGGED && IMAP_FLAG_DELETED == (int)FLAG_DELETED &&
    IMAP_FLAG_DRAFT == (int)FLAG_DRAFT, "the flags of the wire are those of the store");

/* A key made ready. */
struct node {
	const struct imap_key *key;
	struct node           *next, *list;
	bool                   never;    /* a keyword that nobody has */
	struct ranges          set;      /* SEQ and UID: UIDs; in the arena */
	unsigned               keyword;
	size_t                 string;   /* HEADER, BODY, TEXT: index in the search_text */
};

struct search {
	struct view       *view;
	struct node       *root;
	struct search_text text;
	bool               reads;
	bool               first_only;  /* RETURN (MIN) */
	struct ranges      candidates;
	struct walk        walk;
	struct ranges      found;
	uint64_t           modseq, modseq_first, modseq_last;
};

/* --- making ready --- */

/* Message numbers to the stretches of UIDs between their ends. What lies in them beside the view's
 * UIDs does not matter: no other message is asked about. */
static int
spans_of_numbers(const struct ranges *uids, const struct ranges *numbers, struct ranges *spans)
{
	uint32_t count = ranges_count(uids);
	int      r = 0;

	for (size_t i = 0; r == 0 && i < numbers->n && numbers->r[i].lo <= count; i++) {
		uint32_t hi = numbers->r[i].hi < count ? numbers->r[i].hi : count;

		r = ranges_add(spans, ranges_nth(uids, numbers->r[i].lo), ranges_nth(uids, hi));
	}
	return r;
}

static int
keep_ranges(const struct ranges *set, struct arena *a, struct ranges *ret)
{
	struct range *r = arena_alloc(a, (set->n + 1) * sizeof(*r));

	if (r == NULL)
		return E_NOMEM;
	if (set->n > 0)
		memcpy(r, set->r, set->n * sizeof(*r));
	*ret = (struct ranges){ .r = r, .n = set->n, .cap = set->n };
	return 0;
}

static int
ready_set(struct search *s, struct node *node, struct arena *a)
{
	OWN_RANGES struct ranges closed = { 0 }, spans = { 0 };
	const struct ranges     *uids = &s->view->uids;
	int                      r;

	if (node->key->set.saved)
		return E_PARAM;
	if (node->key->kind == IMAP_KEY_UID) {
		r = imap_set_close(&node->key->set, ranges_max(uids), &closed);
		return r < 0 ? r : keep_ranges(&closed, a, &node->set);
	}
	r = imap_set_close(&node->key->set, ranges_count(uids), &closed);
	if (r == 0)
		r = spans_of_numbers(uids, &closed, &spans);
	return r < 0 ? r : keep_ranges(&spans, a, &node->set);
}

static int
ready_keyword(struct search *s, struct node *node)
{
	int r = keyword_number(s->view->account, node->key->text, false, NULL, &node->keyword);

	node->never = r == E_NOT_FOUND || r == E_SYNTAX;
	return node->never ? 0 : r;
}

static int
ready_string(struct search *s, struct node *node, struct arena *a)
{
	const struct imap_key *key = node->key;
	enum search_where      where = key->kind == IMAP_KEY_HEADER ? SEARCH_IN_FIELD
	    : key->kind == IMAP_KEY_BODY                            ? SEARCH_IN_BODY
	                                                            : SEARCH_IN_TEXT;

	s->reads = true;
	return search_text_add(&s->text, where, key->name, key->text, a, &node->string);
}

static int
ready(struct search *s, const struct imap_key *key, struct arena *a, struct node **ret)
{
	struct node  *node = ARENA_NEW(a, struct node);
	struct node **end;
	int           r = 0;

	if (node == NULL)
		return E_NOMEM;
	node->key = key;
	end = &node->list;
	switch (key->kind) {
	case IMAP_KEY_AND:
	case IMAP_KEY_OR:
		for (const struct imap_key *k = key->list; r == 0 && k != NULL; k = k->next) {
			r = ready(s, k, a, end);
			if (r == 0)
				end = &(*end)->next;
		}
		break;
	case IMAP_KEY_SEQ:
	case IMAP_KEY_UID:
		r = ready_set(s, node, a);
		break;
	case IMAP_KEY_KEYWORD:
		r = ready_keyword(s, node);
		break;
	case IMAP_KEY_HEADER:
	case IMAP_KEY_BODY:
	case IMAP_KEY_TEXT:
		r = ready_string(s, node, a);
		break;
	case IMAP_KEY_DATE:
		s->reads |= key->date == IMAP_DATE_SENT;
		break;
	default:
		break;
	}
	*ret = node;
	return r;
}

/* The messages to look at: those of the view, less what the sets at the top leave out. */
static int
choose_candidates(struct search *s)
{
	OWN_RANGES struct ranges chosen = { 0 };
	bool                     any = false;

	for (const struct node *node = s->root->list; node != NULL; node = node->next) {
		OWN_RANGES struct ranges both = { 0 };
		struct ranges            swap;
		int                      r;

		if ((node->key->kind != IMAP_KEY_SEQ && node->key->kind != IMAP_KEY_UID) ||
		    node->key->negate)
			continue;
		r = any ? ranges_and(&chosen, &node->set, &both) : ranges_copy(&node->set, &both);
		if (r < 0)
			return r;
		swap = chosen;
		chosen = both;
		both = swap;
		any = true;
	}
	return any ? ranges_and(&chosen, &s->view->uids, &s->candidates)
	           : ranges_copy(&s->view->uids, &s->candidates);
}

/* RFC 9051 s6.4.4: these two, and no others. */
static bool
is_charset_known(struct str name)
{
	return name.n == 0 || str_ieq(name, STR("US-ASCII")) || str_ieq(name, STR("UTF-8"));
}

int
search_new(struct view *v, const struct imap_search *ask, struct arena *a, struct search **ret)
{
	OWN(search) s = MEM_NEW(struct search);
	int         r;

	if (s == NULL)
		return E_NOMEM;
	s->view = v;
	search_text_init(&s->text, v->account, v->mailbox);
	if (!is_charset_known(ask->charset))
		return E_BAD_CHARSET;
	r = ready(s, ask->key, a, &s->root);
	if (r == 0)
		r = choose_candidates(s);
	if (r < 0)
		return r;
	s->first_only = ask->extended && ask->returns == IMAP_RETURN_MIN;
	walk_init(&s->walk, v->account, v->mailbox, &s->candidates, false);
	*ret = TAKE(s);
	return 0;
}

void
search_drop(struct search *s)
{
	walk_pause(&s->walk);
	search_text_done(&s->text);
	ranges_done(&s->candidates);
	ranges_done(&s->found);
	mem_free(s);
}

bool
search_reads(const struct search *s)
{
	return s->reads;
}

/* --- one message --- */

static enum search_known
known(bool yes)
{
	return yes ? SEARCH_YES : SEARCH_NO;
}

static bool
has_keyword(const struct message *m, const struct node *node)
{
	uint64_t word = m->flags.keywords[node->keyword / 64];

	return !node->never && (word >> node->keyword % 64 & 1) != 0;
}

static bool
is_in_order(int32_t day, const struct imap_key *key)
{
	switch (key->order) {
	case IMAP_DATE_BEFORE:
		return day < key->day;
	case IMAP_DATE_ON:
		return day == key->day;
	default:
		return day >= key->day;
	}
}

static enum search_known
judge_date(const struct search *s, const struct imap_key *key, const struct message *m)
{
	if (key->date == IMAP_DATE_INTERNAL)
		return known(is_in_order(date_day(m->internal_ms, m->internal_zone_min), key));
	if (s->text.has_date != SEARCH_YES)
		return s->text.has_date; /* without a date it was not sent on any day */
	return known(is_in_order(s->text.date_day, key));
}

static enum search_known judge(const struct search *, const struct node *, const struct message *);

/* A list, all of which (AND) or one of which (OR) must hold: `decides` settles it at once. */
static enum search_known
judge_list(const struct search *s, const struct node *node, const struct message *m)
{
	bool              is_and = node->key->kind == IMAP_KEY_AND;
	enum search_known decides = is_and ? SEARCH_NO : SEARCH_YES;
	enum search_known all = is_and ? SEARCH_YES : SEARCH_NO;

	for (const struct node *n = node->list; n != NULL; n = n->next) {
		enum search_known one = judge(s, n, m);

		if (one == decides)
			return one;
		if (one == SEARCH_UNKNOWN)
			all = SEARCH_UNKNOWN;
	}
	return all;
}

static enum search_known
judge_plain(const struct search *s, const struct node *node, const struct message *m)
{
	const struct imap_key *key = node->key;

	switch (key->kind) {
	case IMAP_KEY_AND:
	case IMAP_KEY_OR:
		return judge_list(s, node, m);
	case IMAP_KEY_SEQ:
	case IMAP_KEY_UID:
		return known(ranges_has(&node->set, m->uid));
	case IMAP_KEY_FLAG:
		if (key->flag == IMAP_FLAG_RECENT)
			return known(view_is_recent(s->view, m->uid));
		return known((m->flags.system & key->flag) != 0);
	case IMAP_KEY_KEYWORD:
		return known(has_keyword(m, node));
	case IMAP_KEY_DATE:
		return judge_date(s, key, m);
	case IMAP_KEY_LARGER:
		return known(m->size > key->number);
	case IMAP_KEY_SMALLER:
		return known(m->size < key->number);
	case IMAP_KEY_MODSEQ:
		return known(m->modseq >= key->number);
	case IMAP_KEY_HEADER:
	case IMAP_KEY_BODY:
	case IMAP_KEY_TEXT:
		return s->text.strings[node->string].known;
	}
	return SEARCH_NO;
}

static enum search_known
judge(const struct search *s, const struct node *node, const struct message *m)
{
	enum search_known r = judge_plain(s, node, m);

	if (!node->key->negate || r == SEARCH_UNKNOWN)
		return r;
	return r == SEARCH_YES ? SEARCH_NO : SEARCH_YES;
}

/* Reads of the message what it takes to say yes or no. 1 or 0, or an error. */
static int
is_match(struct search *s, const struct message *m)
{
	enum search_known answer;
	int               r = 0;

	search_text_begin(&s->text);
	answer = judge(s, s->root, m);
	if (answer == SEARCH_UNKNOWN) {
		r = search_text_header(&s->text, m);
		answer = judge(s, s->root, m);
	}
	if (r == 0 && answer == SEARCH_UNKNOWN) {
		r = search_text_body(&s->text, m);
		answer = judge(s, s->root, m);
	}
	if (r == E_MESSAGE_GONE)
		return 0;
	return r < 0 ? r : answer == SEARCH_YES;
}

static int
note_found(struct search *s, const struct message *m)
{
	if (s->found.n == 0)
		s->modseq_first = m->modseq;
	s->modseq_last = m->modseq;
	if (m->modseq > s->modseq)
		s->modseq = m->modseq;
	return ranges_add(&s->found, m->uid, m->uid);
}

int
search_slice(struct search *s, int64_t budget_ms)
{
	int64_t        end = clock_mono_ms() + budget_ms;
	struct message m;
	int            r;

	do {
		r = walk_next(&s->walk, &m, NULL);
		if (r <= 0)
			break;
		r = is_match(s, &m);
		if (r == 1)
			r = note_found(s, &m);
		if (r < 0 || (s->first_only && s->found.n != 0))
			break;
		r = 1;
	} while (clock_mono_ms() < end);
	walk_pause(&s->walk);
	return r;
}

struct search_found
search_result(const struct search *s)
{
	return (struct search_found){ &s->found, s->modseq, s->modseq_first, s->modseq_last };
}
