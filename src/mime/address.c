#include "mime/address.h"

#include "mime/lex.h"

/* A piece of reader.text; its place may move while text grows. */
struct span {
	size_t at, n;
	bool   set;
};

struct found {
	enum address_kind kind;
	struct span       name, route, mailbox, domain;
};

static struct span
span_begin(const struct address_reader *r)
{
	return (struct span){ .at = r->text.n, .set = true };
}

static void
span_end(const struct address_reader *r, struct span *s)
{
	s->n = r->text.n - s->at;
}

static struct span
put_fixed(struct address_reader *r, struct str s)
{
	struct span span = span_begin(r);

	buf_str(&r->text, s);
	span_end(r, &span);
	return span;
}

static struct span
put_unquoted(struct address_reader *r, struct str raw)
{
	struct span span = span_begin(r);

	lex_put_unquoted(raw, &r->text);
	span_end(r, &span);
	return span;
}

/* phrase, RFC 5322 s3.2.5 and s4.1: words and dots, joined by one space where something stood
 * between them. It ends where a quoted string does not. *ret_words counts the pieces; a quoted one
 * counts twice, for it is no address. */
static bool
take_phrase(struct address_reader *r, struct span *ret, int *ret_words)
{
	bool       gap = false, after_quoted = false;
	struct str word;
	int        words = 0;

	*ret = span_begin(r);
	while (r->left.n != 0) {
		bool   quoted = lex_peek(r->left, '"');
		size_t before;

		if (words == 0 && lex_peek(r->left, '.'))
			return false;
		if (!quoted)
			word = lex_dot_atom(&r->left);
		if (quoted ? !lex_quoted(&r->left, &word) : word.n == 0)
			break;
		if (words != 0 && (gap || quoted || after_quoted))
			buf_byte(&r->text, ' ');
		lex_put_unquoted(word, &r->text);
		words += quoted ? 2 : 1;
		after_quoted = quoted;
		before = r->left.n;
		if (!lex_cfws(&r->left, NULL))
			return false;
		gap = r->left.n != before;
	}
	span_end(r, ret);
	*ret_words = words;
	return true;
}

/* local-part with its obsolete forms, RFC 5322 s3.4.1 and s4.4; empty is no error here. */
static bool
take_local(struct address_reader *r, struct span *ret, struct str *comment)
{
	struct str word;
	bool       dot = true;

	*ret = span_begin(r);
	ret->set = false;
	while (r->left.n != 0 && (dot || lex_peek(r->left, '.'))) {
		if (lex_peek(r->left, '"')) {
			if (!lex_quoted(&r->left, &word))
				return false;
			dot = false;
		} else {
			word = lex_dot_atom(&r->left);
			if (word.n == 0)
				break;
			dot = word.p[word.n - 1] == '.';
		}
		lex_put_unquoted(word, &r->text);
		if (!lex_cfws(&r->left, comment))
			return false;
		ret->set = true;
	}
	span_end(r, ret);
	return true;
}

/* domain, RFC 5322 s3.4.1 and s4.4: atoms and dots with blanks between, or a literal. */
static bool
take_domain(struct address_reader *r, struct span *ret, struct str *comment)
{
	struct str word;

	if (!lex_cfws(&r->left, comment))
		return false;
	*ret = span_begin(r);
	if (lex_peek(r->left, '[')) {
		if (!lex_literal(&r->left, &word))
			return false;
		lex_put_unquoted(word, &r->text);
		span_end(r, ret);
		return lex_cfws(&r->left, comment);
	}
	for (;;) {
		word = lex_atom(&r->left);
		if (word.n == 0)
			return false;
		buf_str(&r->text, word);
		if (!lex_cfws(&r->left, comment))
			return false;
		if (!lex_take(&r->left, '.'))
			break;
		buf_byte(&r->text, '.');
		if (!lex_cfws(&r->left, comment))
			return false;
	}
	span_end(r, ret);
	return true;
}

/* obs-route, RFC 5322 s4.4: "@a,@b:". */
static bool
take_route(struct address_reader *r, struct span *ret)
{
	struct span domain;

	*ret = span_begin(r);
	while (lex_take(&r->left, '@')) {
		if (r->text.n != ret->at)
			buf_byte(&r->text, ',');
		buf_byte(&r->text, '@');
		if (!take_domain(r, &domain, NULL))
			return false;
		while (lex_take(&r->left, ','))
			lex_cfws(&r->left, NULL);
	}
	span_end(r, ret);
	return lex_take(&r->left, ':') && lex_cfws(&r->left, NULL);
}

/* <...>, RFC 5322 s3.4 (angle-addr). */
static void
take_angle(struct address_reader *r, struct found *f)
{
	bool good, at;

	lex_take(&r->left, '<');
	good = lex_cfws(&r->left, NULL);
	if (lex_peek(r->left, '@') && !take_route(r, &f->route))
		f->route = put_fixed(r, STR("INVALID_ROUTE"));
	if (!take_local(r, &f->mailbox, NULL)) {
		f->mailbox.set = false;
		good = false;
	}
	at = lex_take(&r->left, '@');
	if (at && !take_domain(r, &f->domain, NULL))
		good = false;
	if (!lex_take(&r->left, '>') || !lex_cfws(&r->left, NULL))
		good = false;
	if (!good)
		f->domain = put_fixed(r, STR("SYNTAX_ERROR"));
}

/* addr-spec, with the last comment as its name; false when there is no '@'. */
static bool
take_addr_spec(struct address_reader *r, struct found *f)
{
	struct str comment = STR_NONE;
	bool       at;

	if (!take_local(r, &f->mailbox, &comment))
		f->mailbox.set = false;
	at = lex_take(&r->left, '@');
	if (at && !take_domain(r, &f->domain, &comment))
		f->domain.set = false;
	if (comment.n != 0)
		f->name = put_unquoted(r, comment);
	return at;
}

static void
take_mailbox_or_group(struct address_reader *r, struct found *f)
{
	struct str  start = r->left, behind_phrase;
	struct span phrase = { 0 };
	bool        is_phrase;
	int         words = 0;

	is_phrase = take_phrase(r, &phrase, &words);
	if (is_phrase && lex_peek(r->left, '<')) {
		if (phrase.n != 0)
			f->name = phrase;
		take_angle(r, f);
		return;
	}
	if (is_phrase && !r->in_group && lex_take(&r->left, ':')) {
		f->kind = ADDRESS_GROUP;
		f->mailbox = phrase;
		return;
	}
	behind_phrase = r->left;
	r->left = start;
	if (take_addr_spec(r, f))
		return;
	if (is_phrase && words > 1 && !f->name.set) {
		r->left = behind_phrase;
		f->mailbox.set = false;
		f->name = phrase;
	} else if (f->mailbox.set && r->text.n != 0 && r->text.p[r->text.n - 1] == '.' &&
	    f->mailbox.n == 1) {
		f->mailbox.set = false;
	}
}

static struct str
resolve(const struct address_reader *r, struct span s)
{
	return s.set ? str_of(r->text.p != NULL ? r->text.p + s.at : "", s.n) : STR_NONE;
}

static bool
give(struct address_reader *r, struct found *f, struct address *ret)
{
	if (f->kind == ADDRESS_MAILBOX && !f->mailbox.set)
		f->mailbox = put_fixed(r, STR("MISSING_MAILBOX"));
	if (f->kind == ADDRESS_MAILBOX && !f->domain.set)
		f->domain = put_fixed(r, STR("MISSING_DOMAIN"));
	ret->kind = f->kind;
	ret->name = resolve(r, f->name);
	ret->route = resolve(r, f->route);
	ret->mailbox = resolve(r, f->mailbox);
	ret->domain = resolve(r, f->domain);
	return r->text.err == 0;
}

/* Moves to the next member; false when there is none. */
static bool
advance(struct address_reader *r)
{
	bool first = !r->started;

	r->started = true;
	if (first)
		return lex_cfws(&r->left, NULL) && r->left.n != 0 &&
		    !(r->in_group && lex_peek(r->left, ';'));
	if (!lex_take(&r->left, ','))
		return false;
	return !lex_cfws(&r->left, NULL) || r->left.n != 0;
}

void
address_reader_init(struct address_reader *r, struct str value)
{
	*r = (struct address_reader){ .left = value, .text = BUF_INIT(value.n * 2 + 64) };
}

void
address_reader_done(struct address_reader *r)
{
	buf_done(&r->text);
}

bool
address_next(struct address_reader *r, struct address *ret)
{
	struct found f = { .kind = ADDRESS_MAILBOX };

	buf_reset(&r->text);
	if (r->ended)
		return false;
	if (advance(r)) {
		take_mailbox_or_group(r, &f);
		if (f.kind == ADDRESS_GROUP) {
			r->in_group = true;
			r->started = false;
		}
		return give(r, &f, ret);
	}
	if (!r->in_group) {
		r->ended = true;
		return false;
	}
	r->in_group = false;
	r->ended = !lex_take(&r->left, ';') || !lex_cfws(&r->left, NULL);
	f.kind = ADDRESS_GROUP_END;
	return give(r, &f, ret);
}
