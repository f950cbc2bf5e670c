/* CAPABILITY, NOOP and CHECK, ID, ENABLE, NAMESPACE. RFC 3501 s6.1, RFC 2971, RFC 5161, RFC 2342 */
#include "base/log.h"
#include "base/mem.h"
#include "codec/utf8.h"
#include "serve/imap/verbs.h"
#include "serve/login.h"

enum { ID_LOGGED_MAX = 6, ID_VALUE_LOGGED_MAX = 80 };

/* What works, and no more. */
static const struct {
	unsigned   states;
	struct str name;
} CAPABILITIES[] = {
	{ IMAP_NOT_AUTH | IMAP_AUTH | IMAP_SELECTED, STR("IMAP4rev1") },
	{ IMAP_NOT_AUTH | IMAP_AUTH | IMAP_SELECTED, STR("LITERAL+") },
	{ IMAP_NOT_AUTH | IMAP_AUTH | IMAP_SELECTED, STR("SASL-IR") },
	{ IMAP_NOT_AUTH | IMAP_AUTH | IMAP_SELECTED, STR("ID") },
	{ IMAP_NOT_AUTH | IMAP_AUTH | IMAP_SELECTED, STR("ENABLE") },
	{ IMAP_NOT_AUTH | IMAP_AUTH | IMAP_SELECTED, STR("IDLE") },
	{ IMAP_AUTH | IMAP_SELECTED, STR("NAMESPACE") },
	{ IMAP_AUTH | IMAP_SELECTED, STR("CHILDREN") },
	{ IMAP_AUTH | IMAP_SELECTED, STR("SPECIAL-USE") },
	{ IMAP_AUTH | IMAP_SELECTED, STR("CREATE-SPECIAL-USE") },
	{ IMAP_AUTH | IMAP_SELECTED, STR("LIST-EXTENDED") },
	{ IMAP_AUTH | IMAP_SELECTED, STR("LIST-STATUS") },
	{ IMAP_AUTH | IMAP_SELECTED, STR("STATUS=SIZE") },
	{ IMAP_AUTH | IMAP_SELECTED, STR("UNSELECT") },
	{ IMAP_AUTH | IMAP_SELECTED, STR("UIDPLUS") },
	{ IMAP_AUTH | IMAP_SELECTED, STR("MOVE") },
	{ IMAP_AUTH | IMAP_SELECTED, STR("ESEARCH") },
	{ IMAP_AUTH | IMAP_SELECTED, STR("CONDSTORE") },
};

static void
put_login_capabilities(struct imap_session *s, struct buf *out)
{
	if (conn_can_tls(s->conn) && !conn_is_tls(s->conn))
		buf_str(out, STR(" STARTTLS"));
	if (!login_is_private(s->conn)) {
		buf_str(out, STR(" LOGINDISABLED"));
		return;
	}
	login_put_mechanisms(s->server, s->conn, STR(" AUTH="), STR_NONE, out);
}

void
imap_put_capabilities(struct imap_session *s, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(CAPABILITIES); i++) {
		if ((CAPABILITIES[i].states & s->state) == 0)
			continue;
		if (i != 0)
			buf_byte(out, ' ');
		buf_str(out, CAPABILITIES[i].name);
	}
	if (s->state == IMAP_NOT_AUTH)
		put_login_capabilities(s, out);
}

enum step
imap_run_capability(struct imap_session *s, struct imap_command *c)
{
	struct buf *out = conn_output(s->conn);

	(void)c;
	buf_str(out, STR("* CAPABILITY "));
	imap_put_capabilities(s, out);
	buf_str(out, STR("\r\n"));
	return imap_ok(s, "Capability completed.");
}

enum step
imap_run_noop(struct imap_session *s, struct imap_command *c)
{
	return imap_ok(s, "%.*s completed.", STR_ARG(c->verb->name));
}

enum step
imap_run_namespace(struct imap_session *s, struct imap_command *c)
{
	(void)c;
	imap_untagged(s, "NAMESPACE ((\"\" \"%c\")) NIL NIL", MAILBOX_SEPARATOR);
	return imap_ok(s, "Namespace completed.");
}

/* What the client says of itself helps the administrator. */
static void
log_client(struct imap_session *s, const struct imap_command *c)
{
	struct log_field        fields[1 + ID_LOGGED_MAX] = { LOG_U("session", conn_id(s->conn)) };
	const struct imap_strs *names = &c->args.id.names, *values = &c->args.id.values;
	static const char      *known[] = { "name", "version", "os", "os-version", "vendor" };
	size_t                  n = 1;

	for (size_t k = 0; k < ARRAY_LEN(known); k++)
		for (size_t i = 0; i < names->n && n < ARRAY_LEN(fields); i++)
			if (str_ieq(names->s[i], str_c(known[k])) && values->s[i].p != NULL) {
				fields[n++] =
				    LOG_S(known[k], str_head(values->s[i], ID_VALUE_LOGGED_MAX));
				break;
			}
	if (log_wants(LOG_INFO) && n > 1)
		log_write(LOG_INFO, "imap-client", fields, n);
}

static struct str
id_value(const struct imap_command *c, const char *name)
{
	const struct imap_strs *names = &c->args.id.names, *values = &c->args.id.values;

	for (size_t i = 0; i < names->n; i++)
		if (str_ieq(names->s[i], str_c(name)))
			return values->s[i];
	return STR_NONE;
}

/* "Thunderbird 128.5", in characters that can be shown. */
static void
note_client(struct imap_session *s, const struct imap_command *c)
{
	OWN_BUF struct buf text = BUF_INIT(4 * DEVICE_CLIENT_MAX);
	struct str         version = id_value(c, "version");

	utf8_sanitize(str_head(id_value(c, "name"), ID_VALUE_LOGGED_MAX), &text);
	if (text.n == 0)
		return;
	if (version.n != 0)
		buf_byte(&text, ' ');
	utf8_sanitize(str_head(version, ID_VALUE_LOGGED_MAX), &text);
	text.n = text.n > DEVICE_CLIENT_MAX ? DEVICE_CLIENT_MAX : text.n;
	text.n = utf8_valid_prefix(buf_view(&text));
	if (text.err < 0)
		return;
	if (s->device_id != 0) {
		device_client(s->account, s->device_id, buf_view(&text));
		return;
	}
	mem_free(s->client);
	s->client = mem_alloc(text.n + 1);
	if (s->client != NULL)
		((char *)memcpy(s->client, text.p, text.n))[text.n] = '\0';
}

/* Always a list, also for NIL: some clients take a server that answers otherwise for broken. */
enum step
imap_run_id(struct imap_session *s, struct imap_command *c)
{
	struct buf *out = conn_output(s->conn);

	log_client(s, c);
	note_client(s, c);
	buf_str(out, STR("* ID (\"name\" \"Postrider\""));
	if (s->state != IMAP_NOT_AUTH) {
		buf_str(out, STR(" \"version\" "));
		imap_put_quoted(out, s->server->version);
	}
	buf_str(out, STR(")\r\n"));
	return imap_ok(s, "ID completed.");
}

enum step
imap_run_enable(struct imap_session *s, struct imap_command *c)
{
	bool condstore = false;

	for (size_t i = 0; i < c->args.words.n; i++)
		condstore |= str_ieq(c->args.words.s[i], STR("CONDSTORE"));
	imap_untagged(s, "ENABLED%s", condstore ? " CONDSTORE" : "");
	if (condstore)
		imap_condstore_on(s);
	return imap_ok(s, "Enabled.");
}
