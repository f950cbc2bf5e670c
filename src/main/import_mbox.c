/* mbox, and the UIDs and UIDLs that Dovecot or the c-client library keep in its headers. */
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "main/import_walk.h"
#include "mime/header.h"

enum { RELEASE_BYTES = 1 << 22 };

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
	return (int64_t)timegm(&tm) * IMPORT_MS;
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

enum { NOT_READ = -1 }; /* no message has been looked at for the UIDVALIDITY */

/* "X-IMAPbase: UIDVALIDITY LAST-UID KEYWORD..." or "X-IMAP: ..." of an mbox's first message; that
 * of others is whatever their senders wrote. */
static uint32_t
uidvalidity_of(struct str first)
{
	struct header_field f;
	struct str          value;
	uint32_t            n;

	if (!header_find(first, STR("X-IMAPbase"), &f) && !header_find(first, STR("X-IMAP"), &f))
		return 0;
	value = str_trim(f.value);
	return str_to_u32(str_cut(&value, ' '), &n) == 0 ? n : 0;
}

static void
find_uidl(const struct import *im, const char *path, uint32_t uidvalidity, struct str message,
    struct buf *to)
{
	struct uidl_facts   facts = { .uidvalidity = uidvalidity };
	struct header_field f;

	if (!im->uidl.given && !im->uidl.from_header)
		return;
	if (header_find(message, STR("X-UID"), &f) &&
	    str_to_u32(str_trim(f.value), &facts.uid) < 0)
		facts.uid = 0;
	import_make_uidl(im, path, &facts, message, to);
}

static int
take_mbox_message(const struct import *im, const char *path, struct str text,
    struct str from_line, int64_t *uidvalidity)
{
	OWN_BUF struct buf    plain = BUF_INIT(IMPORT_MESSAGE_MAX);
	OWN_BUF struct buf    uidl = BUF_INIT(IMPORT_UIDL_MAX);
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
	if (*uidvalidity == NOT_READ)
		*uidvalidity = uidvalidity_of(m.bytes);
	find_uidl(im, path, (uint32_t)*uidvalidity, m.bytes, &uidl);
	m.uidl = buf_view(&uidl);
	return import_deliver(im, path, &m);
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

int
import_mbox(const struct import *im, const char *path, struct str bytes)
{
	const struct str all = bytes;
	size_t           released = 0;
	int64_t          uidvalidity = NOT_READ;
	int              r = 0;

	while (r == 0 && bytes.n > 0) {
		struct str from_line = take_line(&bytes);
		struct str text = str_of(bytes.p, 0);

		while (bytes.n > 0 && !str_starts(bytes, STR("From ")))
			text.n += take_line(&bytes).n;
		r = take_mbox_message(im, path, without_separator(text), from_line, &uidvalidity);
		release_read(all, all.n - bytes.n, &released);
	}
	return r;
}

