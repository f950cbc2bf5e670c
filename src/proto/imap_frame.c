#include "proto/imap_frame.h"

#include "base/error.h"

enum frame_state {
	START,        /* nothing of a command yet */
	LINE,         /* a line of a command, or the line that was asked for */
	LITERAL,      /* `left` bytes of a kept literal */
	KEEP,         /* a message literal that is to be kept after all */
	MESSAGE,      /* the session takes the literal */
	DONE,         /* text is complete */
	SKIP,         /* passing over the rest of a command: a line */
	SKIP_LITERAL  /* the same: `left` bytes of a literal */
};

enum { KEEP_CAP = 512 };

/* The "{n}" at the end of a line. */
struct marker {
	uint64_t n;
	bool     sync;
	bool     overflow;
};

void
imap_frame_init(struct imap_frame *f, struct imap_frame_limits limits)
{
	*f = (struct imap_frame){ .state = START };
	imap_frame_limits_set(f, limits);
}

void
imap_frame_done(struct imap_frame *f)
{
	buf_done(&f->text);
}

void
imap_frame_limits_set(struct imap_frame *f, struct imap_frame_limits limits)
{
	f->limits = limits;
	f->text.max = (size_t)limits.line_max + limits.literal_sum_max;
}

bool
imap_frame_at_start(const struct imap_frame *f)
{
	return f->state == START;
}

static void
text_clear(struct imap_frame *f)
{
	if (f->text.cap > KEEP_CAP)
		buf_done(&f->text);
	buf_reset(&f->text);
	f->segment = 0;
	f->line_n = 0;
	f->n_literals = 0;
	f->literal_sum = 0;
}

static void
restart(struct imap_frame *f)
{
	text_clear(f);
	f->has_message = false;
	f->is_line = false;
	f->state = START;
}

void
imap_frame_next(struct imap_frame *f)
{
	if (f->state != SKIP && f->state != SKIP_LITERAL)
		restart(f);
}

void
imap_frame_expect_line(struct imap_frame *f)
{
	f->is_line = true;
	f->state = LINE;
}

/* Does the line, whose last byte is LF, end with a literal marker? */
static bool
find_marker(struct str line, struct marker *ret)
{
	struct marker m = { 0, true, false };
	size_t        i, end;

	line.n--;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n < 3 || line.p[--line.n] != '}')
		return false;
	if (line.p[line.n - 1] == '+') {
		m.sync = false;
		line.n--;
	}
	for (end = i = line.n; i > 0 && ascii_is_digit(line.p[i - 1]);)
		i--;
	if (i == end || i == 0 || line.p[i - 1] != '{')
		return false;
	m.overflow = str_to_u64(str_of(line.p + i, end - i), &m.n) < 0 || m.n > INT64_MAX;
	if (m.overflow)
		m.n = UINT64_MAX;
	*ret = m;
	return true;
}

/* Passes over the rest of the command; m is the literal that comes next, or NULL. */
static void
skip_from(struct imap_frame *f, const struct marker *m)
{
	f->tail_n = 0;
	f->skip_n = 0;
	f->left = 0;
	if (m != NULL && m->sync) {
		/* The client waits for "+" and gets a tagged answer: its command is over. */
		f->state = START;
		f->is_line = false;
		f->has_message = false;
	} else if (m != NULL) {
		f->state = SKIP_LITERAL;
		f->skip_n = f->left = m->n;
	} else {
		f->state = SKIP;
	}
}

static enum imap_frame_event
bad(struct imap_frame *f, int err, const struct marker *m)
{
	f->err = err;
	skip_from(f, m);
	return IMAP_FRAME_BAD;
}

/* Is the literal at the end of `text` the message of an APPEND: are there a tag, the name and at
 * least one more word before it? A mailbox name can be a literal too. */
static bool
is_message(struct str text)
{
	struct str word;
	size_t     open = str_rfind_byte(text, '{');

	text = str_head(text, open);
	if (str_ends(text, STR("~")))
		text.n--;
	word = str_cut(&text, ' ');
	do
		word = str_cut(&text, ' ');
	while (word.n == 0 && text.n > 0);
	return str_ieq(word, STR("APPEND")) && str_trim(text).n > 0;
}

/* Checks a literal that is to be kept, and begins it. True when there is something to report. */
static bool
begin_literal(struct imap_frame *f, const struct marker *m, enum imap_frame_event *ev)
{
	if (++f->n_literals > f->limits.literals_max ||
	    m->n > f->limits.literal_sum_max - f->literal_sum ||
	    (!m->sync && f->limits.nonsync_max != 0 && m->n > f->limits.nonsync_max)) {
		*ev = bad(f, E_LIMIT, m);
		return true;
	}
	f->literal_sum += m->n;
	f->left = m->n;
	f->state = LITERAL;
	*ev = IMAP_FRAME_CONTINUE;
	return m->sync;
}

/* A line of the command is complete. True when there is something to report. */
static bool
line_end(struct imap_frame *f, enum imap_frame_event *ev)
{
	struct str    line = str_skip(buf_view(&f->text), f->segment);
	struct marker m;

	if (f->is_line || !find_marker(line, &m)) {
		f->state = DONE;
		*ev = IMAP_FRAME_COMMAND;
		return true;
	}
	if (m.overflow) {
		*ev = bad(f, E_LIMIT, &m);
		return true;
	}
	if (!f->has_message && !is_message(buf_view(&f->text)))
		return begin_literal(f, &m, ev);
	f->has_message = true;
	f->literal_n = m.n;
	f->literal_sync = m.sync;
	f->state = MESSAGE;
	*ev = IMAP_FRAME_MESSAGE;
	return true;
}

static bool
feed_line(struct imap_frame *f, struct str in, size_t *used, enum imap_frame_event *ev)
{
	size_t at = str_find_byte(in, '\n');
	size_t n = at < in.n ? at + 1 : in.n;
	size_t room = f->limits.line_max - f->line_n;

	*used = n < room ? n : room;
	buf_put(&f->text, in.p, *used);
	f->line_n += (uint32_t)*used;
	if (f->text.err < 0 || n > room) {
		/* What is in text is not looked at again, but "{n+}" may lie across. */
		struct str seen = str_skip(buf_view(&f->text), f->segment);

		if (f->text.err < 0)
			*used = 0;
		*ev = bad(f, f->text.err < 0 ? f->text.err : E_LINE_TOO_LONG, NULL);
		seen = str_skip(seen, seen.n > sizeof(f->tail) ? seen.n - sizeof(f->tail) : 0);
		if (seen.n > 0)
			memcpy(f->tail, seen.p, seen.n);
		f->tail_n = (uint8_t)seen.n;
		return true;
	}
	return at < in.n ? line_end(f, ev) : false;
}

/* The last bytes of a line that is passed over: its "{n+}" tells whether more follows it. */
static void
tail_put(struct imap_frame *f, struct str s)
{
	size_t cap = sizeof(f->tail), keep;

	if (s.n >= cap) {
		memcpy(f->tail, s.p + s.n - cap, cap);
		f->tail_n = (uint8_t)cap;
		return;
	}
	keep = f->tail_n + s.n > cap ? cap - s.n : f->tail_n;
	memmove(f->tail, f->tail + f->tail_n - keep, keep);
	if (s.n > 0)
		memcpy(f->tail + keep, s.p, s.n);
	f->tail_n = (uint8_t)(keep + s.n);
}

static void
feed_skip(struct imap_frame *f, struct str in, size_t *used)
{
	size_t        at = str_find_byte(in, '\n');
	struct marker m;

	*used = at < in.n ? at + 1 : in.n;
	tail_put(f, str_head(in, *used));
	if (at == in.n)
		return;
	if (f->is_line || !find_marker(str_of(f->tail, f->tail_n), &m) || m.sync)
		restart(f);
	else
		skip_from(f, &m);
}

/* One step of the machine. True when there is something to report: then *ev. */
static bool
feed_step(struct imap_frame *f, struct str in, size_t *used, enum imap_frame_event *ev)
{
	struct marker m;

	switch ((enum frame_state)f->state) {
	case START:
		while (*used < in.n && (in.p[*used] == '\r' || in.p[*used] == '\n'))
			++*used;
		if (*used < in.n) {
			restart(f);
			f->state = LINE;
		}
		return false;
	case LINE:
		return feed_line(f, in, used, ev);
	case LITERAL:
		*used = in.n < f->left ? in.n : (size_t)f->left;
		buf_put(&f->text, in.p, *used);
		f->left -= *used;
		if (f->text.err < 0) {
			*ev = bad(f, f->text.err, &(struct marker){ f->left, false, false });
			return true;
		}
		if (f->left == 0) {
			f->segment = f->text.n;
			f->state = LINE;
		}
		return false;
	case KEEP:
		m = (struct marker){ f->literal_n, f->literal_sync, false };
		return begin_literal(f, &m, ev);
	case SKIP:
		feed_skip(f, in, used);
		return false;
	case SKIP_LITERAL:
		*used = in.n < f->left ? in.n : (size_t)f->left;
		f->left -= *used;
		if (f->left == 0)
			skip_from(f, NULL);
		return false;
	case DONE:
		*ev = IMAP_FRAME_COMMAND;
		return true;
	case MESSAGE:
		*ev = IMAP_FRAME_MESSAGE;
		return true;
	}
	return false;
}

enum imap_frame_event
imap_frame_feed(struct imap_frame *f, struct str in, size_t *used)
{
	enum imap_frame_event ev;
	uint8_t               was;
	size_t                step;
	bool                  report;

	*used = 0;
	do {
		was = f->state;
		step = 0;
		report = feed_step(f, in, &step, &ev);
		in = str_skip(in, step);
		*used += step;
	} while (!report && (in.n > 0 || f->state != was));
	return report ? ev : IMAP_FRAME_NEED;
}

void
imap_frame_message_end(struct imap_frame *f)
{
	text_clear(f);
	f->state = LINE;
}

void
imap_frame_message_keep(struct imap_frame *f)
{
	f->state = KEEP;
}

void
imap_frame_message_refuse(struct imap_frame *f)
{
	skip_from(f, &(struct marker){ f->literal_n, f->literal_sync, false });
}
