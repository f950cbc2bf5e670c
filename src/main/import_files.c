#include "main/import_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "codec/date.h"
#include "main/folder_names.h"
#include "main/options.h"
#include "mime/header.h"

enum { DEPTH_MAX = 64 };

/* --- files --- */

int
map_file(const char *path, struct mapped *ret)
{
	int         fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void       *p = NULL;

	if (fd < 0 || fstat(fd, &st) != 0) {
		if (fd >= 0)
			close(fd);
		return E_IO;
	}
	if (st.st_size > 0)
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return E_IO;
	*ret = (struct mapped){ str_of(p, (size_t)st.st_size), (int64_t)st.st_mtime * IMPORT_MS };
	return 0;
}

void
unmap_file(struct mapped *m)
{
	if (m->bytes.p != NULL)
		munmap((void *)m->bytes.p, m->bytes.n);
}

static bool
has_unix_line_ends(struct str bytes)
{
	size_t at = str_find_byte(bytes, '\n');

	return at < bytes.n && (at == 0 || bytes.p[at - 1] != '\r');
}

static void
put_crlf(struct str bytes, struct buf *to)
{
	while (bytes.n > 0) {
		size_t at = str_find_byte(bytes, '\n');

		buf_put(to, bytes.p, at);
		if (at == bytes.n)
			return;
		if (at == 0 || bytes.p[at - 1] != '\r')
			buf_byte(to, '\r');
		buf_byte(to, '\n');
		bytes = str_skip(bytes, at + 1);
	}
}

int
import_deliver(const struct import *im, const char *path, struct import_message *m)
{
	OWN_BUF struct buf wire = BUF_INIT(IMPORT_MESSAGE_MAX);

	if (has_unix_line_ends(m->bytes)) {
		put_crlf(m->bytes, &wire);
		if (wire.err < 0) {
			im->problem(im->arg, path, error_row(wire.err)->text);
			return 0;
		}
		m->bytes = buf_view(&wire);
	}
	return im->take(im->arg, path, m);
}

static int64_t
date_field_ms(struct str bytes, int64_t fallback)
{
	struct header_field f;
	int64_t             ms;
	int                 zone;

	if (!header_find(bytes, STR("Date"), &f) || date_parse_rfc5322(f.value, &ms, &zone) < 0)
		return fallback;
	return ms > 0 ? ms : fallback;
}

/* --- single files --- */

static int
import_file(const struct import *im, const char *path)
{
	struct mapped         file;
	struct import_message m = { 0 };
	int                   r;

	if (map_file(path, &file) < 0) {
		im->problem(im->arg, path, strerrordesc_np(errno));
		return 0;
	}
	if (!str_iends(str_c(path), STR(".eml")) && str_starts(file.bytes, STR("From "))) {
		r = import_mbox(im, path, file.bytes);
	} else {
		m.bytes = file.bytes;
		m.date_ms = date_field_ms(file.bytes, file.mtime_ms);
		r = import_deliver(im, path, &m);
	}
	unmap_file(&file);
	return r;
}

/* --- folders --- */

int
import_each(const struct walk *w, const char *path, entry_fn fn)
{
	struct folder_names f = FOLDER_NAMES_INIT(path);
	int                 r = 0;

	do {
		int err = folder_names_next(&f);

		if (err < 0) {
			w->im->problem(w->im->arg, path,
			    err == E_IO ? strerrordesc_np(errno) : error_row(err)->text);
			break;
		}
		for (size_t i = 0; r == 0 && i < f.n; i++) {
			OWN_ARENA struct arena a = ARENA_INIT(1 << 16);
			char *full = arena_printf(&a, "%s/%s", path, f.names[i]);

			if (full != NULL)
				r = fn(w, full, f.names[i]);
		}
	} while (r == 0 && f.more);
	folder_names_done(&f);
	return r;
}

bool
import_is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int import_any(const struct walk *, const char *path);

static int
folder_entry(const struct walk *w, const char *path, const char *name)
{
	if (name[0] == '.')
		return 0;
	return import_any(w, path);
}

static int
import_any(const struct walk *w, const char *path)
{
	struct walk inner = *w;

	if (!import_is_folder(path))
		return import_file(w->im, path);
	if (import_is_maildir(path))
		return import_maildir(w, path);
	inner.depth++;
	if (inner.depth > DEPTH_MAX) {
		w->im->problem(w->im->arg, path, "folders are nested too deeply");
		return 0;
	}
	return import_each(&inner, path, folder_entry);
}

int
import_path(const struct import *im, const char *path)
{
	const struct walk w = { .im = im };

	return import_any(&w, path);
}
