#include "store/recent.h"

#include "base/mem.h"

struct recent *
recent_new(uint64_t from)
{
	struct recent *r = MEM_NEW(struct recent);

	if (r != NULL)
		r->from = from;
	return r;
}

void
recent_put(struct recent *r, uint64_t modseq, struct str items)
{
	struct recent_commit *c;

	if (r == NULL || items.n == 0)
		return;
	if (items.n > RECENT_ITEMS) {
		r->from = modseq;
		r->n = 0;
		return;
	}
	if (r->n == RECENT_COMMITS) {
		r->from = r->commits[r->first].modseq;
		r->first = (r->first + 1) % RECENT_COMMITS;
		r->n--;
	}
	c = &r->commits[(r->first + r->n++) % RECENT_COMMITS];
	c->modseq = modseq;
	c->n = (unsigned char)items.n;
	memcpy(c->items, items.p, items.n);
}

int
recent_get(const struct recent *r, uint64_t since, struct recent_commit ret[RECENT_COMMITS])
{
	int n = 0;

	if (r == NULL || since < r->from)
		return -1;
	for (unsigned i = 0; i < r->n; i++) {
		const struct recent_commit *c = &r->commits[(r->first + i) % RECENT_COMMITS];

		if (c->modseq > since)
			ret[n++] = *c;
	}
	return n;
}
