/*
 * Shows what mime/ makes of a message on standard input; for comparison with other servers.
 *
 *   mime-show                     ENVELOPE, BODY, BODYSTRUCTURE, and one PART line for each part:
 *                                 index parent kind header_off header_n body_off body_n lines
 *   mime-show fields NAME...      BODY[HEADER.FIELDS (NAME...)]
 *   mime-show not NAME...         BODY[HEADER.FIELDS.NOT (NAME...)]
 *   mime-show decode NAME         the field as UTF-8
 *   mime-show bench N             parses N times, prints nanoseconds of CPU for one
 */
#include <stdio.h>

#include "base/error.h"
#include "base/mem.h"
#include "mime/header.h"
#include "mime/message.h"

enum { ARENA_MAX = 256 << 20, NAMES_MAX = 64 };

static bool
read_all(FILE *f, struct buf *to)
{
	char  *p;
	size_t n;

	do {
		p = buf_room(to, 1 << 16);
		if (p == NULL)
			return false;
		n = fread(p, 1, 1 << 16, f);
		buf_commit(to, n);
	} while (n != 0);
	return true;
}

static void
put(const char *what, struct str s)
{
	printf("%s ", what);
	fwrite(s.p, 1, s.n, stdout);
	putchar('\n');
}

static void
show_part(const struct message_summary *s, uint32_t i)
{
	const struct message_part *p = &s->parts[i];

	printf("PART %u %u %s %llu %llu %llu %llu %u\n", i, p->parent,
	    p->is_multipart ? "multipart" : p->is_message ? "message" : "leaf",
	    (unsigned long long)p->header_off, (unsigned long long)p->header_n,
	    (unsigned long long)p->body_off, (unsigned long long)p->body_n, p->body_lines);
}

static int
show(struct str whole)
{
	OWN_ARENA struct arena arena = ARENA_INIT(ARENA_MAX);
	struct message_summary s;

	if (message_parse(whole, NULL, &arena, &s) < 0)
		return 1;
	put("ENVELOPE", s.envelope);
	put("BODY", s.body);
	put("BODYSTRUCTURE", s.body_structure);
	for (uint32_t i = 0; i < s.n_parts; i++)
		show_part(&s, i);
	return 0;
}

static struct str
header_of(struct str whole)
{
	struct str          rest = whole;
	struct header_field f;

	while (header_next(&rest, &f))
		;
	rest = str_skip(rest, str_find_byte(rest, '\n') + 1);
	return str_head(whole, whole.n - rest.n);
}

static int
show_fields(struct str whole, int argc, char **argv, bool not)
{
	OWN_BUF struct buf out = BUF_INIT(SIZE_MAX);
	struct str         names[NAMES_MAX];
	size_t             n = 0;

	for (; n < (size_t)argc && n < NAMES_MAX; n++)
		names[n] = str_c(argv[n]);
	header_fields(header_of(whole), names, n, not, &out);
	fwrite(out.p, 1, out.n, stdout);
	return out.err < 0;
}

static int
show_decoded(struct str whole, const char *name)
{
	OWN_ARENA struct arena arena = ARENA_INIT(ARENA_MAX);
	struct header_field    f;
	struct str             text;

	if (!header_find(header_of(whole), str_c(name), &f) ||
	    header_decode(f.value, &arena, &text) < 0)
		return 1;
	put("TEXT", text);
	return 0;
}

static int
bench(struct str whole, unsigned long times)
{
	OWN_ARENA struct arena arena = ARENA_INIT(ARENA_MAX);
	struct timespec        a, b;
	size_t                 used = 0;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	for (unsigned long i = 0; i < times; i++) {
		struct message_summary s;

		if (message_parse(whole, NULL, &arena, &s) < 0)
			return 1;
		used = arena.used;
		arena_reset(&arena);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	printf("%.0f ns each, %zu bytes, arena %zu\n",
	    ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / (double)times,
	    whole.n, used);
	return 0;
}

int
main(int argc, char **argv)
{
	OWN_BUF struct buf whole = BUF_INIT(SIZE_MAX);
	const char        *verb = argc > 1 ? argv[1] : "";

	if (!read_all(stdin, &whole))
		return 1;
	if (strcmp(verb, "fields") == 0 || strcmp(verb, "not") == 0)
		return show_fields(buf_view(&whole), argc - 2, argv + 2, verb[0] == 'n');
	if (strcmp(verb, "decode") == 0 && argc == 3)
		return show_decoded(buf_view(&whole), argv[2]);
	if (strcmp(verb, "bench") == 0 && argc == 3)
		return bench(buf_view(&whole), strtoul(argv[2], NULL, 10));
	return show(buf_view(&whole));
}
