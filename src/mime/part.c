/*
 * The parts array as bytes: the number of parts, then of each, as variable-length integers:
 *   parent, header_off, header_n, body_off, body_n, body_lines,
 *   kind (bit 0 multipart, bit 1 message, from bit 2 the encoding), type, subtype, charset.
 * The links to children and siblings follow from the parents.
 */
#include "mime/message.h"

#include "base/error.h"
#include "base/pack.h"

enum { PART_BYTES_LEAST = 10 };

void
message_parts_pack(const struct message_summary *s, struct buf *to)
{
	pack_var(to, s->n_parts);
	for (uint32_t i = 0; i < s->n_parts; i++) {
		const struct message_part *p = &s->parts[i];

		pack_var(to, p->parent);
		pack_var(to, p->header_off);
		pack_var(to, p->header_n);
		pack_var(to, p->body_off);
		pack_var(to, p->body_n);
		pack_var(to, p->body_lines);
		pack_var(to, (unsigned)p->is_multipart | (unsigned)p->is_message << 1 |
		    (unsigned)p->encoding << 2);
		pack_str(to, p->type);
		pack_str(to, p->subtype);
		pack_str(to, p->charset);
	}
}

static bool
unpack_part(struct unpack *u, struct message_part *p)
{
	uint64_t parent = unpack_var(u), lines, kind;

	p->header_off = unpack_var(u);
	p->header_n = unpack_var(u);
	p->body_off = unpack_var(u);
	p->body_n = unpack_var(u);
	lines = unpack_var(u);
	kind = unpack_var(u);
	p->type = unpack_str(u);
	p->subtype = unpack_str(u);
	p->charset = unpack_str(u);
	p->parent = (uint32_t)parent;
	p->body_lines = (uint32_t)lines;
	p->is_multipart = (kind & 1) != 0;
	p->is_message = (kind & 2) != 0;
	p->encoding = (enum mime_encoding)(kind >> 2);
	return unpack_ok(u) && parent <= UINT32_MAX && lines <= UINT32_MAX &&
	    kind >> 2 <= ENCODING_UNKNOWN;
}

/* Links a part behind its elder siblings; last[i] is the youngest child of i so far. */
static bool
link_part(struct message_part *parts, uint32_t at, uint32_t *last)
{
	uint32_t parent = parts[at].parent;

	if (at == 0)
		return parent == 0;
	if (parent >= at)
		return false;
	if (parts[parent].n_children++ == 0)
		parts[parent].first_child = at;
	else
		parts[last[parent]].next = at;
	last[parent] = at;
	return true;
}

int
message_parts_unpack(
    struct str bytes, struct arena *arena, struct message_part **ret, uint32_t *ret_n)
{
	struct message_part *parts;
	struct unpack        u;
	uint64_t             n;
	uint32_t            *last;

	if (arena_dup(arena, bytes, &bytes) < 0)
		return E_NOMEM;
	u = unpack_of(bytes);
	n = unpack_var(&u);
	if (!unpack_ok(&u) || n == 0 || n > bytes.n / PART_BYTES_LEAST)
		return E_CORRUPT;
	parts = arena_alloc(arena, n * sizeof(*parts));
	last = arena_alloc(arena, n * sizeof(*last));
	if (parts == NULL || last == NULL)
		return E_NOMEM;
	for (uint32_t i = 0; i < n; i++)
		if (!unpack_part(&u, &parts[i]) || !link_part(parts, i, last))
			return E_CORRUPT;
	*ret = parts;
	*ret_n = (uint32_t)n;
	return 0;
}

static const struct message_part *
nth_child(const struct message_part *parts, const struct message_part *p, uint32_t nth)
{
	uint32_t at = p->first_child;

	if (nth == 0 || nth > p->n_children)
		return NULL;
	while (--nth > 0)
		at = parts[at].next;
	return &parts[at];
}

const struct message_part *
message_part_find(
    const struct message_part *parts, uint32_t n_parts, const uint32_t *path, size_t n)
{
	const struct message_part *p = n_parts != 0 ? &parts[0] : NULL;

	for (size_t i = 0; i < n && p != NULL; i++) {
		if (i != 0 && p->is_message)
			p = &parts[p->first_child];
		else if (i != 0 && !p->is_multipart)
			return NULL;
		if (p->is_multipart)
			p = nth_child(parts, p, path[i]);
		else if (path[i] != 1)
			return NULL;
	}
	return p;
}
