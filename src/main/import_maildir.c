/*
 * Maildir, and what Dovecot or Courier kept beside it: the list of UIDs and UIDLs. With such a list
 * the messages come in its order, and those that it does not have after them.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "codec/mutf7.h"
#include "main/import_walk.h"
#include "main/options.h"
#include "main/uidlist.h"

enum { LIST_ARENA_MAX = 1 << 30, LIST_BAD_MAX = 100 };

static const char *const LISTS[] = { "dovecot-uidlist", "courierimapuiddb" };
static const char *const PARTS[] = { "cur", "new" };

struct maildir {
	struct walk    walk; /* the first member: entry_fn gets it */
	const char    *path;
	const char    *list_path; /* NULL: none */
	struct mapped  text;
	struct uidlist list;
	struct arena   arena;
	size_t         n_bad;
};

/* --- one message --- */

static void
read_flags(const char *name, struct import_message *m)
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

static void
find_uidl(const struct maildir *md, const char *path, const char *name,
    const struct uidlist_entry *e, struct str message, struct buf *to)
{
	struct str        base = uidlist_base(str_c(name));
	struct uidl_facts facts = { .filename = base, .guid = base };

	if (e != NULL && e->has_uidl) {
		import_keep_uidl(md->walk.im, path, e->uidl.n != 0 ? e->uidl : base, to);
		return;
	}
	if (e != NULL) {
		facts.uid = e->uid;
		facts.uidvalidity = md->list.uidvalidity;
		if (e->guid.n != 0)
			facts.guid = e->guid;
	}
	import_make_uidl(md->walk.im, path, &facts, message, to);
}

static int
take_file(const struct maildir *md, const char *path, const char *name,
    const struct uidlist_entry *e)
{
	const struct import  *im = md->walk.im;
	OWN_BUF struct buf    uidl = BUF_INIT(IMPORT_UIDL_MAX);
	struct import_message m = { .mailbox = md->walk.mailbox };
	struct mapped         file;
	int                   r;

	if (map_file(path, &file) < 0) {
		im->problem(im->arg, path, strerrordesc_np(errno));
		return 0;
	}
	m.bytes = file.bytes;
	m.date_ms = file.mtime_ms;
	read_flags(name, &m);
	/* POP3 shows the mailbox itself, none of its subfolders. */
	if (m.mailbox.n == 0)
		find_uidl(md, path, name, e, file.bytes, &uidl);
	m.uidl = buf_view(&uidl);
	r = import_deliver(im, path, &m);
	unmap_file(&file);
	return r;
}

/* --- the list --- */

static void
note_bad(void *arg, size_t line, const char *why)
{
	struct maildir *md = arg;

	if (md->n_bad++ < LIST_BAD_MAX)
		md->walk.im->doubt(md->walk.im->arg, md->list_path, line, why);
}

static int
read_list(struct maildir *md)
{
	int r = map_file(md->list_path, &md->text);

	if (r < 0)
		return r;
	if (md->text.bytes.n > UIDLIST_BYTES_MAX)
		return E_LIMIT;
	return uidlist_read(md->text.bytes, &md->arena, note_bad, md, &md->list);
}

/* Without a list, or with one that is bad, messages come in the order of their names. */
static void
open_list(struct maildir *md)
{
	const struct import *im = md->walk.im;
	int                  r;

	for (size_t i = 0; i < ARRAY_LEN(LISTS); i++) {
		md->list_path = arena_printf(&md->arena, "%s/%s", md->path, LISTS[i]);
		if (md->list_path == NULL || access(md->list_path, F_OK) != 0) {
			md->list_path = NULL;
			continue;
		}
		r = read_list(md);
		if (r == 0)
			return;
		im->doubt(im->arg, md->list_path, r == E_SYNTAX ? 1 : 0,
		    r == E_SYNTAX ? "not a list of UIDs of version 1 or 3"
		    : r == E_IO   ? strerrordesc_np(errno)
		                  : error_row(r)->text);
		uidlist_done(&md->list);
		md->list = (struct uidlist){ 0 };
		md->list_path = NULL;
	}
}

/* Notes for each entry where its file is. */
static int
find_files(struct maildir *md, const char *part)
{
	char          *folder = arena_printf(&md->arena, "%s/%s", md->path, part);
	DIR           *d = folder != NULL ? opendir(folder) : NULL;
	struct dirent *item;
	int            r = 0;

	while (r == 0 && d != NULL && (item = readdir(d)) != NULL) {
		struct uidlist_entry *e = uidlist_find(&md->list, str_c(item->d_name));

		if (item->d_name[0] == '.' || e == NULL || e->file != NULL)
			continue;
		e->file = arena_printf(&md->arena, "%s/%s", folder, item->d_name);
		if (e->file == NULL)
			r = E_NOMEM;
	}
	if (d != NULL)
		closedir(d);
	return r;
}

static int
take_listed(struct maildir *md)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < md->list.n; i++) {
		struct uidlist_entry *e = md->list.sorted[i];

		if (e->file == NULL || import_is_folder(e->file))
			continue;
		/* Renamed meanwhile: it is found when the rest is. */
		if (access(e->file, F_OK) != 0)
			e->file = NULL;
		else
			r = take_file(md, e->file, strrchr(e->file, '/') + 1, e);
	}
	return r;
}

/* --- all messages --- */

static int
take_rest(const struct walk *w, const char *path, const char *name)
{
	const struct maildir       *md = (const struct maildir *)w;
	const struct uidlist_entry *e = NULL;

	if (name[0] == '.' || import_is_folder(path))
		return 0;
	if (md->list_path != NULL)
		e = uidlist_find(&md->list, str_c(name));
	if (e != NULL && e->file != NULL && str_eq(str_c(e->file), str_c(path)))
		return 0;
	return take_file(md, path, name, e);
}

static int
take_messages(struct maildir *md)
{
	int r = 0;

	open_list(md);
	for (size_t i = 0; md->list_path != NULL && r == 0 && i < ARRAY_LEN(PARTS); i++)
		r = find_files(md, PARTS[i]);
	if (r < 0) {
		md->walk.im->problem(md->walk.im->arg, md->path, error_row(r)->text);
		return EXIT_FAILED;
	}
	if (md->list_path != NULL)
		r = take_listed(md);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(PARTS); i++) {
		char *folder = arena_printf(&md->arena, "%s/%s", md->path, PARTS[i]);

		r = folder != NULL ? import_each(&md->walk, folder, take_rest) : EXIT_FAILED;
	}
	return r;
}

static int
take_maildir(const struct walk *w, const char *path)
{
	struct maildir md = { .walk = *w, .path = path };
	int            r;

	arena_init(&md.arena, LIST_ARENA_MAX);
	r = take_messages(&md);
	if (md.list_path != NULL)
		uidlist_done(&md.list);
	unmap_file(&md.text);
	arena_done(&md.arena);
	return r;
}

bool
import_is_maildir(const char *path)
{
	OWN_ARENA struct arena a = ARENA_INIT(1 << 16);
	char *cur = arena_printf(&a, "%s/cur", path), *new = arena_printf(&a, "%s/new", path);

	return cur != NULL && new != NULL && import_is_folder(cur) && import_is_folder(new);
}

/* ".Lists.Dev" of Maildir++ is the mailbox Lists/Dev, in modified UTF-7. */
static int
take_subfolder(const struct walk *w, const char *path, const char *name)
{
	OWN_BUF struct buf utf8 = BUF_INIT(4096);
	struct walk        inner = *w;

	if (name[0] != '.' || !import_is_maildir(path))
		return 0;
	if (mutf7_to_utf8(str_c(name + 1), &utf8) < 0)
		buf_str(&utf8, str_c(name + 1));
	for (size_t i = 0; i < utf8.n; i++)
		if (utf8.p[i] == '.')
			utf8.p[i] = '/';
	inner.mailbox = buf_view(&utf8);
	return take_maildir(&inner, path);
}

int
import_maildir(const struct walk *w, const char *path)
{
	int r = take_maildir(w, path);

	return r != 0 ? r : import_each(w, path, take_subfolder);
}
