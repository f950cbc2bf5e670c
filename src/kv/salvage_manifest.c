/* CURRENT and the MANIFEST: which files make up the store. */
#include <errno.h>
#include <fcntl.h>

#include "base/error.h"
#include "base/mem.h"
#include "kv/salvage_files.h"

/* RocksDB, version_edit.h */
enum tag {
	TAG_COMPARATOR = 1, TAG_LOG = 2, TAG_NEXT_FILE = 3, TAG_LAST_SEQ = 4, TAG_CURSOR = 5,
	TAG_DELETED = 6, TAG_PREV_LOG = 9, TAG_MIN_LOG = 10, TAG_NEW_FILE4 = 103, TAG_COLUMN = 200,
	TAG_COLUMN_ADD = 201, TAG_COLUMN_DROP = 202, TAG_MAX_COLUMN = 203, TAG_GROUP = 300,
	TAG_BLOB_ADD = 400, TAG_BLOB_GARBAGE = 401, TAG_IGNORABLE = 1 << 13
};
enum { FIELD_END = 1, FIELD_OLDEST_BLOB = 6, COLUMNS_MAX = 16, LIVE_MAX = 10 << 20 };

struct build {
	struct salvage_manifest *m;
	uint64_t                 log[COLUMNS_MAX];
	bool                     seen[COLUMNS_MAX];
	uint64_t                 column, edit_log; /* of the edit: its column comes last */
	bool                     has_log, adds_column;
	size_t                   first_new; /* of the files that the edit adds,
	    behind its deletions */
	int                      err;
};

static struct salvage_live *
find(struct salvage_manifest *m, uint64_t number)
{
	for (size_t i = m->n_live; i > 0; i--)
		if (m->live[i - 1].number == number)
			return &m->live[i - 1];
	return NULL;
}

static void
add(struct build *b, const struct salvage_live *file)
{
	struct salvage_manifest *m = b->m;

	if (find(m, file->number) != NULL)
		return; /* moved to another level */
	if (m->n_live == m->cap_live) {
		size_t               cap = m->cap_live != 0 ? m->cap_live * 2 : 64;
		struct salvage_live *live = cap <= LIVE_MAX
		    ? mem_realloc(m->live, cap * sizeof(*live)) : NULL;

		if (live == NULL) {
			b->err = E_NOMEM;
			return;
		}
		m->live = live;
		m->cap_live = cap;
	}
	if (m->n_live < b->first_new)
		b->first_new = m->n_live;
	m->live[m->n_live++] = *file;
}

static void
remove_live(struct salvage_manifest *m, struct salvage_live *file)
{
	if (file != NULL)
		*file = m->live[--m->n_live];
}

static void
read_new_file(struct build *b, struct unpack *u)
{
	struct salvage_live file = { 0 };
	uint64_t            field;

	unpack_var(u); /* level */
	file.number = unpack_var(u);
	file.size = unpack_var(u);
	unpack_str(u);
	unpack_str(u);
	unpack_var(u);
	file.last_seq = unpack_var(u);
	while ((field = unpack_var(u)) != FIELD_END && unpack_ok(u)) {
		struct unpack value = unpack_of(unpack_str(u));

		if (field == FIELD_OLDEST_BLOB)
			file.oldest_blob = unpack_var(&value);
	}
	if (unpack_ok(u))
		add(b, &file);
}

static void
skip_fields(struct unpack *u)
{
	while (unpack_var(u) != 0 && unpack_ok(u))
		unpack_str(u);
}

static void
read_blob_add(struct build *b, struct unpack *u)
{
	struct salvage_live file = { .is_blob = true };

	file.number = unpack_var(u);
	file.count = unpack_var(u);
	unpack_var(u);
	unpack_str(u);
	unpack_str(u);
	skip_fields(u);
	if (unpack_ok(u))
		add(b, &file);
}

static void
read_blob_garbage(struct build *b, struct unpack *u)
{
	struct salvage_live *file = find(b->m, unpack_var(u));
	uint64_t             count = unpack_var(u);

	unpack_var(u);
	skip_fields(u);
	if (!unpack_ok(u) || file == NULL)
		return;
	if (count >= file->count)
		remove_live(b->m, file);
	else
		file->count -= count;
}

static void
read_deleted(struct build *b, struct unpack *u)
{
	uint64_t number;

	unpack_var(u); /* level */
	number = unpack_var(u);
	if (unpack_ok(u))
		remove_live(b->m, find(b->m, number));
}

static void
note_log(struct build *b, uint64_t number)
{
	if (b->column < COLUMNS_MAX) {
		b->log[b->column] = number;
		b->seen[b->column] = true;
	}
}

/* false: a tag that this program does not know */
static bool
read_field(struct build *b, struct unpack *u, uint64_t tag)
{
	switch (tag) {
	case TAG_LOG:
		b->edit_log = unpack_var(u);
		b->has_log = true;
		return true;
	case TAG_LAST_SEQ:
		b->m->last_seq = unpack_var(u);
		return true;
	case TAG_NEXT_FILE:
		b->m->next_file = unpack_var(u);
		return true;
	case TAG_PREV_LOG:
	case TAG_MIN_LOG:
	case TAG_MAX_COLUMN:
	case TAG_GROUP:
		unpack_var(u);
		return true;
	case TAG_COLUMN:
		b->column = unpack_var(u);
		return true;
	case TAG_COLUMN_ADD:
		b->adds_column = true;
		unpack_str(u);
		return true;
	case TAG_COMPARATOR:
		unpack_str(u);
		return true;
	case TAG_COLUMN_DROP:
		return true;
	case TAG_CURSOR:
		unpack_var(u);
		unpack_str(u);
		return true;
	case TAG_DELETED:
		return read_deleted(b, u), true;
	case TAG_NEW_FILE4:
		return read_new_file(b, u), true;
	case TAG_BLOB_ADD:
		return read_blob_add(b, u), true;
	case TAG_BLOB_GARBAGE:
		return read_blob_garbage(b, u), true;
	default:
		if ((tag & TAG_IGNORABLE) == 0)
			return false;
		unpack_str(u);
		return true;
	}
}

/* Deletions of an edit come before its additions: a file that moves is deleted and added. */
static int
read_edit(void *arg, struct str record)
{
	struct build *b = arg;
	struct unpack u = unpack_of(record);

	b->column = 0;
	b->has_log = b->adds_column = false;
	b->first_new = SIZE_MAX;
	while (unpack_ok(&u) && u.left.n > 0)
		if (!read_field(b, &u, unpack_var(&u)))
			return E_CORRUPT;
	if (b->err < 0)
		return b->err;
	if (!unpack_ok(&u))
		return E_CORRUPT;
	if (b->has_log)
		note_log(b, b->edit_log);
	if (b->adds_column)
		b->m->columns |= 1ULL << b->column % 64;
	for (size_t i = b->first_new; i < b->m->n_live; i++)
		b->m->live[i].in_blobs = b->column != 0;
	return 0;
}

static bool
names_manifest(struct str line)
{
	static const struct str BEGIN = STR("MANIFEST-");
	uint64_t                number;

	return str_starts(line, BEGIN) && str_ends(line, STR("\n")) &&
	    str_to_u64(str_of(line.p + BEGIN.n, line.n - BEGIN.n - 1), &number) == 0;
}

static int
read_current(int dir_fd, struct kv_files *files, struct salvage_manifest *m)
{
	struct salvage_file f;
	char                text[64] = { 0 };
	struct str          name;
	int                 r = salvage_file_open(dir_fd, "CURRENT", files, &f);

	if (r < 0)
		return r;
	if (f.size > 0 && f.size < sizeof(text))
		salvage_file_read(&f, 0, text, (size_t)f.size);
	name = str_of(text, strlen(text));
	if (!names_manifest(name) || name.n != f.size) {
		salvage_damage(&f, 0, f.size, "does not name a MANIFEST");
		r = E_NOT_FOUND;
	} else {
		memcpy(m->name, name.p, name.n - 1);
	}
	salvage_file_close(&f);
	return r;
}

static void
finish(struct build *b)
{
	b->m->log_min = UINT64_MAX;
	for (size_t i = 0; i < COLUMNS_MAX; i++) {
		if (!b->seen[i])
			continue;
		b->m->log_min = b->log[i] < b->m->log_min ? b->log[i] : b->m->log_min;
	}
	if (b->m->log_min == UINT64_MAX)
		b->m->log_min = 0;
	b->m->blob_min = UINT64_MAX;
	for (size_t i = 0; i < b->m->n_live; i++) {
		uint64_t oldest = b->m->live[i].oldest_blob;

		if (oldest != 0 && oldest < b->m->blob_min)
			b->m->blob_min = oldest;
	}
}

int
salvage_manifest_read(int dir_fd, struct kv_files *files, struct salvage_manifest *ret)
{
	struct salvage_manifest m = { .columns = 1 };
	struct build            b = { .m = &m };
	struct salvage_log_sink edits = { .fn = read_edit, .arg = &b };
	struct salvage_file     f;
	struct salvage_log      log = { 0 };
	int                     r = read_current(dir_fd, files, &m);

	if (r == 0)
		r = salvage_file_open(dir_fd, m.name, files, &f);
	if (r == 0) {
		r = salvage_log_read(&f, &edits, &log);
		if (r == 0 && log.n_records == 0 && log.n_damages == 0) {
			salvage_damage(&f, 0, f.size, "has no records");
			log.n_damages++;
		}
		if (r == 0 && log.torn && files->note != NULL)
			files->note(files->arg, f.name, "ends in a record that was not written "
			    "whole, as after a crash");
		salvage_file_close(&f);
		finish(&b);
		m.whole = log.n_damages == 0;
	}
	if (r < 0 && r != E_NOT_FOUND) {
		salvage_manifest_done(&m);
		return r;
	}
	*ret = m;
	return 0;
}

void
salvage_manifest_done(struct salvage_manifest *m)
{
	mem_free(m->live);
	*m = (struct salvage_manifest){ 0 };
}
