#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"

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

/* The length of the character beyond ASCII at the start of s; 0 if it is a control (U+0080 to
 * U+009F: terminals obey them) or no UTF-8. RFC 3629 s4 */
static size_t
wide_char(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t               n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	unsigned char        from = 0x80, to = 0xbf;

	if (p[0] < 0xc2 || p[0] > 0xf4 || s.n < n)
		return 0;
	if (p[0] == 0xc2 || p[0] == 0xe0)
		from = 0xa0;
	if (p[0] == 0xf0)
		from = 0x90;
	if (p[0] == 0xed)
		to = 0x9f;
	if (p[0] == 0xf4)
		to = 0x8f;
	for (size_t i = 1; i < n; i++, from = 0x80, to = 0xbf)
		if (p[i] < from || p[i] > to)
			return 0;
	return n;
}

static bool
is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		size_t        n;

		if (c >= 0x80) {
			n = wide_char(str_skip(s, i));
			if (n == 0)
				return false;
			i += n - 1;
		}
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
		size_t        wide = c >= 0x80 ? wide_char(str_skip(s, i)) : 0;

		if (wide != 0) {
			buf_str(b, str_head(str_skip(s, i), wide));
			i += wide - 1;
		} else if (c == '"' || c == '\\') {
			buf_byte(b, '\\');
			buf_byte(b, (char)c);
		} else if (c < ' ' || c >= 0x7f) {
			buf_printf(b, "\\u%04x", c);
		} else {
			buf_byte(b, (char)c);
		}
	}
	buf_byte(b, '"');
}

static void
put_number(struct buf *b, int64_t v)
{
	if (v < 0)
		buf_byte(b, '-');
	buf_u64(b, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

static void
put_field(struct buf *b, enum log_format format, const struct log_field *f)
{
	buf_str(b, format == LOG_FORMAT_JSON ? STR(",\"") : STR(" "));
	buf_str(b, str_c(f->key));
	buf_str(b, format == LOG_FORMAT_JSON ? STR("\":") : STR("="));
	if (f->is_number)
		put_number(b, f->i);
	else if (format == LOG_FORMAT_TEXT && is_plain(f->s))
		buf_str(b, f->s);
	else
		put_quoted(b, str_head(f->s, LOG_LINE_MAX / 8));
}

void
log_format_line(enum log_format format, enum log_level level, const char *event,
    const struct log_field *f, size_t n, struct buf *to)
{
	bool json = format == LOG_FORMAT_JSON;

	buf_str(to, json ? STR("\"level\":\"") : STR_NONE);
	buf_str(to, str_c(LEVELS[level]));
	buf_str(to, json ? STR("\",\"event\":\"") : STR(" "));
	buf_str(to, str_c(event));
	buf_str(to, json ? STR("\"") : STR_NONE);
	for (size_t i = 0; i < n && to->n < LOG_LINE_MAX / 2; i++)
		put_field(to, format, &f[i]);
	if (format == LOG_FORMAT_JSON)
		buf_byte(to, '}');
}

/* The seconds as text change once a second. */
static void
put_time(struct buf *b)
{
	static _Thread_local time_t made_for = -1;
	static _Thread_local char   text[32];
	int64_t                     now = clock_real_ms();
	time_t                      sec = (time_t)(now / 1000);
	int                         ms = (int)(now % 1000);
	struct tm                   tm;
	char                        tail[] = ".000Z";

	if (sec != made_for) {
		gmtime_r(&sec, &tm);
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
		made_for = sec;
	}
	for (int i = 3; i > 0; i--, ms /= 10)
		tail[i] = (char)('0' + ms % 10);
	buf_str(b, str_c(text));
	buf_put(b, tail, sizeof(tail) - 1);
}

/* --- lines that may wait --- */

enum { WAITING_MAX = 256 << 10 };

static struct {
	struct lock    lock;
	pthread_once_t once;
	pthread_cond_t some;    /* the first line waits */
	pthread_t      thread;
	struct buf     lines;   /* that wait */
	bool           running; /* the thread is there */
	bool           ending;
} writer = { .once = PTHREAD_ONCE_INIT, .lines = BUF_INIT(WAITING_MAX) };

static void
writer_init(void)
{
	lock_init(&writer.lock, LOCK_LOG);
	pthread_cond_init(&writer.some, NULL);
}

static void
write_whole(struct str s)
{
	while (s.n != 0) {
		ssize_t n = write(atomic_load(&out_fd), s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* nobody is left to tell */
		s = str_skip(s, (size_t)n);
	}
}

/* Under the lock, so that lines stay in order. */
static void
write_waiting(void)
{
	write_whole(buf_view(&writer.lines));
	buf_reset(&writer.lines);
}

static void *
writer_main(void *arg)
{
	const struct timespec delay = { .tv_nsec = LOG_DELAY_MS * 1000000L };

	(void)arg;
	lock_take(&writer.lock);
	while (!writer.ending) {
		while (writer.lines.n == 0 && !writer.ending)
			lock_wait(&writer.lock, &writer.some);
		if (!writer.ending) {
			lock_give(&writer.lock);
			nanosleep(&delay, NULL);
			lock_take(&writer.lock);
		}
		write_waiting();
	}
	lock_give(&writer.lock);
	return NULL;
}

void
log_start(void)
{
	pthread_once(&writer.once, writer_init);
	LOCK_SCOPE(&writer.lock);
	if (writer.running)
		return;
	writer.ending = false;
	writer.running = pthread_create(&writer.thread, NULL, writer_main, NULL) == 0;
}

void
log_stop(void)
{
	bool running;

	pthread_once(&writer.once, writer_init);
	lock_take(&writer.lock);
	running = writer.running;
	writer.running = false;
	writer.ending = true;
	pthread_cond_signal(&writer.some);
	lock_give(&writer.lock);
	if (running)
		pthread_join(writer.thread, NULL);
	lock_take(&writer.lock);
	write_waiting();
	buf_done(&writer.lines);
	lock_give(&writer.lock);
}

static void
put_line(enum log_level level, struct str line)
{
	bool first;

	pthread_once(&writer.once, writer_init);
	LOCK_SCOPE(&writer.lock);
	first = writer.lines.n == 0;
	if (writer.running && level >= LOG_INFO && WAITING_MAX - writer.lines.n >= line.n) {
		buf_str(&writer.lines, line);
		if (writer.lines.err == 0 && first)
			pthread_cond_signal(&writer.some);
		if (writer.lines.err == 0)
			return;
		writer.lines.err = 0; /* no memory: this line need not wait */
	}
	write_waiting();
	write_whole(line);
}

void
log_write(enum log_level level, const char *event, const struct log_field *f, size_t n)
{
	enum log_format format = (enum log_format)atomic_load(&out_format);
	char            text[LOG_LINE_MAX];
	struct buf      line = { .p = text, .cap = sizeof(text), .max = sizeof(text) };

	if (atomic_load(&to_journal))
		buf_printf(&line, "<%d>", JOURNAL_PRIORITY[level]);
	else if (format == LOG_FORMAT_TEXT) {
		put_time(&line);
		buf_byte(&line, ' ');
	}
	if (format == LOG_FORMAT_JSON) {
		buf_str(&line, STR("{\"time\":\""));
		put_time(&line);
		buf_str(&line, STR("\","));
	}
	log_format_line(format, level, event, f, n, &line);
	buf_byte(&line, '\n');
	if (line.err == 0)
		put_line(level, buf_view(&line));
}
