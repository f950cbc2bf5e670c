#include "mime/structure.h"

#include "base/error.h"

/* RFC 6838 s4.2 allows names of 127 characters; the wire bytes keep longer ones. */
enum { NAME_KEPT = 127 };

static struct str
put_lower(char **to, struct str s)
{
	struct str out = str_of(*to, s.n);

	for (size_t i = 0; i < s.n; i++)
		*(*to)++ = ascii_lower(s.p[i]);
	return out;
}

int
structure_keep(struct structure_node *n, const struct entity *e, struct arena *arena)
{
	struct str wire;
	struct str type = str_head(e->type, NAME_KEPT), subtype = str_head(e->subtype, NAME_KEPT);
	struct str charset = str_head(e->charset, NAME_KEPT);
	char      *names = arena_alloc(arena, type.n + subtype.n + charset.n + 1);

	if (names == NULL || arena_dup(arena, buf_view(&e->out), &wire) < 0)
		return E_NOMEM;
	n->part.type = put_lower(&names, type);
	n->part.subtype = put_lower(&names, subtype);
	n->part.charset = put_lower(&names, charset);
	n->part.is_multipart = e->is_multipart;
	n->part.is_message = e->is_message;
	n->part.encoding = e->encoding;
	n->is_text = e->is_text;
	n->is_digest = e->is_multipart && str_eq(n->part.subtype, STR("digest"));
	n->head = str_head(wire, e->head_n);
	n->ext = str_head(str_skip(wire, e->head_n), e->ext_n);
	n->envelope = str_skip(wire, e->head_n + e->ext_n);
	return 0;
}

/* A multipart must have a part in it; one without is shown with an empty text. */
static void
put_empty_part(bool ext, struct buf *to)
{
	buf_str(to, STR("(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0"));
	buf_str(to, ext ? STR(" NIL NIL NIL NIL)") : STR(")"));
}

static void put_part(const struct structure_node *, uint32_t at, bool ext, struct buf *);

static void
put_multipart(const struct structure_node *nodes, uint32_t at, bool ext, struct buf *to)
{
	uint32_t child = nodes[at].part.first_child;

	if (child == 0)
		put_empty_part(ext, to);
	for (; child != 0; child = nodes[child].part.next)
		put_part(nodes, child, ext, to);
	buf_byte(to, ' ');
	buf_str(to, nodes[at].head);
}

static void
put_number(uint64_t v, struct buf *to)
{
	buf_byte(to, ' ');
	buf_u64(to, v);
}

/* As deep as the parser's limit on depth. */
static void
put_part(const struct structure_node *nodes, uint32_t at, bool ext, struct buf *to)
{
	const struct structure_node *n = &nodes[at];

	buf_byte(to, '(');
	if (n->part.is_multipart) {
		put_multipart(nodes, at, ext, to);
	} else {
		buf_str(to, n->head);
		put_number(n->part.body_n, to);
	}
	if (n->part.is_message) {
		buf_byte(to, ' ');
		buf_str(to, nodes[n->part.first_child].envelope);
		buf_byte(to, ' ');
		put_part(nodes, n->part.first_child, ext, to);
	}
	if (n->is_text || n->part.is_message)
		put_number(n->part.body_lines, to);
	if (ext)
		buf_str(to, n->ext);
	buf_byte(to, ')');
}

int
structure_finish(const struct structure_node *nodes, uint32_t n, struct arena *arena,
    struct message_summary *ret)
{
	OWN_BUF struct buf   text = BUF_INIT(SIZE_MAX);
	struct message_part *parts = arena_alloc(arena, n * sizeof(*parts));
	struct str           both;
	size_t               body_n;

	if (parts == NULL)
		return E_NOMEM;
	for (uint32_t i = 0; i < n; i++)
		parts[i] = nodes[i].part;
	buf_room(&text, 1024);
	put_part(nodes, 0, false, &text);
	body_n = text.n;
	put_part(nodes, 0, true, &text);
	if (text.err < 0 || arena_dup(arena, buf_view(&text), &both) < 0)
		return E_NOMEM;
	ret->parts = parts;
	ret->n_parts = n;
	ret->envelope = nodes[0].envelope;
	ret->body = str_head(both, body_n);
	ret->body_structure = str_skip(both, body_n);
	return 0;
}
