/*
 * mime/structure.h: the tree of parts while a message is read, and its end as BODY and
 * BODYSTRUCTURE. RFC 9051 s7.5.2, RFC 3501 s7.4.2
 *
 * Shape    nodes in the order of their first bytes, so a part comes before its children. The bytes
 *          are those of struct entity: complete but for sizes and children.
 * Memory   all in the arena.
 * Threads  plain values.
 */
#ifndef MIME_STRUCTURE_H
#define MIME_STRUCTURE_H

#include "mime/entity.h"

struct structure_node {
	struct message_part part; /* body_lines: until the part ends, the lines before its body */
	struct str          head, ext, envelope;
	uint32_t            last_child;
	uint32_t            depth;
	bool                digest;    /* its parent is multipart/digest */
	bool                is_digest; /* it is one */
	bool                is_text;
};

/* Copies what the part's header says into the node. E_NOMEM. */
int structure_keep(struct structure_node *, const struct entity *, struct arena *);
/* parts, envelope, body and body_structure of the summary. E_NOMEM. */
int structure_finish(
    const struct structure_node *, uint32_t n, struct arena *, struct message_summary *ret);

#endif
