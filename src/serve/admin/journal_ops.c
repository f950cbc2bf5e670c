/* The operation that tells what happened to mail: store/journal.h, a page at a time. */
#include "base/error.h"
#include "codec/utf8.h"
#include "mime/header.h"
#include "serve/admin/find.h"
#include "store/journal.h"

enum { PAGE_EVENTS = 1000, SUBJECT_MAX = 200, SUBJECT_ARENA_MAX = 1 << 20 };

/* One commit may have more events than a page: where a page ended is a commit and how many events
 * of the next one were told. */
struct page {
	struct admin         *s;
	const email_id       *only; /* ascending; NULL: all messages */
	size_t                n_only;
	struct journal_event *events;
	size_t                n;
	uint64_t              whole;    /* all up to this commit are told */
	uint64_t              modseq;   /* the one that is looked at */
	uint64_t              told, skip; /* of its events; of the first one's, told before */
	bool                  more;
};

static bool
is_wanted(const struct page *p, email_id email)
{
	size_t lo = 0, hi = p->n_only;

	if (p->only == NULL)
		return true;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (p->only[mid] == email)
			return true;
		if (p->only[mid] < email)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

static int
note_event(void *arg, const struct journal_event *e)
{
	struct page          *p = arg;
	struct journal_event *to;
	int                   r;

	if (!is_wanted(p, e->email))
		return 0;
	if (e->modseq != p->modseq) {
		if (p->modseq != 0) {
			p->whole = p->modseq;
			p->skip = 0;
		}
		p->modseq = e->modseq;
		p->told = 0;
	}
	if (p->told < p->skip) {
		p->told++;
		return 0;
	}
	if (p->n == PAGE_EVENTS) {
		p->more = true;
		return 1;
	}
	to = &p->events[p->n++];
	p->told++;
	*to = *e;
	r = arena_dup(&p->s->arena, e->peer, &to->peer);
	if (r == 0)
		r = arena_dup(&p->s->arena, e->login, &to->login);
	return r < 0 ? r : arena_dup(&p->s->arena, e->device, &to->device);
}

static const char *
name_of(enum journal_what what)
{
	static const char *const NAMES[] = {
		[JOURNAL_DELIVERED] = "delivered", [JOURNAL_APPENDED] = "appended",
		[JOURNAL_COPIED] = "copied", [JOURNAL_MOVED] = "moved", [JOURNAL_READ] = "read",
		[JOURNAL_UNREAD] = "unread", [JOURNAL_FLAGGED] = "flagged",
		[JOURNAL_UNFLAGGED] = "unflagged", [JOURNAL_FLAGS] = "flags",
		[JOURNAL_FETCHED] = "fetched", [JOURNAL_HIDDEN] = "hidden",
		[JOURNAL_REMOVED] = "removed", [JOURNAL_RESTORED] = "restored",
		[JOURNAL_PURGED] = "purged"
	};

	return (unsigned)what < ARRAY_LEN(NAMES) ? NAMES[what] : "?";
}

static json_t *
flag_names(unsigned flags)
{
	static const char *const NAMES[] = { "seen", "answered", "flagged", "deleted", "draft" };
	json_t                  *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
		if ((flags >> i & 1) != 0)
			json_array_append_new(list, json_string(NAMES[i]));
	return list;
}

struct names {
	struct mailbox_info *list;
	size_t               n;
};

/* Of one that is gone the number is told. */
static void
put_mailbox(json_t *o, const char *key, const struct names *names, mailbox_id id)
{
	char number[32];

	if (id == 0)
		return;
	for (size_t i = 0; i < names->n; i++)
		if (names->list[i].id == id) {
			json_object_set_new(o, key, admin_json_text(names->list[i].name));
			return;
		}
	snprintf(number, sizeof(number), "(gone: %u)", id);
	json_object_set_new(o, key, json_string(number));
}

static void
put_field(json_t *o, const char *key, struct str section, const char *name)
{
	OWN_ARENA struct arena arena = ARENA_INIT(SUBJECT_ARENA_MAX);
	struct header_field    field;
	struct str             text;

	if (!header_find(section, str_c(name), &field) ||
	    header_decode(field.value, &arena, &text) < 0)
		return;
	text = str_head(text, SUBJECT_MAX);
	if (text.n == SUBJECT_MAX)
		text = str_head(text, utf8_valid_prefix(text));
	json_object_set_new(o, key, admin_json_text(text));
}

static json_t *
describe(struct account *account, const struct names *names, const struct journal_event *e)
{
	OWN_BUF struct buf header = BUF_INIT(HEADER_READ_MAX);
	json_t            *o = json_object();

	json_object_set_new(o, "when_ms", json_integer(e->when_ms));
	json_object_set_new(o, "what", json_string(name_of(e->what)));
	json_object_set_new(o, "email", json_integer((json_int_t)e->email));
	put_mailbox(o, "mailbox", names, e->mailbox);
	put_mailbox(o, "from", names, e->from);
	json_object_set_new(o, "uid", json_integer(e->uid));
	json_object_set_new(o, "set", flag_names(e->set));
	json_object_set_new(o, "cleared", flag_names(e->cleared));
	json_object_set_new(o, "protocol", json_string(admin_protocol_name(e->protocol)));
	json_object_set_new(o, "peer", admin_json_text(e->peer));
	json_object_set_new(o, "login", admin_json_text(e->login));
	json_object_set_new(o, "device", admin_json_text(e->device));
	/* As long as there is any of it, expunged or not. */
	if (e->email != 0 && find_header(account, e->email, &header) == 0) {
		put_field(o, "message_id", buf_view(&header), "Message-ID");
		put_field(o, "subject", buf_view(&header), "Subject");
	}
	return o;
}

static int
put_page(struct admin *s, struct account *account, const struct page *p)
{
	struct names names;
	json_t      *out = json_array(), *next;
	int          r = mailbox_list(account, &s->arena, &names.list, &names.n);

	for (size_t i = 0; r == 0 && i < p->n; i++)
		json_array_append_new(out, describe(account, &names, &p->events[i]));
	json_object_set_new(s->reply, "events", out);
	if (!p->more)
		return r;
	next = json_pack("{s:I, s:I}", "after", (json_int_t)p->whole, "skip", (json_int_t)p->told);
	json_object_set_new(s->reply, "next", next);
	return r;
}

static uint64_t
number(const struct admin *s, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(s->request, key));
}

/* The messages that "message" names. */
static int
read_message(struct admin *s, struct account *account, struct page *p)
{
	struct str what;
	email_id  *emails;
	int        r;

	if (json_object_get(s->request, "message") == NULL)
		return 0;
	r = admin_text(s, "message", &what);
	if (r < 0)
		return r;
	r = find_messages(account, what, &s->arena, &emails, &p->n_only);
	p->only = r == 0 ? emails : NULL;
	return r < 0 ? admin_fail(s, r, what) : 0;
}

int
admin_run_journal(struct admin *s)
{
	OWN(account) account = NULL;
	struct journal_query query = {
		.since_ms = (int64_t)number(s, "since_ms"), .after = number(s, "after")
	};
	struct page page = { .s = s, .whole = query.after, .skip = number(s, "skip") };
	struct str  address;
	int         r = admin_text(s, "address", &address);

	if (r == 0)
		r = admin_account(s, address, &account);
	if (r == 0)
		r = read_message(s, account, &page);
	if (r < 0)
		return r;
	page.events = arena_alloc(&s->arena, PAGE_EVENTS * sizeof(*page.events));
	if (page.events == NULL)
		return E_NOMEM;
	if (page.n_only == 1)
		query.email = page.only[0];
	r = journal_scan(account, &query, note_event, &page);
	return r < 0 ? r : put_page(s, account, &page);
}
