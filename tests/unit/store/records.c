/* Tests of store/keys.h and store/records.h: what is packed comes back, and nothing else. */
#include "env.h"

#include "base/pack.h"
#include "store/index.h"
#include "store/name.h"
#include "store/records.h"

static void
test_keys_sort_and_come_back(void **state)
{
	struct key a = key_message(3, 9), b = key_message(3, 256), c = key_message(4, 1);
	struct key end = key_uid_end('m', 3, 256), far = key_uid_end('m', 3, UINT32_MAX);
	mailbox_id id;
	uint32_t   uid;
	uint64_t   modseq;
	email_id   email;
	int64_t    when;
	unsigned   number;

	(void)state;
	assert_true(str_cmp(key_str(&a), key_str(&b)) < 0);
	assert_true(str_cmp(key_str(&b), key_str(&end)) < 0);
	assert_true(str_cmp(key_str(&far), key_str(&c)) < 0);
	assert_ok(key_read_uid(key_str(&b), 'm', &id, &uid));
	assert_int_equal(id, 3);
	assert_int_equal(uid, 256);
	assert_int_equal(key_read_uid(key_str(&b), 'f', &id, &uid), E_CORRUPT);
	assert_int_equal(key_read_uid(key_str(&end), 'm', &id, &uid), E_CORRUPT);
	a = key_log(UINT64_MAX);
	assert_ok(key_read_log(key_str(&a), &modseq));
	assert_true(modseq == UINT64_MAX);
	a = key_expunged(1234567890123, 77);
	assert_ok(key_read_expunged(key_str(&a), &when, &email));
	assert_true(when == 1234567890123 && email == 77);
	a = key_keyword(255);
	assert_ok(key_read_keyword(key_str(&a), &number));
	assert_int_equal(number, 255);
	a = key_mailbox(5);
	assert_ok(key_read_mailbox(key_str(&a), &id));
	assert_int_equal(id, 5);
	assert_int_equal(key_read_mailbox(STR("b"), &id), E_CORRUPT);
}

static const struct message MESSAGE = {
	.uid = 8, .modseq = 300, .flags = { FLAG_SEEN | FLAG_DRAFT, { 5, 0, 0, 1ull << 63 } },
	.internal_ms = -62135596800000, .internal_zone_min = -720, .save_ms = 1700000000123,
	.email = 900, .thread = 12, .blob = { "0123456789abcde" }, .size = 5000000000,
	.header_n = 1234, .blob_header_n = 1200
};

static void
test_message_record(void **state)
{
	OWN_BUF struct buf b = BUF_INIT(1000);
	struct message     m, none = { .uid = 1 };
	size_t             with_keywords;

	(void)state;
	message_record_pack(&MESSAGE, &b);
	assert_ok(b.err);
	with_keywords = b.n;
	memset(&m, 0xaa, sizeof(m));
	assert_ok(message_record_unpack(buf_view(&b), 8, &m));
	assert_int_equal(m.uid, 8);
	assert_true(m.modseq == 300 && m.email == 900 && m.thread == 12);
	assert_int_equal(m.flags.system, FLAG_SEEN | FLAG_DRAFT);
	assert_memory_equal(m.flags.keywords, MESSAGE.flags.keywords, sizeof(m.flags.keywords));
	assert_true(m.internal_ms == MESSAGE.internal_ms && m.save_ms == MESSAGE.save_ms);
	assert_int_equal(m.internal_zone_min, -720);
	assert_memory_equal(m.blob.b, MESSAGE.blob.b, 16);
	assert_true(m.size == 5000000000 && m.header_n == 1234 && m.blob_header_n == 1200);
	/* Every cut is seen; bytes more are not minded. */
	for (size_t n = 0; n < b.n; n++)
		assert_int_equal(message_record_unpack(str_of(b.p, n), 8, &m), E_CORRUPT);
	buf_byte(&b, 'x');
	assert_ok(message_record_unpack(buf_view(&b), 8, &m));
	b.p[0] = 2;
	assert_int_equal(message_record_unpack(buf_view(&b), 8, &m), E_FORMAT_NEWER);
	b.p[0] = 0;
	assert_int_equal(message_record_unpack(buf_view(&b), 8, &m), E_CORRUPT);
	/* Keywords that nobody has take no room. */
	buf_reset(&b);
	message_record_pack(&none, &b);
	assert_true(b.n < 64 && b.n + 32 < with_keywords + 8);
}

/* What came later stands at the end, where it is not 0. */
static void
test_wire_more(void **state)
{
	OWN_BUF struct buf b = BUF_INIT(1000);
	struct message     more = MESSAGE, m;

	(void)state;
	more.wire_more = 70000;
	message_record_pack(&more, &b);
	assert_ok(message_record_unpack(buf_view(&b), 8, &m));
	assert_int_equal(m.wire_more, 70000);
	buf_reset(&b);
	message_record_pack(&MESSAGE, &b);
	assert_ok(message_record_unpack(buf_view(&b), 8, &m));
	assert_int_equal(m.wire_more, 0);
}

static void
test_account_and_mailbox_records(void **state)
{
	const struct account_record A = { ACCOUNT_LIVE, 7, 1ull << 40, 1700000000,
		{ 1 << 30, 1000 }, { 5, 2 }, 99, 3 };
	const struct mailbox_record B = { .no_select = true, .special_use = USE_IMPORTANT,
		.uidvalidity = UINT32_MAX, .uidnext = 10, .messages = 4, .unseen = 3, .deleted = 2,
		.recent = 1, .recent_from = 9, .size = 1ull << 50, .highest_modseq = 1ull << 60,
		.name = STR("Büro/Rechnungen") };
	OWN_BUF struct buf    b = BUF_INIT(2000);
	struct account_record a2;
	struct mailbox_record b2;

	(void)state;
	account_record_pack(&A, &b);
	assert_ok(account_record_unpack(buf_view(&b), &a2));
	assert_true(a2.state == A.state && a2.next_mailbox == 7 && a2.next_email == A.next_email);
	assert_true(a2.last_uidvalidity == A.last_uidvalidity && a2.log_floor == 99);
	assert_true(a2.quota.storage_max == 1 << 30 && a2.quota.count_max == 1000);
	assert_true(a2.usage.storage == 5 && a2.usage.count == 2 && a2.n_dying == 3);
	b.p[1] = 9;
	assert_int_equal(account_record_unpack(buf_view(&b), &a2), E_CORRUPT);
	buf_reset(&b);
	mailbox_record_pack(&B, &b);
	assert_ok(mailbox_record_unpack(buf_view(&b), &b2));
	assert_true(b2.no_select && !b2.dying && b2.special_use == USE_IMPORTANT);
	assert_true(b2.uidvalidity == UINT32_MAX && b2.uidnext == 10 && b2.messages == 4);
	assert_true(b2.unseen == 3 && b2.deleted == 2 && b2.recent == 1 && b2.recent_from == 9);
	assert_true(b2.size == B.size && b2.highest_modseq == B.highest_modseq);
	assert_str(b2.name, "Büro/Rechnungen");
	for (size_t n = 0; n < b.n; n++)
		assert_int_equal(
		    mailbox_record_unpack(str_of(b.p, n), &b2), E_CORRUPT);
}

static void
test_other_records(void **state)
{
	const struct facts_record    F = { true, { "0123456789abcde" },
		{ STR("(env)"), STR("(body)"), STR("(structure)"), STR("\0\1"), STR("fields") } };
	const struct place_record    P = { .mailbox = 3, .uid = 4 };
	const struct place_record    Q = { true, 0, 0, 1700000000000 };
	const struct thread_record   T = { 5, 6 };
	const struct expunged_record X = { 3, 4, ACTOR_POP3, STR("::1"), STR("me"), STR("m"),
		   STR("f") };
	OWN_BUF struct buf           b = BUF_INIT(2000);
	struct facts_record          f;
	struct place_record          p;
	struct thread_record         t;
	struct expunged_record       x;

	(void)state;
	facts_record_pack(&F, &b);
	assert_ok(facts_record_unpack(buf_view(&b), &f));
	assert_true(f.has_msgid && memcmp(f.msgid.b, F.msgid.b, 16) == 0);
	assert_str(f.facts.envelope, "(env)");
	assert_str(f.facts.body_structure, "(structure)");
	assert_int_equal(f.facts.parts.n, 2);
	assert_str(f.facts.fields, "fields");
	for (size_t n = 0; n < b.n; n++)
		assert_int_equal(facts_record_unpack(str_of(b.p, n), &f), E_CORRUPT);
	/* As it was written at first. */
	buf_reset(&b);
	pack_u8(&b, 1);
	pack_str(&b, STR("0123456789abcdef"));
	pack_str(&b, STR("(env)"));
	pack_str(&b, STR("(body)"));
	pack_str(&b, STR("(structure)"));
	pack_str(&b, STR("parts"));
	for (size_t n = 0; n < b.n; n++)
		assert_int_equal(facts_record_unpack(str_of(b.p, n), &f), E_CORRUPT);
	assert_ok(facts_record_unpack(buf_view(&b), &f));
	assert_true(f.has_msgid && f.msgid.b[15] == 'f');
	assert_str(f.facts.envelope, "(env)");
	assert_str(f.facts.parts, "parts");
	assert_int_equal(f.facts.fields.n, 0);
	b.p[0] = 4;
	assert_int_equal(facts_record_unpack(buf_view(&b), &f), E_FORMAT_NEWER);
	buf_reset(&b);
	pack_u8(&b, 2);
	pack_str(&b, STR_NONE);
	for (uint8_t n = 1; n <= 5; n++)
		pack_u8(&b, n);
	buf_str(&b, STR("ebbssspppp" "field"));
	assert_ok(facts_record_unpack(buf_view(&b), &f));
	assert_true(!f.has_msgid);
	assert_str(f.facts.envelope, "e");
	assert_str(f.facts.body, "bb");
	assert_str(f.facts.body_structure, "sss");
	assert_str(f.facts.parts, "pppp");
	assert_str(f.facts.fields, "field");
	buf_reset(&b);
	place_record_pack(&P, &b);
	assert_ok(place_record_unpack(buf_view(&b), &p));
	assert_true(!p.expunged && p.mailbox == 3 && p.uid == 4);
	buf_reset(&b);
	place_record_pack(&Q, &b);
	assert_ok(place_record_unpack(buf_view(&b), &p));
	assert_true(p.expunged && p.when_ms == Q.when_ms);
	buf_reset(&b);
	thread_record_pack(&T, &b);
	assert_ok(thread_record_unpack(buf_view(&b), &t));
	assert_true(t.thread == 5 && t.email == 6);
	buf_reset(&b);
	expunged_record_pack(&X, &b);
	assert_ok(expunged_record_unpack(buf_view(&b), &x));
	assert_true(x.mailbox == 3 && x.uid == 4 && x.protocol == ACTOR_POP3);
	assert_str(x.login, "me");
	assert_str(x.facts, "f");
}

static void
test_log_record(void **state)
{
	const struct change ITEMS[] = {
		{ .kind = CHANGE_APPEND, .way = CHANGE_BY_MOVE, .mailbox = 3, .uid_lo = 5,
		    .n = 896, .email = 70 },
		{ .kind = CHANGE_MAILBOX, .mailbox = 9, .n = 1 },
		{ .kind = CHANGE_FLAGS, .mailbox = 3, .uid_lo = 7, .n = 1, .email = 8,
		    .set = FLAG_SEEN, .cleared = FLAG_FLAGGED },
	};
	OWN_BUF struct buf  items = BUF_INIT(200), b = BUF_INIT(200);
	struct log_record   rec = { 1700000000000, ACTOR_LMTP, 12, STR("peer"), STR("login"),
		  STR("phone"), 0, STR_NONE };
	struct log_record   got;
	struct change       c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ITEMS); i++)
		log_item_pack(&ITEMS[i], &items);
	rec.items = buf_view(&items);
	log_record_pack(&rec, &b);
	assert_ok(log_record_unpack(buf_view(&b), &got));
	assert_true(got.when_ms == rec.when_ms && got.protocol == ACTOR_LMTP && got.session == 12);
	assert_str(got.peer, "peer");
	assert_str(got.login, "login");
	assert_str(got.device, "phone");
	assert_int_equal(log_item_next(&got, &c), 1);
	assert_true(c.kind == CHANGE_APPEND && c.mailbox == 3 && c.uid_lo == 5 && c.uid_hi == 900);
	assert_true(c.way == CHANGE_BY_MOVE && c.n == 896 && c.email == 70);
	assert_int_equal(log_item_next(&got, &c), 1);
	assert_true(c.kind == CHANGE_MAILBOX && c.mailbox == 9 && c.uid_lo == 0 && c.uid_hi == 0);
	assert_int_equal(log_item_next(&got, &c), 1);
	assert_true(c.kind == CHANGE_FLAGS && c.uid_hi == 7 && c.email == 8);
	assert_true(c.set == FLAG_SEEN && c.cleared == FLAG_FLAGGED);
	assert_int_equal(log_item_next(&got, &c), 0);
	got.items = STR("\x09\x01\x01\x00\x01");
	assert_int_equal(log_item_next(&got, &c), E_CORRUPT);
	got.items = STR("\x41\x01\x01\x00\x01");
	assert_int_equal(log_item_next(&got, &c), E_CORRUPT);
	got.items = STR("\x01\x01");
	assert_int_equal(log_item_next(&got, &c), E_CORRUPT);
	got.items = STR("\x01\x01\x02\xff\xff\xff\xff\x0f\x01");
	assert_int_equal(log_item_next(&got, &c), E_CORRUPT);
}

/* As it was before devices were known. */
static void
test_log_record_1(void **state)
{
	const char        OLD[] = "\x01\x05\0\0\0\0\0\0\0\x04\x09\x01p\x01l\x02\x03\x05\x02";
	struct log_record got;
	struct change     c;

	(void)state;
	assert_ok(log_record_unpack(str_of(OLD, sizeof(OLD) - 1), &got));
	assert_true(got.when_ms == 5 && got.protocol == ACTOR_IMAP && got.session == 9);
	assert_str(got.login, "l");
	assert_int_equal(got.device.n, 0);
	assert_int_equal(log_item_next(&got, &c), 1);
	assert_true(c.kind == CHANGE_FLAGS && c.mailbox == 3 && c.uid_lo == 5 && c.uid_hi == 7);
	assert_true(c.n == 3 && c.email == 0 && c.set == 0);
	assert_int_equal(log_item_next(&got, &c), 0);
}

static void
test_names(void **state)
{
	char        deep[MAILBOX_DEPTH_MAX * 2 + 2];
	char        wide[MAILBOX_NAME_MAX + 1];
	struct name n;

	(void)state;
	assert_ok(name_read(STR("inbox"), &n));
	assert_str(name_str(&n), "INBOX");
	assert_ok(name_read(STR("iNboX/Büro/x y"), &n));
	assert_str(name_str(&n), "INBOX/Büro/x y");
	assert_ok(name_read(STR("inboxes/inbox"), &n));
	assert_str(name_str(&n), "inboxes/inbox");
	assert_int_equal(name_read(STR(""), &n), E_CANNOT);
	assert_int_equal(name_read(STR("/"), &n), E_CANNOT);
	assert_int_equal(name_read(STR("/a"), &n), E_CANNOT);
	assert_int_equal(name_read(STR("a/"), &n), E_CANNOT);
	assert_int_equal(name_read(STR("a//b"), &n), E_CANNOT);
	assert_int_equal(name_read(STR("a\nb"), &n), E_CANNOT);
	assert_int_equal(name_read(STR("a\0b"), &n), E_CANNOT);
	assert_int_equal(name_read(STR("a\x7f"), &n), E_CANNOT);
	assert_int_equal(name_read(STR("a\xff"), &n), E_CANNOT);
	memset(wide, 'w', sizeof(wide));
	assert_ok(name_read(str_of(wide, MAILBOX_NAME_MAX), &n));
	assert_int_equal(name_read(str_of(wide, MAILBOX_NAME_MAX + 1), &n), E_CANNOT);
	for (size_t i = 0; i < sizeof(deep); i++)
		deep[i] = i % 2 == 0 ? 'd' : '/';
	assert_ok(name_read(str_of(deep, MAILBOX_DEPTH_MAX * 2 - 1), &n));
	assert_int_equal(name_read(str_of(deep, MAILBOX_DEPTH_MAX * 2 + 1), &n), E_CANNOT);
	assert_str(name_parent(STR("a/b/c")), "a/b");
	assert_int_equal(name_parent(STR("a")).n, 0);
	assert_true(name_is_below(STR("a/b"), STR("a")));
	assert_false(name_is_below(STR("ab"), STR("a")));
	assert_false(name_is_below(STR("a"), STR("a")));
}

/* Many small changes at once take another way than a few. */
static void
test_index_delta(void **state)
{
	struct index       index = { .loaded = true };
	struct index_delta delta = { 0 };

	(void)state;
	for (uint32_t uid = 1; uid <= 100; uid++)
		assert_ok(index_delta_put(&delta, uid, 0, IS_THERE | IS_UNSEEN));
	index_apply(&index, &delta);
	index_delta_done(&delta);
	for (uint32_t uid = 2; uid <= 100; uid += 2)
		assert_ok(index_delta_put(
		    &delta, uid, IS_THERE | IS_UNSEEN, IS_THERE | IS_DELETED));
	index_apply(&index, &delta);
	index_delta_done(&delta);
	assert_int_equal(index.set[0].n, 1);
	assert_int_equal(ranges_count(&index.set[1]), 50);
	assert_int_equal(ranges_count(&index.set[2]), 50);
	for (uint32_t uid = 4; uid <= 100; uid += 4)
		assert_ok(index_delta_put(&delta, uid, IS_THERE | IS_DELETED, 0));
	index_apply(&index, &delta);
	index_delta_done(&delta);
	assert_int_equal(ranges_count(&index.set[0]), 75);
	assert_int_equal(ranges_count(&index.set[2]), 25);
	for (uint32_t uid = 1; uid <= 100; uid++) {
		assert_int_equal(ranges_has(&index.set[0], uid), uid % 4 != 0);
		assert_int_equal(ranges_has(&index.set[1], uid), uid % 2 == 1);
		assert_int_equal(ranges_has(&index.set[2], uid), uid % 4 == 2);
	}
	index_drop(&index);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_sort_and_come_back),
		cmocka_unit_test(test_message_record),
		cmocka_unit_test(test_wire_more),
		cmocka_unit_test(test_account_and_mailbox_records),
		cmocka_unit_test(test_other_records),
		cmocka_unit_test(test_log_record),
		cmocka_unit_test(test_log_record_1),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_index_delta),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
