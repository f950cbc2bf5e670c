#include "serve/imap/special.h"

static const struct {
	unsigned   bit;
	struct str name;
} USES[] = {
	{ USE_ALL, STR("\\All") },
	{ USE_ARCHIVE, STR("\\Archive") },
	{ USE_DRAFTS, STR("\\Drafts") },
	{ USE_FLAGGED, STR("\\Flagged") },
	{ USE_JUNK, STR("\\Junk") },
	{ USE_SENT, STR("\\Sent") },
	{ USE_TRASH, STR("\\Trash") },
	{ USE_IMPORTANT, STR("\\Important") },
};

unsigned
special_use_bit(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(USES); i++)
		if (str_ieq(USES[i].name, name))
			return USES[i].bit;
	return 0;
}

void
special_use_put(struct buf *out, unsigned bits)
{
	for (size_t i = 0; i < ARRAY_LEN(USES); i++)
		if ((bits & USES[i].bit) != 0) {
			buf_byte(out, ' ');
			buf_str(out, USES[i].name);
		}
}
