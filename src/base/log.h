/*
 * base/log.h: one line an event, as key=value or JSON, to standard error or journald.
 *
 *   log_event(LOG_INFO, "login", LOG_U("session", id), LOG_S("account", address));
 *
 * Shape    time, level and event come first, then the fields in order. Values with blanks,
 *          quotes or control bytes are quoted and escaped; a line is at most LOG_LINE_MAX bytes.
 * Never    a password or a message's text.
 * Layers   only serve/, queue/ and main/ call log_event.
 * Threads  any; a line is written whole, in the order of the calls.
 * Delay    between log_start and log_stop lines of LOG_INFO and LOG_DEBUG may wait for up to
 *          LOG_DELAY_MS, so that many share one write; a warning or an error is written at once,
 *          and all that waits before it. Only what kills the process at once (SIGKILL, a crash)
 *          loses lines, those of the last moment.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/buf.h"

enum { LOG_LINE_MAX = 4096, LOG_DELAY_MS = 20 };
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_field {
	const char *key;
	bool        is_number;
	struct str  s;
	int64_t     i;
};

#define LOG_S(k, v) ((struct log_field){ .key = (k), .s = (v) })
#define LOG_C(k, v) ((struct log_field){ .key = (k), .s = str_c(v) })
#define LOG_U(k, v) ((struct log_field){ .key = (k), .is_number = true, .i = (int64_t)(v) })
#define LOG_ERR(e) LOG_C("error", error_row(e)->text)

/* Written lines go to fd (2 by default). A journald stream gets "<6>" level prefixes. */
void log_setup(enum log_level most, enum log_format, int fd);
/* From now on a thread writes the lines that may wait; without a thread nothing waits. */
void log_start(void);
void log_stop(void);
bool log_wants(enum log_level);
void log_write(enum log_level, const char *event, const struct log_field *, size_t n);
/* The line that log_write would write, without the time: for tests. */
void log_format_line(
    enum log_format, enum log_level, const char *event, const struct log_field *, size_t n,
    struct buf *to);

#define log_event(level, event, ...)                                                             \
	do {                                                                                     \
		if (log_wants(level)) {                                                          \
			const struct log_field fields_[] = { __VA_ARGS__ };                      \
			log_write((level), (event), fields_, ARRAY_LEN(fields_));                \
		}                                                                                \
	} while (0)

#endif
