#include "store/fields.h"

#include "base/error.h"
#include "base/pack.h"
#include "mime/header.h"

enum { CODE_END = 0xff, NAME_HASH_BYTES = 2, BIT_MORE_NAMES = 1 };

/* The place in this table is the code on disk: rows are only added, 63 at most. */
static const struct str NAMES[] = {
	STR("From"), STR("To"), STR("Cc"), STR("Bcc"), STR("Subject"), STR("Date"),
	STR("Message-ID"), STR("In-Reply-To"), STR("References"), STR("Reply-To"), STR("Sender"),
	STR("Content-Type"), STR("MIME-Version"), STR("Content-Transfer-Encoding"),
	STR("Content-Disposition"), STR("Content-Description"), STR("Importance"),
	STR("Priority"), STR("X-Priority"), STR("X-MSMail-Priority"), STR("List-ID"),
	STR("List-Post"), STR("List-Unsubscribe"), STR("List-Unsubscribe-Post"),
	STR("List-Subscribe"), STR("List-Help"), STR("List-Archive"), STR("Newsgroups"),
	STR("Followup-To"), STR("Mail-Followup-To"), STR("Mail-Reply-To"),
	STR("Disposition-Notification-To"), STR("Return-Receipt-To"), STR("Auto-Submitted"),
	STR("Precedence"), STR("X-Label"), STR("Lines"), STR("X-Mailer"), STR("User-Agent"),
	STR("Organization"), STR("Keywords"), STR("X-Uniform-Type-Identifier"),
	STR("X-Universally-Unique-Identifier"), STR("X-TUID"), STR("X-K9mail-Identity"),
	STR("Chat-Version"), STR("Autocrypt-Setup-Message"), STR("X-Original-To"),
	STR("Delivered-To"), STR("Return-Path"), STR("X-Spam-Flag"), STR("X-Spam-Status"),
	STR("Authentication-Results"), STR("BIMI-Indicator"), STR("BIMI-Location"),
	STR("X-Bimi-Indicator-Hash"),
};
_Static_assert(ARRAY_LEN(NAMES) < 64, "codes are the bits of a u64");

/* The code of a name, or ARRAY_LEN(NAMES). */
static size_t
code_of(struct str name)
{
	const char first = ascii_lower(name.p[0]);
	size_t     i;

	for (i = 0; i < ARRAY_LEN(NAMES); i++)
		if (NAMES[i].n == name.n && ascii_lower(NAMES[i].p[0]) == first &&
		    str_ieq(NAMES[i], name))
			break;
	return i;
}

/* FNV-1a of the lower-case name, folded. On disk. */
static uint16_t
hash_of(struct str name)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < name.n; i++)
		h = (h ^ (unsigned char)ascii_lower(name.p[i])) * 16777619u;
	return (uint16_t)(h ^ h >> 16);
}

/* --- packing --- */

/* Codes, lengths and the tail, as a rule: so that the buffer grows once. */
enum { TAIL_ROOM = 256 };

struct packing {
	uint64_t left_out;
	unsigned bits;
	uint16_t hashes[FIELDS_NAMES_MAX];
	size_t   n_hashes;
	size_t   bytes; /* of fields that are kept */
};

static void
note_name(struct packing *p, struct str name)
{
	uint16_t h = hash_of(name);

	for (size_t i = 0; i < p->n_hashes; i++)
		if (p->hashes[i] == h)
			return;
	if (p->n_hashes < FIELDS_NAMES_MAX)
		p->hashes[p->n_hashes++] = h;
	else
		p->bits |= BIT_MORE_NAMES;
}

/* A field is kept, or why it is not is noted. Lines that are no fields are asked for by no name. */
static void
take_field(struct packing *p, const struct header_field *f, struct buf *to)
{
	size_t code;

	if (f->name.n == 0)
		return;
	code = code_of(f->name);
	if (code == ARRAY_LEN(NAMES)) {
		note_name(p, f->name);
		return;
	}
	if (f->raw.n > FIELDS_BYTES_MAX - p->bytes) {
		p->left_out |= (uint64_t)1 << code;
		return;
	}
	p->bytes += f->raw.n;
	pack_u8(to, (uint8_t)code);
	pack_str(to, f->raw);
}

void
fields_pack(struct str section, struct buf *to)
{
	struct packing      p = { 0 };
	struct header_field f;

	buf_room(to, (section.n < FIELDS_BYTES_MAX ? section.n : FIELDS_BYTES_MAX) + TAIL_ROOM);
	while (header_next(&section, &f))
		take_field(&p, &f, to);
	pack_u8(to, CODE_END);
	pack_u8(to, (uint8_t)str_head(section, str_find_byte(section, '\n') + 1).n);
	pack_u8(to, (uint8_t)p.bits);
	pack_var(to, p.left_out);
	for (size_t i = 0; i < p.n_hashes; i++)
		pack_u16(to, p.hashes[i]);
}

/* --- asking --- */

int
fields_ask_make(const struct str *names, size_t n, struct arena *arena, struct fields_ask *ret)
{
	struct fields_ask ask = { .any = true };

	ask.hashes = arena_alloc(arena, n * sizeof(*ask.hashes) + 1);
	if (ask.hashes == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < n; i++) {
		size_t code = names[i].n != 0 ? code_of(names[i]) : ARRAY_LEN(NAMES);

		/* Lines that are no fields have the empty name. */
		ask.any &= names[i].n != 0;
		if (code < ARRAY_LEN(NAMES))
			ask.codes |= (uint64_t)1 << code;
		else
			ask.hashes[ask.n_hashes++] = hash_of(names[i]);
	}
	*ret = ask;
	return 0;
}

/* What stands behind the fields. */
struct tail {
	size_t     end_n;
	unsigned   bits;
	uint64_t   left_out;
	struct str hashes;
};

static bool
is_asked(const struct fields_ask *ask, uint8_t code)
{
	return code < 64 && (ask->codes >> code & 1) != 0;
}

/* Does the header have a field of a name without a code that is asked for, perhaps? */
static bool
may_have(const struct fields_ask *ask, const struct tail *t)
{
	if (ask->n_hashes != 0 && (t->bits & BIT_MORE_NAMES) != 0)
		return true;
	for (size_t i = 0; i < ask->n_hashes; i++)
		for (size_t k = 0; k + NAME_HASH_BYTES <= t->hashes.n; k += NAME_HASH_BYTES) {
			const unsigned char *p = (const unsigned char *)t->hashes.p + k;

			if ((p[0] | p[1] << 8) == ask->hashes[i])
				return true;
		}
	return false;
}

bool
fields_measure(const struct fields_ask *ask, struct str packed, size_t *ret)
{
	struct unpack u = unpack_of(packed);
	struct tail   t;
	uint8_t       code;
	size_t        n = 0;

	if (!ask->any || packed.n == 0)
		return false;
	while ((code = unpack_u8(&u)) != CODE_END && unpack_ok(&u)) {
		struct str raw = unpack_str(&u);

		if (is_asked(ask, code))
			n += raw.n;
	}
	t.end_n = unpack_u8(&u);
	t.bits = unpack_u8(&u);
	t.left_out = unpack_var(&u);
	t.hashes = u.left;
	if (!unpack_ok(&u) || t.end_n > 2 || (ask->codes & t.left_out) != 0 || may_have(ask, &t))
		return false;
	*ret = n + t.end_n;
	return true;
}

char *
fields_put(const struct fields_ask *ask, struct str packed, char *to)
{
	struct unpack u = unpack_of(packed);
	uint8_t       code, end_n;

	while ((code = unpack_u8(&u)) != CODE_END) {
		struct str raw = unpack_str(&u);

		if (!is_asked(ask, code) || raw.n == 0)
			continue;
		memcpy(to, raw.p, raw.n);
		to += raw.n;
	}
	end_n = unpack_u8(&u);
	memcpy(to, end_n == 2 ? "\r\n" : "\n", end_n);
	return to + end_n;
}
