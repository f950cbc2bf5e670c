#include <sodium.h>

#include "base/error.h"
#include "base/own.h"
#include "proto/sasl_mechanism.h"

static int
credentials(struct str user, struct str password, struct sasl_reply *ret)
{
	if (user.n > SASL_NAME_MAX || password.n > SASL_PASSWORD_MAX)
		return E_LIMIT;
	if (user.n == 0 || password.n == 0)
		return E_AUTH_FAILED;
	*ret = (struct sasl_reply){ .kind = SASL_CREDENTIALS, .user = user, .password = password };
	return 0;
}

/* [authzid] NUL authcid NUL passwd, RFC 4616 s2 */
static int
step_plain(struct sasl *s, const struct str *fresh, struct sasl_reply *ret)
{
	struct str left, authzid, user;
	size_t     nuls = 0;

	if (fresh == NULL)
		return sasl_challenge(STR_NONE, ret);
	(void)s;
	left = *fresh;
	for (size_t i = 0; i < left.n; i++)
		nuls += left.p[i] == '\0';
	if (nuls != 2)
		return E_SYNTAX;
	authzid = str_cut(&left, '\0');
	user = str_cut(&left, '\0');
	/* Acting for somebody else is not offered. Clients that repeat the name are many. */
	if (authzid.n != 0 && !str_ieq(authzid, user))
		return E_AUTH_FAILED;
	return credentials(user, left, ret);
}

/* "Username:" and "Password:" to the letter: clients compare (draft-murchison-sasl-login). */
static int
step_login(struct sasl *s, const struct str *fresh, struct sasl_reply *ret)
{
	if (fresh == NULL)
		return sasl_challenge(STR("VXNlcm5hbWU6"), ret);
	if (str_find_byte(*fresh, '\0') != fresh->n)
		return E_SYNTAX;
	if (s->turn == 1) {
		s->name_n = fresh->n;
		return sasl_challenge(STR("UGFzc3dvcmQ6"), ret);
	}
	return credentials(str_head(buf_view(&s->secret), s->name_n), *fresh, ret);
}

#define N(lit) { lit, sizeof(lit) - 1 }

static const struct sasl_mechanism MECHANISMS[] = {
	{ N("SCRAM-SHA-256-PLUS"), SASL_SCRAM | SASL_BINDING, sasl_step_scram, SCRAM_SHA256 },
	{ N("SCRAM-SHA-256"), SASL_SCRAM, sasl_step_scram, SCRAM_SHA256 },
	{ N("SCRAM-SHA-1-PLUS"), SASL_SCRAM | SASL_BINDING, sasl_step_scram, SCRAM_SHA1 },
	{ N("SCRAM-SHA-1"), SASL_SCRAM, sasl_step_scram, SCRAM_SHA1 },
	{ N("PLAIN"), SASL_PASSWORD, step_plain, 0 },
	{ N("LOGIN"), SASL_PASSWORD, step_login, 0 },
};

struct str
sasl_mechanism_next(size_t *i, unsigned offers)
{
	while (*i < ARRAY_LEN(MECHANISMS)) {
		const struct sasl_mechanism *m = &MECHANISMS[(*i)++];

		if ((m->needs & ~offers) == 0)
			return m->name;
	}
	return STR_NONE;
}

int
sasl_start(struct sasl *s, struct str mechanism, unsigned offers)
{
	for (size_t i = 0; i < ARRAY_LEN(MECHANISMS); i++) {
		const struct sasl_mechanism *m = &MECHANISMS[i];

		if (!str_ieq(mechanism, m->name) || (m->needs & ~offers) != 0)
			continue;
		*s = (struct sasl){ .mechanism = m,
			.offers = offers,
			.secret = BUF_INIT(SASL_SECRET_MAX) };
		return 0;
	}
	return E_AUTH_MECHANISM;
}

/* Appends the bytes of a response to the secrets. */
static int
decode(struct sasl *s, struct str text, struct str *ret)
{
	char  *to;
	size_t n;

	/* One allocation for the whole exchange: growing would leave copies behind. */
	if (s->secret.p == NULL && buf_room(&s->secret, SASL_SECRET_MAX) == NULL)
		return s->secret.err;
	to = s->secret.p + s->secret.n;
	if (text.n > SASL_LINE_MAX)
		return E_LIMIT;
	/* The decoder says "no" in the same way to bad text and to too much of it. */
	if (text.n / 4 * 3 > SASL_SECRET_MAX - s->secret.n + 2)
		return E_LIMIT;
	if (sodium_base642bin((unsigned char *)to, SASL_SECRET_MAX - s->secret.n, text.p, text.n,
		NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return E_SYNTAX;
	*ret = str_of(to, n);
	buf_commit(&s->secret, n);
	return 0;
}

int
sasl_step(struct sasl *s, const struct str *response, struct sasl_reply *ret)
{
	struct str fresh = { "", 0 };
	bool       is_empty, is_initial = !s->asked;
	int        r;

	s->asked = true; /* whatever comes after this call answers a challenge */
	if (response == NULL)
		return s->mechanism->step(s, NULL, ret);
	if (!is_initial && str_eq(*response, STR("*")))
		return E_AUTH_CANCELLED;
	is_empty = response->n == 0 || (is_initial && str_eq(*response, STR("=")));
	r = is_empty ? 0 : decode(s, *response, &fresh);
	if (r < 0)
		return r;
	s->turn++;
	return s->mechanism->step(s, &fresh, ret);
}

enum scram_hash
sasl_hash(const struct sasl *s)
{
	return s->mechanism->hash;
}

void
sasl_done(struct sasl *s)
{
	if (s->secret.p != NULL)
		sodium_memzero(s->secret.p, s->secret.cap);
	buf_done(&s->secret);
	sasl_scram_drop(s->scram);
	*s = (struct sasl){ 0 };
}
