#include "kv/parts.h"

#include "base/error.h"
#include "base/mem.h"

enum {
	BYTES_A_BUCKET = 2048,
	BUCKETS_MIN = 16,
	PART_OVERHEAD = sizeof(struct part) + 16, /* with the heap's own */
	BIG_SHARE = 4,                            /* big parts have one of so many */
	SHARE_MAX = 4                             /* a larger share of a queue is not kept */
};

static size_t
bucket_count(size_t shard_max)
{
	size_t n = BUCKETS_MIN;

	while (n < shard_max / BYTES_A_BUCKET)
		n *= 2;
	return n;
}

static void
shard_clear(struct parts *p, struct parts_shard *s)
{
	struct list *link;

	for (int i = 0; i < PARTS_SIZES; i++) {
		while ((link = list_pop(&s->queue[i].all)) != NULL)
			part_drop(CONTAINER_OF(link, struct part, link));
		s->queue[i].bytes = 0;
	}
	memset(s->bucket, 0, (p->mask + 1) * sizeof(struct part *));
}

int
parts_init(struct parts *p, size_t max_bytes)
{
	size_t        shard_max = max_bytes / PARTS_SHARDS, big_max = shard_max / BIG_SHARE;
	struct part **buckets;

	*p = (struct parts){
		.queue_max = { [PARTS_SMALL] = shard_max - big_max, [PARTS_BIG] = big_max },
		.mask = bucket_count(shard_max) - 1,
	};
	buckets = mem_zalloc(PARTS_SHARDS * (p->mask + 1) * sizeof(struct part *));
	if (buckets == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < PARTS_SHARDS; i++) {
		p->shard[i].bucket = buckets + i * (p->mask + 1);
		lock_init(&p->shard[i].lock, LOCK_KV_PARTS);
		for (int k = 0; k < PARTS_SIZES; k++)
			list_init(&p->shard[i].queue[k].all);
	}
	return 0;
}

void
parts_clear(struct parts *p)
{
	for (size_t i = 0; i < PARTS_SHARDS; i++)
		shard_clear(p, &p->shard[i]);
}

void
parts_done(struct parts *p)
{
	parts_clear(p);
	for (size_t i = 0; i < PARTS_SHARDS; i++)
		lock_done(&p->shard[i].lock);
	mem_free(p->shard[0].bucket);
}

void
part_drop(struct part *part)
{
	if (atomic_fetch_sub(&part->holders, 1) == 1)
		mem_free(part);
}

/* --- where a part is --- */

/* The end of an id is random. */
static uint64_t
hash(const struct kv_blob_id *id, uint32_t number)
{
	uint64_t h;

	memcpy(&h, id->b + sizeof(id->b) - sizeof(h), sizeof(h));
	return (h ^ number) * 0x9E3779B97F4A7C15u >> 32;
}

static struct parts_shard *
shard_of(struct parts *p, uint64_t h)
{
	return &p->shard[h % PARTS_SHARDS];
}

/* What points to the part, or to the NULL where it would be. */
static struct part **
place_of(struct parts *p, struct parts_shard *s, const struct kv_blob_id *id, uint32_t number)
{
	struct part **at = &s->bucket[hash(id, number) / PARTS_SHARDS & p->mask];

	while (*at != NULL &&
	       ((*at)->number != number || memcmp((*at)->id.b, id->b, sizeof(id->b)) != 0))
		at = &(*at)->next;
	return at;
}

static int
size_of(size_t n)
{
	return n > PARTS_BIG_BYTES ? PARTS_BIG : PARTS_SMALL;
}

static void
take_out(struct parts_shard *s, struct part **at)
{
	struct part *part = *at;

	*at = part->next;
	list_remove(&part->link);
	s->queue[size_of(part->n)].bytes -= part->n + PART_OVERHEAD;
	part_drop(part);
}

/* --- in and out --- */

struct part *
parts_get(struct parts *p, const struct kv_blob_id *id, uint32_t number)
{
	struct parts_shard *s = shard_of(p, hash(id, number));
	struct part        *part;

	if (p->queue_max[PARTS_SMALL] == 0)
		return NULL;
	LOCK_SCOPE(&s->lock);
	part = *place_of(p, s, id, number);
	if (part == NULL)
		return NULL;
	part->used = true;
	atomic_fetch_add(&part->holders, 1);
	return part;
}

static void
make_room(struct parts *p, struct parts_shard *s, int size, size_t n)
{
	struct parts_queue *q = &s->queue[size];

	while (q->bytes + n > p->queue_max[size] && !list_empty(&q->all)) {
		struct part *oldest = CONTAINER_OF(q->all.next, struct part, link);

		if (!oldest->used) {
			take_out(s, place_of(p, s, &oldest->id, oldest->number));
			continue;
		}
		oldest->used = false;
		list_remove(&oldest->link);
		list_push(&q->all, &oldest->link);
	}
}

struct part *
parts_put(struct parts *p, const struct kv_blob_id *id, uint32_t number, struct str bytes)
{
	struct parts_shard *s = shard_of(p, hash(id, number));
	size_t              n = bytes.n + PART_OVERHEAD;
	int                 size = size_of(bytes.n);
	struct part        *part, **at;

	if (n > p->queue_max[size] / SHARE_MAX)
		return NULL;
	part = mem_alloc(sizeof(*part) + bytes.n);
	if (part == NULL)
		return NULL;
	*part = (struct part){ .id = *id, .number = number, .n = bytes.n };
	atomic_init(&part->holders, 2);
	if (bytes.n != 0)
		memcpy(part->bytes, bytes.p, bytes.n);

	LOCK_SCOPE(&s->lock);
	at = place_of(p, s, id, number);
	if (*at != NULL)
		take_out(s, at); /* another reader was faster */
	make_room(p, s, size, n);
	at = place_of(p, s, id, number);
	*at = part;
	list_push(&s->queue[size].all, &part->link);
	s->queue[size].bytes += n;
	return part;
}

void
parts_forget(struct parts *p, const struct kv_blob_id *id, uint32_t number)
{
	struct parts_shard *s = shard_of(p, hash(id, number));
	struct part       **at;

	LOCK_SCOPE(&s->lock);
	at = place_of(p, s, id, number);
	if (*at != NULL)
		take_out(s, at);
}
