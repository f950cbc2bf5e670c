/*
 * kv/layout.h: the keys of an engine that keeps everything in ordered maps. Format of the disk.
 *
 *   space   key                                            value
 *   RECORD  0x00 kind:1 id:8be                             version:8le of the partition
 *   RECORD  kind:1 id:8be key:1..1024                      as the caller gave it
 *   RECORD  0xF0 blob:16 0x01 part:4be                     empty: this part of the blob exists
 *   RECORD  0xF0 blob:16 0x02 account:8be email:8be        empty: a reference that was taken back
 *   RECORD  0xF0 blob:16 0x03 account:8be email:8be        empty: a reference
 *   BLOB    0xF1 blob:16 part:4be                          0: head (kv/engine.h), else a piece
 *
 * Order    the first byte keeps the spaces apart, so an engine may hold both in one map. All that
 *          is known of one blob lies together under 0xF0 blob.
 * Home     a small blob is born with a reference in its head (kv/engine.h), and with no row at all:
 *          what has no row is in use. The home counts unless there is a row 0x02 for it; a row 0x03
 *          for the same reference makes it count again. Every other part of a blob has a row 0x01.
 * Memory   a key is built in a caller's struct layout_key.
 */
#ifndef KV_LAYOUT_H
#define KV_LAYOUT_H

#include "kv/engine.h"

enum layout_space { LAYOUT_RECORD, LAYOUT_BLOB };

enum {
	LAYOUT_PART_N = 9,                              /* bytes before a partition's own keys */
	LAYOUT_BLOB_N = 1 + sizeof(struct kv_blob_id),  /* bytes before the tag in a blob's rows */
	LAYOUT_KEY_MAX = LAYOUT_PART_N + KV_KEY_MAX + 1
};

enum layout_tag { LAYOUT_HAS_PART = 1, LAYOUT_LOST_REF = 2, LAYOUT_HAS_REF = 3 };

struct layout_key {
	size_t n;
	char   b[LAYOUT_KEY_MAX];
};

static inline struct str
layout_view(const struct layout_key *k)
{
	return str_of(k->b, k->n);
}

void layout_version(struct layout_key *, struct kv_part);
/* 0 or E_CORRUPT: not the key of a version. */
int  layout_version_parse(struct str key, struct kv_part *ret);
/* key.n <= KV_KEY_MAX; empty: what all keys of the partition begin with. */
void layout_record(struct layout_key *, struct kv_part, struct str key);
/* The first key behind all records of the partition. */
void layout_record_end(struct layout_key *, struct kv_part);
/* `from` and `to` of kv_scan as full keys. */
void layout_range(struct kv_part, const struct kv_range *, struct layout_key *from,
    struct layout_key *to);

void layout_blob_part(struct layout_key *, const struct kv_blob_id *, uint32_t part);
void layout_blob_rows(struct layout_key *, const struct kv_blob_id *);     /* the first row */
void layout_blob_rows_end(struct layout_key *, const struct kv_blob_id *); /* behind the last */
void layout_has_part(struct layout_key *, const struct kv_blob_id *, uint32_t part);
/* ref: account:8be email:8be */
void layout_has_ref(struct layout_key *, const struct kv_blob_id *, struct str ref);
void layout_lost_ref(struct layout_key *, const struct kv_blob_id *, struct str ref);

/* A row under 0xF0, taken apart. 0 or E_CORRUPT. */
struct layout_row {
	struct kv_blob_id id;
	enum layout_tag   tag;
	uint32_t          part; /* of LAYOUT_HAS_PART */
	struct str        ref;  /* of the others: account:8be email:8be, points into the key */
};
int layout_row_parse(struct str key, struct layout_row *ret);

#endif
