/*
 * The IMAP grammar on any bytes: frames, commands, patterns, and what is written back.
 *
 * Holds    however the input is cut, the same commands come out; memory stays within the limits; a
 *          mailbox name and a FETCH item that were understood are understood again when written.
 */

#include "fuzz.h"

#include "base/error.h"
#include "proto/imap_frame.h"
#include "proto/imap_match.h"
#include "proto/imap_write.h"

static const struct imap_frame_limits LIMITS = {
	.line_max = 4096, .literals_max = 10, .literal_sum_max = 512, .nonsync_max = 256
};

static const struct {
	struct str     name;
	imap_parse_fn *parse;
} VERBS[] = {
	{ STR("NOOP"), imap_parse_none },       { STR("ID"), imap_parse_id },
	{ STR("ENABLE"), imap_parse_enable },   { STR("LOGIN"), imap_parse_login },
	{ STR("DELETE"), imap_parse_mailbox },  { STR("SELECT"), imap_parse_select },
	{ STR("CREATE"), imap_parse_create },   { STR("RENAME"), imap_parse_rename },
	{ STR("LIST"), imap_parse_list },       { STR("LSUB"), imap_parse_lsub },
	{ STR("STATUS"), imap_parse_status },   { STR("APPEND"), imap_parse_append },
	{ STR("SEARCH"), imap_parse_search },   { STR("FETCH"), imap_parse_fetch },
	{ STR("STORE"), imap_parse_store },     { STR("COPY"), imap_parse_copy },
	{ STR("EXPUNGE"), imap_parse_uid_expunge },
	{ STR("AUTHENTICATE"), imap_parse_authenticate },
};

/* A mailbox name that was read comes back from its written form. */
static void
check_mailbox(struct str name, struct arena *a)
{
	OWN_BUF struct buf text = BUF_INIT(1 << 20);
	struct imap_reader r;
	struct imap_args   args;

	buf_byte(&text, ' ');
	imap_put_mailbox(&text, name, false);
	imap_reader_init(&r, buf_view(&text), a);
	hold(imap_parse_mailbox(&r, &args) == 0);
	hold(str_eq(args.mailbox, name));
}

static void
put_items(struct buf *b, const struct imap_fetch *fetch)
{
	buf_str(b, STR(" 1 ("));
	for (size_t i = 0; i < fetch->n_items; i++) {
		imap_put_item_name(b, &fetch->items[i]);
		buf_byte(b, ' ');
	}
	buf_str(b, STR(")\r\n"));
}

static void
check_fetch(const struct imap_fetch *fetch, struct arena *a)
{
	OWN_BUF struct buf text = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20);
	struct imap_reader r;
	struct imap_args   args;

	put_items(&text, fetch);
	imap_reader_init(&r, buf_view(&text), a);
	hold(imap_parse_fetch(&r, &args) == 0);
	put_items(&again, &args.fetch);
	hold(str_eq(buf_view(&text), buf_view(&again)));
}

static void
check_list(const struct imap_args *args, struct arena *a)
{
	static const struct str NAMES[] = { STR("INBOX"), STR("a/b/c"), STR("Sent"), STR("") };
	const struct imap_strs *patterns = &args->list.patterns;
	struct imap_pattern     p;

	for (size_t i = 0; i < patterns->n; i++) {
		if (imap_pattern_make(args->list.reference, patterns->s[i], '/', a, &p) < 0)
			continue;
		for (size_t j = 0; j < ARRAY_LEN(NAMES); j++)
			imap_pattern_match(&p, NAMES[j]);
	}
}

static void
check_set(const struct imap_set *set)
{
	OWN_RANGES struct ranges closed = { 0 };

	hold(imap_set_close(set, 100, &closed) == 0);
	for (size_t i = 1; i < closed.n; i++)
		hold(closed.r[i - 1].hi + 1 < closed.r[i].lo);
}

static unsigned
count_keys(const struct imap_key *key)
{
	unsigned n = 1;

	if (key->kind == IMAP_KEY_AND || key->kind == IMAP_KEY_OR)
		for (const struct imap_key *k = key->list; k != NULL; k = k->next)
			n += count_keys(k);
	return n;
}

/* Parses a command and puts what came of it into the log. */
static void
run_command(struct str text, bool utf8, struct buf *log)
{
	OWN_ARENA struct arena a = ARENA_INIT(4 << 20);
	struct imap_reader     r;
	struct imap_head       head;
	struct imap_args       args;
	int                    err;

	imap_reader_init(&r, text, &a);
	r.utf8 = utf8;
	err = imap_read_head(&r, &head);
	hold(err == 0 || r.what != NULL);
	for (size_t i = 0; i < ARRAY_LEN(VERBS) && err == 0; i++) {
		if (!str_ieq(VERBS[i].name, head.name))
			continue;
		err = VERBS[i].parse(&r, &args);
		hold(err == 0 || r.what != NULL);
		if (err < 0)
			break;
		if (VERBS[i].parse == imap_parse_mailbox)
			check_mailbox(args.mailbox, &a);
		else if (VERBS[i].parse == imap_parse_fetch)
			check_fetch(&args.fetch, &a);
		else if (VERBS[i].parse == imap_parse_list || VERBS[i].parse == imap_parse_lsub)
			check_list(&args, &a);
		else if (VERBS[i].parse == imap_parse_uid_expunge)
			check_set(&args.set);
		else if (VERBS[i].parse == imap_parse_search)
			hold(count_keys(args.search.key) <= IMAP_SEARCH_KEYS_MAX);
	}
	buf_printf(log, "C%d", err);
	buf_str(log, text);
}

struct run {
	struct imap_frame frame;
	struct buf        log;
	bool              utf8;
	uint64_t          left; /* of a message literal */
};

static void
on_message(struct run *run)
{
	run_command(buf_view(&run->frame.text), run->utf8, &run->log);
	switch (run->frame.literal_n % 3) {
	case 0:
		imap_frame_message_keep(&run->frame);
		break;
	case 1:
		imap_frame_message_refuse(&run->frame);
		break;
	case 2:
		run->left = run->frame.literal_n;
		break;
	}
}

static size_t
feed_once(struct run *run, struct str in, bool *more)
{
	struct imap_frame *f = &run->frame;
	size_t             used = 0;

	if (run->left > 0) {
		used = in.n < run->left ? in.n : (size_t)run->left;
		run->left -= used;
		if (run->left == 0)
			imap_frame_message_end(f);
		*more = run->left == 0;
		return used;
	}
	*more = true;
	switch (imap_frame_feed(f, in, &used)) {
	case IMAP_FRAME_NEED:
		hold(used == in.n);
		*more = false;
		break;
	case IMAP_FRAME_CONTINUE:
		buf_byte(&run->log, '+');
		break;
	case IMAP_FRAME_COMMAND:
		run_command(buf_view(&f->text), run->utf8, &run->log);
		imap_frame_next(f);
		break;
	case IMAP_FRAME_MESSAGE:
		on_message(run);
		break;
	case IMAP_FRAME_BAD:
		buf_printf(&run->log, "B%d", f->err);
		imap_tag_of(buf_view(&f->text));
		imap_frame_next(f);
		break;
	}
	hold(used <= in.n);
	hold(f->text.n <= LIMITS.line_max + LIMITS.literal_sum_max);
	return used;
}

/* Feeds the input in pieces of 1 to `piece` bytes. */
static void
feed_all(struct run *run, struct str in, size_t piece)
{
	uint32_t random = 12345;
	bool     more;

	imap_frame_init(&run->frame, LIMITS);
	while (in.n > 0) {
		struct str part;

		random = random * 1664525 + 1013904223;
		part = str_head(in, 1 + (random >> 16) % piece);
		in = str_skip(in, part.n);
		do
			part = str_skip(part, feed_once(run, part, &more));
		while (more);
	}
	imap_frame_done(&run->frame);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = str_of((const char *)data, n);
	struct run whole = { .log = BUF_INIT(16 << 20) }, cut = { .log = BUF_INIT(16 << 20) };

	if (n == 0 || n > 65536)
		return 0;
	whole.utf8 = cut.utf8 = (data[0] & 1) != 0;
	feed_all(&whole, str_skip(in, 1), 65536);
	feed_all(&cut, str_skip(in, 1), 1 + data[0]);
	hold(str_eq(buf_view(&whole.log), buf_view(&cut.log)));
	buf_done(&whole.log);
	buf_done(&cut.log);
	return 0;
}
