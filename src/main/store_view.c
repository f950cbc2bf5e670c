#include "main/store_view.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "kv/open.h"
#include "main/folders.h"

enum { PATH_BYTES = 4096, CACHE_BYTES = 32 << 20 };

char *
temporary_folder(struct buf *detail)
{
	const char *base = getenv("TMPDIR");
	char       *path = mem_alloc(PATH_BYTES);

	if (path == NULL)
		return NULL;
	snprintf(path, PATH_BYTES, "%s/postrider-XXXXXX", base != NULL && *base ? base : "/tmp");
	if (mkdtemp(path) != NULL)
		return path;
	if (detail != NULL)
		buf_printf(detail, "cannot make the folder %s: %s", path, strerrordesc_np(errno));
	mem_free(path);
	return NULL;
}

static int
link_file(const char *dir, const char *folder, const char *name)
{
	char from[PATH_BYTES], to[PATH_BYTES];

	if (name[0] == '.' || snprintf(from, sizeof(from), "%s/%s", dir, name) >= PATH_BYTES ||
	    snprintf(to, sizeof(to), "%s/%s", folder, name) >= PATH_BYTES)
		return name[0] == '.' ? 0 : E_LIMIT;
	/* RocksDB's own log, which it would go on writing, and lock files stay behind. */
	if (strncmp(name, "LOG", 3) == 0 || strcmp(name, "LOCK") == 0 || strcmp(name,
	    "in-use") == 0)
		return 0;
	return symlink(from, to) == 0 ? 0 : error_from_errno(errno);
}

static int
link_all(const char *dir, const char *folder)
{
	OWN_MEM char  *whole = realpath(dir, NULL);
	DIR           *d = whole != NULL ? opendir(whole) : NULL;
	struct dirent *entry;
	int            r = 0;

	if (d == NULL)
		return errno == ENOENT ? E_NOT_FOUND : error_from_errno(errno);
	while (r == 0 && (entry = readdir(d)) != NULL)
		r = link_file(whole, folder, entry->d_name);
	closedir(d);
	return r;
}

int
store_view_open(const char *dir, struct buf *detail, struct store_view *ret)
{
	const struct kv_rocks_options options = { .cache_bytes = CACHE_BYTES, .read_only = true };
	struct store_view             v = { .folder = temporary_folder(detail) };
	OWN(kv) kv = NULL;
	int r;

	if (v.folder == NULL)
		return E_IO;
	r = link_all(dir, v.folder);
	if (r == 0)
		r = kv_rocks_open(v.folder, &options, detail, &kv);
	if (r == 0)
		r = store_open(TAKE(kv), NULL, detail, &v.store);
	if (r < 0)
		store_view_close(&v);
	else
		*ret = v;
	return r;
}

void
store_view_close(struct store_view *v)
{
	store_drop(v->store);
	if (v->folder != NULL)
		remove_tree(v->folder);
	mem_free(v->folder);
	*v = (struct store_view){ 0 };
}
