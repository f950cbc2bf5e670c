/* The tree of a SEARCH and one message: yes, no, or not known yet. */
#include "codec/date.h"
#include "serve/imap/search_work.h"

/* What is judged. */
struct subject {
	const struct search  *search;
	struct search_look   *look;
	const struct message *m;
};

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
judge_date(const struct subject *j, const struct imap_key *key)
{
	if (key->date == IMAP_DATE_INTERNAL)
		return known(
		    is_in_order(date_day(j->m->internal_ms, j->m->internal_zone_min), key));
	if (!j->look->has_date)
		return SEARCH_UNKNOWN;
	/* without a date it was not sent on any day */
	return known(j->look->date.is_there && is_in_order(j->look->date.day, key));
}

static enum search_known judge(const struct subject *, const struct node *);

/* A list, all of which (AND) or one of which (OR) must hold: `decides` settles it at once. */
static enum search_known
judge_list(const struct subject *j, const struct node *node)
{
	bool              is_and = node->key->kind == IMAP_KEY_AND;
	enum search_known decides = is_and ? SEARCH_NO : SEARCH_YES;
	enum search_known all = is_and ? SEARCH_YES : SEARCH_NO;

	for (const struct node *n = node->list; n != NULL; n = n->next) {
		enum search_known one = judge(j, n);

		if (one == decides)
			return one;
		if (one == SEARCH_UNKNOWN)
			all = SEARCH_UNKNOWN;
	}
	return all;
}

static enum search_known
judge_plain(const struct subject *j, const struct node *node)
{
	const struct imap_key *key = node->key;

	switch (key->kind) {
	case IMAP_KEY_AND:
	case IMAP_KEY_OR:
		return judge_list(j, node);
	case IMAP_KEY_SEQ:
	case IMAP_KEY_UID:
		return known(ranges_has(&node->set, j->m->uid));
	case IMAP_KEY_FLAG:
		if (key->flag == IMAP_FLAG_RECENT)
			return known(view_is_recent(j->search->view, j->m->uid));
		return known((j->m->flags.system & key->flag) != 0);
	case IMAP_KEY_KEYWORD:
		return known(has_keyword(j->m, node));
	case IMAP_KEY_DATE:
		return judge_date(j, key);
	case IMAP_KEY_LARGER:
		return known(j->m->size > key->number);
	case IMAP_KEY_SMALLER:
		return known(j->m->size < key->number);
	case IMAP_KEY_MODSEQ:
		return known(j->m->modseq >= key->number);
	case IMAP_KEY_HEADER:
	case IMAP_KEY_BODY:
	case IMAP_KEY_TEXT:
		return search_look_known(j->look, node->string);
	}
	return SEARCH_NO;
}

static enum search_known
judge(const struct subject *j, const struct node *node)
{
	enum search_known r = judge_plain(j, node);

	if (!node->key->negate || r == SEARCH_UNKNOWN)
		return r;
	return r == SEARCH_YES ? SEARCH_NO : SEARCH_YES;
}

enum search_known
search_judge(const struct search *s, struct search_look *look, const struct message *m)
{
	const struct subject j = { s, look, m };

	return judge(&j, s->root);
}
