#include "proto/sasl.h"

#include <sodium.h>

#include "base/error.h"
#include "base/own.h"

/* Two names, a password and the two NULs of PLAIN. */
enum { SECRET_MAX = 2 * SASL_NAME_MAX + SASL_PASSWORD_MAX + 2 };

struct sasl_mechanism {
	struct str name;
	/* `fresh` is the response as bytes; NULL when the client gave no initial response. */
	int (*step)(struct sasl *, const struct str *fresh, struct sasl_reply *ret);
};

static int
challenge(struct str text, struct sasl_reply *ret)
{
	*ret = (struct sasl_reply){ .kind = SASL_CHALLENGE, .challenge = text };
	return 0;
}

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
		return challenge(STR_NONE, ret);
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
		return challenge(STR("VXNlcm5hbWU6"), ret);
	if (str_find_byte(*fresh, '\0') != fresh->n)
		return E_SYNTAX;
	if (s->turn == 1) {
		s->name_n = fresh->n;
		return challenge(STR("UGFzc3dvcmQ6"), ret);
	}
	return credentials(str_head(buf_view(&s->secret), s->name_n), *fresh, ret);
}

static const struct sasl_mechanism MECHANISMS[] = {
	{ { "PLAIN", 5 }, step_plain },
	{ { "LOGIN", 5 }, step_login },
};

struct str
sasl_mechanism_name(size_t i)
{
	return i < ARRAY_LEN(MECHANISMS) ? MECHANISMS[i].name : STR_NONE;
}

int
sasl_start(struct sasl *s, struct str mechanism)
{
	for (size_t i = 0; i < ARRAY_LEN(MECHANISMS); i++) {
		if (!str_ieq(mechanism, MECHANISMS[i].name))
			continue;
		*s = (struct sasl){ .mechanism = &MECHANISMS[i], .secret = BUF_INIT(SECRET_MAX) };
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
	if (s->secret.p == NULL && buf_room(&s->secret, SECRET_MAX) == NULL)
		return s->secret.err;
	to = s->secret.p + s->secret.n;
	if (text.n > SASL_LINE_MAX)
		return E_LIMIT;
	/* The decoder says "no" in the same way to bad text and to too much of it. */
	if (text.n / 4 * 3 > SECRET_MAX - s->secret.n + 2)
		return E_LIMIT;
	if (sodium_base642bin((unsigned char *)to, SECRET_MAX - s->secret.n, text.p, text.n, NULL,
		&n, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
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

void
sasl_done(struct sasl *s)
{
	if (s->secret.p != NULL)
		sodium_memzero(s->secret.p, s->secret.cap);
	buf_done(&s->secret);
	*s = (struct sasl){ 0 };
}
