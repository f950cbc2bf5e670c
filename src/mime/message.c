/*
 * The parser walks the message line by line:
 *
 *   LINE_START --judge--> NOT       IN_LINE: the line belongs to the open part, header or body
 *                         BLANK     end_header: the body begins, or the header of a child message
 *                         BOUNDARY  close_above: parts inside end; then SKIP to the line's end and
 *                                   add_part, or, behind the last boundary, IN_LINE of the parent
 *                         MORE      the line's start waits in carry for the next chunk
 *
 * Open parts form a path: cur, its parent, and so on to the root. opens[] holds the boundaries on
 * that path, outermost first.
 */
#include "mime/message.h"

#include "base/error.h"
#include "codec/date.h"
#include "mime/entity.h"
#include "mime/header.h"
#include "mime/structure.h"

enum {
	HEADER_BYTES = 1 << 20,
	DEPTH = 50,
	DEPTH_MOST = 100,
	PARTS = 1000,
	PARAMS = 64,
	ADDRESSES = 2000,
	/* RFC 2046 s5.1.1 allows 70; a longer one is compared by its start. */
	BOUNDARY_MAX = 250,
	CARRY_MAX = 2 + BOUNDARY_MAX + 2,
	/* Wire bytes of all parts, in units of limits.header_bytes; past it no part is added. */
	STRUCTURE_FACTOR = 2,
};

enum where { LINE_START, IN_LINE, SKIP };
enum verdict { NOT, BLANK, BOUNDARY, MORE };

struct open {
	struct str boundary;
	size_t     longest; /* of this boundary and those below it */
	uint32_t   node;
};

struct message_parser {
	struct arena         *arena;
	struct message_limits limits;
	struct structure_node *nodes;
	uint32_t              n_nodes, cap_nodes;
	uint32_t              cur;
	struct open          *opens;
	uint32_t              n_opens;
	enum where            where;
	bool                  in_header;
	bool                  flat;   /* a limit is reached: no more parts */
	char                  last;   /* the byte before the next */
	uint32_t              eol_n;  /* of the line end before this line; 0 behind a boundary */
	uint64_t              pos;    /* of the next byte */
	uint32_t              lines;  /* ended so far */
	size_t                structure_left;
	struct str            span;   /* header bytes in this chunk */
	struct str            kept;   /* header bytes of chunks before */
	size_t                kept_cap;
	size_t                carry_n;
	char                  carry[CARRY_MAX];
	struct message_summary summary;
};

static void
set_limits(struct message_limits *to, const struct message_limits *given)
{
	if (given != NULL)
		*to = *given;
	if (to->header_bytes == 0)
		to->header_bytes = HEADER_BYTES;
	if (to->depth == 0)
		to->depth = DEPTH;
	if (to->depth > DEPTH_MOST)
		to->depth = DEPTH_MOST;
	if (to->parts == 0)
		to->parts = PARTS;
	if (to->params == 0)
		to->params = PARAMS;
	if (to->addresses == 0)
		to->addresses = ADDRESSES;
}

static int
add_part(struct message_parser *p, uint32_t parent, bool digest)
{
	struct structure_node *n;

	if (p->n_nodes == p->cap_nodes) {
		uint32_t cap = p->cap_nodes == 0 ? 4 : p->cap_nodes * 2;

		n = arena_grow(p->arena, p->nodes, p->n_nodes * sizeof(*n), cap * sizeof(*n));
		if (n == NULL)
			return E_NOMEM;
		p->nodes = n;
		p->cap_nodes = cap;
	}
	n = &p->nodes[p->n_nodes];
	n->part.parent = parent;
	n->part.header_off = p->pos;
	n->digest = digest;
	if (p->n_nodes != 0) {
		struct structure_node *up = &p->nodes[parent];

		n->depth = up->depth + 1;
		if (up->part.n_children++ == 0)
			up->part.first_child = p->n_nodes;
		else
			p->nodes[up->last_child].part.next = p->n_nodes;
		up->last_child = p->n_nodes;
	}
	p->cur = p->n_nodes++;
	p->in_header = true;
	p->where = LINE_START;
	p->kept.n = 0;
	p->span = STR_NONE;
	return 0;
}

int
message_parser_new(
    const struct message_limits *limits, struct arena *arena, struct message_parser **ret)
{
	struct message_parser *p = ARENA_NEW(arena, struct message_parser);

	if (p == NULL)
		return E_NOMEM;
	p->arena = arena;
	set_limits(&p->limits, limits);
	p->structure_left = p->limits.header_bytes * STRUCTURE_FACTOR;
	p->summary.date_ms = INT64_MIN;
	if (add_part(p, 0, false) < 0)
		return E_NOMEM;
	*ret = p;
	return 0;
}

/* Adds to the kept header bytes, up to the limit. */
static int
keep(struct message_parser *p, struct str s)
{
	size_t need = p->kept.n + s.n, max = p->limits.header_bytes;
	char  *to;

	if (need > max)
		need = max;
	s.n = need - p->kept.n;
	if (s.n == 0)
		return 0;
	if (need > p->kept_cap) {
		size_t cap = p->kept_cap < 2048 ? 2048 : p->kept_cap * 2;

		cap = cap < need ? need : cap;
		to = arena_grow(p->arena, (char *)(uintptr_t)p->kept.p, p->kept.n, cap);
		if (to == NULL)
			return E_NOMEM;
		p->kept.p = to;
		p->kept_cap = cap;
	}
	memcpy((char *)(uintptr_t)p->kept.p + p->kept.n, s.p, s.n);
	p->kept.n = need;
	return 0;
}

static int
keep_span(struct message_parser *p)
{
	int r = keep(p, p->span);

	p->span = STR_NONE;
	return r;
}

static int
push_boundary(struct message_parser *p, struct str boundary)
{
	struct open *o;

	if (p->opens == NULL)
		p->opens = arena_alloc(p->arena, (p->limits.depth + 1) * sizeof(*o));
	if (p->opens == NULL)
		return E_NOMEM;
	o = &p->opens[p->n_opens];
	if (arena_dup(p->arena, str_head(boundary, BOUNDARY_MAX), &o->boundary) < 0)
		return E_NOMEM;
	o->node = p->cur;
	o->longest = o->boundary.n;
	if (p->n_opens > 0 && o[-1].longest > o->longest)
		o->longest = o[-1].longest;
	p->n_opens++;
	return 0;
}

static int
keep_first(struct message_parser *p, const struct entity *e, enum entity_field at, struct str *ret)
{
	return e->fields.count[at] != 0 ? header_unfold(e->fields.first[at], p->arena, ret) : 0;
}

/* The fields of the message itself that the store wants beside the envelope. */
static int
keep_fields(struct message_parser *p, const struct entity *e)
{
	struct message_summary *s = &p->summary;
	int                     zone;

	if (date_parse_rfc5322(e->fields.first[ENTITY_DATE], &s->date_ms, &zone) < 0)
		s->date_ms = INT64_MIN;
	if (keep_first(p, e, ENTITY_MESSAGE_ID, &s->message_id) < 0 ||
	    keep_first(p, e, ENTITY_IN_REPLY_TO, &s->in_reply_to) < 0 ||
	    keep_first(p, e, ENTITY_REFERENCES, &s->references) < 0)
		return E_NOMEM;
	return keep_first(p, e, ENTITY_SUBJECT, &s->subject);
}

static int
read_header(struct message_parser *p, struct str section, struct entity *e)
{
	struct structure_node *n = &p->nodes[p->cur], *up = &p->nodes[n->part.parent];
	struct entity_want     want = { .limits = &p->limits, .digest = n->digest };
	int                    r;

	want.envelope = p->cur == 0 || up->part.is_message;
	want.nest = !p->flat && n->depth < p->limits.depth && p->n_nodes < p->limits.parts;
	r = entity_read(e, section, &want);
	if (r == 0)
		r = structure_keep(n, e, p->arena);
	if (r == 0 && p->cur == 0)
		r = keep_fields(p, e);
	if (e->out.n >= p->structure_left)
		p->flat = true;
	else
		p->structure_left -= e->out.n;
	return r;
}

/* The header of cur is complete: its body begins at pos. */
static int
begin_body(struct message_parser *p, struct str section)
{
	OWN_ENTITY struct entity e;
	struct message_part     *part = &p->nodes[p->cur].part;
	int                      r = read_header(p, section, &e);

	if (r < 0)
		return r;
	part->header_n = p->pos - part->header_off;
	part->body_off = p->pos;
	part->body_lines = p->lines;
	p->in_header = false;
	p->where = LINE_START;
	if (e.is_message)
		return add_part(p, p->cur, false);
	if (p->flat)
		p->n_opens = 0;
	else if (e.is_multipart && e.boundary.n != 0)
		return push_boundary(p, e.boundary);
	return 0;
}

static int
end_header(struct message_parser *p)
{
	if (p->kept.n == 0)
		return begin_body(p, str_head(p->span, p->limits.header_bytes));
	if (keep_span(p) < 0)
		return E_NOMEM;
	return begin_body(p, p->kept);
}

/* Ends the open part at `end`, which lies before pos by a line end of a boundary or not at all. A
 * part that is shorter than its header has no body, and no empty line before it either. */
static void
close_part(struct message_parser *p, uint64_t end, uint32_t lines)
{
	struct message_part *part = &p->nodes[p->cur].part;

	if (part->header_off > end)
		part->header_off = end;
	if (part->body_off > end) {
		part->body_off = end;
		part->header_n = end - part->header_off;
	}
	part->body_n = end - part->body_off;
	part->body_lines = lines > part->body_lines ? lines - part->body_lines : 0;
	p->cur = part->parent;
}

/* At a boundary of opens[at]: whatever is open inside that multipart ends before this line. The
 * line end before it is part of the boundary. RFC 2046 s5.1.1 */
static int
close_above(struct message_parser *p, uint32_t at)
{
	uint32_t cut = p->eol_n;

	while (p->in_header) {
		int r = end_header(p);

		if (r < 0)
			return r;
	}
	while (p->cur != p->opens[at].node)
		close_part(p, p->pos - cut, p->lines - (cut != 0));
	p->n_opens = p->flat ? 0 : at + 1;
	return 0;
}

static bool
has_prefix(struct str line, struct str boundary)
{
	return line.n >= boundary.n && memcmp(line.p, boundary.p, boundary.n) == 0;
}

/* Which boundary the line begins with (RFC 2046 s5.1.1): the innermost that is all of it, else the
 * longest. `line` is what follows "--", without its line end as far as it is known. */
static bool
match_boundary(const struct message_parser *p, struct str line, uint32_t *ret, bool *ret_last)
{
	uint32_t best = p->n_opens;

	for (uint32_t i = p->n_opens; i-- > 0;) {
		struct str b = p->opens[i].boundary, tail;

		if (!has_prefix(line, b) || (best < p->n_opens && b.n <= p->opens[best].boundary.n))
			continue;
		best = i;
		tail = str_skip(line, b.n);
		if (tail.n == 0 || str_eq(tail, STR("--")))
			break;
	}
	if (best == p->n_opens)
		return false;
	*ret = best;
	*ret_last = str_starts(str_skip(line, p->opens[best].boundary.n), STR("--"));
	return true;
}

/* Judges a line by its start; `end` when no more of it will come. */
static enum verdict
judge(const struct message_parser *p, struct str s, bool end, uint32_t *ret_at, bool *ret_last)
{
	size_t need, line;

	if (p->in_header && (s.p[0] == '\n' || (s.p[0] == '\r' && s.n > 1 && s.p[1] == '\n')))
		return BLANK;
	if (p->in_header && s.p[0] == '\r' && s.n == 1)
		return end ? NOT : MORE;
	if (p->n_opens == 0 || s.p[0] != '-' || (s.n > 1 && s.p[1] != '-'))
		return NOT;
	need = 2 + p->opens[p->n_opens - 1].longest + 2;
	s = str_head(s, need);
	line = str_find_byte(s, '\n');
	if (line == s.n && s.n < need && !end)
		return MORE;
	s = str_head(s, line);
	if (s.n > 2 && s.p[s.n - 1] == '\r')
		s.n--;
	return s.n >= 2 && match_boundary(p, str_skip(s, 2), ret_at, ret_last) ? BOUNDARY : NOT;
}

/* A part may be added at this boundary; otherwise its line and the rest are plain content. */
static bool
has_room(struct message_parser *p)
{
	if (p->n_nodes < p->limits.parts && !p->flat)
		return true;
	p->flat = true;
	p->n_opens = 0;
	return false;
}

/* Accounts for bytes of one line that are neither boundary nor blank line. */
static int
take_line_bytes(struct message_parser *p, struct str s, bool from_carry)
{
	if (p->in_header && p->where != SKIP && from_carry) {
		if (keep_span(p) < 0 || keep(p, s) < 0)
			return E_NOMEM;
	} else if (p->in_header && p->where != SKIP) {
		if (p->span.n == 0)
			p->span.p = s.p;
		p->span.n += s.n;
	}
	p->pos += s.n;
	if (s.p[s.n - 1] == '\n') {
		p->eol_n = (s.n > 1 ? s.p[s.n - 2] : p->last) == '\r' ? 2 : 1;
		p->lines++;
		if (p->where == SKIP) {
			p->last = '\n';
			p->where = LINE_START;
			p->eol_n = 0;
			return has_room(p) ? add_part(p, p->cur, p->nodes[p->cur].is_digest) : 0;
		}
		p->where = LINE_START;
	} else if (p->where == LINE_START) {
		p->where = IN_LINE;
	}
	p->last = s.p[s.n - 1];
	return 0;
}

/* Up to and with the next line end, or all. */
static struct str
take_to_line_end(struct str *in)
{
	struct str s = str_head(*in, str_find_byte(*in, '\n') + 1);

	*in = str_skip(*in, s.n);
	return s;
}

static int
take_boundary(struct message_parser *p, uint32_t at, bool is_last)
{
	int r;

	if (!is_last && !has_room(p)) {
		p->where = IN_LINE;
		return 0;
	}
	r = close_above(p, at);
	if (r < 0)
		return r;
	if (is_last && p->n_opens != 0)
		p->n_opens--;
	p->where = is_last ? IN_LINE : SKIP;
	return 0;
}

/* Acts on a verdict about the line that s is the start of (s is in carry, or the head of *in). */
static int
act(struct message_parser *p, enum verdict v, uint32_t at, bool is_last)
{
	if (v == NOT)
		p->where = IN_LINE;
	return v == BOUNDARY ? take_boundary(p, at, is_last) : 0;
}

/* Moves bytes of this line into carry. */
static void
fill_carry(struct message_parser *p, struct str *in)
{
	struct str s = str_head(*in, CARRY_MAX - p->carry_n);

	s = str_head(s, str_find_byte(s, '\n') + 1);
	memcpy(p->carry + p->carry_n, s.p, s.n);
	p->carry_n += s.n;
	*in = str_skip(*in, s.n);
}

/* A line whose start is in carry. */
static int
judge_carry(struct message_parser *p, bool end)
{
	struct str   s = str_of(p->carry, p->carry_n);
	uint32_t     at = 0;
	bool         is_last = false;
	enum verdict v = judge(p, s, end, &at, &is_last);
	int          r;

	if (v == MORE)
		return 0;
	p->carry_n = 0;
	r = act(p, v, at, is_last);
	if (r == 0)
		r = take_line_bytes(p, s, true);
	return r == 0 && v == BLANK ? end_header(p) : r;
}

static int
at_line_start(struct message_parser *p, struct str *in)
{
	uint32_t     at = 0;
	bool         is_last = false;
	enum verdict v;
	int          r;

	if (p->carry_n != 0) {
		fill_carry(p, in);
		return judge_carry(p, false);
	}
	v = judge(p, *in, false, &at, &is_last);
	if (v == MORE) {
		fill_carry(p, in);
		return 0;
	}
	r = act(p, v, at, is_last);
	if (r < 0 || v != BLANK)
		return r;
	r = take_line_bytes(p, take_to_line_end(in), false);
	return r < 0 ? r : end_header(p);
}

/* Lines of a body, until one may be a boundary. */
static void
take_body(struct message_parser *p, struct str *in)
{
	const char *s = in->p, *end = in->p + in->n, *nl = NULL;

	while (s < end) {
		const char *hit = memchr(s, '\n', (size_t)(end - s));

		if (hit == NULL) {
			s = end;
			break;
		}
		nl = hit;
		s = hit + 1;
		p->lines++;
		if (s < end && *s == '-' && p->n_opens != 0)
			break;
	}
	if (nl != NULL)
		p->eol_n = (nl > in->p ? nl[-1] : p->last) == '\r' ? 2 : 1;
	p->where = s[-1] == '\n' ? LINE_START : IN_LINE;
	p->last = s[-1];
	p->pos += (uint64_t)(s - in->p);
	*in = str_skip(*in, (size_t)(s - in->p));
}

int
message_parser_feed(struct message_parser *p, struct str in)
{
	int r = 0;

	while (in.n != 0 && r == 0) {
		if (p->where == LINE_START && (p->in_header || p->n_opens != 0))
			r = at_line_start(p, &in);
		else if (p->in_header || p->where == SKIP)
			r = take_line_bytes(p, take_to_line_end(&in), false);
		else
			take_body(p, &in);
	}
	return r < 0 ? r : keep_span(p);
}

int
message_parser_end(struct message_parser *p, struct message_summary *ret)
{
	int r = 0;

	if (p->carry_n != 0)
		r = judge_carry(p, true);
	while (r == 0 && p->in_header)
		r = end_header(p);
	if (r < 0)
		return r;
	while (p->cur != 0)
		close_part(p, p->pos, p->lines);
	close_part(p, p->pos, p->lines);
	p->summary.size = p->pos;
	p->summary.lines = p->lines;
	p->summary.header_n = p->nodes[0].part.header_n;
	r = structure_finish(p->nodes, p->n_nodes, p->arena, &p->summary);
	if (r == 0)
		*ret = p->summary;
	return r;
}

int
message_parse(struct str whole, const struct message_limits *limits, struct arena *arena,
    struct message_summary *ret)
{
	struct message_parser *p;
	int                    r = message_parser_new(limits, arena, &p);

	if (r == 0)
		r = message_parser_feed(p, whole);
	return r < 0 ? r : message_parser_end(p, ret);
}
