/* SEARCH. RFC 9051 s6.4.4 */
#include "base/error.h"
#include "codec/date.h"
#include "proto/imap_read.h"

struct searcher {
	struct imap_reader *r;
	unsigned            n_keys;
	bool                has_modseq;
};

/* What a word means; `value` is the flag, or the date's order. */
struct key_row {
	struct str         name;
	enum imap_key_kind kind;
	unsigned           value;
	bool               negate;
	enum imap_key_date date;
};

static const struct key_row KEYS[] = {
	{ STR("ALL"), IMAP_KEY_AND, 0, false, 0 },
	{ STR("SEEN"), IMAP_KEY_FLAG, IMAP_FLAG_SEEN, false, 0 },
	{ STR("UNSEEN"), IMAP_KEY_FLAG, IMAP_FLAG_SEEN, true, 0 },
	{ STR("DELETED"), IMAP_KEY_FLAG, IMAP_FLAG_DELETED, false, 0 },
	{ STR("UNDELETED"), IMAP_KEY_FLAG, IMAP_FLAG_DELETED, true, 0 },
	{ STR("ANSWERED"), IMAP_KEY_FLAG, IMAP_FLAG_ANSWERED, false, 0 },
	{ STR("UNANSWERED"), IMAP_KEY_FLAG, IMAP_FLAG_ANSWERED, true, 0 },
	{ STR("FLAGGED"), IMAP_KEY_FLAG, IMAP_FLAG_FLAGGED, false, 0 },
	{ STR("UNFLAGGED"), IMAP_KEY_FLAG, IMAP_FLAG_FLAGGED, true, 0 },
	{ STR("DRAFT"), IMAP_KEY_FLAG, IMAP_FLAG_DRAFT, false, 0 },
	{ STR("UNDRAFT"), IMAP_KEY_FLAG, IMAP_FLAG_DRAFT, true, 0 },
	{ STR("RECENT"), IMAP_KEY_FLAG, IMAP_FLAG_RECENT, false, 0 },
	{ STR("OLD"), IMAP_KEY_FLAG, IMAP_FLAG_RECENT, true, 0 },
	{ STR("KEYWORD"), IMAP_KEY_KEYWORD, 0, false, 0 },
	{ STR("UNKEYWORD"), IMAP_KEY_KEYWORD, 0, true, 0 },
	{ STR("UID"), IMAP_KEY_UID, 0, false, 0 },
	{ STR("BEFORE"), IMAP_KEY_DATE, IMAP_DATE_BEFORE, false, IMAP_DATE_INTERNAL },
	{ STR("ON"), IMAP_KEY_DATE, IMAP_DATE_ON, false, IMAP_DATE_INTERNAL },
	{ STR("SINCE"), IMAP_KEY_DATE, IMAP_DATE_SINCE, false, IMAP_DATE_INTERNAL },
	{ STR("SENTBEFORE"), IMAP_KEY_DATE, IMAP_DATE_BEFORE, false, IMAP_DATE_SENT },
	{ STR("SENTON"), IMAP_KEY_DATE, IMAP_DATE_ON, false, IMAP_DATE_SENT },
	{ STR("SENTSINCE"), IMAP_KEY_DATE, IMAP_DATE_SINCE, false, IMAP_DATE_SENT },
	{ STR("LARGER"), IMAP_KEY_LARGER, 0, false, 0 },
	{ STR("SMALLER"), IMAP_KEY_SMALLER, 0, false, 0 },
	{ STR("MODSEQ"), IMAP_KEY_MODSEQ, 0, false, 0 },
	{ STR("HEADER"), IMAP_KEY_HEADER, 0, false, 0 },
	{ STR("BCC"), IMAP_KEY_HEADER, 0, false, 0 },
	{ STR("CC"), IMAP_KEY_HEADER, 0, false, 0 },
	{ STR("FROM"), IMAP_KEY_HEADER, 0, false, 0 },
	{ STR("SUBJECT"), IMAP_KEY_HEADER, 0, false, 0 },
	{ STR("TO"), IMAP_KEY_HEADER, 0, false, 0 },
	{ STR("BODY"), IMAP_KEY_BODY, 0, false, 0 },
	{ STR("TEXT"), IMAP_KEY_TEXT, 0, false, 0 },
};

static struct imap_key *read_key(struct searcher *, unsigned depth);

/* An empty key of that kind; NULL: latched. */
static struct imap_key *
new_key(struct searcher *s, enum imap_key_kind kind)
{
	struct imap_key *key;

	if (s->r->err < 0)
		return NULL;
	if (++s->n_keys > IMAP_SEARCH_KEYS_MAX) {
		ir_latch(s->r, E_LIMIT, "too many search keys");
		return NULL;
	}
	key = ARENA_NEW(s->r->arena, struct imap_key);
	if (key == NULL)
		ir_latch(s->r, E_NOMEM, "out of memory");
	else
		key->kind = kind;
	return key;
}

static struct imap_key *
flag_key(struct searcher *s, unsigned flag, bool negate)
{
	struct imap_key *key = new_key(s, IMAP_KEY_FLAG);

	if (key != NULL) {
		key->flag = flag;
		key->negate = negate;
	}
	return key;
}

/* NEW is (RECENT UNSEEN). */
static struct imap_key *
new_messages_key(struct searcher *s)
{
	struct imap_key *both = new_key(s, IMAP_KEY_AND);
	struct imap_key *recent = flag_key(s, IMAP_FLAG_RECENT, false);
	struct imap_key *unseen = flag_key(s, IMAP_FLAG_SEEN, true);

	if (both == NULL || recent == NULL || unseen == NULL)
		return NULL;
	both->list = recent;
	recent->next = unseen;
	return both;
}

static int32_t
read_day(struct imap_reader *r)
{
	struct str text = ir_astring(r);
	int32_t    day = 0;

	if (r->err == 0 && date_parse_imap_day(text, &day) < 0)
		ir_fail(r, "bad date");
	return day;
}

/* [SP entry-name SP entry-type] SP mod-sequence, RFC 7162 s3.1.5. A message has one modseq here, so
 * which entry is asked about makes no difference. */
static uint64_t
read_modseq(struct imap_reader *r)
{
	if (ir_peek(r, '"')) {
		ir_string(r);
		ir_sp(r);
		if (!ir_take_word(r, STR("all")) && !ir_take_word(r, STR("priv")) &&
		    !ir_take_word(r, STR("shared")))
			ir_fail(r, "unknown entry type");
		ir_sp(r);
	}
	return ir_u64(r);
}

static void
read_argument(struct searcher *s, const struct key_row *row, struct imap_key *key)
{
	struct imap_reader *r = s->r;

	if (row->kind != IMAP_KEY_AND && row->kind != IMAP_KEY_FLAG)
		ir_sp(r);
	switch (row->kind) {
	case IMAP_KEY_FLAG:
		key->flag = row->value;
		break;
	case IMAP_KEY_DATE:
		key->date = row->date;
		key->order = (enum imap_key_order)row->value;
		key->day = read_day(r);
		break;
	case IMAP_KEY_UID:
		ir_set(r, &key->set);
		break;
	case IMAP_KEY_LARGER:
	case IMAP_KEY_SMALLER:
		key->number = ir_u64(r);
		break;
	case IMAP_KEY_MODSEQ:
		key->number = read_modseq(r);
		s->has_modseq = true;
		break;
	case IMAP_KEY_HEADER:
		key->name = row->name;
		if (str_eq(row->name, STR("HEADER"))) {
			key->name = ir_astring(r);
			ir_sp(r);
		}
		key->text = ir_astring(r);
		break;
	case IMAP_KEY_KEYWORD:
	case IMAP_KEY_BODY:
	case IMAP_KEY_TEXT:
		key->text = ir_astring(r);
		break;
	case IMAP_KEY_AND:
	case IMAP_KEY_OR:
	case IMAP_KEY_SEQ:
		break;
	}
}

static struct imap_key *
read_word_key(struct searcher *s)
{
	struct str       word = ir_word(s->r);
	struct imap_key *key;

	if (str_ieq(word, STR("NEW")))
		return new_messages_key(s);
	for (size_t i = 0; i < ARRAY_LEN(KEYS); i++)
		if (str_ieq(KEYS[i].name, word)) {
			key = new_key(s, KEYS[i].kind);
			if (key == NULL)
				return NULL;
			key->negate = KEYS[i].negate;
			read_argument(s, &KEYS[i], key);
			return key;
		}
	ir_fail(s->r, "unknown search key");
	return NULL;
}

/* "OR a OR b OR c d", as clients write it, becomes one list: its length costs no depth. */
static struct imap_key *
read_or(struct searcher *s, unsigned depth)
{
	struct imap_key  *key = new_key(s, IMAP_KEY_OR);
	struct imap_key **end;

	if (key == NULL)
		return NULL;
	end = &key->list;
	do {
		ir_sp(s->r);
		*end = read_key(s, depth + 1);
		if (*end == NULL)
			return NULL;
		end = &(*end)->next;
		ir_sp(s->r);
	} while (ir_take_word(s->r, STR("OR")));
	*end = read_key(s, depth + 1);
	return key;
}

static struct imap_key *
read_list(struct searcher *s, unsigned depth)
{
	struct imap_key  *key = new_key(s, IMAP_KEY_AND);
	struct imap_key **end = key != NULL ? &key->list : NULL;

	while (ir_more(s->r) && end != NULL) {
		*end = read_key(s, depth + 1);
		end = *end != NULL ? &(*end)->next : NULL;
	}
	if (key != NULL && key->list == NULL)
		ir_fail(s->r, "search key expected");
	return key;
}

static struct imap_key *
read_plain_key(struct searcher *s, unsigned depth)
{
	struct imap_reader *r = s->r;
	struct imap_key    *key;

	if (depth > IMAP_SEARCH_DEPTH_MAX) {
		ir_latch(r, E_LIMIT, "search keys nested too deep");
		return NULL;
	}
	if (ir_take(r, '('))
		return read_list(s, depth);
	if (ir_take_word(r, STR("OR")))
		return read_or(s, depth);
	if (r->left.n == 0 || (!ascii_is_digit(r->left.p[0]) && strchr("*$", r->left.p[0]) == NULL))
		return read_word_key(s);
	key = new_key(s, IMAP_KEY_SEQ);
	if (key != NULL)
		ir_set(r, &key->set);
	return key;
}

/* search-key; NULL: latched. Any number of NOTs costs no depth. */
static struct imap_key *
read_key(struct searcher *s, unsigned depth)
{
	struct imap_key *key;
	bool             negate = false;

	while (ir_take_word(s->r, STR("NOT"))) {
		negate = !negate;
		ir_sp(s->r);
	}
	key = read_plain_key(s, depth);
	if (key != NULL && negate)
		key->negate = !key->negate;
	return s->r->err == 0 ? key : NULL;
}

static const struct imap_name RETURNS[] = {
	{ STR("MIN"), IMAP_RETURN_MIN },
	{ STR("MAX"), IMAP_RETURN_MAX },
	{ STR("ALL"), IMAP_RETURN_ALL },
	{ STR("COUNT"), IMAP_RETURN_COUNT },
};

static void
read_returns(struct imap_reader *r, struct imap_search *search)
{
	const struct imap_name *row;

	search->extended = true;
	ir_skip_sp(r);
	ir_open(r, "list of return options expected");
	while (ir_more(r)) {
		row = ir_name_find(RETURNS, ARRAY_LEN(RETURNS), ir_word(r));
		if (row == NULL)
			ir_fail(r, "unknown SEARCH return option");
		else
			search->returns |= row->value;
	}
	if (search->returns == 0)
		search->returns = IMAP_RETURN_ALL;
	ir_sp(r);
}

static void
read_program(struct searcher *s, struct imap_search *search)
{
	struct imap_key **end;

	search->key = new_key(s, IMAP_KEY_AND);
	if (search->key == NULL)
		return;
	end = &search->key->list;
	do {
		*end = read_key(s, 0);
		if (*end == NULL)
			return;
		end = &(*end)->next;
		if (!ir_at_end(s->r))
			ir_sp(s->r);
	} while (!ir_at_end(s->r));
	search->has_modseq = s->has_modseq;
}

int
imap_parse_search(struct imap_reader *r, struct imap_args *ret)
{
	struct imap_args args = { 0 };
	struct searcher  s = { .r = r };

	ir_sp(r);
	if (ir_take_word(r, STR("RETURN")))
		read_returns(r, &args.search);
	if (ir_take_word(r, STR("CHARSET"))) {
		ir_sp(r);
		args.search.charset = ir_astring(r);
		ir_sp(r);
	}
	read_program(&s, &args.search);
	return ir_finish(r, &args, ret);
}
