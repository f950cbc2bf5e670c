#include "auth/password.h"

#include <crypt.h>
#include <errno.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <utf8proc.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "codec/utf8.h"

enum {
	OUR_PASSES = 1, /* over 64 MiB: costs an attacker more than two over half of it */
	OUR_MEMORY = 64 << 20,
	PASSES_MAX = 100,
	HASH_TEXT_MAX = 1024,
	RAW_MAX = HASH_TEXT_MAX,
};

/* --- schemes --- */

enum scheme_kind { KIND_PLAIN, KIND_CRYPT, KIND_DIGEST, KIND_ARGON2 };
enum encoding { ENCODING_NONE, ENCODING_HEX, ENCODING_BASE64, ENCODING_GUESS };

struct scheme {
	struct str       name;
	enum scheme_kind kind;
	const char      *begins; /* crypt, Argon2: the text must begin so */
	const char      *digest; /* OpenSSL's name */
	bool             salted; /* what follows the digest is hashed behind the password */
};

static const struct scheme SCHEMES[] = {
	{ STR("ARGON2ID"),     KIND_ARGON2, "$argon2id$", NULL,     false },
	{ STR("ARGON2I"),      KIND_ARGON2, "$argon2i$",  NULL,     false },
	{ STR("CRYPT"),        KIND_CRYPT,  "",           NULL,     false },
	{ STR("DES-CRYPT"),    KIND_CRYPT,  "",           NULL,     false },
	{ STR("MD5-CRYPT"),    KIND_CRYPT,  "$1$",        NULL,     false },
	{ STR("SHA256-CRYPT"), KIND_CRYPT,  "$5$",        NULL,     false },
	{ STR("SHA512-CRYPT"), KIND_CRYPT,  "$6$",        NULL,     false },
	{ STR("BLF-CRYPT"),    KIND_CRYPT,  "$2",         NULL,     false },
	{ STR("PLAIN"),        KIND_PLAIN,  "",           NULL,     false },
	{ STR("CLEARTEXT"),    KIND_PLAIN,  "",           NULL,     false },
	{ STR("MD5"),          KIND_DIGEST, "",           "MD5",    false },
	{ STR("PLAIN-MD5"),    KIND_DIGEST, "",           "MD5",    false },
	{ STR("LDAP-MD5"),     KIND_DIGEST, "",           "MD5",    false },
	{ STR("SMD5"),         KIND_DIGEST, "",           "MD5",    true  },
	{ STR("SHA"),          KIND_DIGEST, "",           "SHA1",   false },
	{ STR("SHA1"),         KIND_DIGEST, "",           "SHA1",   false },
	{ STR("SSHA"),         KIND_DIGEST, "",           "SHA1",   true  },
	{ STR("SHA256"),       KIND_DIGEST, "",           "SHA256", false },
	{ STR("SSHA256"),      KIND_DIGEST, "",           "SHA256", true  },
	{ STR("SHA512"),       KIND_DIGEST, "",           "SHA512", false },
	{ STR("SSHA512"),      KIND_DIGEST, "",           "SHA512", true  },
};

/* A stored hash, taken apart. */
struct hash {
	const struct scheme *scheme;
	enum encoding        encoding;
	struct str           text;
};

static const struct scheme *
scheme_find(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(SCHEMES); i++)
		if (str_ieq(SCHEMES[i].name, name))
			return &SCHEMES[i];
	return NULL;
}

static bool
cut_ending(struct str *name, struct str ending)
{
	if (!str_iends(*name, ending))
		return false;
	name->n -= ending.n;
	return true;
}

/* "{MD5}$1$..." is a crypt(3) hash, as "{MD5}" once meant; text without a name begins with "$". */
static const struct scheme *
scheme_of(struct str name, struct str text)
{
	const struct scheme *s;

	if (name.n == 0)
		s = str_starts(text, STR("$argon2id$")) ? scheme_find(STR("ARGON2ID")) :
		    str_starts(text, STR("$argon2i$"))  ? scheme_find(STR("ARGON2I")) :
		    str_starts(text, STR("$"))          ? scheme_find(STR("CRYPT")) :
							  NULL;
	else if (str_ieq(name, STR("MD5")) && str_starts(text, STR("$1$")))
		s = scheme_find(STR("MD5-CRYPT"));
	else
		s = scheme_find(name);
	return s;
}

static int
hash_parse(struct str stored, struct hash *ret)
{
	struct hash h = { .encoding = ENCODING_GUESS, .text = stored };
	struct str  name = STR_NONE;

	if (stored.n > HASH_TEXT_MAX)
		return E_UNSUPPORTED;
	if (stored.n != 0 && stored.p[0] == '{') {
		h.text = str_skip(stored, 1);
		name = str_cut(&h.text, '}');
		if (cut_ending(&name, STR(".HEX")))
			h.encoding = ENCODING_HEX;
		else if (cut_ending(&name, STR(".B64")) || cut_ending(&name, STR(".BASE64")))
			h.encoding = ENCODING_BASE64;
		if (name.n == 0)
			return E_UNSUPPORTED;
	}
	h.scheme = scheme_of(name, h.text);
	if (h.scheme == NULL)
		return E_UNSUPPORTED;
	if (h.encoding == ENCODING_GUESS && h.scheme->kind != KIND_DIGEST)
		h.encoding = ENCODING_NONE;
	*ret = h;
	return 0;
}

static int
decode_as(enum encoding e, struct str text, struct buf *raw)
{
	size_t n = 0;
	char  *to;
	int    r;

	if (e == ENCODING_NONE) {
		buf_str(raw, text);
		return raw->err;
	}
	to = buf_room(raw, text.n + 1);
	if (to == NULL)
		return raw->err;
	if (e == ENCODING_HEX)
		r = sodium_hex2bin((unsigned char *)to, text.n + 1, text.p, text.n, NULL, &n, NULL);
	else
		r = sodium_base642bin((unsigned char *)to, text.n + 1, text.p, text.n, NULL, &n,
		    NULL, sodium_base64_VARIANT_ORIGINAL);
	if (r != 0)
		return E_UNSUPPORTED;
	buf_commit(raw, n);
	return 0;
}

/* The bytes that the text stands for; with a NUL behind them that is not counted. */
static int
hash_decode(const struct hash *h, struct buf *raw)
{
	enum encoding e = h->encoding;
	size_t        digest_n = 0;
	int           r;

	if (h->scheme->kind == KIND_DIGEST) {
		digest_n = (size_t)EVP_MD_get_size(EVP_get_digestbyname(h->scheme->digest));
		if (e == ENCODING_GUESS)
			e = !h->scheme->salted && h->text.n == 2 * digest_n ? ENCODING_HEX :
									      ENCODING_BASE64;
	}
	r = decode_as(e, h->text, raw);
	if (r < 0)
		return r;
	if (digest_n != 0 && (h->scheme->salted ? raw->n <= digest_n : raw->n != digest_n))
		return E_UNSUPPORTED;
	if (h->scheme->kind != KIND_DIGEST && str_find_byte(buf_view(raw), '\0') < raw->n)
		return E_UNSUPPORTED;
	if (!str_starts(buf_view(raw), str_c(h->scheme->begins)))
		return E_UNSUPPORTED;
	buf_byte(raw, '\0');
	if (raw->err < 0)
		return raw->err;
	raw->n--;
	return 0;
}

/* --- one check for each kind --- */

/* Both are hashed first, so that the time says nothing about their lengths. */
static int
check_plain(struct str password, struct str raw)
{
	unsigned char a[crypto_generichash_BYTES], b[crypto_generichash_BYTES];
	int           r;

	crypto_generichash(a, sizeof(a), (const unsigned char *)password.p, password.n, NULL, 0);
	crypto_generichash(b, sizeof(b), (const unsigned char *)raw.p, raw.n, NULL, 0);
	r = sodium_memcmp(a, b, sizeof(a)) == 0 && raw.n != 0 ? 0 : E_AUTH_FAILED;
	sodium_memzero(a, sizeof(a));
	sodium_memzero(b, sizeof(b));
	return r;
}

static int
digest_of(const EVP_MD *md, struct str password, struct str salt, unsigned char *to)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool        ok;

	if (ctx == NULL)
		return E_NOMEM;
	ok = EVP_DigestInit_ex(ctx, md, NULL) == 1 &&
	    EVP_DigestUpdate(ctx, password.p, password.n) == 1 &&
	    EVP_DigestUpdate(ctx, salt.p, salt.n) == 1 && EVP_DigestFinal_ex(ctx, to, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok ? 0 : E_NOMEM;
}

static int
check_digest(const struct scheme *s, struct str password, struct str raw)
{
	const EVP_MD *md = EVP_get_digestbyname(s->digest);
	size_t        n = (size_t)EVP_MD_get_size(md);
	unsigned char got[EVP_MAX_MD_SIZE];
	int           r;

	r = digest_of(md, password, str_skip(raw, n), got);
	if (r == 0 && sodium_memcmp(got, raw.p, n) != 0)
		r = E_AUTH_FAILED;
	sodium_memzero(got, sizeof(got));
	return r;
}

/* crypt(3) of the password with a stored hash as the setting, into *work; NULL when the setting is
 * none that libcrypt knows. */
static const char *
crypt_with(struct str password, const char *stored, struct crypt_data *work)
{
	char        text[PASSWORD_MAX + 1];
	const char *got;

	memcpy(text, password.p, password.n);
	text[password.n] = '\0';
	got = crypt_rn(text, stored, work, sizeof(*work));
	sodium_memzero(text, sizeof(text));
	return got;
}

static int
check_crypt(struct str password, struct str raw)
{
	OWN_MEM struct crypt_data *work = MEM_NEW(struct crypt_data);
	const char                *got;
	int                        r = E_AUTH_FAILED;

	if (work == NULL)
		return E_NOMEM;
	errno = 0;
	got = crypt_with(password, raw.p, work);
	if (got == NULL)
		r = errno == ENOMEM ? E_NOMEM : E_AUTH_FAILED;
	else if (strlen(got) == raw.n && sodium_memcmp(got, raw.p, raw.n) == 0)
		r = 0;
	sodium_memzero(work, sizeof(*work));
	return r;
}

/* libsodium sets errno to EINVAL for a wrong password only; without memory the system sets it. */
static int
check_argon2(struct str password, struct str raw)
{
	errno = 0;
	if (crypto_pwhash_str_verify(raw.p, password.p, password.n) == 0)
		return 0;
	return errno == ENOMEM ? E_NOMEM : E_AUTH_FAILED;
}

/* The number behind "name=" in "$argon2id$v=19$m=65536,t=2,p=1$...". */
static int
argon2_number(struct str raw, struct str name, uint32_t *ret)
{
	size_t n = 0;

	raw = str_skip(raw, str_find(raw, name) + name.n);
	while (n < raw.n && ascii_is_digit(raw.p[n]))
		n++;
	return str_to_u32(str_head(raw, n), ret);
}

static bool
argon2_is_bounded(struct str raw)
{
	uint32_t kib, passes;

	return argon2_number(raw, STR("$m="), &kib) == 0 && kib <= PASSWORD_MEMORY_MAX / 1024 &&
	    argon2_number(raw, STR(",t="), &passes) == 0 && passes <= PASSES_MAX;
}

static int
check_raw(const struct scheme *s, struct str password, struct str raw)
{
	switch (s->kind) {
	case KIND_PLAIN:
		return check_plain(password, raw);
	case KIND_DIGEST:
		return check_digest(s, password, raw);
	case KIND_CRYPT:
		return check_crypt(password, raw);
	case KIND_ARGON2:
		return argon2_is_bounded(raw) ? check_argon2(password, raw) : E_AUTH_FAILED;
	}
	return E_AUTH_FAILED;
}

/* --- the calls --- */

static bool
password_is_sane(struct str password)
{
	return password.n != 0 && password.n <= PASSWORD_MAX &&
	    memchr(password.p, '\0', password.n) == NULL;
}

int
password_check(struct str password, struct str stored)
{
	OWN_BUF struct buf raw = BUF_INIT(RAW_MAX + 2);
	struct hash        h;
	int                r;

	if (!password_is_sane(password))
		return E_AUTH_FAILED;
	r = hash_parse(stored, &h);
	if (r == 0)
		r = hash_decode(&h, &raw);
	if (r == 0)
		r = check_raw(h.scheme, password, buf_view(&raw));
	if (raw.p != NULL)
		sodium_memzero(raw.p, raw.cap);
	return r < 0 && r != E_NOMEM ? E_AUTH_FAILED : r;
}

int
password_hash(struct str password, struct arena *a, struct str *ret)
{
	char out[crypto_pwhash_STRBYTES], *p;

	if (password.n > PASSWORD_MAX)
		return E_LIMIT;
	if (!password_is_sane(password))
		return E_SYNTAX;
	if (sodium_init() < 0)
		return E_INTERNAL;
	if (crypto_pwhash_str_alg(out, password.p, password.n, OUR_PASSES, OUR_MEMORY,
		crypto_pwhash_ALG_ARGON2ID13) != 0)
		return E_NOMEM;
	p = arena_printf(a, "{ARGON2ID}%s", out);
	if (p == NULL)
		return E_NOMEM;
	*ret = str_c(p);
	return 0;
}

/* What a hash of ours says of its cost. No password is known that the rest of the text matches. */
static const char *
own_parameters(char *to, size_t n)
{
	snprintf(to, n, "$argon2id$v=19$m=%u,t=%u,p=1$", OUR_MEMORY / 1024, OUR_PASSES);
	return to;
}

void
password_check_nothing(struct str password)
{
	static const char rest[] = "bm9ib2R5IGlzIGhlcmU$"
				   "bm9ib2R5IGlzIGhlcmUsIG5vYm9keSBpcyBoZXJlLi4";
	char              text[crypto_pwhash_STRBYTES], start[64];

	if (!password_is_sane(password))
		return;
	snprintf(text, sizeof(text), "%s%s", own_parameters(start, sizeof(start)), rest);
	(void)check_argon2(password, str_c(text));
}

bool
password_is_own(struct str stored)
{
	char        start[64];
	struct hash h;

	return hash_parse(stored, &h) == 0 && h.scheme->kind == KIND_ARGON2 &&
	    h.encoding == ENCODING_NONE &&
	    str_starts(h.text, str_c(own_parameters(start, sizeof(start))));
}

/* A crypt(3) hash must come out as long as it is when used as a setting. */
static int
crypt_is_whole(struct str raw)
{
	OWN_MEM struct crypt_data *work = MEM_NEW(struct crypt_data);
	const char                *got;

	if (work == NULL)
		return E_NOMEM;
	got = crypt_with(STR("x"), raw.p, work);
	return got != NULL && strlen(got) == raw.n ? 0 : E_UNSUPPORTED;
}

/* Argon2 must come so far that it finds a password wrong. */
static int
argon2_is_whole(struct str raw)
{
	int r;

	if (!argon2_is_bounded(raw))
		return E_UNSUPPORTED;
	r = check_argon2(STR("x"), raw);
	if (r == E_AUTH_FAILED && errno != EINVAL)
		return E_UNSUPPORTED;
	return r == E_NOMEM ? r : 0;
}

int
password_hash_check(struct str stored)
{
	OWN_BUF struct buf raw = BUF_INIT(RAW_MAX + 2);
	struct hash        h;
	int                r;

	r = hash_parse(stored, &h);
	if (r == 0)
		r = hash_decode(&h, &raw);
	if (r == 0 && h.scheme->kind == KIND_CRYPT)
		r = crypt_is_whole(buf_view(&raw));
	if (r == 0 && h.scheme->kind == KIND_ARGON2)
		r = argon2_is_whole(buf_view(&raw));
	if (r == 0 && h.scheme->kind == KIND_PLAIN && raw.n == 0)
		r = E_UNSUPPORTED;
	return r == 0 || r == E_NOMEM ? r : E_UNSUPPORTED;
}

enum { GENERATED_MAX = 64 };

/* `groups` of `width` characters with a '-' between them. */
static int
generate(size_t groups, size_t width, struct arena *a, struct str *ret)
{
	/* No pair that looks alike on paper: i l 1, o 0, u v. */
	static const char letters[] = "abcdefghjkmnpqrstvwxyz23456789";
	char              out[GENERATED_MAX];
	size_t            n = groups * (width + 1) - 1;
	int               r;

	if (sodium_init() < 0)
		return E_INTERNAL;
	for (size_t i = 0; i < n; i++)
		out[i] = i % (width + 1) == width ?
		    '-' : letters[randombytes_uniform(sizeof(letters) - 1)];
	r = arena_dup(a, str_of(out, n), ret);
	sodium_memzero(out, sizeof(out));
	return r;
}

int
password_generate(struct arena *a, struct str *ret)
{
	return generate(4, 5, a, ret);
}

int
password_generate_strong(struct arena *a, struct str *ret)
{
	return generate(7, 4, a, ret);
}

/* --- as SCRAM takes it --- */

/* RFC 4013 s2.1: spaces of any kind are one; s2.3: the first mark of a forbidden character. */
static utf8proc_int32_t
prepare_one(utf8proc_int32_t c, void *forbidden)
{
	switch (utf8proc_category(c)) {
	case UTF8PROC_CATEGORY_ZS:
		return ' ';
	case UTF8PROC_CATEGORY_ZL:
	case UTF8PROC_CATEGORY_ZP:
	case UTF8PROC_CATEGORY_CC:
	case UTF8PROC_CATEGORY_CO:
	case UTF8PROC_CATEGORY_CS:
		*(bool *)forbidden = true;
		return c;
	default:
		return c;
	}
}

int
password_prepare(struct str password, struct arena *a, struct str *ret)
{
	utf8proc_uint8_t *out = NULL;
	bool              forbidden = false;
	utf8proc_ssize_t  n;
	int               r;

	if (utf8_is_ascii(password) || !utf8_valid(password)) {
		*ret = password;
		return 0;
	}
	n = utf8proc_map_custom((const utf8proc_uint8_t *)password.p, (utf8proc_ssize_t)password.n,
	    &out, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_IGNORE,
	    prepare_one, &forbidden);
	if (n < 0 || forbidden || n == 0) {
		free(out);
		*ret = password;
		return n == UTF8PROC_ERROR_NOMEM ? E_NOMEM : 0;
	}
	r = arena_dup(a, str_of((char *)out, (size_t)n), ret);
	sodium_memzero(out, (size_t)n);
	free(out);
	return r;
}
