/*
 * Fuzzer of kv/salvage_files.h: the first byte chooses a reader of the files of a store. The rest
 * is a file as it lies on the disk, or what lies behind the checksums, which are made right here.
 *
 * Holds: a reader does not fail, whatever it reads; what it hands out can be read.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "kv/salvage_files.h"

enum { FILE_MAX = 4 << 20 };
enum { SUM_CRC32C = 1, TABLE_FOOTER = 53, TABLE_FORMAT = 5 };
static const uint64_t TABLE_MAGIC = 0x88E241B785F4CFF7;
static const uint32_t BLOB_MAGIC = 2395959;

static unsigned
sum_of(struct str s)
{
	unsigned sum = 0;

	for (size_t i = 0; i < s.n; i++)
		sum = sum * 31 + (unsigned char)s.p[i];
	return sum;
}

static int
take_entry(void *arg, const struct salvage_entry *e)
{
	unsigned     *sum = arg;
	struct kv_row row;

	kv_row_read(e->key, &row);
	*sum += sum_of(e->key) ^ sum_of(e->value) ^ sum_of(row.key);
	hold(e->kind == SALVAGE_PUT || e->value.n == 0);
	return 0;
}

static void
take_damage(void *arg, const struct kv_damage *d)
{
	unsigned *sum = arg;

	hold(d->file != NULL && d->what != NULL);
	*sum += sum_of(d->from) ^ sum_of(d->to) ^ sum_of(str_c(d->what));
}

/* --- files --- */

static void
write_whole(int fd, struct str bytes)
{
	hold(ftruncate(fd, 0) == 0);
	hold(pwrite(fd, bytes.p, bytes.n, 0) == (ssize_t)bytes.n);
}

typedef int read_file(struct salvage_file *, const struct salvage_sink *);

static void
try_file(struct str bytes, read_file *reader)
{
	static int          fd = -1;
	unsigned            sum = 0;
	struct kv_files     files = { .damage = take_damage, .arg = &sum };
	struct salvage_sink sink = { take_entry, &sum }, check_only = { NULL, NULL };
	struct salvage_file f = { .dir_fd = -1, .name = "file", .size = bytes.n, .files = &files };

	if (fd < 0)
		fd = memfd_create("salvage", MFD_CLOEXEC);
	write_whole(fd, bytes);
	f.fd = fd;
	hold(reader(&f, &check_only) == 0);
	hold(reader(&f, &sink) == 0);
}

static int
take_batch(void *arg, struct str record)
{
	struct salvage_batch batch;

	return salvage_batch_read(record, arg, &batch);
}

static bool
is_later(void *arg, struct str begin)
{
	(void)arg;
	return begin.n != 0 && begin.p[0] % 2 == 0;
}

static int
read_log(struct salvage_file *f, const struct salvage_sink *sink)
{
	struct salvage_sink           to = *sink;
	const struct salvage_log_sink batches = { take_batch, is_later, &to };
	struct salvage_log            log;

	return salvage_log_read(f, &batches, &log);
}

/* CURRENT and the MANIFEST lie in a folder, which stays empty but for them. */
static void
try_folder(struct str current, struct str manifest)
{
	static char     dir[] = "/dev/shm/fuzz-salvage-XXXXXX";
	unsigned        sum = 0;
	struct kv_files files = { .damage = take_damage, .arg = &sum };
	struct str      bytes[] = { current, manifest };
	const char     *name[] = { "CURRENT", "MANIFEST-000001" };
	int             dir_fd;

	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	hold(mkdtemp(dir) != NULL);
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	hold(dir_fd >= 0);
	for (size_t i = 0; i < ARRAY_LEN(name); i++) {
		int fd = openat(dir_fd, name[i], O_RDWR | O_CREAT | O_CLOEXEC, 0600);

		hold(fd >= 0);
		write_whole(fd, bytes[i]);
		close(fd);
	}
	hold(kv_files_check(dir, &files) == 0);
	for (size_t i = 0; i < ARRAY_LEN(name); i++)
		unlinkat(dir_fd, name[i], 0);
	close(dir_fd);
	rmdir(dir);
}

/* --- with right checksums --- */

static uint32_t
masked(const struct buf *to, size_t from)
{
	return salvage_crc_mask(salvage_crc(0, to->p + from, to->n - from));
}

/* Blocks, each with its length before it: metaindex, index, then what these refer to. */
static void
seal_table(struct str in, struct buf *to)
{
	struct unpack u = unpack_of(in);
	uint64_t      off[2] = { 0 }, n[2] = { 0 };
	size_t        footer;

	for (size_t i = 0; u.left.n >= 2; i++) {
		size_t     want = unpack_u16(&u), at = to->n;
		struct str block = unpack_bytes(&u, want < u.left.n ? want : u.left.n);

		buf_str(to, block);
		pack_u8(to, 0);
		pack_u32(to, masked(to, at));
		if (i < ARRAY_LEN(off)) {
			off[i] = at;
			n[i] = block.n;
		}
	}
	footer = to->n;
	pack_u8(to, SUM_CRC32C);
	for (size_t i = 0; i < ARRAY_LEN(off); i++) {
		pack_var(to, off[i]);
		pack_var(to, n[i]);
	}
	while (to->n < footer + TABLE_FOOTER - 12)
		pack_u8(to, 0);
	pack_u32(to, TABLE_FORMAT);
	pack_u64(to, TABLE_MAGIC);
}

/* Records: key_n:2 value_n:4 and both; a part of a length beyond the input is taken as it is. */
static void
seal_blobs(struct str in, struct buf *to)
{
	struct unpack u = unpack_of(in);
	unsigned      compression = unpack_u8(&u);

	pack_u32(to, BLOB_MAGIC);
	pack_u32(to, 1);
	pack_u32(to, 1);
	pack_u8(to, 0);
	pack_u8(to, (uint8_t)compression);
	pack_u64(to, 0);
	pack_u64(to, 0);
	while (u.left.n >= 6) {
		uint64_t   key_n = unpack_u16(&u), value_n = unpack_u32(&u);
		size_t     at = to->n;
		size_t     n = key_n + value_n < u.left.n ? (size_t)(key_n + value_n) : u.left.n;
		struct str both = unpack_bytes(&u, n);

		pack_u64(to, key_n);
		pack_u64(to, value_n);
		pack_u64(to, 0);
		pack_u32(to, masked(to, at));
		pack_u32(to, salvage_crc_mask(salvage_crc(0, both.p, both.n)));
		buf_str(to, both);
	}
}

/* Records, each with its length before it, as whole pieces in blocks of 32 KiB. */
static void
seal_log(struct str in, struct buf *to)
{
	enum { BLOCK = 32 << 10, HEAD = 7, WHOLE = 1 };
	struct unpack u = unpack_of(in);

	while (u.left.n >= 2) {
		size_t             n = unpack_u16(&u);
		OWN_BUF struct buf piece = BUF_INIT(BLOCK);

		n = n < u.left.n ? n : u.left.n;
		n = n < BLOCK - HEAD ? n : BLOCK - HEAD;
		pack_u8(&piece, WHOLE);
		buf_str(&piece, unpack_bytes(&u, n));
		while (to->n % BLOCK + HEAD + n > BLOCK)
			pack_u8(to, 0);
		pack_u32(to, masked(&piece, 0));
		pack_u16(to, (uint16_t)n);
		buf_str(to, buf_view(&piece));
	}
}

#define CURRENT STR("MANIFEST-000001\n")

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str         s = str_of((const char *)data, size);
	OWN_BUF struct buf sealed = BUF_INIT(FILE_MAX);

	if (s.n == 0)
		return 0;
	s = str_skip(s, 1);
	switch (data[0]) {
	case 'T':
		try_file(s, salvage_table_read);
		break;
	case 't':
		seal_table(s, &sealed);
		try_file(buf_view(&sealed), salvage_table_read);
		break;
	case 'B':
		try_file(s, salvage_blob_read);
		break;
	case 'b':
		seal_blobs(s, &sealed);
		try_file(buf_view(&sealed), salvage_blob_read);
		break;
	case 'L':
		try_file(s, read_log);
		break;
	case 'l':
		seal_log(s, &sealed);
		try_file(buf_view(&sealed), read_log);
		break;
	case 'C':
		try_folder(s, STR_NONE);
		break;
	case 'M':
		try_folder(CURRENT, s);
		break;
	case 'm':
		seal_log(s, &sealed);
		try_folder(CURRENT, buf_view(&sealed));
		break;
	}
	return 0;
}
