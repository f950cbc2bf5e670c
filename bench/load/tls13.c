/*
 * The client's handshake of TLS 1.3, full and without authentication. RFC 8446 s2, s4
 *
 *   HELLO --ServerHello--> PROTECTED --Finished--> OPEN
 *
 * HELLO takes records in the clear; PROTECTED those under the handshake keys, all but Finished
 * going into the transcript only; OPEN has the keys for data.
 */
#include "load/tls13.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/pack.h"
#include "load/tls13_keys.h"

enum { CONTENT_CCS = 20, CONTENT_ALERT = 21, CONTENT_HANDSHAKE = 22, CONTENT_DATA = 23 };
enum { SERVER_HELLO = 2, NEW_TICKET = 4, FINISHED = 20, CERTIFICATE_REQUEST = 13 };
enum { HELLO, PROTECTED, OPEN };
enum { MESSAGE_HEAD = 4, MESSAGES_MAX = 256 * 1024 };

struct tls13 {
	unsigned                 state;
	crypto_hash_sha256_state transcript;
	unsigned char            stage[SECRET]; /* the schedule's secret of now */
	unsigned char            client[SECRET], server[SECRET]; /* handshake traffic */
	struct tls13_half        in, out;
	struct buf               messages; /* what came of handshake messages and is not whole */
};

int
tls13_setup(void)
{
	int r = tls13_share_setup();

	return r < 0 ? r : tls13_keys_setup();
}

struct tls13 *
tls13_new(void)
{
	struct tls13 *t = MEM_NEW(struct tls13);

	if (t == NULL)
		return NULL;
	buf_init(&t->messages, MESSAGES_MAX);
	crypto_hash_sha256_init(&t->transcript);
	if (tls13_half_init(&t->in) < 0 || tls13_half_init(&t->out) < 0) {
		tls13_drop(t);
		return NULL;
	}
	return t;
}

void
tls13_drop(struct tls13 *t)
{
	tls13_half_done(&t->in);
	tls13_half_done(&t->out);
	buf_done(&t->messages);
	mem_free(t);
}

bool
tls13_is_open(const struct tls13 *t)
{
	return t->state == OPEN;
}

size_t
tls13_record_bytes(struct str s)
{
	if (s.n < TLS13_HEAD)
		return 0;
	return TLS13_HEAD + ((size_t)(unsigned char)s.p[3] << 8 | (unsigned char)s.p[4]);
}

static void
add_to_transcript(struct tls13 *t, struct str message)
{
	crypto_hash_sha256_update(&t->transcript, (const unsigned char *)message.p, message.n);
}

static void
transcript_hash(const struct tls13 *t, unsigned char ret[SECRET])
{
	crypto_hash_sha256_state copy = t->transcript;

	crypto_hash_sha256_final(&copy, ret);
}

/* --- ClientHello, RFC 8446 s4.1.2 --- */

static void
put_be16(struct buf *b, size_t v)
{
	buf_byte(b, (char)(v >> 8));
	buf_byte(b, (char)v);
}

/* supported_versions, signature_algorithms, psk_key_exchange_modes (for which servers make
 * tickets, as for other clients). */
static const unsigned char EXTENSIONS[] = {
	0, 43, 0, 3, 2, 3, 4,
	0, 13, 0, 14, 0, 12, 4, 3, 8, 4, 8, 5, 8, 6, 4, 1, 8, 7,
	0, 45, 0, 2, 1, 1,
};

int
tls13_start(struct tls13 *t, struct buf *out)
{
	unsigned char random[32];
	size_t        extensions = sizeof(EXTENSIONS) + TLS13_SHARES_BYTES;
	size_t        body = 2 + 32 + 1 + 4 + 2 + 2 + extensions, begin;

	randombytes_buf(random, sizeof(random));
	buf_put(out, "\x16\x03\x01", 3);
	put_be16(out, MESSAGE_HEAD + body);
	begin = out->n;
	buf_put(out, "\x01\x00", 2);
	put_be16(out, body);
	put_be16(out, 0x0303);
	buf_put(out, random, sizeof(random));
	buf_byte(out, 0);            /* no session id */
	put_be16(out, 2);
	put_be16(out, 0x1301);       /* TLS_AES_128_GCM_SHA256 */
	buf_put(out, "\x01\x00", 2); /* no compression */
	put_be16(out, extensions);
	buf_put(out, EXTENSIONS, sizeof(EXTENSIONS));
	tls13_put_shares(out);
	if (out->err != 0)
		return out->err;
	add_to_transcript(t, str_skip(buf_view(out), begin));
	return 0;
}

/* --- ServerHello, RFC 8446 s4.1.3 --- */

static size_t
take_be16(struct unpack *u)
{
	size_t high = unpack_u8(u);

	return high << 8 | unpack_u8(u);
}

/* The server's share; E_UNSUPPORTED for another choice than those offered. */
static int
find_share(struct str body, size_t *ret_group, struct str *ret)
{
	struct unpack u = unpack_of(body), value;
	struct str    share = STR_NONE;
	size_t        type, group = 0;
	bool          is_13 = false;

	(void)unpack_bytes(&u, 2 + 32);
	(void)unpack_bytes(&u, unpack_u8(&u));
	if (take_be16(&u) != 0x1301)
		return E_UNSUPPORTED;
	(void)unpack_u8(&u);
	(void)take_be16(&u);
	while (unpack_ok(&u) && u.left.n > 0) {
		type = take_be16(&u);
		value = unpack_of(unpack_bytes(&u, take_be16(&u)));
		if (type == 43)
			is_13 = take_be16(&value) == 0x0304;
		if (type == 51) {
			group = take_be16(&value);
			share = unpack_bytes(&value, take_be16(&value));
		}
	}
	if (!unpack_ok(&u))
		return E_SYNTAX;
	if (!is_13 || share.n == 0)
		return E_UNSUPPORTED; /* an older version, or HelloRetryRequest */
	*ret_group = group;
	*ret = share;
	return 0;
}

static int
take_server_hello(struct tls13 *t, struct str message)
{
	unsigned char shared[32], early[SECRET], hash[SECRET];
	struct str    share, context = str_of((const char *)hash, SECRET);
	size_t        group;
	int           r = find_share(str_skip(message, MESSAGE_HEAD), &group, &share);

	if (r == 0)
		r = tls13_shared(group, share, shared);
	if (r < 0)
		return r;
	add_to_transcript(t, message);
	transcript_hash(t, hash);
	tls13_next_secret(NULL, NULL, early);
	tls13_next_secret(early, shared, t->stage);
	tls13_expand(t->stage, "c hs traffic", context, t->client, SECRET);
	tls13_expand(t->stage, "s hs traffic", context, t->server, SECRET);
	t->state = PROTECTED;
	r = tls13_half_key(&t->in, t->server, false);
	return r < 0 ? r : tls13_half_key(&t->out, t->client, true);
}

/* --- Finished, RFC 8446 s4.4.4 --- */

static int
put_record(struct tls13 *t, unsigned char type, struct str text, struct buf *out)
{
	char   head[TLS13_HEAD] = { CONTENT_DATA, 3, 3 }, plain[TLS13_DATA_MAX + 1];
	size_t n = text.n + 1 + TAG;
	char  *to;

	head[3] = (char)(n >> 8);
	head[4] = (char)n;
	buf_put(out, head, sizeof(head));
	to = buf_grow(out, n);
	if (to == NULL)
		return out->err;
	memcpy(plain, text.p, text.n);
	plain[text.n] = (char)type;
	return tls13_seal(&t->out, str_of(head, sizeof(head)), str_of(plain, text.n + 1), to);
}

static int
put_finished(struct tls13 *t, const unsigned char hash[SECRET], struct buf *out)
{
	unsigned char message[MESSAGE_HEAD + SECRET] = { FINISHED, 0, 0, SECRET };

	tls13_finished(t->client, hash, message + MESSAGE_HEAD);
	return put_record(
	    t, CONTENT_HANDSHAKE, str_of((const char *)message, sizeof(message)), out);
}

static int
take_finished(struct tls13 *t, struct str message, struct buf *out)
{
	unsigned char hash[SECRET], wanted[SECRET], master[SECRET], secret[SECRET];
	struct str    context = str_of((const char *)hash, SECRET);
	int           r;

	transcript_hash(t, hash);
	tls13_finished(t->server, hash, wanted);
	if (!str_eq(str_skip(message, MESSAGE_HEAD), str_of((const char *)wanted, SECRET)))
		return E_CORRUPT;
	add_to_transcript(t, message);
	transcript_hash(t, hash);
	r = put_finished(t, hash, out);
	if (r < 0)
		return r;
	tls13_next_secret(t->stage, NULL, master);
	tls13_expand(master, "s ap traffic", context, secret, SECRET);
	r = tls13_half_key(&t->in, secret, false);
	tls13_expand(master, "c ap traffic", context, secret, SECRET);
	t->state = OPEN;
	return r < 0 ? r : tls13_half_key(&t->out, secret, true);
}

/* --- records --- */

static int
take_message(struct tls13 *t, struct str message, struct buf *out)
{
	unsigned char type = (unsigned char)message.p[0];

	if (t->state == OPEN)
		return type == NEW_TICKET ? 0 : E_UNSUPPORTED;
	if (t->state == HELLO)
		return type == SERVER_HELLO ? take_server_hello(t, message) : E_SYNTAX;
	if (type == FINISHED)
		return take_finished(t, message, out);
	if (type == CERTIFICATE_REQUEST)
		return E_UNSUPPORTED;
	add_to_transcript(t, message);
	return 0;
}

/* Messages may share a record or span some. RFC 8446 s5.1 */
static int
take_messages(struct tls13 *t, struct str bytes, struct buf *out)
{
	const unsigned char *p;
	size_t               n;
	int                  r = 0;

	buf_str(&t->messages, bytes);
	while (t->messages.err == 0 && r == 0 && t->messages.n >= MESSAGE_HEAD) {
		p = (const unsigned char *)t->messages.p;
		n = MESSAGE_HEAD + ((size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]);
		if (t->messages.n < n)
			break;
		r = take_message(t, str_head(buf_view(&t->messages), n), out);
		buf_consume(&t->messages, n);
	}
	if (t->messages.n == 0)
		buf_done(&t->messages); /* an idle connection keeps none */
	return r < 0 ? r : t->messages.err;
}

int
tls13_take(struct tls13 *t, struct str record, struct buf *out, char *to, size_t *ret)
{
	struct str    head = str_head(record, TLS13_HEAD), text = str_skip(record, TLS13_HEAD);
	unsigned char type = (unsigned char)record.p[0];
	int           r;

	*ret = 0;
	if (type == CONTENT_CCS)
		return 0; /* for middle boxes. RFC 8446 s5 */
	if (type == CONTENT_DATA && t->state != HELLO) {
		if (text.n <= TAG)
			return E_SYNTAX;
		r = tls13_unseal(&t->in, head, text, to);
		if (r < 0)
			return r;
		text = str_of(to, text.n - TAG);
		while (text.n > 0 && text.p[text.n - 1] == 0)
			text.n--; /* padding */
		if (text.n == 0)
			return E_SYNTAX;
		type = (unsigned char)text.p[--text.n];
	} else if (t->state != HELLO) {
		return E_SYNTAX;
	}
	if (type == CONTENT_HANDSHAKE)
		return take_messages(t, text, out);
	if (type == CONTENT_ALERT)
		return E_CLOSED;
	if (type != CONTENT_DATA || t->state != OPEN)
		return E_SYNTAX;
	*ret = text.n;
	return 0;
}

int
tls13_put(struct tls13 *t, struct str data, struct buf *out)
{
	struct str piece;
	int        r = 0;

	for (; data.n > 0 && r == 0; data = str_skip(data, piece.n)) {
		piece = str_head(data, TLS13_DATA_MAX);
		r = put_record(t, CONTENT_DATA, piece, out);
	}
	return r;
}
