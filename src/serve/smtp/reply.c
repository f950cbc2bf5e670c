#include "base/error.h"
#include "serve/smtp/session.h"

void
smtp_reply(struct smtp_session *s, int code, const char *enhanced, const char *text)
{
	struct buf *out = conn_output(s->conn);

	buf_u64(out, (uint64_t)code);
	buf_byte(out, ' ');
	if (enhanced != NULL) {
		buf_str(out, str_c(enhanced));
		buf_byte(out, ' ');
	}
	buf_str(out, str_c(text));
	buf_str(out, STR("\r\n"));
}

enum step
smtp_bye(struct smtp_session *s, int err)
{
	const struct error_row *row = error_row(err);

	smtp_reply(s, 421, row->smtp_enhanced, row->text);
	return STEP_CLOSE;
}

static enum step
count_error(struct smtp_session *s)
{
	if (++s->n_errors <= s->server->limits.errors_max)
		return STEP_DONE;
	return smtp_bye(s, E_TOO_MANY_ERRORS);
}

enum step
smtp_fail_text(struct smtp_session *s, int code, const char *enhanced, const char *text)
{
	smtp_reply(s, code, enhanced, text);
	return count_error(s);
}

enum step
smtp_fail(struct smtp_session *s, int err)
{
	const struct error_row *row = error_row(err);

	smtp_reply(s, row->smtp_code, row->smtp_enhanced, row->text);
	return row->smtp_code == 421 ? STEP_CLOSE : count_error(s);
}

enum step
smtp_count_refused(struct smtp_session *s)
{
	if (s->kind->trusts_peer || ++s->n_refused <= SMTP_REFUSED_MAX)
		return STEP_DONE;
	return smtp_bye(s, E_TOO_MANY_ERRORS);
}
