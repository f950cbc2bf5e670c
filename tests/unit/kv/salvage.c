/*
 * kv/salvage.h: everything comes out of a sound store as it is, and with a damaged file never a
 * wrong byte, and all that the damage does not touch.
 */
#include "stock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static void
test_all_comes_out(void **state)
{
	struct harvest h = { .label = "sound" };
	unsigned       kinds[5] = { 0 };

	(void)state;
	reap(&h);
	CHECK(&h, h.damages == 0 && is_all(&h));
	for (size_t i = 0; i < stock.n_files; i++) {
		struct str s = str_c(stock.file[i]);

		kinds[str_ends(s, STR(".sst")) ? 0 : str_ends(s, STR(".blob")) ? 1
		    : str_ends(s, STR(".log")) ? 2 : s.p[0] == 'M' ? 3 : 4]++;
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		assert_true(kinds[i] > 0);
}

/* What a callback returns ends the reading. */
static int
refuse(void *arg, struct kv_part part, struct str key, struct str value)
{
	(void)part;
	(void)key;
	(void)value;
	++*(unsigned *)arg;
	return E_LIMIT;
}

static void
test_callback_ends_it(void **state)
{
	struct kv_files   files = { 0 };
	unsigned          calls = 0;
	struct kv_salvage to = { .record = refuse, .arg = &calls };

	(void)state;
	assert_int_equal(kv_salvage(stock.dir, stock.scratch, &files, &to), E_LIMIT);
	assert_int_equal(calls, 1);
}

/* Which rows may be missing, when the file has lost `bytes`. */
static unsigned
rows_in(size_t bytes)
{
	return (unsigned)(bytes / ROW_N) + BLOCK_ROWS;
}

struct wound {
	const char *file;
	const char *how;
	size_t      lost; /* bytes */
	bool        is_cut;
};

static void
check_wound(const struct wound *w, struct harvest *h)
{
	struct str s = str_c(w->file);
	unsigned   lost;

	reap(h);
	lost = rows_in_all() - h->latest;
	/* A log that was cut is what a crash leaves; of a MANIFEST that has lost no file, too. */
	CHECK(h, h->damages > 0 || (w->is_cut && (str_ends(s, STR(".log")) || is_all(h))));
	if (s.p[0] == 'M' || s.p[0] == 'C') {
		CHECK(h, is_all(h));
	} else if (str_ends(s, STR(".blob"))) {
		CHECK(h, lost == 0 && h->other == 0);
		CHECK(h, w->is_cut || h->blobs + 1 >= blobs_in_all());
	} else {
		CHECK(h, lost <= rows_in(w->lost));
	}
}

static void
wound_at(const char *file, const struct bytes *sound, size_t at, unsigned bit)
{
	struct wound   flip = { .file = file }, cut = { file, "cut", sound->n - at, true };
	struct harvest h = { 0 };

	sound->p[at] ^= (char)(1u << bit);
	file_write(stock.dir, file, sound->p, sound->n);
	sound->p[at] ^= (char)(1u << bit);
	snprintf(h.label, sizeof(h.label), "%s: bit %u of byte %zu of %zu", file, bit, at,
	    sound->n);
	check_wound(&flip, &h);

	h = (struct harvest){ 0 };
	file_write(stock.dir, file, sound->p, at);
	snprintf(h.label, sizeof(h.label), "%s: cut at %zu of %zu", file, at, sound->n);
	check_wound(&cut, &h);
	file_write(stock.dir, file, sound->p, sound->n);
}

enum { PLACES = 4 };

/* Damages each file of a kind in turn, in the middle of each of its quarters, more or less. */
static void
wound_files(bool (*is_one)(struct str name))
{
	const char *more = getenv("POSTRIDER_SALVAGE_PLACES");
	uint32_t    places = PLACES;

	if (more != NULL)
		assert_ok(str_to_u32(str_c(more), &places));
	for (size_t f = 0; f < stock.n_files; f++) {
		struct bytes sound;

		if (!is_one(str_c(stock.file[f])))
			continue;
		sound = file_read(stock.dir, stock.file[f]);
		for (unsigned i = 0; i < places; i++) {
			size_t part = sound.n / places, shift = (f * 31 + i * 17) % 97;

			wound_at(stock.file[f], &sound, i * part + part * shift / 97, i % 8);
		}
		free(sound.p);
	}
}

static bool
is_table(struct str name)
{
	return str_ends(name, STR(".sst"));
}

static void
test_damaged_tables(void **state)
{
	(void)state;
	wound_files(is_table);
}

static bool
is_blob(struct str name)
{
	return str_ends(name, STR(".blob"));
}

static void
test_damaged_blob_files(void **state)
{
	(void)state;
	wound_files(is_blob);
}

/* The header of a blob file has no checksum; what it says is not needed. */
static void
test_damaged_header_of_a_blob_file(void **state)
{
	static const struct {
		size_t   at;
		unsigned bit;
	} PLACE[] = { { 1, 3 }, { 4, 0 }, { 8, 0 }, { 12, 0 }, { 13, 0 }, { 13, 2 }, { 20, 6 } };
	struct bytes sound;
	const char  *file = NULL;

	(void)state;
	for (size_t f = 0; f < stock.n_files; f++)
		file = is_blob(str_c(stock.file[f])) ? stock.file[f] : file;
	assert_non_null(file);
	sound = file_read(stock.dir, file);
	for (size_t i = 0; i < ARRAY_LEN(PLACE); i++) {
		struct harvest h = { 0 };

		sound.p[PLACE[i].at] ^= (char)(1u << PLACE[i].bit);
		file_write(stock.dir, file, sound.p, sound.n);
		sound.p[PLACE[i].at] ^= (char)(1u << PLACE[i].bit);
		snprintf(h.label, sizeof(h.label), "%s: byte %zu", file, PLACE[i].at);
		reap(&h);
		CHECK(&h, h.damages > 0 && h.latest == rows_in_all() && h.other == 0 &&
		    h.blobs == blobs_in_all());
	}
	file_write(stock.dir, file, sound.p, sound.n);
	free(sound.p);
}

static void
test_damaged_logs(void **state)
{
	(void)state;
	wound_files(is_log);
}

static bool
is_list(struct str name)
{
	return str_starts(name, STR("MANIFEST-")) || str_eq(name, STR("CURRENT"));
}

static void
test_damaged_manifest(void **state)
{
	(void)state;
	wound_files(is_list);
}

/* A file that has grown by a great hole of zeros: they are read, and not kept. */
static void
test_bounded_memory(void **state)
{
	enum { HOLE = 192 << 20, MORE_KB = 96 << 10 };
	struct rusage before, after;
	char          path[200];

	(void)state;
	assert_ok(getrusage(RUSAGE_SELF, &before));
	for (size_t f = 0; f < stock.n_files; f++) {
		struct harvest h = { 0 };
		struct bytes   sound = file_read(stock.dir, stock.file[f]);

		snprintf(h.label, sizeof(h.label), "%s: with a hole", stock.file[f]);
		path_of(stock.dir, stock.file[f], path);
		if (is_list(str_c(stock.file[f])) || f % 2 == 0) {
			assert_ok(truncate(path, (off_t)sound.n + HOLE));
			reap(&h);
			CHECK(&h, h.latest == rows_in_all() && h.blobs == blobs_in_all());
		}
		file_write(stock.dir, stock.file[f], sound.p, sound.n);
		free(sound.p);
	}
	assert_ok(getrusage(RUSAGE_SELF, &after));
	assert_true(after.ru_maxrss - before.ru_maxrss < MORE_KB);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_comes_out),
		cmocka_unit_test(test_callback_ends_it),
		cmocka_unit_test(test_damaged_tables),
		cmocka_unit_test(test_damaged_blob_files),
		cmocka_unit_test(test_damaged_header_of_a_blob_file),
		cmocka_unit_test(test_damaged_logs),
		cmocka_unit_test(test_damaged_manifest),
		cmocka_unit_test(test_bounded_memory),
	};

	return cmocka_run_group_tests_name("salvage", tests, stock_make, stock_remove);
}
