#include "store/device_records.h"

#include "base/error.h"
#include "base/pack.h"
#include "store/records.h"

enum { VERSION = 1 };
enum { ALARM_OFF = 1 };

static void
pack_use(enum actor_protocol protocol, const struct device_use *use, struct buf *to)
{
	pack_u8(to, (uint8_t)protocol);
	pack_u64(to, (uint64_t)use->first_ms);
	pack_u64(to, (uint64_t)use->last_ms);
	pack_str(to, use->peer);
	pack_var(to, use->sessions);
	pack_var(to, use->fetched_n);
	pack_var(to, use->fetched_bytes);
	pack_var(to, use->removed_n);
	pack_var(to, use->removed_bytes);
}

void
device_record_pack(const struct device_record *rec, struct buf *to)
{
	uint8_t n = 0;

	pack_u8(to, VERSION);
	pack_str(to, rec->name);
	pack_str(to, rec->client);
	pack_u8(to, (uint8_t)rec->policy);
	pack_u64(to, (uint64_t)rec->alarm_ms);
	pack_u64(to, (uint64_t)rec->watch.since_ms);
	pack_var(to, rec->watch.removed_n);
	pack_var(to, rec->watch.inbox_n);
	for (size_t i = 0; i < ACTOR_PROTOCOLS; i++)
		n = (uint8_t)(n + (rec->use[i].last_ms != 0));
	pack_u8(to, n);
	for (size_t i = 0; i < ACTOR_PROTOCOLS; i++)
		if (rec->use[i].last_ms != 0)
			pack_use((enum actor_protocol)i, &rec->use[i], to);
}

static void
unpack_use(struct unpack *u, struct device_record *rec)
{
	uint8_t           protocol = unpack_u8(u);
	struct device_use use;

	use.first_ms = (int64_t)unpack_u64(u);
	use.last_ms = (int64_t)unpack_u64(u);
	use.peer = unpack_str(u);
	use.sessions = unpack_var(u);
	use.fetched_n = unpack_var(u);
	use.fetched_bytes = unpack_var(u);
	use.removed_n = unpack_var(u);
	use.removed_bytes = unpack_var(u);
	/* Protocols of a later program are passed over. */
	if (protocol < ACTOR_PROTOCOLS)
		rec->use[protocol] = use;
}

int
device_record_unpack(struct str value, struct device_record *ret)
{
	struct device_record rec = { 0 };
	struct unpack        u;
	uint8_t              policy, n;
	int                  r = record_open(value, VERSION, &u);

	if (r < 0)
		return r;
	rec.name = unpack_str(&u);
	rec.client = unpack_str(&u);
	policy = unpack_u8(&u);
	rec.alarm_ms = (int64_t)unpack_u64(&u);
	rec.watch.since_ms = (int64_t)unpack_u64(&u);
	rec.watch.removed_n = unpack_var(&u);
	rec.watch.inbox_n = unpack_var(&u);
	n = unpack_u8(&u);
	for (uint8_t i = 0; i < n; i++)
		unpack_use(&u, &rec);
	if (!unpack_ok(&u) || policy > POP3_DELETE || rec.name.n > DEVICE_NAME_MAX ||
	    rec.client.n > DEVICE_CLIENT_MAX)
		return E_CORRUPT;
	rec.policy = (enum pop3_policy)policy;
	*ret = rec;
	return 0;
}

void
hidden_record_pack(uint64_t more, struct buf *to)
{
	pack_u8(to, VERSION);
	pack_var(to, more);
}

int
hidden_record_unpack(struct str value, uint64_t *ret_more)
{
	struct unpack u;
	uint64_t      more;
	int           r = record_open(value, VERSION, &u);

	if (r < 0)
		return r;
	more = unpack_var(&u);
	if (!unpack_ok(&u))
		return E_CORRUPT;
	*ret_more = more;
	return 0;
}

void
left_record_pack(const struct left_record *rec, struct buf *to)
{
	pack_u8(to, VERSION);
	pack_u64(to, (uint64_t)rec->when_ms);
	pack_var(to, rec->device);
	pack_u8(to, (uint8_t)rec->policy);
	pack_var(to, rec->mailbox);
	buf_put(to, rec->blob.b, sizeof(rec->blob.b));
	pack_var(to, rec->size);
	pack_var(to, rec->header_n);
	pack_var(to, rec->blob_header_n);
	if (rec->wire_more != 0)
		pack_var(to, rec->wire_more);
}

int
left_record_unpack(struct str value, struct left_record *ret)
{
	struct left_record rec;
	struct unpack      u;
	uint64_t           device, mailbox, blob_header_n, wire_more;
	struct str         blob;
	uint8_t            policy;
	int                r = record_open(value, VERSION, &u);

	if (r < 0)
		return r;
	rec.when_ms = (int64_t)unpack_u64(&u);
	device = unpack_var(&u);
	policy = unpack_u8(&u);
	mailbox = unpack_var(&u);
	blob = unpack_bytes(&u, sizeof(rec.blob.b));
	rec.size = unpack_var(&u);
	rec.header_n = unpack_var(&u);
	blob_header_n = unpack_var(&u);
	wire_more = u.left.n != 0 ? unpack_var(&u) : 0;
	if (!unpack_ok(&u) || device > UINT32_MAX || mailbox > UINT32_MAX ||
	    policy < POP3_ARCHIVE || policy > POP3_DELETE || rec.header_n > rec.size ||
	    blob_header_n > rec.size || blob_header_n > UINT32_MAX || wire_more > UINT32_MAX)
		return E_CORRUPT;
	memcpy(rec.blob.b, blob.p, sizeof(rec.blob.b));
	rec.blob_header_n = (uint32_t)blob_header_n;
	rec.wire_more = (uint32_t)wire_more;
	rec.device = (device_id)device;
	rec.mailbox = (mailbox_id)mailbox;
	rec.policy = (enum pop3_policy)policy;
	*ret = rec;
	return 0;
}

void
options_record_pack(const struct pop3_options *opt, struct buf *to)
{
	pack_u8(to, VERSION);
	pack_u8(to, (uint8_t)opt->policy);
	pack_u8(to, opt->alarm_off ? ALARM_OFF : 0);
	pack_u8(to, (uint8_t)opt->alarm_percent);
}

int
options_record_unpack(struct str value, struct pop3_options *ret)
{
	struct unpack u;
	uint8_t       policy, bits, percent;
	int           r = record_open(value, VERSION, &u);

	if (r < 0)
		return r;
	policy = unpack_u8(&u);
	bits = unpack_u8(&u);
	percent = unpack_u8(&u);
	if (!unpack_ok(&u) || policy > POP3_DELETE || percent > 100)
		return E_CORRUPT;
	*ret = (struct pop3_options){
		.policy = (enum pop3_policy)policy,
		.alarm_off = (bits & ALARM_OFF) != 0,
		.alarm_percent = percent,
	};
	return 0;
}
