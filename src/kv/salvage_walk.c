/* All files of a store, one after the other. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "kv/salvage_files.h"

/* --- a file --- */

static void
report(struct kv_files *files, const struct kv_damage *d)
{
	files->n_damages++;
	if (files->damage != NULL)
		files->damage(files->arg, d);
}

/* E_NOT_FOUND, reported, when it is not there. */
int
salvage_file_open(int dir_fd, const char *name, struct kv_files *files, struct salvage_file *ret)
{
	struct salvage_file f = { .dir_fd = dir_fd, .files = files };
	struct kv_damage    missing = { .file = name, .what = "is missing" };
	struct stat         st;

	f.fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (f.fd < 0 && errno != ENOENT)
		return error_from_errno(errno);
	if (f.fd < 0) {
		report(files, &missing);
		return E_NOT_FOUND;
	}
	if (fstat(f.fd, &st) != 0) {
		close(f.fd);
		return E_IO;
	}
	f.size = (uint64_t)st.st_size;
	snprintf(f.name, sizeof(f.name), "%s", name);
	files->n_files++;
	files->bytes += f.size;
	*ret = f;
	return 0;
}

void
salvage_file_close(struct salvage_file *f)
{
	close(f->fd);
}

int
salvage_file_read(const struct salvage_file *f, uint64_t off, void *to, size_t n)
{
	char *p = to;

	while (n > 0) {
		ssize_t got = pread(f->fd, p, n, (off_t)off);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return E_CORRUPT;
		p += got;
		off += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

void
salvage_damage_keys(const struct salvage_file *f, const struct kv_damage *d)
{
	struct kv_damage named = *d;

	named.file = f->name;
	report(f->files, &named);
}

void
salvage_damage(const struct salvage_file *f, uint64_t off, uint64_t n, const char *what)
{
	struct kv_damage d = { .file = f->name, .off = off, .n = n, .what = what };

	report(f->files, &d);
}

/* --- the folder --- */

enum file_kind { FILE_TABLE, FILE_BLOB, FILE_LOG, FILE_OTHER };

struct listed {
	enum file_kind kind;
	uint64_t       number;
};

struct listing {
	struct listed *f; /* ascending by number */
	size_t         n, cap;
};

static enum file_kind
kind_of(const char *name, uint64_t *ret_number)
{
	struct str s = str_c(name), number = str_cut(&s, '.');

	if (str_to_u64(number, ret_number) < 0)
		return FILE_OTHER;
	if (str_eq(s, STR("sst")))
		return FILE_TABLE;
	if (str_eq(s, STR("blob")))
		return FILE_BLOB;
	return str_eq(s, STR("log")) ? FILE_LOG : FILE_OTHER;
}

static int
by_number(const void *x, const void *y)
{
	const struct listed *a = x, *b = y;

	return a->number < b->number ? -1 : a->number > b->number;
}

static int
list_add(struct listing *l, const struct listed *file)
{
	if (l->n == l->cap) {
		size_t         cap = l->cap != 0 ? l->cap * 2 : 64;
		struct listed *f = mem_realloc(l->f, cap * sizeof(*f));

		if (f == NULL)
			return E_NOMEM;
		l->f = f;
		l->cap = cap;
	}
	l->f[l->n++] = *file;
	return 0;
}

static int
list_folder(const char *path, struct listing *ret)
{
	DIR           *dir = opendir(path);
	struct dirent *entry;
	int            r = 0;

	if (dir == NULL)
		return errno == ENOENT ? E_NOT_FOUND : error_from_errno(errno);
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		struct listed file = { 0 };

		file.kind = kind_of(entry->d_name, &file.number);
		if (file.kind != FILE_OTHER)
			r = list_add(ret, &file);
	}
	closedir(dir);
	if (ret->n > 0)
		qsort(ret->f, ret->n, sizeof(*ret->f), by_number);
	return r;
}

static bool
is_listed(const struct listing *l, enum file_kind kind, uint64_t number)
{
	for (size_t lo = 0, hi = l->n; lo < hi;) {
		size_t mid = lo + (hi - lo) / 2;

		if (l->f[mid].number == number && l->f[mid].kind == kind)
			return true;
		if (l->f[mid].number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

static void
file_name(char name[static 64], const struct listed *f)
{
	static const char *const ENDS[] = { "sst", "blob", "log" };

	snprintf(name, 64, "%06llu.%s", (unsigned long long)f->number, ENDS[f->kind]);
}

/* --- reading all --- */

struct walk {
	int                         dir_fd;
	struct kv_files            *files;
	const struct salvage_sinks *sinks; /* NULL: only the logs */
	struct salvage_manifest     manifest;
	struct listing              list;
	uint64_t                    next_seq; /* of the change that follows what is known */
	uint64_t                    log_seq;  /* of the first change in the logs; 0: none */
	uint64_t                    log_end;  /* of the change that follows those in the logs */
	struct salvage_log          noisy;    /* the last log, if it ends in noise */
	char                        noisy_name[64];
};

static const struct salvage_live *
live(const struct walk *w, const struct listed *f)
{
	for (size_t i = 0; i < w->manifest.n_live; i++)
		if (w->manifest.live[i].number == f->number)
			return &w->manifest.live[i];
	return NULL;
}

struct log_reading {
	struct walk        *w;
	struct salvage_sink sink;
	uint64_t            first, end; /* numbers of its changes; 0: none */
	uint64_t            columns;    /* that it has changes of */
};

static int
take_batch(void *arg, struct str record)
{
	struct log_reading  *l = arg;
	struct salvage_batch batch;
	int                  r = salvage_batch_read(record, &l->sink, &batch);

	if (r < 0)
		return r;
	if (l->first == 0)
		l->first = batch.first;
	l->end = batch.end > l->end ? batch.end : l->end;
	l->columns |= batch.columns;
	return 0;
}

/* Numbers of changes only grow, and the log began with one that is as high as all before. */
static bool
is_later_batch(void *arg, struct str begin)
{
	const struct log_reading *l = arg;
	uint64_t                  end = l->end > l->w->log_end ? l->end : l->w->log_end;
	struct unpack             u = unpack_of(begin);
	uint64_t                  first = unpack_u64(&u);

	return !unpack_ok(&u) || first >= end;
}

/* Changes are numbered without a gap over all logs, and go on where the MANIFEST ends. */
static int
read_log(struct walk *w, struct salvage_file *f)
{
	static const struct salvage_sink none = { 0 };
	struct log_reading l = { .w = w, .sink = w->sinks != NULL ? w->sinks->rows : none };
	const struct salvage_log_sink sink = { take_batch, is_later_batch, &l };
	struct salvage_log            log = { 0 };
	int                           r = salvage_log_read(f, &sink, &log);

	if (r < 0)
		return r;
	if (w->manifest.whole && l.first > w->next_seq && log.n_damages == 0) {
		salvage_damage(f, 0, 0, "changes before its first one are missing: an earlier log "
		    "was lost or cut, or the MANIFEST has lost its end");
		w->manifest.whole = false;
	}
	if (w->manifest.whole && (l.columns & ~w->manifest.columns) != 0) {
		salvage_damage(f, 0, 0, "has changes of a kind that the MANIFEST, which has lost "
		    "its end, does not know");
		w->manifest.whole = false;
	}
	w->next_seq = l.end > w->next_seq ? l.end : w->next_seq;
	w->log_end = l.end > w->log_end ? l.end : w->log_end;
	if (w->log_seq == 0)
		w->log_seq = l.first;
	/* A later log proves that nothing is missing, or shows that it is. */
	if (l.first != 0)
		w->noisy = (struct salvage_log){ 0 };
	if (log.noise_n != 0 && w->noisy.noise_n == 0) {
		w->noisy = log;
		snprintf(w->noisy_name, sizeof(w->noisy_name), "%s", f->name);
	} else if (log.torn && w->files->note != NULL) {
		w->files->note(w->files->arg, f->name,
		    "ends in a record that was not written whole, as after a crash");
	}
	return 0;
}

/* What stands in the place of records at the very end. */
static void
tell_doubt(const struct walk *w)
{
	const struct kv_damage d = {
		.file = w->noisy_name,
		.off = w->noisy.torn_at,
		.n = w->noisy.noise_n,
		.what = "cannot be read: what a power cut left of changes that were not confirmed, "
			"or the last confirmed ones, which are lost then",
	};

	if (w->noisy.noise_n == 0)
		return;
	w->files->n_doubts++;
	if (w->files->doubt != NULL)
		w->files->doubt(w->files->arg, &d);
}

struct latest {
	uint64_t seq[2]; /* of records, of blobs */
};

static int
take_latest(void *arg, const struct salvage_entry *e)
{
	struct latest *l = arg;
	struct kv_row  row;
	uint64_t      *seq;

	kv_row_read(e->key, &row);
	seq = &l->seq[row.kind == KV_ROW_BLOB];
	*seq = e->seq > *seq ? e->seq : *seq;
	return 0;
}

/* Has the table changes that are neither in the tables of the MANIFEST nor in a log? What was made
 * before the end of the MANIFEST is not counted: a compaction takes its numbers away from the
 * oldest changes, and leaves its sources behind when it is killed. Such a source is older than the
 * MANIFEST's last edit; a table that is younger counts with all that it has, for its changes may
 * be older than those of the other column that the MANIFEST knows. */
static bool
knows_more(const struct walk *w, const struct latest *l, uint64_t number)
{
	uint64_t      since = number < w->manifest.next_file ? w->manifest.last_seq : 0;
	struct latest known = { 0 };

	for (size_t i = 0; i < w->manifest.n_live; i++) {
		const struct salvage_live *t = &w->manifest.live[i];

		if (!t->is_blob && t->last_seq > known.seq[t->in_blobs])
			known.seq[t->in_blobs] = t->last_seq;
	}
	for (int i = 0; i < 2; i++)
		if (l->seq[i] > known.seq[i] && l->seq[i] > since &&
		    (w->log_seq == 0 || l->seq[i] < w->log_seq || l->seq[i] >= w->next_seq))
			return true;
	return false;
}

/* A table that the MANIFEST does not name is what a crash left of a flush or a compaction, unless
 * it has changes that are nowhere else. */
static int
check_orphan(struct walk *w, const struct listed *file)
{
	struct latest       latest = { 0 };
	struct salvage_sink sink = { take_latest, &latest };
	struct kv_files     quiet = { 0 };
	struct salvage_file f;
	char                name[64];
	struct kv_damage    d = { .file = name,
		   .what = "has later changes than the MANIFEST, which has lost its end" };
	int                 r;

	file_name(name, file);
	r = salvage_file_open(w->dir_fd, name, &quiet, &f);
	if (r < 0)
		return r == E_NOT_FOUND ? 0 : r;
	r = salvage_table_read(&f, &sink);
	salvage_file_close(&f);
	if (r < 0 || !knows_more(w, &latest, file->number))
		return r;
	report(w->files, &d);
	w->manifest.whole = false;
	return 0;
}

static void
check_size(const struct walk *w, const struct salvage_file *f, const struct listed *file)
{
	const struct salvage_live *l = w->manifest.whole ? live(w, file) : NULL;

	if (l != NULL && !l->is_blob && l->size != f->size)
		salvage_damage(f, f->size < l->size ? f->size : l->size, 0,
		    f->size < l->size ? "is shorter than it was written"
		                      : "is longer than it was written");
}

static bool
is_wanted(const struct walk *w, const struct listed *file)
{
	if (file->kind == FILE_LOG)
		return !w->manifest.whole || file->number >= w->manifest.log_min;
	return w->sinks != NULL && (!w->manifest.whole || live(w, file) != NULL);
}

static int
read_file(struct walk *w, const struct listed *file)
{
	struct salvage_file f;
	char                name[64];
	int                 r;

	if (!is_wanted(w, file))
		return 0;
	file_name(name, file);
	r = salvage_file_open(w->dir_fd, name, w->files, &f);
	if (r < 0)
		return r == E_NOT_FOUND ? 0 : r;
	check_size(w, &f, file);
	if (file->kind == FILE_LOG)
		r = read_log(w, &f);
	else if (file->kind == FILE_TABLE)
		r = salvage_table_read(&f, &w->sinks->rows);
	else
		r = salvage_blob_read(&f, &w->sinks->blobs);
	salvage_file_close(&f);
	return r;
}

/* What the MANIFEST names and the folder does not have. */
static void
find_missing(struct walk *w)
{
	const struct salvage_manifest *m = &w->manifest;

	for (size_t i = 0; i < m->n_live; i++) {
		struct listed file = { m->live[i].is_blob ? FILE_BLOB : FILE_TABLE,
			m->live[i].number };
		char             name[64];
		struct kv_damage d = { .file = name, .what = "is missing" };

		if (file.kind == FILE_BLOB && file.number < m->blob_min)
			continue; /* no table refers to it */
		if (is_listed(&w->list, file.kind, file.number))
			continue;
		file_name(name, &file);
		report(w->files, &d);
	}
}

static int
read_kind(struct walk *w, bool logs)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < w->list.n; i++)
		if ((w->list.f[i].kind == FILE_LOG) == logs)
			r = read_file(w, &w->list.f[i]);
	return r;
}

/* The logs come first: whether the MANIFEST is whole shows then. */
static int
walk(struct walk *w, const char *dir)
{
	int r = list_folder(dir, &w->list);

	if (r == 0)
		r = salvage_manifest_read(w->dir_fd, w->files, &w->manifest);
	if (r < 0)
		return r;
	w->next_seq = w->manifest.last_seq + 1;
	if (w->manifest.whole)
		find_missing(w);
	r = read_kind(w, true);
	for (size_t i = 0; r == 0 && w->manifest.whole && i < w->list.n; i++)
		if (w->list.f[i].kind == FILE_TABLE && live(w, &w->list.f[i]) == NULL)
			r = check_orphan(w, &w->list.f[i]);
	return r == 0 ? read_kind(w, false) : r;
}

static int
walk_folder(const char *dir, struct kv_files *files, const struct salvage_sinks *sinks)
{
	struct walk w = { .files = files, .sinks = sinks };
	int         r;

	w.dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w.dir_fd < 0)
		return errno == ENOENT ? E_NOT_FOUND : error_from_errno(errno);
	r = walk(&w, dir);
	if (r == 0)
		tell_doubt(&w);
	salvage_manifest_done(&w.manifest);
	mem_free(w.list.f);
	close(w.dir_fd);
	return r;
}

int
salvage_walk(const char *dir, struct kv_files *files, const struct salvage_sinks *sinks)
{
	return walk_folder(dir, files, sinks);
}

int
kv_files_check(const char *dir, struct kv_files *files)
{
	static const struct salvage_sinks none = { 0 };

	return walk_folder(dir, files, &none);
}

/* --- before a store is opened --- */

static void
first_damage(void *arg, const struct kv_damage *d)
{
	struct buf *detail = arg;

	if (detail != NULL && detail->n == 0)
		buf_printf(detail, "%s: %s", d->file, d->what);
}

static void
put_doubt(void *arg, const struct kv_damage *d)
{
	struct buf *detail = arg;

	if (detail->n == 0)
		buf_printf(detail, "%s, %llu bytes at %llu: %s", d->file, (unsigned long long)d->n,
		    (unsigned long long)d->off, d->what);
}

/* A folder without CURRENT and without data becomes a new store; nothing can be lost. */
static bool
is_new(const char *dir)
{
	OWN_BUF struct buf path = BUF_INIT(4096 + 16);
	struct listing     list = { 0 };
	int                r = list_folder(dir, &list);
	bool               none = r == E_NOT_FOUND || (r == 0 && list.n == 0);

	mem_free(list.f);
	buf_printf(&path, "%s/CURRENT%c", dir, 0);
	return none && path.err == 0 && access(path.p, F_OK) != 0;
}

int
kv_files_may_open(const char *dir, struct buf *detail)
{
	OWN_BUF struct buf first = BUF_INIT(512);
	struct kv_files    files = { .damage = first_damage, .doubt = put_doubt, .arg = &first };
	int                r;

	if (is_new(dir))
		return 0;
	r = walk_folder(dir, &files, NULL);
	if (r < 0)
		return r;
	if (files.n_damages == 0) {
		if (detail != NULL)
			buf_str(detail, buf_view(&first));
		return 0;
	}
	if (detail != NULL)
		buf_printf(detail, "%.*s; nothing was changed: see what is damaged with "
		    "`postrider check`, save what is readable with `postrider repair`",
		    STR_ARG(buf_view(&first)));
	return E_CORRUPT;
}

int
kv_store_lock(const char *dir, int *ret)
{
	OWN_BUF struct buf path = BUF_INIT(4096 + 16);
	int                fd;

	buf_printf(&path, "%s/in-use%c", dir, '\0');
	if (path.err < 0)
		return path.err;
	fd = open(path.p, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		close(fd);
		return E_IN_USE;
	}
	*ret = fd;
	return 0;
}
