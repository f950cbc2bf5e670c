/* What the tests and the fuzzer of mime/ share: are these bytes what IMAP may send? */
#ifndef TESTS_MIME_CHECK_H
#define TESTS_MIME_CHECK_H

#include "base/own.h"
#include "mime/message.h"

/* One quoted string or literal at the front; an empty literal is bad. */
static inline bool
check_take_string(struct str *s)
{
	uint64_t   n;
	struct str count;

	if (s->p[0] == '"') {
		size_t i = 1;

		for (; i < s->n && s->p[i] != '"'; i++) {
			unsigned char c = (unsigned char)s->p[i];

			if (c == '\\')
				i++;
			if (c == '\r' || c == '\n' || c == '\0' || c >= 0x80)
				return false;
		}
		if (i >= s->n)
			return false;
		*s = str_skip(*s, i + 1);
		return true;
	}
	*s = str_skip(*s, 1);
	count = str_cut(s, '}');
	if (str_to_u64(count, &n) < 0 || n == 0 || s->n < n + 2 || s->p[0] != '\r' ||
	    s->p[1] != '\n')
		return false;
	*s = str_skip(*s, 2);
	if (memchr(s->p, '\0', n) != NULL)
		return false;
	*s = str_skip(*s, n);
	return true;
}

/* Parentheses that match, with strings, numbers and NIL inside, and single blanks between. */
static inline bool
check_wire(struct str s)
{
	size_t depth = 0;
	char   before = '(';

	while (s.n != 0) {
		char c = s.p[0];

		if (c == ')' && (depth == 0 || before == ' '))
			return false;
		if (c == ' ' && (before == ' ' || before == '('))
			return false;
		if (c == '"' || c == '{') {
			if ((before != ' ' && before != '(') || !check_take_string(&s))
				return false;
		} else if (c == '(' || c == ')' || c == ' ') {
			depth += c == '(';
			depth -= c == ')';
			s = str_skip(s, 1);
		} else if (ascii_is_digit(c)) {
			while (s.n != 0 && ascii_is_digit(s.p[0]))
				s = str_skip(s, 1);
		} else if (str_starts(s, STR("NIL"))) {
			s = str_skip(s, 3);
		} else {
			return false;
		}
		if (depth == 0 && s.n != 0)
			return false;
		before = c;
	}
	return depth == 0;
}

/* Offsets inside the message, parents before children, links that agree. */
static inline bool
check_parts(const struct message_summary *s)
{
	for (uint32_t i = 0; i < s->n_parts; i++) {
		const struct message_part *p = &s->parts[i], *up = &s->parts[p->parent];
		uint32_t                   n = 0;

		if (p->header_off + p->header_n != p->body_off ||
		    p->body_off + p->body_n > s->size || p->body_lines > s->lines)
			return false;
		if (i != 0 && (p->parent >= i || p->header_off < up->body_off ||
		    p->body_off + p->body_n > up->body_off + up->body_n))
			return false;
		for (uint32_t c = p->first_child; c != 0; c = s->parts[c].next, n++)
			if (c <= i || c >= s->n_parts || s->parts[c].parent != i)
				return false;
		if (n != p->n_children || (n != 0 && !p->is_multipart && !p->is_message) ||
		    (p->is_message && n != 1))
			return false;
	}
	return true;
}

static inline bool
check_same(const struct message_summary *a, const struct message_summary *b)
{
	if (a->size != b->size || a->lines != b->lines || a->header_n != b->header_n ||
	    a->n_parts != b->n_parts || a->date_ms != b->date_ms ||
	    !str_eq(a->envelope, b->envelope) || !str_eq(a->body, b->body) ||
	    !str_eq(a->body_structure, b->body_structure) || !str_eq(a->subject, b->subject) ||
	    !str_eq(a->message_id, b->message_id) || !str_eq(a->references, b->references))
		return false;
	for (uint32_t i = 0; i < a->n_parts; i++) {
		const struct message_part *p = &a->parts[i], *q = &b->parts[i];

		if (p->parent != q->parent || p->n_children != q->n_children ||
		    p->first_child != q->first_child || p->next != q->next ||
		    p->header_off != q->header_off || p->header_n != q->header_n ||
		    p->body_off != q->body_off || p->body_n != q->body_n ||
		    p->body_lines != q->body_lines || p->encoding != q->encoding ||
		    p->is_multipart != q->is_multipart || p->is_message != q->is_message ||
		    !str_eq(p->type, q->type) || !str_eq(p->subtype, q->subtype) ||
		    !str_eq(p->charset, q->charset))
			return false;
	}
	return true;
}

/* The same message fed in pieces of `step` bytes. */
static inline int
check_parse_in_steps(struct str whole, size_t step, const struct message_limits *limits,
    struct arena *arena, struct message_summary *ret)
{
	struct message_parser *p;
	int                    r = message_parser_new(limits, arena, &p);

	for (size_t at = 0; r == 0 && at < whole.n; at += step)
		r = message_parser_feed(p, str_head(str_skip(whole, at), step));
	return r < 0 ? r : message_parser_end(p, ret);
}

#endif
