/*
 * kv/salvage.h on the end of a log: what a crash or a power cut leaves there is no damage, and the
 * store is opened with all that was synced; where commits are missing it is not opened.
 */
#include "base/mem.h"
#include "kv/salvage_files.h"
#include "stock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LOG_BLOCK = 32 << 10, LOG_HEAD = 7, RECORDS_MAX = 200 };
#define SECOND_LOG "900000.log"

struct log {
	const char  *name;
	struct bytes sound;
	struct buf   bytes;             /* of all records */
	size_t       end[RECORDS_MAX];  /* of each in bytes */
	size_t       n;
};

static int
take_log_record(void *arg, struct str record)
{
	struct log *l = arg;

	assert_true(l->n < RECORDS_MAX);
	buf_str(&l->bytes, record);
	l->end[l->n++] = l->bytes.n;
	return l->bytes.err;
}

static void
log_open(struct log *l)
{
	const struct salvage_log_sink sink = { .fn = take_log_record, .arg = l };
	struct kv_files               files = { 0 };
	struct salvage_log            done;
	struct salvage_file           f;
	int                           dir_fd = open(stock.dir, O_RDONLY | O_DIRECTORY);

	*l = (struct log){ .bytes = BUF_INIT(16 << 20) };
	for (size_t f_at = 0; f_at < stock.n_files; f_at++)
		l->name = is_log(str_c(stock.file[f_at])) ? stock.file[f_at] : l->name;
	assert_non_null(l->name);
	l->sound = file_read(stock.dir, l->name);
	assert_ok(salvage_file_open(dir_fd, l->name, &files, &f));
	assert_ok(salvage_log_read(&f, &sink, &done));
	assert_true(l->n > 20 && l->sound.n > 4 * LOG_BLOCK);
	salvage_file_close(&f);
	close(dir_fd);
}

static void
log_close(struct log *l)
{
	char path[200];

	file_write(stock.dir, l->name, l->sound.p, l->sound.n);
	path_of(stock.dir, SECOND_LOG, path);
	unlink(path);
	buf_done(&l->bytes);
	free(l->sound.p);
}

/* A log of the records [from, to), as RocksDB writes it. */
static void
log_put(const struct log *l, size_t from, size_t to, struct buf *log)
{
	for (size_t i = from; i < to; i++) {
		size_t     at = i == 0 ? 0 : l->end[i - 1];
		struct str left = str_of(l->bytes.p + at, l->end[i] - at);

		for (bool first = true; first || left.n > 0; first = false) {
			size_t     room = LOG_BLOCK - log->n % LOG_BLOCK, n;
			struct str piece;
			char       type;

			if (room < LOG_HEAD) {
				buf_put(log, "\0\0\0\0\0\0", room);
				room = LOG_BLOCK;
			}
			n = left.n < room - LOG_HEAD ? left.n : room - LOG_HEAD;
			piece = str_head(left, n);
			type = (char)(n == left.n ? first ? 1 : 4 : first ? 2 : 3);
			pack_u32(log, salvage_crc_mask(salvage_crc(
			    salvage_crc(0, &type, 1), piece.p, piece.n)));
			pack_u16(log, (uint16_t)n);
			buf_put(log, &type, 1);
			buf_str(log, piece);
			left = str_skip(left, n);
		}
	}
	assert_int_equal(log->err, 0);
}

static void
put_noise(struct buf *to, size_t n)
{
	OWN_MEM char *noise = mem_alloc(n);

	assert_non_null(noise);
	fill(noise, n, n);
	buf_put(to, noise, n);
}

/* What the engine makes of it, in a copy: are all commits there? */
static bool
opens_with_all(void)
{
	const struct stock was = stock;
	char               live[96];
	struct kv         *kv;
	bool               all = true;

	snprintf(live, sizeof(live), "%s-opened", was.dir);
	snprintf(stock.dir, sizeof(stock.dir), "%.79s", live);
	stock.n_files = 0;
	stock_copy(was.dir);
	stock = was;
	assert_ok(env_rocks_open(live, &kv));
	for (unsigned i = 0; i < ACCOUNTS; i++)
		all = all && version(kv, (struct kv_part){ KV_ACCOUNT, 1 + i }) == stock.version[i];
	for (unsigned i = 0; i < BLOBS; i++)
		all = all && (!blob_lives(i) || blob_is_whole(kv, i));
	kv_drop(kv);
	env_dir_remove(live);
	return all;
}

/* Nothing is missing: it is opened, and has everything. */
static void
check_unharmed(const char *label)
{
	struct harvest h = { 0 };

	snprintf(h.label, sizeof(h.label), "%s", label);
	reap(&h);
	CHECK(&h, h.damages == 0 && is_all(&h));
	assert_ok(kv_files_may_open(stock.dir, NULL));
	assert_true(opens_with_all());
}

/* Commits are missing or damaged: it is not opened, and this is told. */
static void
check_refused(const char *label)
{
	struct harvest h = { 0 };

	snprintf(h.label, sizeof(h.label), "%s", label);
	reap(&h);
	CHECK(&h, h.damages > 0);
	assert_int_equal(kv_files_may_open(stock.dir, NULL), E_CORRUPT);
}

/* What a power cut leaves behind what was synced. */
static void
test_garbage_behind_a_log(void **state)
{
	static const size_t N[] = { 1, 6, 8, 100, 5000, 100000 };
	struct log          l;

	(void)state;
	log_open(&l);
	for (size_t i = 0; i < ARRAY_LEN(N); i++) {
		OWN_BUF struct buf log = BUF_INIT(16 << 20);
		char               label[60];

		snprintf(label, sizeof(label), "%zu bytes of garbage", N[i]);
		log_put(&l, 0, l.n, &log);
		assert_true(str_eq(buf_view(&log), str_of(l.sound.p, l.sound.n)));
		put_noise(&log, N[i]);
		file_write(stock.dir, l.name, log.p, log.n);
		check_unharmed(label);
		/* And what lay there earlier: records of before. */
		put_noise(&log, LOG_BLOCK - log.n % LOG_BLOCK);
		buf_put(&log, l.sound.p, 2 * LOG_BLOCK);
		file_write(stock.dir, l.name, log.p, log.n);
		check_unharmed(label);
	}
	log_close(&l);
}

/* An unfinished record, of which a part is garbage. */
static void
test_garbage_in_the_last_record(void **state)
{
	struct log l;

	(void)state;
	log_open(&l);
	for (size_t keep = 0; keep < 200; keep += 37) {
		OWN_BUF struct buf log = BUF_INIT(16 << 20);

		log_put(&l, 0, l.n, &log);
		log_put(&l, l.n - 1, l.n, &log);
		log.n = l.sound.n + keep;
		put_noise(&log, 500);
		file_write(stock.dir, l.name, log.p, log.n);
		check_unharmed("a record begun");
	}
	log_close(&l);
}

static void
take_doubt(void *arg, const struct kv_damage *d)
{
	uint64_t *n = arg;

	assert_int_equal(*n, 0);
	*n = d->n;
}

/* How many bytes at the end are in doubt; a start, which goes on, has to tell. */
static uint64_t
doubted(void)
{
	OWN_BUF struct buf detail = BUF_INIT(4096);
	uint64_t           n = 0;
	struct kv_files    files = { .doubt = take_doubt, .arg = &n };

	assert_ok(kv_files_check(stock.dir, &files));
	assert_int_equal(files.n_damages, 0);
	assert_int_equal(files.n_doubts, n != 0);
	assert_ok(kv_files_may_open(stock.dir, &detail));
	assert_int_equal(detail.n != 0, n != 0);
	return n;
}

/* Where the last piece begins. */
static size_t
last_piece(const struct log *l)
{
	size_t last = 0;

	for (size_t at = 0; at < l->sound.n;) {
		const unsigned char *p = (const unsigned char *)l->sound.p + at;

		if (LOG_BLOCK - at % LOG_BLOCK < LOG_HEAD) {
			at += LOG_BLOCK - at % LOG_BLOCK;
			continue;
		}
		last = at;
		at += LOG_HEAD + (size_t)(p[4] | p[5] << 8);
	}
	return last;
}

/* The last records were confirmed, and something else stands in their place. */
static void
test_noise_for_the_last_records(void **state)
{
	struct log l;

	(void)state;
	log_open(&l);
	assert_int_equal(doubted(), 0);
	for (size_t i = 1; i <= 4; i++) {
		OWN_BUF struct buf log = BUF_INIT(16 << 20);
		size_t             from = last_piece(&l) / i, noise = l.sound.n - from;
		uint64_t           n;

		buf_put(&log, l.sound.p, from);
		file_write(stock.dir, l.name, log.p, log.n);
		assert_int_equal(doubted(), 0);
		put_noise(&log, noise);
		file_write(stock.dir, l.name, log.p, log.n);
		n = doubted();
		assert_true(n >= noise && n < noise + LOG_BLOCK);
		/* A log without records behind it proves nothing. */
		file_write(stock.dir, SECOND_LOG, "", 0);
		assert_int_equal(doubted(), n);
	}
	log_close(&l);
}

static void
test_zeros_in_a_log(void **state)
{
	struct log l;

	(void)state;
	log_open(&l);
	for (size_t at = 0; at + LOG_BLOCK < l.sound.n; at += LOG_BLOCK) {
		char kept[LOG_BLOCK], label[60];

		snprintf(label, sizeof(label), "zeros in the block at %zu", at);
		memcpy(kept, l.sound.p + at, LOG_BLOCK);
		memset(l.sound.p + at, 0, LOG_BLOCK);
		file_write(stock.dir, l.name, l.sound.p, l.sound.n);
		memcpy(l.sound.p + at, kept, LOG_BLOCK);
		check_refused(label);
	}
	log_close(&l);
}

/* The last record is whole: a flipped bit in it is no unfinished write. */
static void
test_flip_in_the_last_record(void **state)
{
	size_t     last;
	struct log l;

	(void)state;
	log_open(&l);
	last = last_piece(&l);
	for (size_t bit = 0; bit < (size_t)(LOG_HEAD + 20) * 8; bit++) {
		struct harvest h = { 0 };

		l.sound.p[last + bit / 8] ^= (char)(1u << bit % 8);
		file_write(stock.dir, l.name, l.sound.p, l.sound.n);
		l.sound.p[last + bit / 8] ^= (char)(1u << bit % 8);
		snprintf(h.label, sizeof(h.label), "bit %zu of the last piece", bit);
		if (kv_files_may_open(stock.dir, NULL) != E_CORRUPT)
			print_error("%s\n", h.label);
		assert_int_equal(kv_files_may_open(stock.dir, NULL), E_CORRUPT);
	}
	log_close(&l);
}

/* Two logs: the older one may end in anything as long as the later one goes on where it ends. */
static void
test_torn_older_log(void **state)
{
	struct log l;

	(void)state;
	log_open(&l);
	for (int cut = 0; cut < 2; cut++) {
		OWN_BUF struct buf older = BUF_INIT(16 << 20), later = BUF_INIT(16 << 20);
		size_t             half = l.n / 2;

		log_put(&l, 0, half - (size_t)cut, &older);
		log_put(&l, half, l.n, &later);
		file_write(stock.dir, SECOND_LOG, later.p, later.n);
		for (size_t noise = 0; noise < 3; noise++) {
			file_write(stock.dir, l.name, older.p, older.n);
			if (cut != 0) {
				check_refused("a record of the older log is missing");
			} else {
				check_unharmed(noise == 0
				        ? "the later log goes on"
				        : "the later log goes on behind garbage");
				assert_int_equal(doubted(), 0);
			}
			put_noise(&older, 700 + 40000 * noise);
		}
	}
	log_close(&l);
}

/* Nothing of the later log was synced: what was, is in the older one. */
static void
test_garbage_in_the_later_log(void **state)
{
	struct log l;

	(void)state;
	log_open(&l);
	for (size_t noise = 0; noise < 3; noise++) {
		OWN_BUF struct buf older = BUF_INIT(16 << 20), later = BUF_INIT(16 << 20);

		log_put(&l, 0, l.n, &older);
		put_noise(&older, 1 + 900 * noise);
		file_write(stock.dir, l.name, older.p, older.n);
		put_noise(&later, 1 + 20000 * noise);
		file_write(stock.dir, SECOND_LOG, later.p, later.n);
		check_unharmed("garbage at the end of both logs");
	}
	log_close(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_garbage_behind_a_log),
		cmocka_unit_test(test_garbage_in_the_last_record),
		cmocka_unit_test(test_noise_for_the_last_records),
		cmocka_unit_test(test_zeros_in_a_log),
		cmocka_unit_test(test_flip_in_the_last_record),
		cmocka_unit_test(test_torn_older_log),
		cmocka_unit_test(test_garbage_in_the_later_log),
	};

	return cmocka_run_group_tests_name("salvage-log", tests, stock_make, stock_remove);
}
