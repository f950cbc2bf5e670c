#include "main/folders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "kv/salvage.h"
#include "main/engine.h"
#include "main/options.h"

enum { TREE_DEPTH = 16, COPY_BYTES = 128 << 10 };

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	remove(path);
	return 0;
}

/* Links are removed, not followed. */
void
remove_tree(const char *path)
{
	nftw(path, remove_one, TREE_DEPTH, FTW_DEPTH | FTW_PHYS);
}

int
store_folder_lock(const struct config *config, struct arena *a, int *ret)
{
	const char *dir = engine_path(config, "store", a);
	int         r;

	if (dir == NULL)
		return EXIT_FAILED;
	if (access(dir, F_OK) != 0) {
		tell("there is no store in %.*s", STR_ARG(config->data));
		return EXIT_FAILED;
	}
	r = kv_store_lock(dir, ret);
	if (r == 0)
		return EXIT_OK;
	if (r == E_IN_USE)
		tell("a running server uses the data folder %.*s: stop it first",
		    STR_ARG(config->data));
	else
		tell("cannot lock %s: %s", dir, error_row(r)->text);
	return r == E_IN_USE ? EXIT_DATA_IN_USE : EXIT_FAILED;
}

int
folder_make_new(const char *path)
{
	DIR           *dir;
	struct dirent *entry;
	bool           empty = true;

	if (mkdir(path, 0700) == 0)
		return EXIT_OK;
	dir = errno == EEXIST ? opendir(path) : NULL;
	if (dir == NULL) {
		tell("cannot make the folder %s: %s", path, strerrordesc_np(errno));
		return EXIT_FAILED;
	}
	while ((entry = readdir(dir)) != NULL)
		if (!str_eq(str_c(entry->d_name), STR(".")) &&
		    !str_eq(str_c(entry->d_name), STR("..")))
			empty = false;
	closedir(dir);
	if (!empty)
		tell("%s is not empty: choose a new folder", path);
	return empty ? EXIT_OK : EXIT_FAILED;
}

void
folder_stamp(char *to, size_t n)
{
	time_t    now = (time_t)(clock_real_ms() / 1000);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(to, n, "%Y%m%dT%H%M%SZ", &tm);
}

static int
sync_path(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);
	int r = fd >= 0 ? fsync(fd) : -1;

	if (fd >= 0)
		close(fd);
	return r == 0 ? 0 : E_IO;
}

static int
sync_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)at;
	if (type == FTW_F)
		return sync_path(path, O_RDONLY) < 0;
	return type == FTW_DP || type == FTW_D ? sync_path(path, O_RDONLY | O_DIRECTORY) < 0 : 0;
}

int
folder_sync(const char *path)
{
	return nftw(path, sync_one, TREE_DEPTH, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : E_IO;
}

void
folder_sync_parent(const char *path)
{
	OWN_ARENA struct arena a = ARENA_INIT(1 << 16);
	struct str             s = str_c(path);
	size_t                 slash = str_rfind_byte(s, '/');
	char                  *parent = arena_cstr(&a, slash < s.n ? str_head(s, slash) : STR("."));

	if (parent != NULL)
		sync_path(parent, O_RDONLY | O_DIRECTORY);
}

int
file_copy(const char *from, const char *to)
{
	static _Thread_local char bytes[COPY_BYTES];
	struct stat               st;
	int                       in = open(from, O_RDONLY | O_CLOEXEC), out = -1, r = 0;
	ssize_t                   n = 0;

	if (in < 0 || fstat(in, &st) != 0 ||
	    (out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st.st_mode & 0777)) < 0)
		r = error_from_errno(errno);
	while (r == 0 && (n = read(in, bytes, sizeof(bytes))) > 0)
		for (ssize_t done = 0, k; r == 0 && done < n; done += k) {
			k = write(out, bytes + done, (size_t)(n - done));
			if (k < 0)
				r = error_from_errno(errno), k = 0;
		}
	if (r == 0 && (n < 0 || fsync(out) != 0))
		r = E_IO;
	if (in >= 0)
		close(in);
	if (out >= 0 && close(out) != 0 && r == 0)
		r = E_IO;
	return r;
}

static int
copy_entry(const char *from, const char *to, int depth)
{
	struct stat    st;
	struct dirent *entry;
	DIR           *dir;
	int            r = 0;

	if (lstat(from, &st) != 0 || depth > TREE_DEPTH)
		return E_IO;
	if (S_ISREG(st.st_mode))
		return file_copy(from, to);
	if (!S_ISDIR(st.st_mode))
		return 0; /* the control socket */
	if (mkdir(to, st.st_mode & 0777) != 0 || (dir = opendir(from)) == NULL)
		return error_from_errno(errno);
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		OWN_ARENA struct arena a = ARENA_INIT(1 << 16);

		if (entry->d_name[0] == '.')
			continue;
		r = copy_entry(arena_printf(&a, "%s/%s", from, entry->d_name),
		    arena_printf(&a, "%s/%s", to, entry->d_name), depth + 1);
	}
	closedir(dir);
	return r;
}

int
folder_copy_beside(const struct config *config, const char *out, struct arena *a)
{
	const char    *data = arena_cstr(a, config->data);
	DIR           *dir = data != NULL ? opendir(data) : NULL;
	struct dirent *entry;
	int            r = 0;

	if (dir == NULL)
		return E_IO;
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		struct str name = str_c(entry->d_name);

		if (entry->d_name[0] == '.' || str_starts(name, STR("store")))
			continue;
		r = copy_entry(engine_path(config, entry->d_name, a),
		    arena_printf(a, "%s/%s", out, entry->d_name), 0);
	}
	closedir(dir);
	return r;
}
