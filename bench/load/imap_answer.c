/* IMAP answers: from the wire into struct imap_seen and struct imap_fetch. */
#include "base/error.h"
#include "load/imap.h"
#include "load/lex.h"

/* Servers answer in capitals; others are right, too. */
static inline bool
is_word(struct str word, struct str capitals)
{
	return str_eq(word, capitals) || str_ieq(word, capitals);
}

/* --- FETCH, RFC 9051 s7.5.2 --- */

static int
take_flags(struct feed *f, struct imap_fetch *m)
{
	struct str word;
	int        r = feed_expect(f, '(');

	m->has_flags = true;
	while (r == 0 && feed_peek(f) != ')') {
		r = lex_word(f, &word);
		if (r < 0)
			return r;
		m->is_seen |= is_word(word, STR("\\Seen"));
		m->is_flagged |= is_word(word, STR("\\Flagged"));
		m->is_deleted |= is_word(word, STR("\\Deleted"));
		if (feed_peek(f) == ' ')
			f->p++;
	}
	return r < 0 ? r : feed_expect(f, ')');
}

static int
take_body(struct feed *f, struct imap_fetch *m)
{
	struct lex_value v;
	int              r;

	if (m->has_body)
		return E_SYNTAX; /* no work asks for two */
	body_sink_init(&m->body);
	r = lex_value(f, &m->body.sink, &v);
	m->has_body = r == 0 && v.kind != LEX_NIL;
	return r == 0 && v.kind == LEX_LIST ? E_SYNTAX : r;
}

static int
take_uid(struct feed *f, struct imap_fetch *m)
{
	uint64_t n;
	int      r = feed_u64(f, &n);

	m->uid = r == 0 ? (uint32_t)n : 0;
	return r == 0 && (n == 0 || n > UINT32_MAX) ? E_SYNTAX : r;
}

static int
take_size(struct feed *f, struct imap_fetch *m)
{
	m->has_size = true;
	return feed_u64(f, &m->size);
}

static int
take_members(struct feed *f, uint64_t *ret)
{
	struct lex_value v;
	int              r = lex_value(f, NULL, &v);

	if (r == 0 && v.kind != LEX_LIST)
		return E_SYNTAX;
	if (r == 0)
		*ret = v.n;
	return r;
}

enum item {
	ITEM_FLAGS,
	ITEM_UID,
	ITEM_SIZE,
	ITEM_ENVELOPE,
	ITEM_STRUCTURE,
	ITEM_TEXT,
	ITEM_OTHER,
};

/* By the length first: a fetch of many messages spends its time in names. */
static enum item
item_of(struct str name)
{
	static const struct {
		struct str name;
		enum item  item;
	} BY_LENGTH[] = {
		[3] = { STR("UID"), ITEM_UID },
		[5] = { STR("FLAGS"), ITEM_FLAGS },
		[8] = { STR("ENVELOPE"), ITEM_ENVELOPE },
		[11] = { STR("RFC822.SIZE"), ITEM_SIZE },
		[13] = { STR("BODYSTRUCTURE"), ITEM_STRUCTURE },
	};

	if (name.n < ARRAY_LEN(BY_LENGTH) && BY_LENGTH[name.n].name.n > 0 &&
	    is_word(name, BY_LENGTH[name.n].name))
		return BY_LENGTH[name.n].item;
	return is_word(str_head(name, 5), STR("BODY[")) ? ITEM_TEXT : ITEM_OTHER;
}

static int
take_item(struct feed *f, struct imap_fetch *m)
{
	struct lex_value v;
	struct str       name;
	enum item        item;
	int              r = lex_word(f, &name);

	if (r < 0)
		return r;
	item = item_of(name);
	r = feed_expect(f, ' ');
	if (r < 0)
		return r;
	switch (item) {
	case ITEM_FLAGS:
		return take_flags(f, m);
	case ITEM_UID:
		return take_uid(f, m);
	case ITEM_SIZE:
		return take_size(f, m);
	case ITEM_ENVELOPE:
		return take_members(f, &m->envelope_members);
	case ITEM_STRUCTURE:
		return take_members(f, &m->structure_members);
	case ITEM_TEXT:
		return take_body(f, m);
	case ITEM_OTHER:
		break;
	}
	return lex_value(f, NULL, &v);
}

static int
take_fetch(struct client *c, struct imap_seen *seen, uint64_t seq)
{
	struct feed      *f = &c->wire.feed;
	struct imap_fetch m;
	int               r;

	/* Not all of it: the body's digest is set up when there is one. */
	memset(&m, 0, offsetof(struct imap_fetch, body));
	m.seq = (uint32_t)seq;
	r = feed_expect(f, ' ');
	if (r == 0)
		r = feed_expect(f, '(');
	while (r == 0) {
		r = take_item(f, &m);
		if (r == 0 && feed_peek(f) == ')')
			break;
		if (r == 0)
			r = feed_expect(f, ' ');
	}
	if (r == 0)
		r = feed_expect(f, ')');
	if (r == 0)
		r = feed_crlf(f);
	if (r < 0)
		return r;
	seen->fetches++;
	return seen->on_fetch != NULL ? seen->on_fetch(c, &m) : 0;
}

/* --- other untagged answers --- */

static int
take_search(struct client *c, struct imap_seen *seen)
{
	struct feed *f = &c->wire.feed;
	uint64_t     n, last = 0;
	int          r;

	seen->searches++;
	while (feed_peek(f) == ' ') {
		f->p++;
		if (feed_peek(f) == '\r')
			break; /* Dovecot ends an empty one so */
		if (feed_peek(f) == '(')
			return lex_rest(f); /* MODSEQ */
		r = feed_u64(f, &n);
		if (r < 0)
			return r;
		if (n <= last)
			return client_fail(c, E_SYNTAX, "SEARCH: %llu after %llu",
			    (unsigned long long)n, (unsigned long long)last);
		last = n;
		seen->hits++;
	}
	return feed_crlf(f);
}

/* STATUS, RFC 9051 s7.3.4: the name may be a literal. */
static int
take_status(struct client *c, struct imap_seen *seen)
{
	struct feed     *f = &c->wire.feed;
	struct lex_value v;
	struct str       word;
	uint64_t         n;
	bool             is_messages;
	int              r = feed_expect(f, ' ');

	if (r == 0)
		r = lex_value(f, NULL, &v);
	if (r == 0)
		r = feed_expect(f, ' ');
	if (r == 0)
		r = feed_expect(f, '(');
	while (r == 0 && feed_peek(f) != ')') {
		r = lex_word(f, &word);
		is_messages = r == 0 && str_ieq(word, STR("MESSAGES"));
		if (r == 0)
			r = feed_expect(f, ' ');
		if (r == 0)
			r = feed_u64(f, &n);
		if (r == 0 && is_messages) {
			seen->has_status = true;
			seen->status_messages = n;
		}
		if (r == 0 && feed_peek(f) == ' ')
			f->p++;
	}
	return r < 0 ? r : lex_rest(f);
}

static int
take_list(struct client *c, struct imap_seen *seen)
{
	struct str line;
	int        r;

	r = feed_line(&c->wire.feed, &line);
	if (r < 0)
		return r;
	if (str_ends(line, STR("}")))
		return client_fail(c, E_SYNTAX, "LIST with a literal is not understood here");
	seen->lists++;
	seen->has_inbox |= str_iends(line, STR(" INBOX")) || str_iends(line, STR("\"INBOX\""));
	return 0;
}

static void
see_capabilities(struct client *c, struct imap_seen *seen, struct str words)
{
	seen->has_capability = true;
	while (words.n > 0) {
		struct str word = str_cut(&words, ' ');

		if (str_iends(word, STR("]")))
			word.n--;
		c->literal_plus |= str_ieq(word, STR("LITERAL+"));
	}
}

/* The code of a status answer, RFC 9051 s7.1; `line` is what follows OK. */
static void
see_code(struct client *c, struct imap_seen *seen, struct str line)
{
	struct str code, name;

	line = str_trim(line);
	if (!str_starts(line, STR("[")))
		return;
	code = str_skip(str_head(line, str_find_byte(line, ']')), 1);
	name = str_cut(&code, ' ');
	if (str_ieq(name, STR("CAPABILITY")))
		see_capabilities(c, seen, code);
	else if (str_ieq(name, STR("UIDVALIDITY")))
		(void)str_to_u64(code, &seen->uid_validity);
	else if (str_ieq(name, STR("UIDNEXT")))
		(void)str_to_u64(code, &seen->uid_next);
	else if (str_ieq(name, STR("APPENDUID")))
		seen->has_append_uid = true;
}

static int
take_numbered(struct client *c, struct imap_seen *seen)
{
	struct feed *f = &c->wire.feed;
	struct str   word;
	uint64_t     n;
	int          r;

	r = feed_u64(f, &n);
	if (r == 0)
		r = feed_expect(f, ' ');
	if (r == 0)
		r = lex_word(f, &word);
	if (r < 0)
		return r;
	if (is_word(word, STR("FETCH")))
		return take_fetch(c, seen, n);
	if (str_ieq(word, STR("EXISTS"))) {
		seen->has_exists = true;
		seen->exists = n;
		seen->exists_count++;
	} else if (str_ieq(word, STR("EXPUNGE"))) {
		seen->expunged++;
	} else if (!str_ieq(word, STR("RECENT"))) {
		return E_SYNTAX;
	}
	return feed_crlf(f);
}

static int
take_named(struct client *c, struct imap_seen *seen)
{
	struct feed *f = &c->wire.feed;
	struct str   word, line;
	int          r;
	enum { STATUS_OK, CAPABILITY, OTHER } kind;

	r = lex_word(f, &word);
	if (r < 0)
		return r;
	if (str_ieq(word, STR("SEARCH")))
		return take_search(c, seen);
	if (str_ieq(word, STR("STATUS")))
		return take_status(c, seen);
	if (str_ieq(word, STR("LIST")))
		return take_list(c, seen);
	seen->has_flags |= str_ieq(word, STR("FLAGS"));
	seen->has_bye |= str_ieq(word, STR("BYE"));
	if (str_ieq(word, STR("NO")) || str_ieq(word, STR("BAD")))
		return E_SYNTAX;
	kind = str_ieq(word, STR("OK")) || str_ieq(word, STR("PREAUTH")) ? STATUS_OK
	    : str_ieq(word, STR("CAPABILITY"))                           ? CAPABILITY
									 : OTHER;
	if (kind == OTHER)
		return lex_rest(f);
	r = feed_line(f, &line);
	if (r == 0 && kind == STATUS_OK)
		see_code(c, seen, line);
	else if (r == 0)
		see_capabilities(c, seen, str_trim(line));
	return r;
}

/* --- any answer --- */

/* "a12", exactly as imap_put_tag wrote it. */
static bool
is_tag(struct str word, uint64_t n)
{
	uint64_t got;

	return word.n > 1 && word.p[0] == 'a' && word.p[1] != '0' &&
	    str_to_u64(str_skip(word, 1), &got) == 0 && got == n;
}

static int
take_tagged(struct client *c, struct imap_seen *seen)
{
	struct str line, word, rest;
	int        r;

	r = feed_line(&c->wire.feed, &line);
	if (r < 0)
		return r;
	rest = line;
	word = str_cut(&rest, ' ');
	c->answered++;
	if (c->answered > c->tag || !is_tag(word, c->answered))
		return client_fail(c, E_SYNTAX, "expected the answer to a%u, got: %.*s",
		    c->answered, STR_ARG(str_head(line, 200)));
	word = str_cut(&rest, ' ');
	if (!str_ieq(word, STR("OK")))
		return client_fail(c, E_SYNTAX, "not OK: %.*s", STR_ARG(str_head(line, 200)));
	see_code(c, seen, rest);
	return 0;
}

static int
take_untagged(struct client *c, struct imap_seen *seen)
{
	struct feed *f = &c->wire.feed;
	int          r;

	f->p++;
	r = feed_expect(f, ' ');
	if (r < 0)
		return r;
	r = feed_peek(f);
	if (r < 0)
		return r;
	return ascii_is_digit((char)r) ? take_numbered(c, seen) : take_named(c, seen);
}

int
imap_take(struct client *c, struct imap_seen *seen, enum imap_took *ret)
{
	struct feed *f = &c->wire.feed;
	struct str   left;
	int          first = feed_peek(f), r = first;

	if (first == '*')
		r = take_untagged(c, seen);
	else if (first == '+')
		r = lex_rest(f);
	else if (first >= 0)
		r = take_tagged(c, seen);
	if (r == E_TIMEOUT && c->wire.until_us > 0)
		return r; /* as asked for */
	if (r < 0) {
		left = str_head(str_of(f->p, (size_t)(f->end - f->p)), 80);
		left = str_head(left, str_find_byte(left, '\r'));
		return client_fail(c, r, "answer not understood at: %.*s", STR_ARG(left));
	}
	*ret = first == '*' ? IMAP_UNTAGGED : first == '+' ? IMAP_CONTINUE : IMAP_TAGGED;
	return 0;
}
