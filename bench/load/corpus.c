/* Messages to send: made ones, and those of a folder. */
#include "load/corpus.h"

#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

enum { KINDS_MAX = 100000, MESSAGE_MAX = 64 * 1024 * 1024, LINE_MAX_BYTES = 998 };

static const char *const WORDS[] = { "the", "letter", "came", "with", "morning", "post", "and",
	"was", "read", "twice", "before", "anybody", "spoke", "of", "harbour", "weather", "prices",
	"for", "timber", "two", "cousins", "who", "had", "left", "their", "coats", "in", "train",
	"nobody", "asked", "why", "a", "map", "river", "should", "be", "drawn", "again", "so",
	"soon" };

/* One word of each made kind that no other has: searching for it hits 1 in CORPUS_MADE. */
static void
put_rare_word(struct buf *b, size_t kind)
{
	buf_printf(b, "zephyr%c%c", (char)('a' + kind / 26), (char)('a' + kind % 26));
}

static uint64_t
next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

static void
put_header(struct buf *b, size_t kind)
{
	buf_printf(b, "Date: Tue, 3 Mar 2026 09:%02u:00 +0000\r\n", (unsigned)kind % 60);
	buf_printf(b, "From: \"Load Sender %u\" <sender%u@load.test>\r\n", (unsigned)kind,
	    (unsigned)kind);
	buf_printf(b, "To: Reader <reader@load.test>, Other Reader <other@load.test>\r\n");
	buf_printf(b, "Cc: third@load.test\r\nSubject: News of the harbour, part %u\r\n",
	    (unsigned)kind);
	buf_printf(b, "References: <thread-%u@load.test>\r\n", (unsigned)kind / 4);
	buf_printf(b, "MIME-Version: 1.0\r\n");
	buf_printf(b, "Content-Type: text/plain; charset=us-ascii\r\n\r\n");
}

static void
put_text(struct buf *b, size_t kind, size_t size)
{
	uint64_t state = kind * 7919 + 17;
	size_t   line = b->n;

	put_rare_word(b, kind);
	while (b->n + 20 < size) {
		buf_byte(b, ' ');
		buf_str(b, str_c(WORDS[next_random(&state) % ARRAY_LEN(WORDS)]));
		if (b->n - line > 66) {
			buf_str(b, STR("\r\n"));
			line = b->n;
			buf_str(b, str_c(WORDS[next_random(&state) % ARRAY_LEN(WORDS)]));
		}
	}
	while (b->n + 2 < size)
		buf_byte(b, 'x');
	buf_str(b, STR("\r\n"));
}

/* The key of a body: its hash and its length. */
static struct str
body_key(const struct digest *d, char to[16])
{
	uint64_t h = digest_end(d);

	memcpy(to, &h, 8);
	memcpy(to + 8, &d->n, 8);
	return str_of(to, 16);
}

/* RFC 5321 s4.5.2 */
static void
put_dotted(struct str text, struct buf *to)
{
	size_t dot;

	if (text.p[0] == '.')
		buf_byte(to, '.');
	for (;;) {
		dot = str_find(text, STR("\n."));
		if (dot == text.n)
			break;
		buf_str(to, str_head(text, dot + 1));
		buf_byte(to, '.');
		text = str_skip(text, dot + 1);
	}
	buf_str(to, text);
	buf_str(to, STR(".\r\n"));
}

/* Takes over the text of the buffer. */
static int
add_kind(struct corpus *c, struct buf *text)
{
	OWN_BUF struct buf dotted = BUF_INIT(2 * MESSAGE_MAX);
	struct body_sink   body;
	char               key[16];
	bool               eight_bit = false;

	if (text->err == 0)
		put_dotted(buf_view(text), &dotted);
	if (text->err != 0 || dotted.err != 0)
		return text->err != 0 ? text->err : dotted.err;
	body_sink_init(&body);
	body.sink.put(&body.sink, buf_view(text));
	for (size_t i = 0; i < text->n; i++)
		eight_bit |= (text->p[i] & 0x80) != 0;
	c->kinds[c->n_kinds] = (struct corpus_kind){ buf_view(text), buf_view(&dotted),
		eight_bit };
	c->bytes += text->n;
	*text = BUF_INIT(MESSAGE_MAX);
	dotted = BUF_INIT(MESSAGE_MAX);
	return map_put(&c->bodies, body_key(&body.digest, key), &c->kinds[c->n_kinds++]);
}

int
corpus_make(struct corpus *c, size_t size)
{
	int r = 0;

	*c = (struct corpus){ .kinds = mem_zalloc(CORPUS_MADE * sizeof(*c->kinds)),
		.id_base = (uint64_t)clock_real_ms() << 20 };
	map_init(&c->bodies);
	if (c->kinds == NULL)
		return E_NOMEM;
	for (size_t kind = 0; kind < CORPUS_MADE && r == 0; kind++) {
		OWN_BUF struct buf b = BUF_INIT(MESSAGE_MAX);

		buf_str(&b, STR("Message-ID: <load-"));
		c->id_at = b.n;
		buf_str(&b, STR("0000000000000000@load.test>\r\n"));
		put_header(&b, kind);
		put_text(&b, kind, size);
		r = b.n == size ? add_kind(c, &b) : E_LIMIT; /* no room for the header */
	}
	return r;
}

/* --- a folder --- */

/* Line ends become CRLF; the last line has one. E_CANNOT for what is left out. */
static int
normalize(struct str raw, struct buf *to)
{
	bool in_header = true, first = true;

	while (raw.n > 0) {
		struct str line = str_cut(&raw, '\n');

		if (str_ends(line, STR("\r")))
			line.n--;
		if (line.n > LINE_MAX_BYTES || memchr(line.p, '\0', line.n) != NULL ||
		    memchr(line.p, '\r', line.n) != NULL)
			return E_CANNOT;
		if (line.n == 0)
			in_header = false;
		if (in_header && (line.p[0] == ' ' || line.p[0] == '\t' ? first
				 : str_find_byte(line, ':') == line.n ||
				     str_find_byte(line, ' ') < str_find_byte(line, ':')))
			return E_CANNOT;
		first = false;
		buf_str(to, line);
		buf_str(to, STR("\r\n"));
	}
	return in_header ? E_CANNOT : to->err;
}

static int
read_file(const char *path, struct buf *to)
{
	int     fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = -1;
	char   *room;

	if (fd < 0)
		return E_IO;
	do {
		room = buf_room(to, 65536);
		if (room == NULL)
			break;
		got = read(fd, room, 65536);
		if (got > 0)
			buf_commit(to, (size_t)got);
	} while (got > 0);
	close(fd);
	return to->err != 0 ? to->err : got < 0 ? E_IO : 0;
}

static int
by_name(const FTSENT **a, const FTSENT **b)
{
	return str_cmp(str_c((*a)->fts_name), str_c((*b)->fts_name));
}

static int
add_file(struct corpus *c, const char *path)
{
	OWN_BUF struct buf raw = BUF_INIT(MESSAGE_MAX);
	OWN_BUF struct buf text = BUF_INIT(MESSAGE_MAX);
	int                r = read_file(path, &raw);

	if (r == 0)
		r = normalize(buf_view(&raw), &text);
	if (r == 0)
		return add_kind(c, &text);
	c->skipped++;
	return r == E_NOMEM ? r : 0;
}

int
corpus_load(struct corpus *c, const char *folder)
{
	char  *paths[] = { (char *)folder, NULL };
	FTS   *fts = fts_open(paths, FTS_LOGICAL | FTS_NOCHDIR, by_name);
	FTSENT *e;
	int    r = 0;

	*c = (struct corpus){ .kinds = mem_zalloc(KINDS_MAX * sizeof(*c->kinds)) };
	map_init(&c->bodies);
	if (fts == NULL || c->kinds == NULL)
		return E_IO;
	while (r == 0 && c->n_kinds < KINDS_MAX && (e = fts_read(fts)) != NULL) {
		if (e->fts_info == FTS_F && str_ends(str_c(e->fts_name), STR(".eml")))
			r = add_file(c, e->fts_path);
	}
	fts_close(fts);
	return r < 0 ? r : c->n_kinds == 0 ? E_NOT_FOUND : 0;
}

void
corpus_done(struct corpus *c)
{
	for (size_t i = 0; i < c->n_kinds; i++) {
		mem_free((char *)c->kinds[i].text.p);
		mem_free((char *)c->kinds[i].dotted.p);
	}
	mem_free(c->kinds);
	map_done(&c->bodies);
}

/* --- use --- */

static const struct corpus_kind *
kind_of(const struct corpus *c, uint64_t n)
{
	return &c->kinds[n % c->n_kinds];
}

bool
corpus_eight_bit(const struct corpus *c, uint64_t n)
{
	return kind_of(c, n)->eight_bit;
}

size_t
corpus_bytes(const struct corpus *c, uint64_t n)
{
	return kind_of(c, n)->text.n;
}

static void
number_in(const struct corpus *c, uint64_t n, char *text)
{
	static const char HEX[] = "0123456789abcdef";

	n += c->id_base;
	for (unsigned i = 0; c->id_at > 0 && i < CORPUS_ID_BYTES; i++, n >>= 4)
		text[c->id_at + CORPUS_ID_BYTES - 1 - i] = HEX[n & 15];
}

static void
put_numbered(const struct corpus *c, uint64_t n, struct str text, struct buf *to)
{
	char *at = buf_grow(to, text.n);

	if (at == NULL)
		return;
	memcpy(at, text.p, text.n);
	number_in(c, n, at);
}

void
corpus_put(const struct corpus *c, uint64_t n, struct buf *to)
{
	put_numbered(c, n, kind_of(c, n)->text, to);
}

void
corpus_put_dotted(const struct corpus *c, uint64_t n, struct buf *to)
{
	put_numbered(c, n, kind_of(c, n)->dotted, to);
}

bool
corpus_knows(const struct corpus *c, const struct body_sink *b)
{
	char key[16];

	return b->matched == 4 && map_get(&c->bodies, body_key(&b->digest, key)) != NULL;
}

uint64_t
corpus_hits(const struct corpus *c, uint64_t n, struct str word)
{
	uint64_t hits = 0;

	for (size_t i = 0; i < c->n_kinds; i++) {
		struct str text = c->kinds[i].text;
		size_t     body = str_find(text, STR("\r\n\r\n"));
		struct str in = str_skip(text, body);

		if (str_ifind(in, word) < in.n)
			hits += n / c->n_kinds + (i < n % c->n_kinds);
	}
	return hits;
}
