#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/error.h"

static const uint8_t MAPPED[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

void
net_addr_unmap(struct net_addr *a)
{
	if (a->family != AF_INET6 || memcmp(a->ip, MAPPED, sizeof(MAPPED)) != 0)
		return;
	a->family = AF_INET;
	memmove(a->ip, a->ip + 12, 4);
	memset(a->ip + 4, 0, 12);
}

void
net_addr_of_sock(const struct sockaddr_storage *ss, struct net_addr *ret)
{
	const struct sockaddr_in  *in4 = (const void *)ss;
	const struct sockaddr_in6 *in6 = (const void *)ss;

	*ret = (struct net_addr){ .family = (uint8_t)ss->ss_family };
	if (ss->ss_family == AF_INET) {
		memcpy(ret->ip, &in4->sin_addr, 4);
		ret->port = ntohs(in4->sin_port);
	} else if (ss->ss_family == AF_INET6) {
		ret->port = ntohs(in6->sin6_port);
		memcpy(ret->ip, &in6->sin6_addr, 16);
		net_addr_unmap(ret);
	}
}

void
net_addr_text(const struct net_addr *a, char to[NET_ADDR_TEXT_MAX])
{
	const char *word = a->family == AF_UNIX ? "unix" : "unknown";

	if (a->family != AF_INET && a->family != AF_INET6)
		memcpy(to, word, strlen(word) + 1);
	else if (inet_ntop(a->family, a->ip, to, NET_ADDR_TEXT_MAX) == NULL)
		to[0] = '\0';
}

bool
net_addr_is_loopback(const struct net_addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (a->family == AF_INET)
		return a->ip[0] == 127;
	return a->family == AF_INET6 && memcmp(a->ip, one, 16) == 0;
}

bool
net_addr_same_host(const struct net_addr *a, const struct net_addr *b)
{
	if (a->family == AF_UNIX)
		return true;
	if (net_addr_is_loopback(a))
		return true;
	return a->family != 0 && a->family == b->family && memcmp(a->ip, b->ip, 16) == 0;
}

struct str
net_addr_key(const struct net_addr *a, char to[NET_ADDR_KEY_MAX])
{
	size_t n = a->family == AF_INET ? 4 : 8;

	to[0] = (char)a->family;
	memcpy(to + 1, a->ip, n);
	return str_of(to, n + 1);
}

static int
parse_host(struct str host, uint16_t port, struct sockaddr_storage *ss, socklen_t *n)
{
	struct sockaddr_in  *in4 = (void *)ss;
	struct sockaddr_in6 *in6 = (void *)ss;
	char                 text[NET_ADDR_TEXT_MAX];

	if (host.n == 0 || host.n >= sizeof(text))
		return E_SYNTAX;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	*ss = (struct sockaddr_storage){ 0 };
	if (inet_pton(AF_INET, text, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(port);
		*n = sizeof(*in4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		*n = sizeof(*in6);
		return 0;
	}
	return E_SYNTAX;
}

int
net_addr_parse(struct str s, struct sockaddr_storage *ret, socklen_t *ret_n, bool *ret_both)
{
	size_t                  colon = str_rfind_byte(s, ':');
	struct str              host = str_head(s, colon);
	struct sockaddr_storage ss;
	socklen_t               n;
	uint32_t                port;
	bool                    both = str_eq(host, STR("*"));

	if (colon == s.n || str_to_u32(str_skip(s, colon + 1), &port) < 0 || port > 65535)
		return E_SYNTAX;
	if (both)
		host = STR("::");
	else if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = str_of(host.p + 1, host.n - 2);
	else if (str_find_byte(host, ':') != host.n)
		return E_SYNTAX; /* IPv6 needs its brackets, or the port is a guess */
	if (parse_host(host, (uint16_t)port, &ss, &n) < 0)
		return E_SYNTAX;
	*ret = ss;
	*ret_n = n;
	*ret_both = both;
	return 0;
}
