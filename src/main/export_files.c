#include "main/export_files.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "codec/mutf7.h"
#include "main/options.h"

enum { PATH_BYTES_MAX = 4096, WIRE_MAX = 1 << 30 };

static int
failed(const char *path)
{
	tell("cannot write %s: %s", path, strerrordesc_np(errno));
	return EXIT_FAILED;
}

static int
make_folders(char *path)
{
	for (char *p = strchr(path + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			return failed(path);
		*p = '/';
	}
	return EXIT_OK;
}

int
export_begin(const struct export_target *t)
{
	bool is_file = t->format == EXPORT_MBOX && t->one_mailbox;

	if (access(t->out, F_OK) == 0 && (is_file || rmdir(t->out) != 0)) {
		tell("%s exists already: choose a new name", t->out);
		return EXIT_FAILED;
	}
	if (!is_file && mkdir(t->out, 0700) != 0)
		return failed(t->out);
	return EXIT_OK;
}

/* All lines end in CRLF, and there is no other CR: turning them to LF can be undone. */
static bool
is_pure_crlf(struct str s)
{
	for (size_t at; s.n > 0; s = str_skip(s, at + 2)) {
		at = str_find_byte(s, '\r');
		if (memchr(s.p, '\n', at) != NULL)
			return false;
		if (at == s.n)
			return true;
		if (at + 1 >= s.n || s.p[at + 1] != '\n')
			return false;
	}
	return true;
}

static void
put_unix(struct str s, struct buf *to)
{
	bool pure = is_pure_crlf(s);

	while (s.n > 0) {
		size_t at = pure ? str_find_byte(s, '\r') : s.n;

		buf_put(to, s.p, at);
		s = str_skip(s, at + 1);
	}
}

static void
put_mbox(const struct export_message *m, struct buf *to)
{
	OWN_BUF struct buf text = BUF_INIT(WIRE_MAX);
	time_t             sec = (time_t)(m->date_ms / 1000);
	struct tm          tm;
	char               date[64];
	struct str         left;

	gmtime_r(&sec, &tm);
	strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &tm);
	buf_printf(to, "From MAILER-DAEMON %s\n", date);
	put_unix(m->bytes, &text);
	left = buf_view(&text);
	while (left.n > 0) {
		size_t     at = str_find_byte(left, '\n');
		struct str line = str_head(left, at + 1);
		size_t     quotes = 0;

		while (quotes < line.n && line.p[quotes] == '>')
			quotes++;
		if (str_starts(str_skip(line, quotes), STR("From ")))
			buf_byte(to, '>');
		buf_str(to, line);
		left = str_skip(left, at + 1);
	}
	if (!str_ends(buf_view(&text), STR("\n")))
		buf_byte(to, '\n');
	buf_byte(to, '\n');
	if (text.err < 0)
		to->err = text.err;
}

/* The mailbox's name as a relative path that stays below OUT. */
static void
put_safe_path(struct str mailbox, struct buf *to)
{
	while (mailbox.n > 0) {
		struct str level = str_cut(&mailbox, '/');

		if (level.n > 0 && level.p[0] == '.') {
			buf_byte(to, '_');
			level = str_skip(level, 1);
		}
		buf_str(to, level);
		if (mailbox.n > 0)
			buf_byte(to, '/');
	}
}

static void
put_maildir_path(const struct export_message *m, struct buf *to)
{
	OWN_BUF struct buf name = BUF_INIT(PATH_BYTES_MAX);
	const struct {
		bool on;
		char letter;
	} flags[] = { { m->draft, 'D' }, { m->flagged, 'F' }, { m->answered, 'R' },
		{ m->seen, 'S' }, { m->deleted, 'T' } };

	mutf7_from_utf8(m->mailbox, &name);
	if (!str_eq(m->mailbox, STR("INBOX"))) {
		buf_byte(to, '.');
		for (size_t i = 0; i < name.n; i++)
			buf_byte(to, name.p[i] == '/' ? '.' : name.p[i] == '.' ? '_' : name.p[i]);
		buf_byte(to, '/');
	}
	buf_printf(to, "cur/%lld.%u.postrider:2,", (long long)(m->date_ms / 1000), m->uid);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (flags[i].on)
			buf_byte(to, flags[i].letter);
}

static void
put_path(const struct export_target *t, const struct export_message *m, struct buf *to)
{
	buf_str(to, str_c(t->out));
	if (t->format == EXPORT_MBOX && t->one_mailbox)
		return buf_byte(to, '\0');
	buf_byte(to, '/');
	switch (t->format) {
	case EXPORT_MAILDIR:
		put_maildir_path(m, to);
		break;
	case EXPORT_MBOX:
		put_safe_path(m->mailbox, to);
		buf_str(to, STR(".mbox"));
		break;
	case EXPORT_EML:
		put_safe_path(m->mailbox, to);
		buf_printf(to, "/%u.eml", m->uid);
		break;
	}
	buf_byte(to, '\0');
}

/* new/ and tmp/ beside the cur/ that the path names. */
static int
make_maildir(const char *path)
{
	static const char *const PARTS[] = { "cur", "new", "tmp" };
	const char              *cur = strstr(path, "/cur/");

	for (const char *next = cur; next != NULL; next = strstr(next + 1, "/cur/"))
		cur = next;
	for (size_t i = 0; cur != NULL && i < ARRAY_LEN(PARTS); i++) {
		char folder[PATH_BYTES_MAX + 8];

		snprintf(folder, sizeof(folder), "%.*s/%s", (int)(cur - path), path, PARTS[i]);
		if (mkdir(folder, 0700) != 0 && errno != EEXIST)
			return failed(folder);
	}
	return EXIT_OK;
}

static int
write_file(const char *path, struct str bytes, const char *mode)
{
	FILE *f = fopen(path, mode);
	bool  ok = f != NULL && fwrite(bytes.p, 1, bytes.n, f) == bytes.n;

	if (f != NULL && fclose(f) != 0)
		ok = false;
	return ok ? EXIT_OK : failed(path);
}

int
export_message(const struct export_target *t, const struct export_message *m)
{
	OWN_BUF struct buf path = BUF_INIT(PATH_BYTES_MAX), text = BUF_INIT(WIRE_MAX);
	int                r;

	put_path(t, m, &path);
	if (t->format == EXPORT_MBOX)
		put_mbox(m, &text);
	else if (t->format == EXPORT_MAILDIR)
		put_unix(m->bytes, &text);
	if (path.err < 0 || text.err < 0) {
		tell("message %u: %s", m->uid, error_row(path.err < 0 ? path.err : text.err)->text);
		return EXIT_FAILED;
	}
	r = t->one_mailbox && t->format == EXPORT_MBOX ? EXIT_OK : make_folders(path.p);
	if (r == EXIT_OK && t->format == EXPORT_MAILDIR)
		r = make_maildir(path.p);
	if (r != EXIT_OK)
		return r;
	if (t->format == EXPORT_EML)
		return write_file(path.p, m->bytes, "wx");
	return write_file(path.p, buf_view(&text), t->format == EXPORT_MBOX ? "a" : "wx");
}
