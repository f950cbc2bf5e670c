/*
 * Fuzzer of mime/: the first byte chooses limits and how the message is cut; the rest is the
 * message.
 *
 * Holds: parsing does not fail; the parts lie in the message; what goes on the wire is well-formed;
 * cutting changes nothing; the parts come back from the store as they went; decoded text is UTF-8.
 */

#include "fuzz.h"

#include "../tests/unit/mime/check.h"
#include "base/error.h"
#include "codec/utf8.h"
#include "mime/address.h"
#include "mime/header.h"
#include "mime/text.h"

enum { ARENA_MAX = 64 << 20 };

static void
fuzz_packing(const struct message_summary *s, struct arena *arena)
{
	OWN_BUF struct buf     b = BUF_INIT(ARENA_MAX);
	struct message_summary back = *s;

	message_parts_pack(s, &b);
	hold(b.err == 0 &&
	     message_parts_unpack(buf_view(&b), arena, &back.parts, &back.n_parts) == 0);
	hold(check_same(s, &back));
	for (uint32_t i = 1; i <= 3; i++) {
		uint32_t                   path[3] = { i, 1, 2 };
		const struct message_part *p = message_part_find(s->parts, s->n_parts, path, i);

		hold(p == NULL || (p >= s->parts && p < s->parts + s->n_parts));
	}
}

static void
fuzz_text(struct str whole, const struct message_part *p)
{
	OWN_BUF struct buf text = BUF_INIT(ARENA_MAX), again = BUF_INIT(ARENA_MAX);
	OWN(text_decoder)  d = NULL;
	struct str         body = str_head(str_skip(whole, p->body_off), p->body_n);

	hold(text_decoder_new(p->encoding, p->charset, &d) == 0);
	hold(text_decoder_feed(d, body, &text) == 0 && text_decoder_end(d, &text) == 0);
	hold(utf8_valid(buf_view(&text)));
	for (; body.n != 0; body = str_skip(body, 3))
		hold(text_decoder_feed(d, str_head(body, 3), &again) == 0);
	hold(text_decoder_end(d, &again) == 0);
	hold(str_eq(buf_view(&text), buf_view(&again)));
}

static void
fuzz_header(struct str section, struct arena *arena)
{
	struct header_field f;
	size_t              n = 0;

	for (struct str rest = section; header_next(&rest, &f); n += f.raw.n) {
		struct str text;

		hold(f.raw.n != 0 && f.value.n <= f.raw.n);
		hold(header_decode(f.value, arena, &text) == 0 && utf8_valid(text));
		hold(header_unfold(f.value, arena, &text) == 0 &&
		     str_find_byte(text, '\n') == text.n);
	}
	hold(n <= section.n);
}

static void
fuzz_addresses(struct str value)
{
	OWN_ADDRESS_READER struct address_reader r;
	struct address                           a;
	size_t                                   n = 0;

	address_reader_init(&r, value);
	while (address_next(&r, &a))
		hold(n++ <= value.n + 2);
	hold(r.text.err == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct message_limits LIMITS[4] = { { 0 },
		{ .header_bytes = 100, .depth = 2, .parts = 4, .params = 2, .addresses = 2 },
		{ .depth = 1 }, { .header_bytes = 40, .parts = 2 } };
	static const size_t STEPS[8] = { 1, 2, 3, 7, 16, 61, 255, 1021 };
	OWN_ARENA struct arena arena = ARENA_INIT(ARENA_MAX), other = ARENA_INIT(ARENA_MAX);
	struct message_summary s, cut;
	struct str             whole;
	uint8_t                choice = size != 0 ? data[0] : 0;

	if (size == 0)
		return 0;
	whole = str_of((const char *)data + 1, size - 1);
	hold(message_parse(whole, &LIMITS[choice & 3], &arena, &s) == 0);
	hold(check_parts(&s) && s.size == whole.n);
	hold(check_wire(s.envelope) && check_wire(s.body) && check_wire(s.body_structure));
	hold(check_parse_in_steps(
		 whole, STEPS[choice >> 2 & 7], &LIMITS[choice & 3], &other, &cut) == 0);
	hold(check_same(&s, &cut));
	fuzz_packing(&s, &arena);
	for (uint32_t i = 0; i < s.n_parts && i < 4; i++)
		if (!s.parts[i].is_multipart && !s.parts[i].is_message)
			fuzz_text(whole, &s.parts[i]);
	fuzz_header(str_head(whole, s.header_n), &arena);
	fuzz_addresses(whole);
	return 0;
}
