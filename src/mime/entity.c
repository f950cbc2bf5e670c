#include "mime/entity.h"

#include "base/error.h"
#include "base/own.h"
#include "mime/header.h"
#include "mime/lex.h"
#include "mime/wire.h"

static const struct str NAMES[ENTITY_FIELDS] = {
	[ENTITY_DATE] = STR("Date"),
	[ENTITY_SUBJECT] = STR("Subject"),
	[ENTITY_FROM] = STR("From"),
	[ENTITY_SENDER] = STR("Sender"),
	[ENTITY_REPLY_TO] = STR("Reply-To"),
	[ENTITY_TO] = STR("To"),
	[ENTITY_CC] = STR("Cc"),
	[ENTITY_BCC] = STR("Bcc"),
	[ENTITY_IN_REPLY_TO] = STR("In-Reply-To"),
	[ENTITY_MESSAGE_ID] = STR("Message-ID"),
	[ENTITY_REFERENCES] = STR("References"),
	[ENTITY_MIME_VERSION] = STR("MIME-Version"),
	[ENTITY_TYPE] = STR("Content-Type"),
	[ENTITY_ENCODING] = STR("Content-Transfer-Encoding"),
	[ENTITY_ID] = STR("Content-ID"),
	[ENTITY_DESCRIPTION] = STR("Content-Description"),
	[ENTITY_MD5] = STR("Content-MD5"),
	[ENTITY_DISPOSITION] = STR("Content-Disposition"),
	[ENTITY_LANGUAGE] = STR("Content-Language"),
	[ENTITY_LOCATION] = STR("Content-Location"),
};

enum entity_field
entity_field_of(struct str name)
{
	/* The last letter tells most names apart before the whole is compared. */
	for (int i = 0; i < ENTITY_FIELDS && name.n != 0; i++)
		if (NAMES[i].n == name.n &&
		    ascii_lower(NAMES[i].p[name.n - 1]) == ascii_lower(name.p[name.n - 1]) &&
		    str_ieq(NAMES[i], name))
			return (enum entity_field)i;
	return ENTITY_FIELDS;
}

static void
collect(struct entity_fields *f, struct str section)
{
	struct header_field h;
	enum entity_field   at;

	f->section = section;
	while (header_next(&section, &h)) {
		at = entity_field_of(h.name);
		if (at == ENTITY_FIELDS)
			continue;
		if (f->count[at]++ == 0)
			f->first[at] = h.value;
		f->last[at] = h.value;
	}
}

static bool
has(const struct entity *e, enum entity_field at)
{
	return e->fields.count[at] != 0;
}

/* RFC 2045 s4: a message that does not claim to be MIME is plain text; stray Content- fields in it
 * mean nothing. One with a Content-Type is taken at its word. */
static void
drop_unclaimed(struct entity_fields *f)
{
	if (f->count[ENTITY_TYPE] != 0 || f->count[ENTITY_MIME_VERSION] != 0)
		return;
	for (int i = ENTITY_TYPE; i < ENTITY_FIELDS; i++)
		f->count[i] = 0;
}

static uint32_t
params_max(const struct entity_want *w)
{
	return w->limits->params;
}

/* Content-Type, RFC 2045 s5.1. What is no type and subtype becomes text/plain, s5.2; its parameters
 * are read all the same. */
static void
read_type(struct entity *e, const struct entity_want *w)
{
	struct str s = e->fields.first[ENTITY_TYPE], type, subtype = STR_NONE;
	bool       good;

	if (!has(e, ENTITY_TYPE)) {
		e->type = w->digest ? STR("message") : STR("text");
		e->subtype = w->digest ? STR("rfc822") : STR("plain");
		params_init(&e->params, STR_NONE, 0);
		return;
	}
	good = lex_cfws(&s, NULL);
	type = lex_token(&s);
	good = good && type.n != 0 && lex_cfws(&s, NULL) && lex_take(&s, '/') && lex_cfws(&s, NULL);
	if (good)
		subtype = lex_token(&s);
	good = good && subtype.n != 0;
	e->type = good ? type : STR("text");
	e->subtype = good ? subtype : STR("plain");
	params_init(&e->params, s, params_max(w));
}

static void
classify(struct entity *e, const struct entity_want *w)
{
	e->is_text = str_ieq(e->type, STR("text"));
	e->is_multipart = str_ieq(e->type, STR("multipart"));
	e->is_message = str_ieq(e->type, STR("message")) &&
	    (str_ieq(e->subtype, STR("rfc822")) || str_ieq(e->subtype, STR("global")));
	if (!w->nest && (e->is_multipart || e->is_message)) {
		e->is_multipart = e->is_message = false;
		e->type = STR("application");
		e->subtype = STR("octet-stream");
	}
	e->charset = params_get(&e->params, STR("charset"));
	e->boundary = e->is_multipart ? params_get(&e->params, STR("boundary")) : STR_NONE;
}

static enum mime_encoding
encoding_of(struct str token)
{
	static const struct {
		struct str         name;
		enum mime_encoding value;
	} ROWS[] = {
		{ STR("7bit"), ENCODING_7BIT },      { STR("8bit"), ENCODING_8BIT },
		{ STR("binary"), ENCODING_BINARY },  { STR("quoted-printable"), ENCODING_QP },
		{ STR("base64"), ENCODING_BASE64 },
	};

	for (size_t i = 0; i < ARRAY_LEN(ROWS); i++)
		if (str_ieq(ROWS[i].name, token))
			return ROWS[i].value;
	return ENCODING_UNKNOWN;
}

/* RFC 2045 s6.1; absent or not one token: 7bit. */
static struct str
read_encoding(struct entity *e)
{
	struct str s = e->fields.first[ENTITY_ENCODING], token = STR_NONE;

	if (has(e, ENTITY_ENCODING) && lex_cfws(&s, NULL)) {
		token = lex_token(&s);
		if (!lex_cfws(&s, NULL) || s.n != 0)
			token = STR_NONE;
	}
	if (token.n == 0)
		token = STR("7bit");
	e->encoding = encoding_of(token);
	return token;
}

static void
put_params(const struct params *ps, bool default_charset, struct buf *to)
{
	if (ps->n == 0 && !default_charset) {
		wire_nil(to);
		return;
	}
	buf_byte(to, '(');
	for (uint32_t i = 0; i < ps->n; i++) {
		if (i != 0)
			buf_byte(to, ' ');
		wire_string(to, ps->item[i].name);
		buf_byte(to, ' ');
		wire_string(to, ps->item[i].value);
	}
	if (default_charset && ps->n == 0)
		buf_str(to, STR("\"charset\" \"us-ascii\""));
	else if (default_charset)
		buf_str(to, STR(" \"charset\" \"us-ascii\""));
	buf_byte(to, ')');
}

/* The value with a blank before it. */
static void
put_field(const struct entity *e, enum entity_field at, struct buf *to)
{
	if (!has(e, at)) {
		buf_str(to, STR(" NIL"));
		return;
	}
	buf_byte(to, ' ');
	wire_unfolded(to, e->fields.first[at]);
}

static void
put_head(struct entity *e, struct buf *to)
{
	struct str encoding = read_encoding(e);

	if (e->is_multipart) {
		wire_string(to, e->subtype);
		return;
	}
	wire_string(to, e->type);
	buf_byte(to, ' ');
	wire_string(to, e->subtype);
	buf_byte(to, ' ');
	put_params(&e->params, e->is_text && e->charset.p == NULL, to);
	put_field(e, ENTITY_ID, to);
	put_field(e, ENTITY_DESCRIPTION, to);
	buf_byte(to, ' ');
	wire_string(to, encoding);
}

/* RFC 2183 s2 */
static void
put_disposition(const struct entity *e, const struct entity_want *w, struct buf *to)
{
	struct str    s = e->fields.first[ENTITY_DISPOSITION];
	struct params ps;

	if (!has(e, ENTITY_DISPOSITION)) {
		wire_nil(to);
		return;
	}
	buf_byte(to, '(');
	lex_cfws(&s, NULL);
	wire_string(to, lex_token(&s));
	buf_byte(to, ' ');
	params_init(&ps, s, params_max(w));
	put_params(&ps, false, to);
	if (ps.text.err < 0)
		to->err = ps.text.err;
	params_done(&ps);
	buf_byte(to, ')');
}

/* RFC 3282 s2: tags with commas between. */
static void
put_language(const struct entity *e, const struct entity_want *w, struct buf *to)
{
	struct str s = e->fields.first[ENTITY_LANGUAGE], tag;
	uint32_t   n = 0;

	while (n < params_max(w) && lex_cfws(&s, NULL)) {
		tag = lex_token(&s);
		if (tag.n == 0)
			break;
		buf_byte(to, n++ == 0 ? '(' : ' ');
		wire_string(to, tag);
		if (!lex_cfws(&s, NULL) || !lex_take(&s, ','))
			break;
	}
	if (n != 0)
		buf_byte(to, ')');
	else
		wire_nil(to);
}

static void
put_ext(const struct entity *e, const struct entity_want *w, struct buf *to)
{
	if (e->is_multipart) {
		buf_byte(to, ' ');
		put_params(&e->params, false, to);
	} else {
		put_field(e, ENTITY_MD5, to);
	}
	if (!has(e, ENTITY_DISPOSITION) && !has(e, ENTITY_LANGUAGE) && !has(e, ENTITY_LOCATION)) {
		buf_str(to, STR(" NIL NIL NIL"));
		return;
	}
	buf_byte(to, ' ');
	put_disposition(e, w, to);
	buf_byte(to, ' ');
	put_language(e, w, to);
	put_field(e, ENTITY_LOCATION, to);
}

int
entity_read(struct entity *e, struct str section, const struct entity_want *w)
{
	e->fields = (struct entity_fields){ 0 };
	e->out = BUF_INIT(SIZE_MAX);
	collect(&e->fields, section);
	if (w->envelope)
		drop_unclaimed(&e->fields);
	read_type(e, w);
	classify(e, w);
	buf_room(&e->out, 512);
	put_head(e, &e->out);
	e->head_n = e->out.n;
	put_ext(e, w, &e->out);
	e->ext_n = e->out.n - e->head_n;
	if (w->envelope)
		envelope_put(&e->fields, w->limits->addresses, &e->out);
	return e->out.err < 0 ? e->out.err : e->params.text.err;
}

void
entity_done(struct entity *e)
{
	params_done(&e->params);
	buf_done(&e->out);
}
