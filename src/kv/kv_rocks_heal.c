#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "kv/rocks.h"

enum { PROBE_MARGIN = 16 << 20 };

static int
probe_write(int fd, size_t room)
{
	char page[4096] = { 0 };

	if (fd < 0)
		return error_from_errno(errno);
	if (pwrite(fd, page, sizeof(page), 0) != (ssize_t)sizeof(page))
		return errno != 0 ? error_from_errno(errno) : E_IO;
	/* Opening writes what the log still holds into tables. */
	if (posix_fallocate(fd, 0, (off_t)room) != 0)
		return E_DISK_FULL;
	return fdatasync(fd) == 0 ? 0 : error_from_errno(errno);
}

/* A handle that can still read is only given up when the disk takes writes again. */
int
rocks_probe(struct flat *f)
{
	struct rocks *r = rocks_of(f);
	OWN_MEM char *path = NULL;
	size_t        n = strlen(r->dir) + sizeof("/probe");
	int           fd, e;

	if (r->wanted.read_only)
		return E_READ_ONLY;
	path = mem_alloc(n);
	if (path == NULL)
		return E_NOMEM;
	snprintf(path, n, "%s/probe", r->dir);
	errno = 0;
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	e = probe_write(fd, r->wanted.memtable_bytes + PROBE_MARGIN);
	if (fd >= 0) {
		close(fd);
		unlink(path);
	}
	return e;
}

/* What the log files have is what a reader may be told of: so they are synced first. */
static int
sync_logs(const struct rocks *r)
{
	DIR           *dir = opendir(r->dir);
	struct dirent *entry;
	int            e = dir != NULL ? 0 : error_from_errno(errno);

	while (e == 0 && (entry = readdir(dir)) != NULL) {
		int fd;

		if (!str_ends(str_c(entry->d_name), STR(".log")))
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fdatasync(fd) != 0)
			e = error_from_errno(errno);
		if (fd >= 0)
			close(fd);
	}
	if (dir != NULL)
		closedir(dir);
	return e;
}

struct handle {
	rocksdb_t                      *db;
	rocksdb_column_family_handle_t *column[ROCKS_COLUMNS];
};

static void
swap_handle(struct rocks *r, struct handle *h)
{
	struct handle had = { .db = r->db };

	memcpy(had.column, r->column, sizeof(had.column));
	r->db = h->db;
	memcpy(r->column, h->column, sizeof(h->column));
	*h = had;
}

/* The disk takes no writes: reads shall show what is on it and no more, so that they can be
 * answered. The old handle is kept when that cannot be had. */
static int
retreat(struct rocks *r, bool *replaced)
{
	struct handle other = { 0 };
	int           e = sync_logs(r);

	if (e < 0)
		return e;
	swap_handle(r, &other);
	e = rocks_handle_open(r, true, NULL);
	if (e == 0)
		*replaced = true;
	swap_handle(r, &other);
	if (e < 0)
		return e;
	rocks_handle_close(r);
	swap_handle(r, &other);
	return 0;
}

int
rocks_reopen(struct flat *f, int probed, bool *replaced)
{
	struct rocks *r = rocks_of(f);
	int           e;

	if (probed < 0) {
		retreat(r, replaced);
		return probed;
	}
	rocks_handle_close(r);
	*replaced = true;
	e = rocks_handle_open(r, false, NULL);
	if (e < 0)
		rocks_handle_open(r, true, NULL); /* reads may go on at least */
	return e;
}
