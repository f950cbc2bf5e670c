#include <stdarg.h>

#include "base/error.h"
#include "serve/pop3/session.h"

enum { REPLY_MAX = 480 }; /* RFC 2449 s4: 512 with all that is around it */

void
pop3_ok(struct pop3_session *s, const char *fmt, ...)
{
	char    text[REPLY_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(conn_output(s->conn), "+OK %s\r\n", text);
}

void
pop3_err_text(struct pop3_session *s, int err, const char *text)
{
	const char *code = error_row(err)->pop3_code;

	if (code[0] != '\0')
		buf_printf(conn_output(s->conn), "-ERR [%s] %s\r\n", code, text);
	else
		buf_printf(conn_output(s->conn), "-ERR %s\r\n", text);
}

void
pop3_err(struct pop3_session *s, int err)
{
	pop3_err_text(s, err, error_row(err)->text);
}

enum step
pop3_fail_text(struct pop3_session *s, int err, const char *text)
{
	pop3_err_text(s, err, text);
	if (++s->n_errors <= s->server->limits.errors_max)
		return STEP_DONE;
	pop3_err(s, E_TOO_MANY_ERRORS);
	return STEP_CLOSE;
}

enum step
pop3_fail(struct pop3_session *s, int err)
{
	return pop3_fail_text(s, err, error_row(err)->text);
}
