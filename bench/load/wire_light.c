/* TLS of a wire by tls13.h. */
#include <errno.h>
#include <sys/epoll.h>

#include "base/error.h"
#include "base/mem.h"
#include "load/tls13.h"
#include "load/wire_tls.h"

enum { RAW_BYTES = 64 * 1024, SEALED_MAX = 128 * 1024 * 1024 };

struct light {
	struct tls13 *tls;
	char         *raw;    /* records as they came */
	size_t        at, end;
	struct buf    sealed; /* records to send */
};

void
wire_light_close(struct wire *w)
{
	struct light *l = w->light;

	if (l == NULL)
		return;
	if (l->tls != NULL)
		tls13_drop(l->tls);
	buf_done(&l->sealed);
	mem_free(l->raw);
	mem_free(l);
	w->light = NULL;
}

static int
send_sealed(struct wire *w)
{
	struct light *l = w->light;
	int           r = l->sealed.err;

	if (r == 0)
		r = wire_send_all(w, buf_view(&l->sealed));
	buf_reset(&l->sealed);
	return r;
}

/* More records into raw; 0 to look again. */
static int
receive(struct wire *w)
{
	struct light *l = w->light;
	ssize_t       got;

	if (l->at > 0) {
		memmove(l->raw, l->raw + l->at, l->end - l->at);
		l->end -= l->at;
		l->at = 0;
	}
	got = wire_recv(w, l->raw + l->end, RAW_BYTES - l->end);
	if (got > 0) {
		l->end += (size_t)got;
		return 0;
	}
	if (got == 0 || errno != EAGAIN)
		return E_CLOSED;
	return waiter_wait(&w->waiter, EPOLLIN, wire_patience(w));
}

int
wire_light_read(struct wire *w, char *to)
{
	struct light *l = w->light;
	struct str    view = str_of(l->raw + l->at, l->end - l->at);
	size_t        n = tls13_record_bytes(view), got;
	int           r;

	if (n > TLS13_RECORD_MAX)
		return E_SYNTAX;
	if (n == 0 || view.n < n)
		return receive(w);
	r = tls13_take(l->tls, str_head(view, n), &l->sealed, to, &got);
	l->at += n;
	if (r == 0 && l->sealed.n > 0)
		r = send_sealed(w);
	return r < 0 ? r : (int)got;
}

int
wire_light_start(struct wire *w)
{
	struct light *l = MEM_NEW(struct light);
	int           r;

	if (l == NULL)
		return E_NOMEM;
	w->light = l;
	buf_init(&l->sealed, SEALED_MAX);
	l->tls = tls13_new();
	l->raw = mem_alloc(RAW_BYTES);
	if (l->tls == NULL || l->raw == NULL)
		return E_NOMEM;
	r = tls13_start(l->tls, &l->sealed);
	if (r == 0)
		r = send_sealed(w);
	while (r == 0 && !tls13_is_open(l->tls))
		r = wire_light_read(w, w->in); /* no data comes before it is open */
	return r;
}

int
wire_light_send(struct wire *w, struct str bytes)
{
	int r = tls13_put(w->light->tls, bytes, &w->light->sealed);

	return r < 0 ? r : send_sealed(w);
}
