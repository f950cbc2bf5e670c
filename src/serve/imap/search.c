#include "serve/imap/search.h"

#include "base/error.h"
#include "base/mem.h"
#include "serve/imap/search_work.h"

_Static_assert(IMAP_FLAG_SEEN == (int)FLAG_SEEN && IMAP_FLAG_ANSWERED == (int)FLAG_ANSWERED &&
    IMAP_FLAG_FLAGGED == (int)FLAG_FLAGGED && IMAP_FLAG_DELETED == (int)FLAG_DELETED &&
    IMAP_FLAG_DRAFT == (int)FLAG_DRAFT, "the flags of the wire are those of the store");

/* Messages of a unit: enough for some dozen chunks of texts, so that few are unpacked twice. */
enum { UNIT = 1024, UNIT_FIRST_ONLY = 64, UNIT_COLUMNS = COLUMNS_AT_ONCE };

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
	const struct imap_key         *key = node->key;
	const struct search_new_string add = {
		.where = key->kind == IMAP_KEY_HEADER ? SEARCH_IN_FIELD
		    : key->kind == IMAP_KEY_BODY      ? SEARCH_IN_BODY
		                                      : SEARCH_IN_TEXT,
		.field = key->name,
		.text = key->text,
	};

	s->reads = true;
	return search_strings_add(&s->strings, &add, a, &node->string);
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
		s->sent_date |= key->date == IMAP_DATE_SENT;
		s->reads |= s->sent_date;
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

static int
make_units(struct search *s)
{
	uint32_t n = ranges_count(&s->candidates);

	s->unit = s->first_only ? UNIT_FIRST_ONLY : UNIT;
	if (s->by_columns && !s->beyond_columns)
		s->unit = UNIT_COLUMNS;
	s->n_units = n / s->unit + (n % s->unit != 0);
	s->units = mem_zalloc(((size_t)s->n_units + 1) * sizeof(*s->units));
	return s->units != NULL ? 0 : E_NOMEM;
}

int
search_new(struct view *v, const struct imap_search *ask, struct arena *a, struct search **ret)
{
	OWN(search) s = MEM_NEW(struct search);
	int         r;

	if (s == NULL)
		return E_NOMEM;
	s->view = v;
	s->first_only = ask->extended && ask->returns == IMAP_RETURN_MIN;
	atomic_init(&s->end, UINT32_MAX);
	if (!is_charset_known(ask->charset))
		return E_BAD_CHARSET;
	r = ready(s, ask->key, a, &s->root);
	if (r == 0)
		r = choose_candidates(s);
	if (r < 0)
		return r;
	search_columns_choose(s);
	r = make_units(s);
	if (r < 0)
		return r;
	*ret = TAKE(s);
	return 0;
}

void
search_drop(struct search *s)
{
	for (unsigned i = 0; i < SEARCH_WORKERS_MAX; i++)
		if (s->workers[i] != NULL)
			search_worker_drop(s->workers[i]);
	for (uint32_t i = 0; s->units != NULL && i < s->n_units; i++)
		ranges_done(&s->units[i].found);
	mem_free(s->units);
	ranges_done(&s->candidates);
	ranges_done(&s->found);
	mem_free(s);
}

bool
search_reads(const struct search *s)
{
	return s->reads || s->builds;
}

unsigned
search_workers(const struct search *s)
{
	if (s->n_units >= SEARCH_WORKERS_MAX)
		return SEARCH_WORKERS_MAX;
	return s->n_units > 1 ? (unsigned)s->n_units : 1;
}

unsigned
search_percent(const struct search *s)
{
	uint32_t begun = atomic_load_explicit(&s->next, memory_order_relaxed);

	return s->n_units != 0 ? (unsigned)(100ull * begun / s->n_units) : 100;
}

/* --- what was found --- */

static int
join_unit(struct search *s, const struct search_unit *u)
{
	int r = 0;

	if (u->found.n == 0)
		return 0;
	if (s->found.n == 0)
		s->modseq_first = u->modseq_first;
	s->modseq_last = u->modseq_last;
	if (u->modseq > s->modseq)
		s->modseq = u->modseq;
	for (size_t i = 0; r == 0 && i < u->found.n; i++)
		r = ranges_add(&s->found, u->found.r[i].lo, u->found.r[i].hi);
	return r;
}

int
search_end(struct search *s)
{
	int r = 0;

	for (; r == 0 && s->joined < s->n_units; s->joined++) {
		if (s->first_only && s->found.n != 0)
			break;
		r = join_unit(s, &s->units[s->joined]);
	}
	return r;
}

struct search_found
search_result(const struct search *s)
{
	return (struct search_found){ &s->found, s->modseq, s->modseq_first, s->modseq_last };
}
