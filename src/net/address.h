/*
 * net/address.h: an address of one end of a connection, as a plain value.
 *
 * Shape    IPv4 in ip[0..3], IPv6 in ip[0..15]; an IPv4 address that came mapped into IPv6 is
 *          kept as IPv4. A unix socket has no address.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <sys/socket.h>

#include "base/buf.h"

enum { NET_ADDR_TEXT_MAX = 46, NET_ADDR_KEY_MAX = 9 };

struct net_addr {
	uint8_t  family; /* AF_INET, AF_INET6, AF_UNIX; 0: not known */
	uint16_t port;
	uint8_t  ip[16];
};

void net_addr_of_sock(const struct sockaddr_storage *, struct net_addr *ret);
/* "192.0.2.1", "::1", "unix"; at most NET_ADDR_TEXT_MAX bytes with the NUL. */
void net_addr_text(const struct net_addr *, char to[NET_ADDR_TEXT_MAX]);
/* IPv4 mapped into IPv6 becomes IPv4. */
void net_addr_unmap(struct net_addr *);
bool net_addr_is_loopback(const struct net_addr *);
bool net_addr_same_host(const struct net_addr *, const struct net_addr *);
/* Who is counted as one by the limit: an IPv4 address, or an IPv6 /64. */
struct str net_addr_key(const struct net_addr *, char to[NET_ADDR_KEY_MAX]);

/* "127.0.0.1:25", "[::1]:25", "*:25" (both families); numbers only. E_SYNTAX. */
int net_addr_parse(struct str, struct sockaddr_storage *ret, socklen_t *ret_n, bool *ret_both);

#endif
