#include "base/error.h"

#include <errno.h>

static const struct error_row ROWS[] = {
	[ERROR_INDEX_OK] = { "OK", 250, "2.0.0", "", "", 200, "", "ok" },
#define E(name, smtp, enhanced, imap, pop3, http, jmap, text)                                    \
	[ERROR_INDEX_##name] = { #name, smtp, enhanced, imap, pop3, http, jmap, text },
#include "base/error.def"
#undef E
};

const struct error_row *
error_row(int err)
{
	if (err > 0 || err <= -ERROR_COUNT)
		err = E_INTERNAL;
	return &ROWS[-err];
}

int
error_from_errno(int errno_value)
{
	switch (errno_value) {
	case ENOSPC:
	case EDQUOT:
		return E_DISK_FULL;
	case ENOMEM:
		return E_NOMEM;
	default:
		return E_IO;
	}
}
