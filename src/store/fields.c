#include "store/fields.h"

#include "base/error.h"
#include "base/pack.h"
#include "mime/header.h"

enum { DIRECTORY = 0xfe, CODE_END = 0xff, BIT_MORE_NAMES = 1 };
enum { NAME_HASH_BYTES = 2, HEAD_BYTES = 13, ENTRY_BYTES = 3 };

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

struct packing {
	uint64_t   left_out;
	unsigned   bits;
	uint16_t   hashes[FIELDS_NAMES_MAX];
	size_t     n_hashes;
	uint8_t    codes[FIELDS_KEPT_MAX];
	struct str kept[FIELDS_KEPT_MAX];
	size_t     n_kept;
	size_t     bytes; /* of fields that are kept */
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
take_field(struct packing *p, const struct header_field *f)
{
	size_t code;

	if (f->name.n == 0)
		return;
	code = code_of(f->name);
	if (code == ARRAY_LEN(NAMES)) {
		note_name(p, f->name);
		return;
	}
	if (f->raw.n > FIELDS_BYTES_MAX - p->bytes || p->n_kept == FIELDS_KEPT_MAX) {
		p->left_out |= (uint64_t)1 << code;
		return;
	}
	p->bytes += f->raw.n;
	p->codes[p->n_kept] = (uint8_t)code;
	p->kept[p->n_kept++] = f->raw;
}

void
fields_pack(struct str section, struct buf *to)
{
	struct packing      p;
	struct header_field f;

	/* Not all of it: the lists are long. */
	p.left_out = 0;
	p.bits = 0;
	p.n_hashes = p.n_kept = p.bytes = 0;
	while (header_next(&section, &f))
		take_field(&p, &f);
	buf_room(to, HEAD_BYTES + p.n_kept * ENTRY_BYTES + p.n_hashes * NAME_HASH_BYTES + p.bytes);
	pack_u8(to, DIRECTORY);
	pack_u8(to, (uint8_t)str_head(section, str_find_byte(section, '\n') + 1).n);
	pack_u8(to, (uint8_t)p.bits);
	pack_u8(to, (uint8_t)p.n_kept);
	pack_u8(to, (uint8_t)p.n_hashes);
	pack_u64(to, p.left_out);
	for (size_t i = 0; i < p.n_kept; i++) {
		pack_u8(to, p.codes[i]);
		pack_u16(to, (uint16_t)p.kept[i].n);
	}
	for (size_t i = 0; i < p.n_hashes; i++)
		pack_u16(to, p.hashes[i]);
	for (size_t i = 0; i < p.n_kept; i++)
		buf_str(to, p.kept[i]);
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

/* What is known besides the fields. */
struct rest {
	unsigned   bits;
	uint64_t   left_out;
	struct str hashes;
};

static inline uint16_t
read_u16(const char *at)
{
	const unsigned char *p = (const unsigned char *)at;

	return (uint16_t)(p[0] | p[1] << 8);
}

static inline bool
is_asked(const struct fields_ask *ask, uint8_t code)
{
	return code < 64 && (ask->codes >> code & 1) != 0;
}

/* Does the header have a field of a name without a code that is asked for, perhaps? */
static bool
may_have(const struct fields_ask *ask, const struct rest *t)
{
	if (ask->n_hashes != 0 && (t->bits & BIT_MORE_NAMES) != 0)
		return true;
	for (size_t i = 0; i < ask->n_hashes; i++)
		for (size_t k = 0; k + NAME_HASH_BYTES <= t->hashes.n; k += NAME_HASH_BYTES)
			if (read_u16(t->hashes.p + k) == ask->hashes[i])
				return true;
	return false;
}

/* One more field of the answer; false when there is no room for it. */
static inline bool
add_piece(struct fields_found *found, size_t at, size_t n)
{
	struct fields_piece *last = &found->piece[found->n];

	found->bytes += (uint32_t)n;
	if (found->n > 0 && (size_t)last[-1].at + last[-1].n == at) {
		last[-1].n = (uint16_t)(last[-1].n + n);
		return true;
	}
	if (found->n == FIELDS_PIECES)
		return false;
	*last = (struct fields_piece){ (uint16_t)at, (uint16_t)n };
	found->n++;
	return true;
}

/* `packed` has the head; its lists and fields are checked here. */
static bool
find_by_directory(const struct fields_ask *ask, struct str packed, struct fields_found *found,
    struct rest *ret)
{
	const unsigned char *head = (const unsigned char *)packed.p;
	const char          *entry = packed.p + HEAD_BYTES;
	const size_t         n_kept = head[3], hashes_n = head[4] * (size_t)NAME_HASH_BYTES;
	size_t               at = HEAD_BYTES + n_kept * ENTRY_BYTES + hashes_n;
	struct unpack        mask = unpack_of(str_of(packed.p + 5, 8));

	if (at > packed.n)
		return false;
	for (size_t i = 0; i < n_kept; i++, entry += ENTRY_BYTES) {
		const size_t n = read_u16(entry + 1);

		if (is_asked(ask, (uint8_t)entry[0]) && !add_piece(found, at, n))
			return false;
		at += n;
	}
	found->end_n = head[1];
	*ret = (struct rest){ head[2], unpack_u64(&mask), str_of(entry, hashes_n) };
	return at <= packed.n;
}

static bool
find_in_old(const struct fields_ask *ask, struct str packed, struct fields_found *found,
    struct rest *ret)
{
	struct unpack u = unpack_of(packed);
	uint8_t       code;

	while ((code = unpack_u8(&u)) != CODE_END && unpack_ok(&u)) {
		struct str raw = unpack_str(&u);

		if (unpack_ok(&u) && is_asked(ask, code) &&
		    !add_piece(found, (size_t)(raw.p - packed.p), raw.n))
			return false;
	}
	found->end_n = unpack_u8(&u);
	ret->bits = unpack_u8(&u);
	ret->left_out = unpack_var(&u);
	ret->hashes = u.left;
	return unpack_ok(&u);
}

void
fields_find(const struct fields_ask *ask, struct str packed, struct fields_found *ret)
{
	struct rest rest;
	bool        found;

	ret->known = false;
	ret->n = 0;
	ret->bytes = 0;
	if (!ask->any || packed.n == 0 || packed.n > UINT16_MAX)
		return;
	if ((unsigned char)packed.p[0] != DIRECTORY)
		found = find_in_old(ask, packed, ret, &rest);
	else
		found = packed.n >= HEAD_BYTES && find_by_directory(ask, packed, ret, &rest);
	if (!found || ret->end_n > 2 || (ask->codes & rest.left_out) != 0 || may_have(ask, &rest))
		return;
	ret->bytes += ret->end_n;
	ret->known = true;
}

char *
fields_put(const struct fields_found *found, struct str packed, char *to)
{
	for (size_t i = 0; i < found->n; i++) {
		memcpy(to, packed.p + found->piece[i].at, found->piece[i].n);
		to += found->piece[i].n;
	}
	memcpy(to, found->end_n == 2 ? "\r\n" : "\n", found->end_n);
	return to + found->end_n;
}
