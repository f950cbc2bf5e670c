#include "main/control.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "main/options.h"
#include "serve/admin/admin.h"

enum { READ_ROOM = 64 << 10, IN_MAX = 64 << 20, IN_USE_TRIES = 50, IN_USE_PAUSE_US = 100000 };

/* The running server's socket, or -1. */
static int
connect_server(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int                fd;

	if (strlen(path) >= sizeof(to.sun_path))
		return -1;
	memcpy(to.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Opens the store in this process and talks to a session of our own. */
static int
open_here(const struct config *config, struct control *c)
{
	struct config small = *config;
	int           ends[2], r;

	small.workers = 2;
	log_setup(
	    LOG_ERROR, LOG_FORMAT_TEXT, STDERR_FILENO); /* the command itself tells the rest */
	r = engine_open(&small, true, &c->engine);
	if (r != EXIT_OK)
		return r;
	c->has_engine = true;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
		tell("cannot make a socket: %s", strerrordesc_np(errno));
		return EXIT_FAILED;
	}
	c->fd = ends[0];
	r = net_start(c->engine.net);
	if (r == 0)
		r = net_adopt(c->engine.net, ends[1], &ADMIN_SESSION, &c->engine.server);
	else
		close(ends[1]);
	if (r == 0)
		return EXIT_OK;
	tell("cannot start: %s", error_row(r)->text);
	return EXIT_FAILED;
}

int
control_open(const struct config *config, struct control *c)
{
	OWN_ARENA struct arena a = ARENA_INIT(1 << 16);
	const char            *path = engine_path(config, "control.sock", &a);
	int                    r = EXIT_FAILED;

	*c = (struct control){ .fd = -1, .in = BUF_INIT(IN_MAX) };
	/* A server that is starting holds the store before it listens; one that ends still holds it
	 * after. */
	for (int i = 0; path != NULL && i < IN_USE_TRIES; i++) {
		c->fd = connect_server(path);
		r = c->fd >= 0 ? EXIT_OK : open_here(config, c);
		if (r != EXIT_DATA_IN_USE)
			break;
		usleep(IN_USE_PAUSE_US);
	}
	if (r == EXIT_DATA_IN_USE)
		tell("another process uses the data folder %.*s and does not answer on its control "
		     "socket: wait for it or stop it",
		    STR_ARG(config->data));
	if (r != EXIT_OK)
		control_close(c);
	return r;
}

void
control_close(struct control *c)
{
	if (c->fd >= 0)
		close(c->fd);
	buf_done(&c->in);
	if (c->has_engine) {
		net_stop(c->engine.net);
		engine_close(&c->engine);
	}
	*c = (struct control){ .fd = -1 };
}

static int
lost(void)
{
	tell("the server closed the control connection: look at its log");
	return EXIT_FAILED;
}

int
control_send_bytes(struct control *c, struct str bytes)
{
	while (bytes.n > 0) {
		ssize_t n = send(c->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return lost();
		bytes = str_skip(bytes, (size_t)n);
	}
	return EXIT_OK;
}

int
control_send(struct control *c, json_t *request)
{
	OWN_BUF struct buf line = BUF_INIT(ADMIN_LINE_MAX);

	if (request == NULL ||
	    json_dump_callback(request, admin_put_json, &line, JSON_COMPACT) != 0)
		line.err = E_NOMEM;
	json_decref(request);
	buf_byte(&line, '\n');
	if (line.err < 0) {
		tell("%s", error_row(line.err)->text);
		return EXIT_FAILED;
	}
	return control_send_bytes(c, buf_view(&line));
}

static int
fill(struct control *c)
{
	char   *to = buf_room(&c->in, READ_ROOM);
	ssize_t n;

	do
		n = to != NULL ? recv(c->fd, to, READ_ROOM, 0) : 0;
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return lost();
	buf_commit(&c->in, (size_t)n);
	return EXIT_OK;
}

int
control_receive(struct control *c, json_t **ret)
{
	size_t scanned = 0, n;

	while (
	    (n = scanned + str_find_byte(str_skip(buf_view(&c->in), scanned), '\n')) == c->in.n) {
		scanned = c->in.n;
		if (fill(c) != EXIT_OK)
			return EXIT_FAILED;
	}
	*ret = json_loadb(c->in.p, n, 0, NULL);
	buf_consume(&c->in, n + 1);
	if (*ret != NULL)
		return EXIT_OK;
	tell("the server's answer cannot be read: is it of another version?");
	return EXIT_FAILED;
}

int
control_receive_bytes(struct control *c, uint64_t n, int (*fn)(void *arg, struct str), void *arg)
{
	while (n > 0) {
		struct str have;

		if (c->in.n == 0 && fill(c) != EXIT_OK)
			return EXIT_FAILED;
		have = str_head(buf_view(&c->in), n < c->in.n ? (size_t)n : c->in.n);
		if (fn(arg, have) != EXIT_OK)
			return EXIT_FAILED;
		n -= have.n;
		buf_consume(&c->in, have.n);
	}
	return EXIT_OK;
}

int
control_check(const json_t *reply)
{
	const char *about = json_string_value(json_object_get(reply, "about"));
	const char *text = json_string_value(json_object_get(reply, "text"));

	if (json_is_true(json_object_get(reply, "ok")))
		return EXIT_OK;
	tell("%s%s%s", about != NULL ? about : "", about != NULL && about[0] != '\0' ? ": " : "",
	    text != NULL ? text : "failed");
	return EXIT_FAILED;
}

int
control_call(struct control *c, json_t *request, json_t **ret_reply)
{
	json_t *reply;
	int     r = control_send(c, request);

	if (r == EXIT_OK)
		r = control_receive(c, &reply);
	if (r != EXIT_OK)
		return r;
	r = control_check(reply);
	if (r == EXIT_OK && ret_reply != NULL)
		*ret_reply = reply;
	else
		json_decref(reply);
	return r;
}
