/* account uidl: a file of UIDLs and Message-IDs, sent as it is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "main/commands.h"
#include "main/control.h"

enum { PIECE = 64 << 10 };

/* A regular file; its size. */
static int
open_file(const char *path, int *ret_fd, uint64_t *ret_size)
{
	struct stat st;
	int         fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0) {
		tell("cannot read %s: %s", path, strerrordesc_np(errno));
		if (fd >= 0)
			close(fd);
		return EXIT_FAILED;
	}
	if (!S_ISREG(st.st_mode)) {
		tell("%s is not a file", path);
		close(fd);
		return EXIT_FAILED;
	}
	*ret_fd = fd;
	*ret_size = (uint64_t)st.st_size;
	return EXIT_OK;
}

static int
send_file(struct control *c, const char *path, int fd, uint64_t left)
{
	char piece[PIECE];
	int  r = EXIT_OK;

	while (r == EXIT_OK && left > 0) {
		ssize_t n = read(fd, piece, left < PIECE ? (size_t)left : PIECE);

		if (n <= 0) {
			tell("cannot read all of %s: %s", path,
			    n < 0 ? strerrordesc_np(errno) : "it became shorter");
			return EXIT_FAILED;
		}
		r = control_send_bytes(c, str_of(piece, (size_t)n));
		left -= (uint64_t)n;
	}
	return r;
}

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
run(struct control *c, const char *address, const char *path, int fd, uint64_t size)
{
	json_t *reply;
	int     r = control_send(c, json_pack("{s:s, s:s, s:I}", "op", "account-uidl", "address",
	            address, "size", (json_int_t)size));

	if (r == EXIT_OK)
		r = send_file(c, path, fd, size);
	if (r == EXIT_OK)
		r = control_receive(c, &reply);
	if (r != EXIT_OK)
		return r;
	r = finish(reply, path);
	json_decref(reply);
	return r;
}

int
cmd_uidl(const struct command *c, const struct options *o, struct arena *a)
{
	struct config  config;
	struct control control;
	uint64_t       size;
	int            fd, r = open_file(o->words[1], &fd, &size);

	(void)c;
	if (r != EXIT_OK)
		return r;
	r = options_config(o, a, &config);
	if (r == EXIT_OK)
		r = control_open(&config, &control);
	if (r == EXIT_OK) {
		r = run(&control, o->words[0], o->words[1], fd, size);
		control_close(&control);
	}
	close(fd);
	return r;
}
