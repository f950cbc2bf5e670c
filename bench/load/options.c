/* The command line. */
#include <netdb.h>
#include <stdio.h>

#include "base/error.h"
#include "load/load.h"

enum kind { K_STRING, K_UNSIGNED, K_NUMBER, K_SECONDS, K_FLAG, K_WHERE };

struct option_row {
	const char *name;
	enum kind   kind;
	size_t      at;
};

#define AT(member) offsetof(struct load_options, member)
static const struct option_row ROWS[] = {
	{ "--user-format", K_STRING, AT(user_format) },
	{ "--password", K_STRING, AT(password) },
	{ "--mailbox", K_STRING, AT(mailbox) },
	{ "--messages", K_STRING, AT(messages) },
	{ "--text", K_STRING, AT(text) },
	{ "--connections", K_UNSIGNED, AT(connections) },
	{ "--threads", K_UNSIGNED, AT(threads) },
	{ "--accounts", K_UNSIGNED, AT(accounts) },
	{ "--first-account", K_UNSIGNED, AT(first_account) },
	{ "--recipients", K_UNSIGNED, AT(recipients) },
	{ "--rate", K_UNSIGNED, AT(rate) },
	{ "--count", K_NUMBER, AT(count) },
	{ "--size", K_NUMBER, AT(size) },
	{ "--expect", K_NUMBER, AT(expect) },
	{ "--hits", K_NUMBER, AT(hits) },
	{ "--seconds", K_SECONDS, AT(seconds) },
	{ "--warm-up", K_SECONDS, AT(warm_up) },
	{ "--patience", K_SECONDS, AT(patience) },
	{ "--tls", K_FLAG, AT(tls) },
	{ "--starttls", K_FLAG, AT(starttls) },
	{ "--resume", K_FLAG, AT(resume) },
	{ "--openssl", K_FLAG, AT(openssl) },
	{ "--any-body", K_FLAG, AT(any_body) },
	{ "--no-pipelining", K_FLAG, AT(no_pipelining) },
	{ "--lmtp", K_WHERE, AT(lmtp) },
	{ "--deliver", K_WHERE, AT(lmtp) },
	{ "--imap", K_WHERE, AT(imap) },
	{ "--pop3", K_WHERE, AT(pop3) },
};

static int
resolve(const char *host, const char *port, struct endpoint *ret)
{
	struct addrinfo  hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct addrinfo *found;

	if (getaddrinfo(host, port, &hints, &found) != 0)
		return E_PARAM;
	memcpy(&ret->addr, found->ai_addr, found->ai_addrlen);
	ret->addr_n = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

/* "HOST:PORT" or "PORT". */
static int
parse_where(const char *text, struct endpoint *ret)
{
	const char *colon = strrchr(text, ':');
	char        host[256];

	if (colon == NULL)
		return resolve("127.0.0.1", text, ret);
	if ((size_t)(colon - text) >= sizeof(host))
		return E_PARAM;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	return resolve(host, colon + 1, ret);
}

static int
parse_seconds(const char *text, double *ret)
{
	char  *end;
	double v = strtod(text, &end);

	if (*end != '\0' || end == text || !(v >= 0 && v <= 1e6))
		return E_PARAM;
	*ret = v;
	return 0;
}

static int
set_value(void *to, enum kind kind, const char *text)
{
	uint32_t small;
	int      r;

	switch (kind) {
	case K_STRING:
		*(const char **)to = text;
		return 0;
	case K_UNSIGNED:
		r = str_to_u32(str_c(text), &small);
		if (r == 0)
			*(unsigned *)to = small;
		return r;
	case K_NUMBER:
		return str_to_u64(str_c(text), to);
	case K_SECONDS:
		return parse_seconds(text, to);
	case K_WHERE:
		return parse_where(text, to);
	case K_FLAG:
		*(bool *)to = true;
		return 0;
	}
	return E_PARAM;
}

static const struct option_row *
find_row(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(ROWS); i++)
		if (strcmp(ROWS[i].name, name) == 0)
			return &ROWS[i];
	return NULL;
}

static int
finish(struct load_options *o, const char *host, const char *port)
{
	if (port == NULL || resolve(host, port, &o->main) < 0) {
		fprintf(stderr, "bench-load: --port is needed\n");
		return E_PARAM;
	}
	o->main.tls = o->tls;
	o->main.starttls = o->starttls;
	o->pop3.tls = o->tls;
	if (o->connections == 0 || o->threads == 0 || o->accounts == 0 || o->recipients == 0)
		return E_PARAM;
	if (o->threads > o->connections)
		o->threads = o->connections;
	return 0;
}

int
options_parse(struct load_options *o, int argc, char **argv)
{
	const char *host = "127.0.0.1", *port = NULL;

	*o = (struct load_options){ .user_format = "user%d@bench.test", .password = "secret",
		.mailbox = "INBOX", .connections = 1, .threads = 1, .accounts = 100,
		.first_account = 1, .recipients = 1, .size = 4096, .seconds = 5, .patience = 40 };
	for (int i = 1; i < argc; i++) {
		const struct option_row *row = find_row(argv[i]);
		bool                     is_host = strcmp(argv[i], "--host") == 0;
		const char              *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (row != NULL && row->kind == K_FLAG) {
			set_value((char *)o + row->at, K_FLAG, NULL);
			continue;
		}
		i++;
		if (value != NULL && (is_host || strcmp(argv[i - 1], "--port") == 0))
			*(is_host ? &host : &port) = value;
		else if (row == NULL || value == NULL ||
			 set_value((char *)o + row->at, row->kind, value) < 0) {
			fprintf(stderr, "bench-load: bad option %s\n", argv[i - 1]);
			return E_PARAM;
		}
		o->has_expect |= row != NULL && row->at == AT(expect);
		o->has_hits |= row != NULL && row->at == AT(hits);
	}
	return finish(o, host, port);
}
