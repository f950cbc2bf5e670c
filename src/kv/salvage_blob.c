/* RocksDB's blob files. */
#include "base/error.h"
#include "kv/salvage_files.h"

enum { HEADER = 30, RECORD = 32, FOOTER = 32, VALUE_MAX = SALVAGE_BLOCK_MAX, COLUMN = 1 };
static const uint32_t MAGIC = 2395959; /* 0x248f37 */

struct blob_reader {
	struct salvage_file       *file;
	const struct salvage_sink *sink;
	unsigned                   compression;
	bool                       is_told; /* that the header is damaged */
	uint64_t                   end; /* of the records */
	struct buf                 raw, value;
};

struct blob_head {
	uint64_t key_n, value_n;
	uint32_t sum;
};

static int
read_header(struct blob_reader *b)
{
	char          bytes[HEADER];
	struct unpack u = unpack_of(str_of(bytes, sizeof(bytes)));
	bool          right;
	int           r = salvage_file_read(b->file, 0, bytes, sizeof(bytes));

	if (r < 0)
		return r;
	right = unpack_u32(&u) == MAGIC;
	right = unpack_u32(&u) == 1 && right;
	right = unpack_u32(&u) == COLUMN && right;
	right = unpack_u8(&u) == 0 && right; /* nothing expires */
	b->compression = unpack_u8(&u);
	right = unpack_u64(&u) == 0 && right;
	right = unpack_u64(&u) == 0 && right;
	return right ? 0 : E_CORRUPT;
}

/* A file that was closed has a footer; one that a crash left has none. */
static void
read_footer(struct blob_reader *b)
{
	char          bytes[FOOTER];
	struct unpack u = unpack_of(str_of(bytes, sizeof(bytes)));

	b->end = b->file->size;
	if (b->file->size < HEADER + FOOTER ||
	    salvage_file_read(b->file, b->file->size - FOOTER, bytes, sizeof(bytes)) < 0 ||
	    unpack_u32(&u) != MAGIC)
		return;
	u = unpack_of(str_of(bytes + FOOTER - 4, 4));
	b->end -= FOOTER;
	if (salvage_crc_mask(salvage_crc(0, bytes, FOOTER - 4)) != unpack_u32(&u))
		salvage_damage(b->file, b->end, FOOTER, "the end of a blob file is damaged; no "
		    "message is in it");
}

static int
head_at(const struct blob_reader *b, uint64_t off, struct blob_head *ret)
{
	char          bytes[RECORD];
	struct unpack u = unpack_of(str_of(bytes, sizeof(bytes)));
	int           r;

	if (b->end - off < RECORD)
		return E_CORRUPT;
	r = salvage_file_read(b->file, off, bytes, sizeof(bytes));
	if (r < 0)
		return r;
	ret->key_n = unpack_u64(&u);
	ret->value_n = unpack_u64(&u);
	unpack_u64(&u);
	if (salvage_crc_mask(salvage_crc(0, bytes, 24)) != unpack_u32(&u))
		return E_CORRUPT;
	ret->sum = unpack_u32(&u);
	if (ret->key_n > KV_KEY_MAX || ret->value_n > VALUE_MAX ||
	    ret->key_n + ret->value_n > b->end - off - RECORD)
		return E_CORRUPT;
	return 0;
}

/* Lost its place: the next record whose head is right. */
static uint64_t
resync(const struct blob_reader *b, uint64_t off)
{
	enum { WINDOW = 64 << 10 };
	OWN_BUF struct buf window = BUF_INIT(WINDOW);
	struct blob_head   h;

	while (b->end - off >= RECORD) {
		uint64_t left = b->end - off;
		size_t   n = left < WINDOW ? (size_t)left : WINDOW;

		buf_reset(&window);
		if (buf_grow(&window, n) == NULL)
			return b->end;
		if (salvage_file_read(b->file, off, window.p, n) < 0) {
			off += n; /* a part of the disk that cannot be read */
			continue;
		}
		/* Keys have a length below 256 and values below 2^32: the rest is zeros. */
		for (size_t i = 0; i + RECORD <= n; i++)
			if (window.p[i + 1] == 0 && window.p[i + 2] == 0 && window.p[i + 3] == 0 &&
			    window.p[i + 4] == 0 && window.p[i + 7] == 0 && window.p[i] != 0 &&
			    head_at(b, off + i, &h) == 0)
				return off + i;
		off += n > RECORD ? n - RECORD + 1 : n;
		if (left <= WINDOW)
			break;
	}
	return b->end;
}

/* The file's header tells the compression, and has no checksum. The checksum of the value is right:
 * what cannot be inflated was not compressed. */
static int
inflate(struct blob_reader *b, struct str in, struct str *ret)
{
	int r = salvage_inflate(b->compression, in, &b->value);

	if (r == 0) {
		*ret = buf_view(&b->value);
		return 0;
	}
	if (r != E_CORRUPT && r != E_UNSUPPORTED)
		return r;
	if (!b->is_told)
		salvage_damage(b->file, 0, HEADER, "the beginning of a blob file is damaged");
	b->is_told = true;
	b->compression = 0;
	*ret = in;
	return 0;
}

static int
read_record(struct blob_reader *b, uint64_t off, const struct blob_head *h)
{
	struct salvage_entry e = { .kind = SALVAGE_PUT };
	struct kv_damage     d = { .off = off, .n = RECORD + h->key_n + h->value_n,
		    .what = "a piece of a message is damaged" };
	uint64_t             n = h->key_n + h->value_n;
	int                  r;

	buf_reset(&b->raw);
	buf_reset(&b->value);
	if (buf_grow(&b->raw, (size_t)n) == NULL)
		return b->raw.err;
	r = salvage_file_read(b->file, off + RECORD, b->raw.p, (size_t)n);
	if (r == 0 && salvage_crc_mask(salvage_crc(0, b->raw.p, (size_t)n)) != h->sum)
		r = E_CORRUPT;
	e.key = str_of(b->raw.p, (size_t)h->key_n);
	if (r == E_CORRUPT) {
		d.from = d.to = e.key;
		salvage_damage_keys(b->file, &d);
		return 0;
	}
	if (r == 0)
		r = inflate(b, str_skip(buf_view(&b->raw), (size_t)h->key_n), &e.value);
	if (r == 0 && b->sink->fn != NULL)
		r = b->sink->fn(b->sink->arg, &e);
	return r;
}

static int
read_records(struct blob_reader *b)
{
	uint64_t         off = HEADER, next;
	struct blob_head h;
	int              r = 0;

	while (r == 0 && off < b->end) {
		r = head_at(b, off, &h);
		if (r == 0) {
			r = read_record(b, off, &h);
			off += RECORD + h.key_n + h.value_n;
			continue;
		}
		if (r != E_CORRUPT)
			return r;
		next = resync(b, off + 1);
		salvage_damage(b->file, off, next - off, "pieces of messages are damaged");
		off = next;
		r = 0;
	}
	return r;
}

int
salvage_blob_read(struct salvage_file *file, const struct salvage_sink *sink)
{
	struct blob_reader b = { .file = file, .sink = sink, .raw = BUF_INIT(2 * SALVAGE_BLOCK_MAX),
		.value = BUF_INIT(SALVAGE_BLOCK_MAX) };
	int                r;

	if (file->size == 0)
		return 0;
	r = read_header(&b);
	if (r == E_CORRUPT) {
		salvage_damage(file, 0, HEADER, "the beginning of a blob file is damaged");
		b.is_told = true;
		r = 0;
	}
	if (r == 0) {
		read_footer(&b);
		r = read_records(&b);
	}
	buf_done(&b.raw);
	buf_done(&b.value);
	return r;
}
