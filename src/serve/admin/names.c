/* What numbers of the store are called in answers, and texts from outside in JSON. */
#include "base/error.h"
#include "codec/utf8.h"
#include "serve/admin/session.h"

enum { TEXT_MAX = 64 << 10 };

json_t *
admin_json_text(struct str s)
{
	OWN_BUF struct buf text = BUF_INIT(TEXT_MAX);

	if (utf8_valid(s))
		return json_stringn(s.p != NULL ? s.p : "", s.n);
	utf8_sanitize(s, &text);
	return json_stringn(text.p != NULL ? text.p : "", text.n);
}

static const char *const PROTOCOLS[ACTOR_PROTOCOLS] = {
	[ACTOR_SYSTEM] = "system", [ACTOR_SMTP] = "smtp", [ACTOR_LMTP] = "lmtp",
	[ACTOR_SUBMISSION] = "submission", [ACTOR_IMAP] = "imap", [ACTOR_POP3] = "pop3",
	[ACTOR_ADMIN] = "admin"
};

const char *
admin_protocol_name(enum actor_protocol protocol)
{
	return (unsigned)protocol < ACTOR_PROTOCOLS ? PROTOCOLS[protocol] : "?";
}

static const char *const POLICIES[] = {
	[POP3_POLICY_NONE] = "default", [POP3_KEEP] = "keep", [POP3_READ] = "read",
	[POP3_ARCHIVE] = "archive", [POP3_TRASH] = "trash", [POP3_DELETE] = "delete"
};

const char *
admin_policy_name(enum pop3_policy policy)
{
	return (unsigned)policy < ARRAY_LEN(POLICIES) ? POLICIES[policy] : "?";
}

int
admin_policy_of(struct str name, enum pop3_policy *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(POLICIES); i++)
		if (str_eq(name, str_c(POLICIES[i]))) {
			*ret = (enum pop3_policy)i;
			return 0;
		}
	return E_PARAM;
}
