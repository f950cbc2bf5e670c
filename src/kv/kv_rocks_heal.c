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

int
rocks_reopen(struct flat *f, bool *replaced)
{
	struct rocks *r = rocks_of(f);
	int           e;

	rocks_handle_close(r);
	*replaced = true;
	e = rocks_handle_open(r, false, NULL);
	if (e < 0)
		rocks_handle_open(r, true, NULL); /* reads may go on at least */
	return e;
}
