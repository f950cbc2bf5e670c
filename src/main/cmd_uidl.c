/* account uidl: a file of UIDLs and Message-IDs, or what doveadm tells of them, sent in lines. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "main/commands.h"
#include "main/control.h"
#include "main/uidl_file.h"

enum { FILE_MAX = 128 << 20, BAD_TOLD_MAX = 100 };

/* A regular file in memory; munmap it unless it is empty. */
static int
map_file(const char *path, struct str *ret)
{
	struct stat st;
	int         fd = open(path, O_RDONLY | O_CLOEXEC);
	void       *p = NULL;

	if (fd < 0 || fstat(fd, &st) != 0) {
		tell("cannot read %s: %s", path, strerrordesc_np(errno));
		if (fd >= 0)
			close(fd);
		return EXIT_FAILED;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
		tell("%s is %s", path, S_ISREG(st.st_mode) ? "longer than 128 MiB" : "not a file");
		close(fd);
		return EXIT_FAILED;
	}
	if (st.st_size > 0)
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED) {
		tell("cannot read %s: %s", path, strerrordesc_np(errno));
		return EXIT_FAILED;
	}
	*ret = str_of(p, (size_t)st.st_size);
	return EXIT_OK;
}

/* --- what doveadm tells --- */

struct conversion {
	const char *path;
	size_t      n_bad;
};

static void
tell_bad(void *arg, size_t line, const char *why)
{
	struct conversion *c = arg;

	if (c->n_bad++ < BAD_TOLD_MAX)
		tell("%s, line %zu: %s", c->path, line, why);
}

static int
read_options(const struct options *o, struct uidl_file *ret)
{
	size_t at;

	ret->format = (o->given & OPT_UIDL_FORMAT) != 0 ? o->uidl_format : STR(UIDL_FORMAT_DOVECOT);
	if (uidl_format_check(ret->format, &at) < 0) {
		tell("%.*s is no pop3_uidl_format as of Dovecot 2.3", STR_ARG(ret->format));
		return EXIT_USAGE;
	}
	if ((o->given & OPT_UIDVALIDITY) == 0)
		return EXIT_OK;
	if (str_to_u32(o->uidvalidity, &ret->uidvalidity) == 0 && ret->uidvalidity != 0)
		return EXIT_OK;
	tell("--uidvalidity is a number, as doveadm mailbox status uidvalidity INBOX tells it");
	return EXIT_USAGE;
}

static int
convert(const struct options *o, const char *path, struct str text, struct buf *to)
{
	struct conversion c = { .path = path };
	struct uidl_file  f = { .bad = tell_bad, .arg = &c };
	int               r = read_options(o, &f), e;

	if (r != EXIT_OK)
		return r;
	e = uidl_file_convert(&f, text, to);
	if (e < 0)
		tell("%s: %s", path, error_row(e)->text);
	else if (c.n_bad != 0)
		tell("nothing was set");
	return e < 0 || c.n_bad != 0 ? EXIT_FAILED : EXIT_OK;
}

/* --- sending --- */

static int
finish(const json_t *reply, const char *path)
{
	json_t *bad;
	size_t  i = 0;
	int     r;

	json_array_foreach (json_object_get(reply, "bad"), i, bad)
		tell("%s, line %lld: %s", path,
		    (long long)json_integer_value(json_object_get(bad, "line")),
		    json_string_value(json_object_get(bad, "text")));
	if (i != 0) {
		tell("nothing was set");
		return EXIT_FAILED;
	}
	r = control_check(reply);
	if (r == EXIT_OK)
		printf("%lld UIDLs set\n",
		    (long long)json_integer_value(json_object_get(reply, "set")));
	return r;
}

static int
run(struct control *c, const char *address, const char *path, struct str lines)
{
	json_t *reply;
	int     r = control_send(c, json_pack("{s:s, s:s, s:I}", "op", "account-uidl", "address",
	            address, "size", (json_int_t)lines.n));

	if (r == EXIT_OK)
		r = control_send_bytes(c, lines);
	if (r == EXIT_OK)
		r = control_receive(c, &reply);
	if (r != EXIT_OK)
		return r;
	r = finish(reply, path);
	json_decref(reply);
	return r;
}

static int
send_lines(const struct options *o, struct arena *a, struct str lines)
{
	struct config  config;
	struct control control;
	int            r = options_config(o, a, &config);

	if (r == EXIT_OK)
		r = control_open(&config, &control);
	if (r == EXIT_OK) {
		r = run(&control, o->words[0], o->words[1], lines);
		control_close(&control);
	}
	return r;
}

int
cmd_uidl(const struct command *c, const struct options *o, struct arena *a)
{
	OWN_BUF struct buf made = BUF_INIT(FILE_MAX);
	struct str         text, lines;
	int                r = map_file(o->words[1], &text);

	(void)c;
	if (r != EXIT_OK)
		return r;
	lines = text;
	if (uidl_file_is_doveadm(text)) {
		r = convert(o, o->words[1], text, &made);
		lines = buf_view(&made);
	}
	if (r == EXIT_OK)
		r = send_lines(o, a, lines);
	if (text.n != 0)
		munmap((void *)(uintptr_t)text.p, text.n);
	return r;
}
