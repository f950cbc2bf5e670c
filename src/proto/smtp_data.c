#include "proto/smtp_data.h"

/*
 *             CRLF
 *        .--------------.
 *        v              |
 *  --> LINE -- any --> TEXT -- CR --> TEXT_CR -- LF --> LINE     an LF in TEXT or after DOT, and
 *        |              ^                |                      anything but LF after a CR, is
 *        | "."          '---- other -----'                      bare: on to TEXT
 *        v              ^
 *       DOT -- other ---'
 *        |              ^
 *        | CR           |
 *        v              |
 *      DOT_CR -- other -'
 *        |
 *        '-- LF --> END
 */

/* Goes to the end of the line, or of the input. */
static void
pass_line(struct smtp_data *d, struct str *in)
{
	size_t n = str_find_byte(*in, '\n');
	size_t cr = str_find_byte(str_head(*in, n), '\r');
	bool   has_lf = n < in->n;
	bool   after_cr = n > 0 ? in->p[n - 1] == '\r' : d->at == SMTP_DATA_TEXT_CR;

	/* A CR that was pending is bare unless the LF is the first byte. One inside is bare unless
	 * it is the last before the end. */
	if ((d->at == SMTP_DATA_TEXT_CR && n > 0) || (cr < n && cr != n - 1))
		d->bare = true;
	if (has_lf && !after_cr)
		d->bare = true;
	*in = str_skip(*in, has_lf ? n + 1 : n);
	/* After a bare LF no line starts: a dot there is neither an end nor doubled. */
	if (has_lf)
		d->at = after_cr ? SMTP_DATA_LINE : SMTP_DATA_TEXT;
	else
		d->at = after_cr ? SMTP_DATA_TEXT_CR : SMTP_DATA_TEXT;
}

/* The line began with a dot, and this follows it. */
static void
after_dot(struct smtp_data *d, struct str *in)
{
	char c = in->p[0];

	if (d->at == SMTP_DATA_DOT) {
		d->at = c == '\r' ? SMTP_DATA_DOT_CR : SMTP_DATA_TEXT;
		if (c == '\r')
			*in = str_skip(*in, 1);
		return;
	}
	if (c == '\n') {
		d->at = SMTP_DATA_END;
		*in = str_skip(*in, 1);
		return;
	}
	d->bare = true;
	d->at = SMTP_DATA_TEXT;
}

struct str
smtp_data_next(struct smtp_data *d, struct str *in)
{
	const char *from;

	while (in->n > 0 && (d->at == SMTP_DATA_DOT || d->at == SMTP_DATA_DOT_CR))
		after_dot(d, in);
	from = in->p;
	while (in->n > 0 && d->at != SMTP_DATA_END) {
		if (d->at == SMTP_DATA_LINE && in->p[0] == '.') {
			struct str out = str_of(from, (size_t)(in->p - from));

			d->at = SMTP_DATA_DOT;
			*in = str_skip(*in, 1);
			return d->bare ? STR_NONE : out;
		}
		pass_line(d, in);
	}
	return d->bare || from == NULL ? STR_NONE : str_of(from, (size_t)(in->p - from));
}

void
smtp_data_scan(struct smtp_data *d, struct str bytes)
{
	while (bytes.n > 0)
		pass_line(d, &bytes);
}
