#include "main/import_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "codec/date.h"
#include "codec/mutf7.h"
#include "main/folder_names.h"
#include "main/options.h"
#include "mime/header.h"

enum { DEPTH_MAX = 64, MS = 1000, RELEASE_BYTES = 1 << 22 };

/* --- files --- */

struct mapped {
	struct str bytes;
	int64_t    mtime_ms;
};

static int
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
	*ret = (struct mapped){ str_of(p, (size_t)st.st_size), (int64_t)st.st_mtime * MS };
	return 0;
}

static void
unmap_file(struct mapped *m)
{
	if (m->bytes.p != NULL)
		munmap((void *)m->bytes.p, m->bytes.n);
}

/* Pages up to `at` are read and not needed again: they go, so that a great file needs little
 * memory. *released: how many bytes are gone already. */
static void
release_read(struct str bytes, size_t at, size_t *released)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), upto = at / page * page;

	if (upto - *released < RELEASE_BYTES)
		return;
	(void)madvise((char *)bytes.p + *released, upto - *released, MADV_DONTNEED);
	*released = upto;
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

/* Gives the message to take(), in wire form. */
static int
deliver(const struct import *im, const char *path, struct import_message *m)
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

/* --- mbox --- */

/* "From sender Tue Nov  3 10:11:12 2026": the time is UTC. */
static int64_t
from_line_ms(struct str line)
{
	struct tm  tm = { 0 };
	char       text[128];
	struct str date;

	str_cut(&line, ' ');
	date = str_trim(line);
	date = str_skip(date, str_find_byte(date, ' ') + 1);
	snprintf(text, sizeof(text), "%.*s", STR_ARG(str_head(date, sizeof(text) - 1)));
	if (strptime(text, " %a %b %d %H:%M:%S %Y", &tm) == NULL)
		return 0;
	return (int64_t)timegm(&tm) * MS;
}

static void
status_flags(struct import_message *m)
{
	struct header_field f;

	if (header_find(m->bytes, STR("Status"), &f))
		m->seen = str_find_byte(f.value, 'R') < f.value.n;
	if (header_find(m->bytes, STR("X-Status"), &f)) {
		m->answered = str_find_byte(f.value, 'A') < f.value.n;
		m->flagged = str_find_byte(f.value, 'F') < f.value.n;
		m->deleted = str_find_byte(f.value, 'D') < f.value.n;
		m->draft = str_find_byte(f.value, 'T') < f.value.n;
	}
}

/* mboxrd: a line of '>'s and "From " lost one '>' when it is read. */
static bool
is_quoted_from(struct str line)
{
	size_t n = 0;

	while (n < line.n && line.p[n] == '>')
		n++;
	return n > 0 && str_starts(str_skip(line, n), STR("From "));
}

static struct str
take_line(struct str *text)
{
	size_t     at = str_find_byte(*text, '\n');
	struct str line = str_head(*text, at + 1);

	*text = str_skip(*text, at + 1);
	return line;
}

static int
take_mbox_message(const struct import *im, const char *path, struct str text, struct str from_line)
{
	OWN_BUF struct buf    plain = BUF_INIT(IMPORT_MESSAGE_MAX);
	struct import_message m = { .date_ms = from_line_ms(from_line) };

	while (text.n > 0) {
		struct str line = take_line(&text);

		buf_str(&plain, is_quoted_from(line) ? str_skip(line, 1) : line);
	}
	if (plain.err < 0) {
		im->problem(im->arg, path, error_row(plain.err)->text);
		return 0;
	}
	m.bytes = buf_view(&plain);
	status_flags(&m);
	return deliver(im, path, &m);
}

/* The empty line before the next "From " belongs to the mbox, not to the message. */
static struct str
without_separator(struct str text)
{
	if (str_ends(text, STR("\r\n\r\n")))
		return str_head(text, text.n - 2);
	if (str_ends(text, STR("\n\n")) || str_eq(text, STR("\n")))
		return str_head(text, text.n - 1);
	return text;
}

static int
import_mbox(const struct import *im, const char *path, struct str bytes)
{
	const struct str all = bytes;
	size_t           released = 0;
	int              r = 0;

	while (r == 0 && bytes.n > 0) {
		struct str from_line = take_line(&bytes);
		struct str text = str_of(bytes.p, 0);

		while (bytes.n > 0 && !str_starts(bytes, STR("From ")))
			text.n += take_line(&bytes).n;
		r = take_mbox_message(im, path, without_separator(text), from_line);
		release_read(all, all.n - bytes.n, &released);
	}
	return r;
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
		r = deliver(im, path, &m);
	}
	unmap_file(&file);
	return r;
}

/* --- Maildir --- */

static void
maildir_flags(const char *name, struct import_message *m)
{
	const char *info = strstr(name, ":2,");

	if (info == NULL)
		return;
	m->seen = strchr(info, 'S') != NULL;
	m->answered = strchr(info, 'R') != NULL;
	m->flagged = strchr(info, 'F') != NULL;
	m->deleted = strchr(info, 'T') != NULL;
	m->draft = strchr(info, 'D') != NULL;
}

static int
import_maildir_file(const struct import *im, const char *path, const char *name, struct str mailbox)
{
	struct mapped         file;
	struct import_message m = { .mailbox = mailbox };
	int                   r;

	if (map_file(path, &file) < 0) {
		im->problem(im->arg, path, strerrordesc_np(errno));
		return 0;
	}
	m.bytes = file.bytes;
	m.date_ms = file.mtime_ms;
	maildir_flags(name, &m);
	r = deliver(im, path, &m);
	unmap_file(&file);
	return r;
}

/* Calls fn for each visible name, in order. */
struct walk {
	const struct import *im;
	struct str           mailbox;
	int                  depth;
};
typedef int (*entry_fn)(const struct walk *, const char *path, const char *name);

static int
each_entry(const struct walk *w, const char *path, entry_fn fn)
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

static bool
is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool
is_maildir(const char *path)
{
	OWN_ARENA struct arena a = ARENA_INIT(1 << 16);
	char *cur = arena_printf(&a, "%s/cur", path), *new = arena_printf(&a, "%s/new", path);

	return cur != NULL && new != NULL &&is_folder(cur) && is_folder(new);
}

static int
maildir_entry(const struct walk *w, const char *path, const char *name)
{
	if (name[0] == '.' || is_folder(path))
		return 0;
	return import_maildir_file(w->im, path, name, w->mailbox);
}

static int
maildir_messages(const struct walk *w, const char *path)
{
	OWN_ARENA struct arena a = ARENA_INIT(1 << 16);
	char *cur = arena_printf(&a, "%s/cur", path), *new = arena_printf(&a, "%s/new", path);
	int   r;

	if (cur == NULL || new == NULL)
		return EXIT_FAILED;
	r = each_entry(w, cur, maildir_entry);
	return r != 0 ? r : each_entry(w, new, maildir_entry);
}

/* ".Lists.Dev" of Maildir++ is the mailbox Lists/Dev, in modified UTF-7. */
static int
maildir_subfolder(const struct walk *w, const char *path, const char *name)
{
	OWN_BUF struct buf utf8 = BUF_INIT(4096);
	struct walk        inner = *w;

	if (name[0] != '.' || !is_maildir(path))
		return 0;
	if (mutf7_to_utf8(str_c(name + 1), &utf8) < 0)
		buf_str(&utf8, str_c(name + 1));
	for (size_t i = 0; i < utf8.n; i++)
		if (utf8.p[i] == '.')
			utf8.p[i] = '/';
	inner.mailbox = buf_view(&utf8);
	return maildir_messages(&inner, path);
}

/* --- folders --- */

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
	int         r;

	if (!is_folder(path))
		return import_file(w->im, path);
	if (is_maildir(path)) {
		r = maildir_messages(w, path);
		return r != 0 ? r : each_entry(w, path, maildir_subfolder);
	}
	inner.depth++;
	if (inner.depth > DEPTH_MAX) {
		w->im->problem(w->im->arg, path, "folders are nested too deeply");
		return 0;
	}
	return each_entry(&inner, path, folder_entry);
}

int
import_path(const struct import *im, const char *path)
{
	const struct walk w = { .im = im };

	return import_any(&w, path);
}
