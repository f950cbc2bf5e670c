/*
 * The SASL exchange: the first byte chooses mechanism and offers, the lines behind it are the
 * responses, as base64 or, for those that begin with "!", as text. Salts and keys are fixed; the
 * proof of no input fits them.
 */
#include <stdlib.h>

#include "base/error.h"
#include "base/own.h"
#include "codec/base64.h"
#include "proto/sasl.h"

#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!(x))                                                                          \
			abort();                                                                   \
	} while (0)

static const struct scram_salt SALT = { .iterations = 4096, .n = 16, .b = "0123456789abcdef" };

/* Asks for what the reply wants until it is a challenge, or the exchange is over. */
static int
answer(struct sasl *s, struct sasl_reply *reply)
{
	static const struct scram_keys keys[3] = { { .stored = "a" }, { .stored = "b" } };
	struct sasl_salt               salt = { .salt = &SALT, .nonce = STR("3rfcNHYJY1ZV") };
	size_t                         which;

	CHECK(reply->kind == SASL_CHALLENGE || reply->user.n <= SASL_NAME_MAX);
	switch (reply->kind) {
	case SASL_CHALLENGE:
		return 0;
	case SASL_WANT_SALT:
		CHECK(reply->user.n != 0);
		if (reply->binding.n != 0)
			salt.binding = STR("0123456789abcdef0123456789abcdef");
		return sasl_give_salt(s, &salt, reply);
	case SASL_WANT_KEYS:
		return sasl_give_keys(s, keys, ARRAY_LEN(keys), &which, reply);
	case SASL_CREDENTIALS:
		CHECK(reply->user.n != 0 && reply->password.n != 0);
		CHECK(reply->password.n <= SASL_PASSWORD_MAX);
		return E_CLOSED;
	case SASL_PROVED:
		abort(); /* nobody knows a password with these keys */
	}
	return E_CLOSED;
}

static int
respond(struct sasl *s, struct str line)
{
	OWN_BUF struct buf text = BUF_INIT(2 * SASL_LINE_MAX);
	struct sasl_reply  reply;
	int                r;

	if (line.n != 0 && line.p[0] == '!') {
		base64_encode(str_skip(line, 1), &text);
		if (text.err < 0)
			return text.err;
		line = buf_view(&text);
	}
	r = sasl_step(s, &line, &reply);
	return r < 0 ? r : answer(s, &reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str        all = str_of((const char *)data, n), name;
	struct sasl       s = { 0 };
	struct sasl_reply reply;
	size_t            i = 0;
	unsigned          choice, offers;
	int               r = 0;

	if (n == 0)
		return 0;
	choice = data[0] & 7;
	offers = (data[0] & 8) != 0 ? SASL_PASSWORD | SASL_SCRAM :
				      SASL_PASSWORD | SASL_SCRAM | SASL_BINDING;
	do
		name = sasl_mechanism_next(&i, offers);
	while (choice-- > 0 && name.n != 0);
	if (name.n == 0 || sasl_start(&s, name, offers) < 0)
		return 0;
	all = str_skip(all, 1);
	if ((data[0] & 16) != 0)
		r = sasl_step(&s, NULL, &reply);
	while (r == 0 && all.n != 0)
		r = respond(&s, str_cut(&all, '\n'));
	sasl_done(&s);
	return 0;
}
