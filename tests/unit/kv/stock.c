#include "stock.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct stock stock;

/* --- what the store has --- */

/* The version of a row after a round, or GONE. */
static int
row_after(unsigned row, int round)
{
	int version = 0;

	if (round >= 1)
		version = row % 7 == 0 ? GONE : row % 3 == 0 ? 1 : 0;
	if (round >= 2)
		version = row % 11 == 3 ? GONE : row % 4 == 1 ? 2 : version;
	return version;
}

bool
blob_lives(unsigned i)
{
	return i >= BLOBS_LATE || (i % 5 != 0 && i % 5 != 1);
}

static void
row_value(unsigned account, unsigned row, unsigned version, char to[ROW_N])
{
	fill(to, ROW_N, (uint64_t)account * 1000003 + row * 1009 + version * 7);
	to[0] = (char)version;
}

static size_t
body_n(unsigned i)
{
	static const size_t N[] = { 300, 3000, BODY_MAX, 20000 };

	return N[i % ARRAY_LEN(N)];
}

static const char *
blob_body(unsigned i)
{
	static char body[BODY_MAX];

	fill(body, body_n(i), i * 7919);
	return body;
}

#define HEADER STR("Subject: a letter\r\n\r\n")

/* --- writing it --- */

static void
write_batch(struct kv *kv, unsigned account, struct kv_batch *b)
{
	struct kv_part part = { KV_ACCOUNT, account };

	if (b->ops.n == 0)
		return;
	assert_ok(kv_wait(kv, commit(kv, part, version(kv, part), b)));
	kv_batch_reset(b);
}

static void
write_rows(struct kv *kv, unsigned account, int round)
{
	OWN_BATCH struct kv_batch b;
	char                      key[16], value[ROW_N];

	kv_batch_init(&b);
	for (unsigned row = 0; row < ROWS; row++) {
		int before = round > 0 ? row_after(row, round - 1) : GONE;
		int now = row_after(row, round);

		snprintf(key, sizeof(key), "r/%03u", row);
		if (now == GONE && before != GONE)
			kv_del(&b, str_c(key));
		row_value(account, row, (unsigned)now, value);
		if (now != GONE && now != before)
			kv_put(&b, str_c(key), str_of(value, ROW_N));
		if (row % BATCH_ROWS == BATCH_ROWS - 1)
			write_batch(kv, account, &b);
	}
	write_batch(kv, account, &b);
}

static unsigned
account_of(unsigned blob)
{
	return 1 + blob % ACCOUNTS;
}

static void
write_blob(struct kv *kv, unsigned i)
{
	OWN_BATCH struct kv_batch b;
	struct str                body = str_of(blob_body(i), body_n(i));

	kv_batch_init(&b);
	kv_blob_id_new(&stock.blob[i]);
	if (body.n <= KV_BLOB_PIECE) {
		kv_batch_blob(&b, &stock.blob[i], HEADER, body);
	} else {
		assert_ok(kv_blob_put_header(kv, &stock.blob[i], HEADER));
		assert_ok(kv_blob_put_piece(
		    kv, &stock.blob[i], 0, str_head(body, KV_BLOB_PIECE)));
		assert_ok(kv_blob_put_piece(
		    kv, &stock.blob[i], 1, str_skip(body, KV_BLOB_PIECE)));
	}
	kv_ref(&b, &stock.blob[i], account_of(i), i);
	write_batch(kv, account_of(i), &b);
}

static void
delete_blob(struct kv *kv, unsigned i)
{
	OWN_BATCH struct kv_batch b;

	kv_batch_init(&b);
	kv_unref(&b, &stock.blob[i], account_of(i), i);
	write_batch(kv, account_of(i), &b);
	assert_ok(kv_blob_release(kv, &stock.blob[i]));
}

static void
write_round(struct kv *kv, int round)
{
	for (unsigned account = 1; account <= ACCOUNTS; account++)
		write_rows(kv, account, round);
	for (unsigned i = 0; i < BLOBS; i++) {
		if ((round == 0 && i < BLOBS_LATE) || (round == 2 && i >= BLOBS_LATE))
			write_blob(kv, i);
		else if (round > 0 && i < BLOBS_LATE && i % 5 == (unsigned)round - 1)
			delete_blob(kv, i);
	}
}

/* --- files --- */

void
path_of(const char *dir, const char *name, char to[200])
{
	snprintf(to, 200, "%s/%s", dir, name);
}

struct bytes
file_read(const char *dir, const char *name)
{
	char         path[200];
	struct stat  st;
	struct bytes b;
	int          fd;

	path_of(dir, name, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	b.n = (size_t)st.st_size;
	b.p = malloc(b.n + 1);
	assert_non_null(b.p);
	assert_int_equal(read(fd, b.p, b.n), b.n);
	close(fd);
	return b;
}

void
file_write(const char *dir, const char *name, const char *p, size_t n)
{
	char path[200];
	int  fd;

	path_of(dir, name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), n);
	close(fd);
}

static bool
is_kept(const char *name)
{
	struct str s = str_c(name);

	return str_ends(s, STR(".sst")) || str_ends(s, STR(".blob")) || str_ends(s, STR(".log")) ||
	    str_starts(s, STR("MANIFEST-")) || str_eq(s, STR("CURRENT"));
}

/* The files as they are on disk now: what a kill leaves. */
void
stock_copy(const char *from)
{
	DIR           *d = opendir(from);
	struct dirent *entry;

	assert_non_null(d);
	assert_ok(mkdir(stock.dir, 0700));
	while ((entry = readdir(d)) != NULL) {
		struct bytes b;

		if (!is_kept(entry->d_name))
			continue;
		b = file_read(from, entry->d_name);
		file_write(stock.dir, entry->d_name, b.p, b.n);
		if (b.n != 0) {
			assert_true(stock.n_files < FILES_MAX);
			snprintf(stock.file[stock.n_files++], 64, "%.63s", entry->d_name);
		}
		free(b.p);
	}
	closedir(d);
}

int
stock_make(void **state)
{
	static char dir[64];
	char        live[80];
	struct kv  *kv;

	env_dir_make(dir);
	*state = dir;
	snprintf(live, sizeof(live), "%s/live", dir);
	snprintf(stock.dir, sizeof(stock.dir), "%s/store", dir);
	snprintf(stock.scratch, sizeof(stock.scratch), "%s/scratch", dir);
	for (int round = 0; round < 3; round++) {
		assert_ok(env_rocks_open(live, &kv));
		write_round(kv, round);
		for (unsigned i = 0; i < ACCOUNTS; i++)
			stock.version[i] = version(kv, (struct kv_part){ KV_ACCOUNT, 1 + i });
		if (round == 2)
			stock_copy(live);
		kv_drop(kv);
	}
	return 0;
}

int
stock_remove(void **state)
{
	env_dir_remove(*state);
	return 0;
}

/* --- what comes out --- */

unsigned
rows_in_all(void)
{
	unsigned n = 0;

	for (unsigned row = 0; row < ROWS; row++)
		n += row_after(row, 2) != GONE;
	return n * ACCOUNTS;
}

unsigned
blobs_in_all(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < BLOBS; i++)
		n += blob_lives(i);
	return n;
}

/* Did the row ever have this version? */
static bool
was_there(unsigned row, int version)
{
	for (int round = 0; round < 3; round++)
		if (row_after(row, round) == version)
			return true;
	return false;
}

static int
take_record(void *arg, struct kv_part part, struct str key, struct str value)
{
	struct harvest *h = arg;
	char            want[ROW_N];
	uint32_t        row = ROWS;

	assert_true(part.kind == KV_ACCOUNT && part.id >= 1 && part.id <= ACCOUNTS);
	assert_true(str_starts(key, STR("r/")) && str_to_u32(str_skip(key, 2), &row) == 0);
	assert_true(row < ROWS && value.n == ROW_N && was_there(row, value.p[0]));
	row_value((unsigned)part.id, row, (unsigned char)value.p[0], want);
	assert_memory_equal(value.p, want, ROW_N);
	assert_true(part.id * ROWS + row > h->at);
	h->at = part.id * ROWS + row;
	if (value.p[0] == row_after(row, 2))
		h->latest++;
	else
		h->other++;
	return 0;
}

static int
take_version(void *arg, struct kv_part part, uint64_t version)
{
	struct harvest *h = arg;

	assert_true(part.kind == KV_ACCOUNT && part.id >= 1 && part.id <= ACCOUNTS);
	assert_true(version <= stock.version[part.id - 1]);
	h->version[part.id - 1] = version;
	return 0;
}

static int
take_ref(void *arg, const struct kv_blob_id *blob, uint64_t account, uint64_t email)
{
	struct harvest *h = arg;

	assert_true(email < BLOBS && account == account_of((unsigned)email));
	assert_memory_equal(blob->b, stock.blob[email].b, sizeof(blob->b));
	assert_false(h->ref[email]);
	h->ref[email] = true;
	return 0;
}

bool
blob_is_whole(struct kv *kv, unsigned i)
{
	OWN_BUF struct buf got = BUF_INIT(BODY_MAX);
	const char        *want = blob_body(i);
	bool               whole = true;

	if (kv_blob_header(kv, &stock.blob[i], &got) == 0)
		assert_true(str_eq(buf_view(&got), HEADER));
	else
		whole = false;
	for (size_t at = 0; at < body_n(i); at += KV_BLOB_PIECE) {
		size_t n = body_n(i) - at < KV_BLOB_PIECE ? body_n(i) - at : KV_BLOB_PIECE;

		buf_reset(&got);
		if (kv_blob_body(kv, &stock.blob[i], at, n, &got) == 0)
			assert_memory_equal(got.p, want + at, n);
		else
			whole = false;
	}
	return whole;
}

void
reap(struct harvest *h)
{
	struct kv        *kv;
	struct kv_files   files = { 0 };
	struct kv_salvage to = { .record = take_record, .version = take_version, .ref = take_ref,
		.arg = h };

	assert_ok(kv_mem_open(&kv));
	to.blobs_to = kv;
	assert_ok(kv_salvage(stock.dir, stock.scratch, &files, &to));
	assert_int_equal(access(stock.scratch, F_OK), -1);
	h->damages = files.n_damages;
	for (unsigned i = 0; i < BLOBS; i++) {
		bool whole = blob_is_whole(kv, i);

		if (blob_lives(i))
			h->blobs += h->ref[i] && whole;
		else
			h->revived += h->ref[i];
	}
	kv_drop(kv);
}

bool
is_all(const struct harvest *h)
{
	return h->latest == rows_in_all() && h->other == 0 && h->blobs == blobs_in_all() &&
	    h->revived == 0 && memcmp(h->version, stock.version, sizeof(h->version)) == 0;
}

bool
is_log(struct str name)
{
	return str_ends(name, STR(".log"));
}
