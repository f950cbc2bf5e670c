/* SCRAM, RFC 5802 s5 to s7, RFC 7677: one step function for its four names. */
#include <sodium.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/own.h"
#include "codec/base64.h"
#include "codec/utf8.h"
#include "proto/sasl_mechanism.h"

enum { SAID_MAX = 2048, MESSAGE_MAX = SASL_SECRET_MAX + SAID_MAX };

/*
 *   FIRST -- client-first --> SALT -- give_salt: server-first --> FINAL -- client-final --> KEYS
 *   KEYS -- give_keys: server-final --> LAST -- empty response --> SASL_PROVED
 */
enum scram_state { FIRST, SALT, FINAL, KEYS, LAST };

/* The slices point into the exchange's secret, which does not move. */
struct sasl_scram {
	enum scram_state state;
	struct str       header;  /* gs2-header */
	struct str       bare;    /* client-first-message-bare */
	struct str       nonce;   /* the client's */
	struct str       binding; /* name of the channel binding */
	struct buf       user;
	struct buf       bound;   /* what the client has to say as "c=" */
	struct buf       message; /* AuthMessage, as it grows; the whole nonce is in it */
	struct buf       said;    /* the challenge */
	struct str       whole_nonce;
	unsigned char    proof[SCRAM_KEY_MAX];
};

static struct sasl_scram *
scram_new(void)
{
	struct sasl_scram *x = MEM_NEW(struct sasl_scram);

	if (x == NULL)
		return NULL;
	buf_init(&x->user, 3 * SASL_NAME_MAX);
	buf_init(&x->bound, SASL_SECRET_MAX + SASL_BINDING_MAX);
	buf_init(&x->message, MESSAGE_MAX);
	buf_init(&x->said, SAID_MAX);
	return x;
}

void
sasl_scram_drop(struct sasl_scram *x)
{
	if (x == NULL)
		return;
	buf_done(&x->user);
	buf_done(&x->bound);
	buf_done(&x->message);
	buf_done(&x->said);
	sodium_memzero(x->proof, sizeof(x->proof));
	mem_free(x);
}

/* --- parsing --- */

/* "n=" and the like at the start of what is left, up to the next comma. RFC 5802 s5.1 */
static int
attribute(struct str *left, char name, struct str *ret)
{
	struct str one = str_cut(left, ',');

	if (one.n < 3 || one.p[0] != name || one.p[1] != '=')
		return E_SYNTAX;
	*ret = str_skip(one, 2);
	return 0;
}

/* saslname: "=2C" is a comma, "=3D" an equals sign, nothing else stands behind one. */
static int
decode_name(struct str s, struct buf *to)
{
	if (!utf8_valid(s) || str_find_byte(s, '\0') != s.n)
		return E_SYNTAX;
	for (size_t i = 0; i < s.n; i++) {
		struct str three = str_head(str_skip(s, i), 3);

		if (s.p[i] != '=') {
			buf_byte(to, s.p[i]);
			continue;
		}
		if (str_eq(three, STR("=2C")))
			buf_byte(to, ',');
		else if (str_eq(three, STR("=3D")))
			buf_byte(to, '=');
		else
			return E_SYNTAX;
		i += 2;
	}
	if (to->err < 0)
		return to->err;
	return to->n > SASL_NAME_MAX ? E_LIMIT : 0;
}

static bool
is_nonce(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e || s.p[i] == ',')
			return false;
	return s.n != 0 && s.n <= SASL_NONCE_MAX;
}

/* Is the channel bound as the mechanism's name says, and was nobody told that we cannot?
 * RFC 5802 s6 */
static int
check_flag(const struct sasl *s, struct str flag, struct str *ret_binding)
{
	bool plus = (s->mechanism->needs & SASL_BINDING) != 0;

	*ret_binding = STR_NONE;
	if (flag.n > 2 && flag.p[0] == 'p' && flag.p[1] == '=') {
		*ret_binding = str_skip(flag, 2);
		return plus ? 0 : E_AUTH_FAILED;
	}
	if (str_eq(flag, STR("n")))
		return plus ? E_AUTH_FAILED : 0;
	if (str_eq(flag, STR("y")))
		return plus || (s->offers & SASL_BINDING) != 0 ? E_AUTH_FAILED : 0;
	return E_SYNTAX;
}

/* [a=authzid]: acting for somebody else is not offered. */
static int
check_authzid(struct str authzid, struct str user)
{
	OWN_BUF struct buf name = BUF_INIT(3 * SASL_NAME_MAX);
	int                r;

	if (authzid.n == 0)
		return 0;
	if (!str_starts(authzid, STR("a=")))
		return E_SYNTAX;
	r = decode_name(str_skip(authzid, 2), &name);
	if (r < 0)
		return r;
	return str_ieq(buf_view(&name), user) ? 0 : E_AUTH_FAILED;
}

/* gs2-header, then n=, r= and extensions, of which the mandatory "m=" is unknown by design. */
static int
parse_first(struct sasl *s, struct sasl_scram *x, struct str text)
{
	struct str left = text, flag, authzid, name;
	int        r;

	flag = str_cut(&left, ',');
	authzid = str_cut(&left, ',');
	x->bare = left;
	x->header = str_head(text, text.n - left.n);
	r = attribute(&left, 'n', &name);
	if (r == 0)
		r = attribute(&left, 'r', &x->nonce);
	if (r == 0 && (!is_nonce(x->nonce) || !str_ends(x->header, STR(","))))
		r = E_SYNTAX;
	if (r == 0)
		r = decode_name(name, &x->user);
	if (r == 0)
		r = check_authzid(authzid, buf_view(&x->user));
	return r < 0 ? r : check_flag(s, flag, &x->binding);
}

/* c=, r=, extensions, p= at the end. */
static int
parse_final(struct sasl_scram *x, struct str text, struct str *ret_without, struct str *ret_proof)
{
	size_t     at = str_rfind_byte(text, ',');
	struct str left = str_head(text, at), proof = str_skip(text, at + 1), bound, nonce;
	int        r;

	*ret_without = left;
	r = attribute(&proof, 'p', ret_proof);
	if (r == 0)
		r = attribute(&left, 'c', &bound);
	if (r == 0)
		r = attribute(&left, 'r', &nonce);
	if (r < 0)
		return r;
	return str_eq(bound, buf_view(&x->bound)) && str_eq(nonce, x->whole_nonce) ? 0 :
										     E_AUTH_FAILED;
}

/* --- the steps --- */

static int
take_first(struct sasl *s, struct sasl_scram *x, struct str text, struct sasl_reply *ret)
{
	int r = parse_first(s, x, text);

	if (r < 0)
		return r;
	x->state = SALT;
	*ret = (struct sasl_reply){ .kind = SASL_WANT_SALT, .user = buf_view(&x->user),
		.hash = s->mechanism->hash, .binding = x->binding };
	return 0;
}

static int
take_final(struct sasl *s, struct sasl_scram *x, struct str text, struct sasl_reply *ret)
{
	OWN_BUF struct buf raw = BUF_INIT(SASL_SECRET_MAX);
	struct str         without, proof;
	size_t             n = scram_key_n(s->mechanism->hash);
	int                r = parse_final(x, text, &without, &proof);

	if (r == 0)
		r = base64_decode(proof, &raw);
	if (r < 0)
		return r;
	if (raw.n != n)
		return E_SYNTAX;
	memcpy(x->proof, raw.p, n);
	buf_byte(&x->message, ',');
	buf_str(&x->message, without);
	if (x->message.err < 0)
		return x->message.err;
	x->state = KEYS;
	*ret = (struct sasl_reply){ .kind = SASL_WANT_KEYS, .user = buf_view(&x->user),
		.hash = s->mechanism->hash };
	return 0;
}

int
sasl_step_scram(struct sasl *s, const struct str *fresh, struct sasl_reply *ret)
{
	if (fresh == NULL)
		return sasl_challenge(STR_NONE, ret);
	if (s->scram == NULL && (s->scram = scram_new()) == NULL)
		return E_NOMEM;
	switch (s->scram->state) {
	case FIRST:
		return take_first(s, s->scram, *fresh, ret);
	case FINAL:
		return take_final(s, s->scram, *fresh, ret);
	case LAST:
		if (fresh->n != 0)
			return E_SYNTAX;
		*ret = (struct sasl_reply){ .kind = SASL_PROVED,
			.user = buf_view(&s->scram->user) };
		return 0;
	case SALT:
	case KEYS:
		break;
	}
	return E_INTERNAL;
}

/* Sends `said`, which is text until now. */
static int
say(struct sasl_scram *x, struct sasl_reply *ret)
{
	OWN_BUF struct buf text = BUF_INIT(SAID_MAX);

	buf_str(&text, buf_view(&x->said));
	buf_reset(&x->said);
	base64_encode(buf_view(&text), &x->said);
	if (text.err < 0 || x->said.err < 0)
		return E_NOMEM;
	return sasl_challenge(buf_view(&x->said), ret);
}

static int
bind(struct sasl_scram *x, struct str data)
{
	OWN_BUF struct buf both = BUF_INIT(SASL_SECRET_MAX + SASL_BINDING_MAX);

	buf_str(&both, x->header);
	buf_str(&both, data);
	base64_encode(buf_view(&both), &x->bound);
	return both.err < 0 ? both.err : x->bound.err;
}

int
sasl_give_salt(struct sasl *s, const struct sasl_salt *salt, struct sasl_reply *ret)
{
	struct sasl_scram *x = s->scram;
	int                r = bind(x, salt->binding);

	if (r < 0)
		return r;
	buf_str(&x->said, STR("r="));
	buf_str(&x->said, x->nonce);
	buf_str(&x->said, salt->nonce);
	buf_str(&x->said, STR(",s="));
	base64_encode(str_of((const char *)salt->salt->b, salt->salt->n), &x->said);
	buf_printf(&x->said, ",i=%u", salt->salt->iterations);
	buf_str(&x->message, x->bare);
	buf_byte(&x->message, ',');
	buf_str(&x->message, buf_view(&x->said));
	/* It gets longer once more: the room is taken now, so that the nonce does not move. */
	if (buf_room(&x->message, MESSAGE_MAX - x->message.n) == NULL || x->said.err < 0)
		return E_NOMEM;
	x->whole_nonce = str_of(x->message.p + x->bare.n + 1 + 2, x->nonce.n + salt->nonce.n);
	x->state = FINAL;
	return say(x, ret);
}

int
sasl_give_keys(struct sasl *s, const struct scram_keys *keys, size_t n, size_t *ret_which,
    struct sasl_reply *ret)
{
	struct sasl_scram *x = s->scram;
	enum scram_hash    h = s->mechanism->hash;
	struct str         proof = str_of((const char *)x->proof, scram_key_n(h));
	unsigned char      sign[SCRAM_KEY_MAX];
	size_t             which = n;
	int                r;

	for (size_t i = 0; i < n; i++) {
		r = scram_check(h, &keys[i], buf_view(&x->message), proof);
		if (r < 0 && r != E_AUTH_FAILED)
			return r;
		if (r == 0)
			which = i;
	}
	if (which == n)
		return E_AUTH_FAILED;
	r = scram_sign(h, &keys[which], buf_view(&x->message), sign);
	if (r < 0)
		return r;
	buf_reset(&x->said);
	buf_str(&x->said, STR("v="));
	base64_encode(str_of((const char *)sign, scram_key_n(h)), &x->said);
	x->state = LAST;
	*ret_which = which;
	return say(x, ret);
}
