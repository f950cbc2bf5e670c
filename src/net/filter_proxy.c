/*
 * The PROXY protocol, version 2: a header of binary bytes before all others that names the real
 * client. (HAProxy, "The PROXY protocol", section 2.2)
 *
 *   0   12   signature
 *   12   1   0x20 LOCAL: the proxy speaks for itself; 0x21 PROXY
 *   13   1   family and transport: 0x11 TCP over IPv4, 0x21 TCP over IPv6, 0x31 unix; 0x00 none
 *   14   2   bytes that follow, big-endian: addresses, then extensions, which are skipped
 *
 * Exactly the header is taken from below, so what follows may be TLS.
 */
#include <arpa/inet.h>

#include "base/error.h"
#include "base/mem.h"
#include "net/filter.h"

enum { HEAD_BYTES = 16, V4_BYTES = 12, V6_BYTES = 36, UNIX_BYTES = 216 };

struct filter_proxy {
	struct filter   filter;
	uint8_t         head[HEAD_BYTES + V6_BYTES]; /* what is parsed; the rest is skipped */
	size_t          got;
	bool            named;
	struct net_addr peer, local;
};

static const uint8_t SIGNATURE[12] = "\r\n\r\n\0\r\nQUIT\n";

static struct filter_proxy *
proxy_of(struct filter *f)
{
	return CONTAINER_OF(f, struct filter_proxy, filter);
}

/* Reads until the header has `until` bytes. */
static int
read_until(struct filter_proxy *x, size_t until)
{
	struct filter *below = x->filter.below;
	char           skip[256];

	while (x->got < until) {
		size_t  want = until - x->got;
		char   *to = skip;
		ssize_t n;

		if (x->got < sizeof(x->head)) {
			to = (char *)x->head + x->got;
			if (want > sizeof(x->head) - x->got)
				want = sizeof(x->head) - x->got;
		} else if (want > sizeof(skip)) {
			want = sizeof(skip);
		}
		n = below->type->read(below, to, want);
		if (n <= 0)
			return n == 0 ? E_CLOSED : (int)n;
		x->got += (size_t)n;
	}
	return 0;
}

static struct net_addr
addr_at(uint8_t family, const uint8_t *ip, const uint8_t *port)
{
	struct net_addr a = { .family = family, .port = (uint16_t)(port[0] << 8 | port[1]) };

	memcpy(a.ip, ip, family == AF_INET ? 4 : 16);
	net_addr_unmap(&a);
	return a;
}

static int
take_addresses(struct filter_proxy *x, size_t n)
{
	const uint8_t *p = x->head + HEAD_BYTES;

	switch (x->head[13]) {
	case 0x11:
		if (n < V4_BYTES)
			return E_SYNTAX;
		x->peer = addr_at(AF_INET, p, p + 8);
		x->local = addr_at(AF_INET, p + 4, p + 10);
		break;
	case 0x21:
		if (n < V6_BYTES)
			return E_SYNTAX;
		x->peer = addr_at(AF_INET6, p, p + 32);
		x->local = addr_at(AF_INET6, p + 16, p + 34);
		break;
	case 0x31:
		if (n < UNIX_BYTES)
			return E_SYNTAX;
		x->peer.family = x->local.family = AF_UNIX;
		break;
	case 0x00:
		return 0;
	default:
		return E_SYNTAX;
	}
	x->named = true;
	return 0;
}

static int
proxy_start(struct filter *f)
{
	struct filter_proxy *x = proxy_of(f);
	size_t               n;
	int                  r;

	r = read_until(x, HEAD_BYTES);
	if (r < 0)
		return r;
	if (memcmp(x->head, SIGNATURE, sizeof(SIGNATURE)) != 0 || x->head[12] >> 4 != 2 ||
	    (x->head[12] & 15) > 1)
		return E_SYNTAX;
	n = (size_t)x->head[14] << 8 | x->head[15];
	r = read_until(x, HEAD_BYTES + n);
	if (r < 0)
		return r;
	return (x->head[12] & 15) == 1 ? take_addresses(x, n) : 0;
}

static void
proxy_drop(struct filter *f)
{
	mem_free(proxy_of(f));
}

static const struct filter_type PROXY = {
	.name = "proxy",
	.start = proxy_start,
	.drop = proxy_drop,
};

int
filter_proxy_new(struct filter *below, struct filter **ret)
{
	struct filter_proxy *x = MEM_NEW(struct filter_proxy);

	if (x == NULL)
		return E_NOMEM;
	x->filter = (struct filter){ .type = &PROXY, .below = below };
	*ret = &x->filter;
	return 0;
}

bool
filter_proxy_result(struct filter *f, struct net_addr *ret_peer, struct net_addr *ret_local)
{
	struct filter_proxy *x = proxy_of(f);

	if (!x->named)
		return false;
	*ret_peer = x->peer;
	*ret_local = x->local;
	return true;
}
