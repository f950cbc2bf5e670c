/* backup: a copy of the data folder while the server runs. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "main/backup_set.h"
#include "main/check_store.h"
#include "main/commands.h"
#include "main/control.h"
#include "main/folders.h"

typedef unsigned long long ull;

struct backup {
	const char            *dir;      /* of all backups */
	const char            *before;   /* the latest one, or NULL */
	struct backup_contents old;      /* its contents */
	const char            *snapshot; /* in the data folder: links to the store's files */
	const char            *partial;  /* the new one while it is made */
	const char            *place;
	struct backup_contents contents;
	uint64_t               bytes;
	struct arena          *a;
};

static const struct backup_file *
in_old(const struct backup *b, const char *path)
{
	for (size_t i = 0; i < b->old.n; i++)
		if (strcmp(b->old.files[i].path, path) == 0)
			return &b->old.files[i];
	return NULL;
}

/* The backup before has the same file, and it is still what it was. */
static bool
share(struct backup *b, const struct backup_file *file, const char *to)
{
	const struct backup_file *old = in_old(b, file->path);
	struct backup_file        now;
	const char               *path;

	if (old == NULL || old->size != file->size || strcmp(old->sum, file->sum) != 0)
		return false;
	path = arena_printf(b->a, "%s/%s", b->before, file->path);
	if (path == NULL || backup_sum(path, &now) < 0 || strcmp(now.sum, old->sum) != 0)
		return false;
	return link(path, to) == 0;
}

static int
fail(const char *what, const char *path, int r)
{
	tell("%s %s: %s", what, path, error_row(r)->text);
	return EXIT_FAILED;
}

/* What was copied is read again from the copy. */
static int
take_file(struct backup *b, const char *from, const char *path)
{
	struct backup_file file = { .path = path }, copy;
	const char        *to = arena_printf(b->a, "%s/%s", b->partial, path);
	int                r = to != NULL ? backup_sum(from, &file) : E_NOMEM;

	if (r < 0)
		return fail("cannot read", from, r);
	b->bytes += file.size;
	if (!share(b, &file, to)) {
		r = file_copy(from, to);
		if (r == 0)
			r = backup_sum(to, &copy);
		if (r == 0 && strcmp(copy.sum, file.sum) != 0)
			r = E_CORRUPT;
		if (r < 0)
			return fail("cannot copy to", to, r);
		b->contents.copied += file.size;
	}
	r = backup_contents_add(&b->contents, b->a, &file);
	return r < 0 ? fail("cannot note", path, r) : EXIT_OK;
}

/* `path` is below the backup; NULL at the top. */
static int
take_tree(struct backup *b, const char *from, const char *path)
{
	DIR           *dir = opendir(from);
	struct dirent *entry;
	int            r = dir != NULL ? EXIT_OK : EXIT_FAILED;
	const char    *to = path != NULL ? arena_printf(b->a, "%s/%s", b->partial, path) : NULL;

	if (dir == NULL || (to != NULL && mkdir(to, 0700) != 0)) {
		tell("cannot copy the folder %s: %s", from, strerrordesc_np(errno));
		r = EXIT_FAILED;
	}
	while (r == EXIT_OK && (entry = readdir(dir)) != NULL) {
		const char *inner = arena_printf(b->a, "%s/%s", from, entry->d_name);
		const char *name = path != NULL ? arena_printf(b->a, "%s/%s", path, entry->d_name)
		                                : arena_cstr(b->a, str_c(entry->d_name));
		struct stat st;

		if (inner == NULL || name == NULL)
			r = EXIT_FAILED;
		else if (entry->d_name[0] == '.' || lstat(inner, &st) != 0 ||
		    (path == NULL && str_starts(str_c(name), STR("store"))))
			continue;
		else if (S_ISDIR(st.st_mode))
			r = take_tree(b, inner, name);
		else if (S_ISREG(st.st_mode))
			r = take_file(b, inner, name);
	}
	if (dir != NULL)
		closedir(dir);
	return r;
}

/* --- the snapshot, made by whoever has the store open --- */

static int
make_snapshot(const struct config *config, const char *path)
{
	struct control control;
	json_t        *request;
	int            r = control_open(config, &control);

	if (r != EXIT_OK)
		return r;
	request = json_pack("{s:s, s:s}", "op", "snapshot", "dir", path);
	r = control_call(&control, request, NULL);
	control_close(&control);
	return r;
}

static const char *
whole_path(const char *path, struct arena *a)
{
	char       *whole = realpath(path, NULL);
	const char *kept = whole != NULL ? arena_cstr(a, str_c(whole)) : NULL;

	free(whole);
	return kept;
}

/* What a backup that was cut short left. */
static void
clean(const char *dir, const char *begin, const char *end, struct arena *a)
{
	DIR           *d = opendir(dir);
	struct dirent *entry;

	while (d != NULL && (entry = readdir(d)) != NULL)
		if (str_starts(str_c(entry->d_name), str_c(begin)) &&
		    str_ends(str_c(entry->d_name), str_c(end)))
			remove_tree(arena_printf(a, "%s/%s", dir, entry->d_name));
	if (d != NULL)
		closedir(d);
}

static int
finish(struct backup *b)
{
	int r = backup_contents_write(b->partial, &b->contents);

	if (r == EXIT_OK && (folder_sync(b->partial) < 0 || rename(b->partial, b->place) != 0)) {
		tell("cannot write %s: %s", b->place, strerrordesc_np(errno));
		r = EXIT_FAILED;
	}
	if (r == EXIT_OK)
		folder_sync_parent(b->place);
	return r;
}

static int
copy_all(struct backup *b, const char *data)
{
	int r;

	if (mkdir(b->partial, 0700) != 0) {
		tell("cannot make the folder %s: %s", b->partial, strerrordesc_np(errno));
		return EXIT_FAILED;
	}
	r = take_tree(b, data, NULL);
	if (r == EXIT_OK)
		r = take_tree(b, b->snapshot, "store");
	return r == EXIT_OK ? finish(b) : r;
}

/* A backup of a damaged store is a backup still, and said to be so. */
static int
prove(const struct backup *b)
{
	const struct check_how how = { .quiet = true };
	struct check_result    result;
	const char            *store = arena_printf(b->a, "%s/store", b->place);
	int                    r = store != NULL ? check_store(store, &how, &result) : EXIT_FAILED;

	if (r != EXIT_OK)
		return r;
	printf("%s: %llu accounts, %llu messages, %llu bytes, %llu of them new\n", b->place,
	    (ull)result.accounts, (ull)result.messages, (ull)b->bytes, (ull)b->contents.copied);
	if (result.file_faults + result.model_faults == 0 && !result.broken)
		return EXIT_OK;
	tell("the backup is a faithful copy, but the store itself has faults: see postrider check");
	return EXIT_PARTLY;
}

static int
prune(const char *dir, uint64_t keep, struct arena *a)
{
	struct backup_stamps list;

	if (backup_stamps(dir, a, &list) != EXIT_OK)
		return EXIT_FAILED;
	for (size_t i = 0; i + keep < list.n; i++) {
		const char *path = arena_printf(a, "%s/%s", dir, list.s[i]);
		const char *gone = arena_printf(a, "%s/.%s.partial", dir, list.s[i]);

		if (path == NULL || gone == NULL || rename(path, gone) != 0)
			return EXIT_FAILED;
		remove_tree(gone);
		printf("%s: removed\n", path);
	}
	return EXIT_OK;
}

static int
plan(struct backup *b, const struct config *config)
{
	char                 stamp[32];
	struct backup_stamps list;

	folder_stamp(stamp, sizeof(stamp));
	if (backup_stamps(b->dir, b->a, &list) != EXIT_OK)
		return EXIT_FAILED;
	if (list.n != 0) {
		b->before = arena_printf(b->a, "%s/%s", b->dir, list.s[list.n - 1]);
		if (backup_contents_read(b->before, b->a, &b->old) != EXIT_OK)
			b->old = (struct backup_contents){ 0 };
	}
	if (list.n != 0 && strcmp(list.s[list.n - 1], stamp) >= 0) { /* two in one second */
		sleep(1);
		folder_stamp(stamp, sizeof(stamp));
	}
	b->place = arena_printf(b->a, "%s/%s", b->dir, stamp);
	b->partial = arena_printf(b->a, "%s/.%s.partial", b->dir, stamp);
	b->snapshot = engine_path(config, arena_printf(b->a, "store.snapshot-%s", stamp), b->a);
	return b->place != NULL && b->partial != NULL && b->snapshot != NULL ? EXIT_OK :
	    EXIT_FAILED;
}

static int
run(struct backup *b, const struct config *config)
{
	const char *data = whole_path(arena_cstr(b->a, config->data), b->a);
	int         r = plan(b, config);

	if (data == NULL) {
		tell("there is no data folder %.*s", STR_ARG(config->data));
		return EXIT_FAILED;
	}
	b->snapshot = arena_printf(b->a, "%s/%s", data, strrchr(b->snapshot, '/') + 1);
	clean(b->dir, ".", ".partial", b->a);
	clean(data, "store.snapshot-", "", b->a);
	if (r == EXIT_OK)
		r = make_snapshot(config, b->snapshot);
	if (r == EXIT_OK)
		r = copy_all(b, data);
	remove_tree(b->snapshot);
	if (r != EXIT_OK)
		remove_tree(b->partial);
	return r == EXIT_OK ? prove(b) : r;
}

/* One backup into a folder at a time. */
static int
lock_dir(const char *dir, struct arena *a, int *ret)
{
	const char *path = arena_printf(a, "%s/.lock", dir);
	int         fd;

	if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
		tell("cannot make the folder %s: %s", dir, strerrordesc_np(errno));
		return EXIT_FAILED;
	}
	fd = path != NULL ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
		tell("%s: %s", dir, fd < 0 ? strerrordesc_np(errno) : "another backup is under "
		    "way");
		if (fd >= 0)
			close(fd);
		return EXIT_FAILED;
	}
	*ret = fd;
	return EXIT_OK;
}

/* --- list, verify --- */

static int
list_backups(const char *dir, struct arena *a)
{
	struct backup_stamps list;
	int                  r = backup_stamps(dir, a, &list);

	for (size_t i = 0; r == EXIT_OK && i < list.n; i++) {
		struct backup_contents c;
		uint64_t               bytes = 0;

		if (backup_contents_read(arena_printf(a, "%s/%s", dir, list.s[i]), a,
		    &c) != EXIT_OK)
			continue;
		for (size_t k = 0; k < c.n; k++)
			bytes += c.files[k].size;
		printf("%s  %zu files, %llu bytes, %llu of them new\n", list.s[i], c.n, (ull)bytes,
		    (ull)c.copied);
	}
	return r;
}

static int
verify_one(const char *path, struct arena *a)
{
	const struct check_how how = { .read_blobs = true };
	struct backup_contents c;
	struct check_result    result = { 0 };
	size_t                 faults = 0;
	int                    r = backup_contents_read(path, a, &c);

	if (r == EXIT_OK)
		r = backup_verify_sums(path, &c, &faults);
	if (r == EXIT_OK)
		r = check_store(arena_printf(a, "%s/store", path), &how, &result);
	if (r != EXIT_OK)
		return r;
	faults += result.file_faults + result.model_faults + result.broken;
	if (faults == 0)
		printf("%s: sound, %llu messages\n", path, (ull)result.messages);
	else
		printf("%s: %zu faults\n", path, faults);
	return faults == 0 ? EXIT_OK : EXIT_FAILED;
}

static int
verify(const char *path, struct arena *a)
{
	struct backup_stamps list;
	const char          *contents = arena_printf(a, "%s/contents", path);
	int                  r, worst = EXIT_OK;

	if (contents != NULL && access(contents, F_OK) == 0)
		return verify_one(path, a);
	r = backup_stamps(path, a, &list);
	if (r == EXIT_OK && list.n == 0) {
		tell("there is no backup in %s", path);
		return EXIT_FAILED;
	}
	for (size_t i = 0; r == EXIT_OK && i < list.n; i++)
		if (verify_one(arena_printf(a, "%s/%s", path, list.s[i]), a) != EXIT_OK)
			worst = EXIT_FAILED;
	return r != EXIT_OK ? r : worst;
}

int
cmd_backup(const struct command *command, const struct options *o, struct arena *a)
{
	struct backup b = { .dir = o->words[0], .a = a };
	struct config config;
	int           lock = -1, r;

	if ((o->given & OPT_LIST) != 0)
		return list_backups(b.dir, a);
	if ((o->given & OPT_VERIFY) != 0)
		return verify(b.dir, a);
	if ((o->given & OPT_KEEP) != 0 && o->keep == 0) {
		tell("use it as: postrider %s", command->usage);
		return EXIT_USAGE;
	}
	r = options_config(o, a, &config);
	if (r == EXIT_OK)
		r = lock_dir(b.dir, a, &lock);
	if (r != EXIT_OK)
		return r;
	r = run(&b, &config);
	if (r == EXIT_OK && o->keep != 0)
		r = prune(b.dir, o->keep, a);
	close(lock);
	return r;
}
