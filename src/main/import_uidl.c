#include "base/error.h"
#include "main/import_walk.h"
#include "mime/header.h"
#include "store/uidl.h"

void
import_keep_uidl(const struct import *im, const char *path, struct str uidl, struct buf *to)
{
	if (uidl_is_valid(uidl))
		buf_str(to, uidl);
	else
		im->doubt(im->arg, path, 0,
		    uidl.n > UIDL_MAX ? "its UIDL has more than 70 characters"
		                      : "its UIDL has blanks, or is not ASCII, or is empty");
}

/* Is the format one that the message has to have? */
static bool
wants_format(const struct import *im, const struct uidl_facts *f)
{
	return im->uidl.format.n != 0 && (im->uidl.given || f->uid != 0);
}

static int
expand(const struct import *im, struct uidl_facts *f, struct str message, struct buf *to)
{
	OWN_BUF struct buf md5 = BUF_INIT(64);
	char               variable;
	int                r = 0;

	if (uidl_format_uses(im->uidl.format, 'm')) {
		r = uidl_header_md5(message, &md5);
		f->md5 = buf_view(&md5);
	}
	return r < 0 ? r : uidl_format_expand(im->uidl.format, f, to, &variable);
}

void
import_make_uidl(const struct import *im, const char *path, const struct uidl_facts *facts,
    struct str message, struct buf *to)
{
	OWN_BUF struct buf  text = BUF_INIT(IMPORT_UIDL_MAX);
	struct uidl_facts   f = *facts;
	struct header_field x;
	int                 r;

	if (im->uidl.from_header && header_find(message, STR("X-UIDL"), &x)) {
		import_keep_uidl(im, path, str_trim(x.value), to);
		return;
	}
	if (!wants_format(im, &f))
		return;
	r = expand(im, &f, message, &text);
	if (r == 0)
		import_keep_uidl(im, path, buf_view(&text), to);
	else if (r != E_NOT_FOUND) /* new mail that the old server has not seen */
		im->doubt(im->arg, path, 0, error_row(r)->text);
}
