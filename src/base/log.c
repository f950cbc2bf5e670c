#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static const char *const LEVELS[] = { "error", "warn", "info", "debug" };
static const int         JOURNAL_PRIORITY[] = { 3, 4, 6, 7 };

static atomic_int most_level = LOG_INFO;
static atomic_int out_format = LOG_FORMAT_TEXT;
static atomic_int out_fd = STDERR_FILENO;
static atomic_int to_journal;

/* journald names the device and inode of its stream in the environment, see sd-daemon(3). */
static int
is_journal(int fd)
{
	const char   *names = getenv("JOURNAL_STREAM");
	unsigned long dev, ino;
	struct stat   st;

	return names != NULL && sscanf(names, "%lu:%lu", &dev, &ino) == 2 && fstat(fd, &st) == 0 &&
	    st.st_dev == dev && st.st_ino == ino;
}

void
log_setup(enum log_level most, enum log_format format, int fd)
{
	atomic_store(&most_level, most);
	atomic_store(&out_format, format);
	atomic_store(&out_fd, fd);
	atomic_store(&to_journal, is_journal(fd));
}

bool
log_wants(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&most_level, memory_order_relaxed);
}

static bool
is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c == 0x7f)
			return false;
	}
	return s.n != 0;
}

static void
put_quoted(struct buf *b, struct str s)
{
	buf_byte(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			buf_printf(b, "\\u%04x", c);
		else
			buf_byte(b, (char)c);
	}
	buf_byte(b, '"');
}

static void
put_field(struct buf *b, enum log_format format, const struct log_field *f)
{
	if (format == LOG_FORMAT_JSON)
		buf_printf(b, ",\"%s\":", f->key);
	else
		buf_printf(b, " %s=", f->key);
	if (f->is_number)
		buf_printf(b, "%lld", (long long)f->i);
	else if (format == LOG_FORMAT_TEXT && is_plain(f->s))
		buf_str(b, f->s);
	else
		put_quoted(b, str_head(f->s, LOG_LINE_MAX / 8));
}

void
log_format_line(enum log_format format, enum log_level level, const char *event,
    const struct log_field *f, size_t n, struct buf *to)
{
	if (format == LOG_FORMAT_JSON)
		buf_printf(to, "\"level\":\"%s\",\"event\":\"%s\"", LEVELS[level], event);
	else
		buf_printf(to, "%s %s", LEVELS[level], event);
	for (size_t i = 0; i < n && to->n < LOG_LINE_MAX / 2; i++)
		put_field(to, format, &f[i]);
	if (format == LOG_FORMAT_JSON)
		buf_byte(to, '}');
}

static void
put_time(struct buf *b)
{
	int64_t   now = clock_real_ms();
	time_t    sec = (time_t)(now / 1000);
	struct tm tm;
	char      text[32];

	gmtime_r(&sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_printf(b, "%s.%03dZ", text, (int)(now % 1000));
}

void
log_write(enum log_level level, const char *event, const struct log_field *f, size_t n)
{
	enum log_format    format = (enum log_format)atomic_load(&out_format);
	OWN_BUF struct buf line = BUF_INIT(LOG_LINE_MAX);

	if (atomic_load(&to_journal))
		buf_printf(&line, "<%d>", JOURNAL_PRIORITY[level]);
	else if (format == LOG_FORMAT_TEXT) {
		put_time(&line);
		buf_byte(&line, ' ');
	}
	if (format == LOG_FORMAT_JSON) {
		buf_printf(&line, "{\"time\":\"");
		put_time(&line);
		buf_printf(&line, "\",");
	}
	log_format_line(format, level, event, f, n, &line);
	buf_byte(&line, '\n');
	/* One write a line: the kernel keeps short writes to one pipe or file whole. */
	if (line.err == 0 && write(atomic_load(&out_fd), line.p, line.n) < 0)
		return; /* nobody is left to tell */
}
