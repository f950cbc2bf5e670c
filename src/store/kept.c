#include "store/kept.h"

/* The end of a key is what the table spreads by. */
static struct kv_blob_id
key_of(const struct kept_at *at)
{
	const uint64_t    w[2] = { at->mailbox, at->load << 32 ^ (uint64_t)at->mailbox << 24 };
	struct kv_blob_id id;

	memcpy(id.b, w, sizeof(id.b));
	return id;
}

struct part *
kept_get(struct parts *p, const struct kept_at *at, struct message *ret, struct str *ret_facts)
{
	const struct kv_blob_id id = key_of(at);
	struct part            *part = parts_get(p, &id, at->uid);

	if (part == NULL)
		return NULL;
	memcpy(ret, part->bytes, sizeof(*ret));
	if (ret_facts != NULL)
		*ret_facts = str_skip(part_bytes(part), sizeof(*ret));
	return part;
}

void
kept_put(struct parts *p, const struct kept_at *at, const struct message *m, struct str facts)
{
	const struct kv_blob_id id = key_of(at);
	OWN_BUF struct buf      both = BUF_INIT(sizeof(*m) + facts.n);
	struct message          lasting = *m;
	struct part            *part = NULL;

	lasting.modseq = 0;
	lasting.flags = (struct flags){ 0 };
	buf_put(&both, &lasting, sizeof(lasting));
	buf_str(&both, facts);
	if (both.err == 0)
		part = parts_put(p, &id, at->uid, buf_view(&both));
	if (part != NULL)
		part_drop(part);
}
