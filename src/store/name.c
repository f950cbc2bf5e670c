#include "store/name.h"

#include "base/error.h"
#include "codec/utf8.h"

static int
check_levels(struct str name)
{
	unsigned depth = 0;

	do {
		if (str_cut(&name, MAILBOX_SEPARATOR).n == 0 || ++depth > MAILBOX_DEPTH_MAX)
			return E_CANNOT;
	} while (name.n != 0);
	return 0;
}

static bool
has_control(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7f)
			return true;
	return false;
}

int
name_read(struct str s, struct name *ret)
{
	struct str rest = s, first = str_cut(&rest, MAILBOX_SEPARATOR);

	if (s.n == 0 || s.n > MAILBOX_NAME_MAX || has_control(s) || !utf8_valid(s))
		return E_CANNOT;
	if (s.p[s.n - 1] == MAILBOX_SEPARATOR || check_levels(s) < 0)
		return E_CANNOT;
	ret->n = s.n;
	memcpy(ret->b, s.p, s.n);
	if (str_ieq(first, INBOX))
		memcpy(ret->b, INBOX.p, INBOX.n);
	return 0;
}

struct str
name_parent(struct str name)
{
	size_t at = str_rfind_byte(name, MAILBOX_SEPARATOR);

	return at == name.n ? STR_NONE : str_head(name, at);
}

bool
name_is_below(struct str name, struct str top)
{
	return name.n > top.n && name.p[top.n] == MAILBOX_SEPARATOR && str_starts(name, top);
}
