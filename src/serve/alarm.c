#include "serve/alarm.h"

#include <sodium.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "codec/date.h"

enum { LETTER_MAX = 64 << 10, ALARM_ARENA_MAX = 64 << 10 };

/* --- the letter --- */

static void
put(struct buf *to, const char *line)
{
	buf_str(to, str_c(line));
	buf_str(to, STR("\r\n"));
}

/* Names come from users: no byte of them ends a line or moves a terminal's cursor. */
static void
put_plain(struct buf *to, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		/* U+0080 to U+009F are controls, too. */
		if (c == 0xc2 && i + 1 < s.n && (unsigned char)s.p[i + 1] < 0xa0) {
			buf_byte(to, '?');
			i++;
		} else {
			buf_byte(to, c < ' ' || c == 127 ? '?' : s.p[i]);
		}
	}
}

/* As one word of a shell. */
static void
put_word(struct buf *to, struct str s)
{
	bool more = true;

	buf_byte(to, '\'');
	while (more) {
		size_t at = str_find_byte(s, '\'');

		more = at < s.n;
		put_plain(to, str_head(s, at));
		if (more)
			buf_str(to, STR("'\\''"));
		s = str_skip(s, at + 1);
	}
	buf_byte(to, '\'');
}

/* 2026-11-22T07:30:00Z, as commands read it. Rounded down: nothing of that second is left out. */
static void
put_time(struct buf *to, int64_t ms)
{
	time_t    s = (time_t)(ms / 1000);
	char      text[32];
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	buf_str(to, str_c(text));
}

static void
put_header(const struct alarm_letter *l, struct buf *to)
{
	size_t             at = str_rfind_byte(l->address, '@');
	unsigned long long noise;

	randombytes_buf(&noise, sizeof(noise));
	buf_printf(to, "From: Mail server <postmaster%.*s>\r\n",
	    STR_ARG(at < l->address.n ? str_skip(l->address, at) : STR("@localhost")));
	buf_printf(to, "To: <%.*s>\r\nDate: ", STR_ARG(l->address));
	date_put_rfc5322(to, l->now_ms, 0);
	buf_printf(to, "\r\nMessage-ID: <alarm.%llx.%016llx@%.*s>\r\n",
	    (unsigned long long)l->now_ms, noise, STR_ARG(l->hostname));
	buf_printf(to, "Subject: A device removed %llu of %llu messages from your Inbox\r\n",
	    (unsigned long long)l->alarm.removed_n, (unsigned long long)l->alarm.inbox_n);
	put(to, "Auto-Submitted: auto-generated"); /* RFC 3834 s5 */
	put(to, "MIME-Version: 1.0");
	put(to, "Content-Type: text/plain; charset=utf-8");
	put(to, "Content-Transfer-Encoding: 8bit");
	put(to, "");
}

static void
put_facts(const struct alarm_letter *l, struct buf *to)
{
	put(to, "A program that reads your mail by POP3 has removed a good part of your");
	put(to, "Inbox. It was not known here before, or it was not seen for a long time.");
	put(to, "");
	buf_str(to, STR("  Device:   "));
	if (l->device.n != 0)
		put_plain(to, l->device);
	else
		buf_str(to, STR("the main login, without a name of a device"));
	buf_str(to, STR("\r\n  Address:  "));
	put_plain(to, l->peer);
	buf_str(to, STR("\r\n  Since:    "));
	date_put_rfc5322(to, l->alarm.since_ms, 0);
	buf_str(to, STR("\r\n  Until:    "));
	date_put_rfc5322(to, l->now_ms, 0);
	buf_printf(to, "\r\n  Removed:  %llu of %llu messages\r\n\r\n",
	    (unsigned long long)l->alarm.removed_n, (unsigned long long)l->alarm.inbox_n);
}

static const char *
fate(enum pop3_policy policy)
{
	switch (policy) {
	case POP3_ARCHIVE:
		return "They are in your archive mailbox now, and stay there.";
	case POP3_TRASH:
		return "They are in your Trash now, and go from there after the time that this\r\n"
		       "server keeps removed mail (30 days, unless its operator has chosen\r\n"
		       "another).";
	case POP3_DELETE:
		return "They were deleted. They can be put back within the time that this\r\n"
		       "server keeps removed mail (30 days, unless its operator has chosen\r\n"
		       "another).";
	default: /* since it was changed */
		return "Each can be put back within the time that this server keeps removed\r\n"
		       "mail (30 days, unless its operator has chosen another).";
	}
}

static void
put_command(struct buf *to, const char *name, const struct alarm_letter *l)
{
	buf_printf(to, "  postrider account %s ", name);
	put_word(to, l->address);
}

void
alarm_put_letter(const struct alarm_letter *l, struct buf *to)
{
	put_header(l, to);
	put_facts(l, to);
	put(to, fate(l->policy));
	put(to, "");
	put(to, "If that is what you wanted, there is nothing to do. You will not be told");
	put(to, "again about this device for 30 days.");
	put(to, "");
	put(to, "If not, change your password, and ask the operator of this server to put");
	put(to, "everything back as it was:");
	put(to, "");
	put_command(to, "restore", l);
	buf_str(to, STR(" --since "));
	put_time(to, l->alarm.since_ms);
	buf_str(to, STR(" --by "));
	put_word(to, l->device);
	buf_str(to, STR("\r\n\r\n"));
	put(to, "What this device's removals do is a choice: keep the mail in the Inbox,");
	put(to, "mark it as read, archive it, move it to the Trash, or delete it. To keep");
	put(to, "it from now on:");
	put(to, "");
	put_command(to, "pop3", l);
	buf_str(to, STR(" --policy keep --device "));
	put_word(to, l->device);
	buf_str(to, STR("\r\n\r\n"));
	put(to, "To have no more such letters, or at another share of the Inbox:");
	put(to, "");
	put_command(to, "pop3", l);
	buf_str(to, STR(" --alarm off\r\n"));
	put_command(to, "pop3", l);
	buf_str(to, STR(" --alarm 80\r\n"));
}

/* --- into the Inbox --- */

static int
append(struct server *server, struct account *a, struct str letter)
{
	const struct append_options options = { .ignore_quota = true };
	const struct actor          actor = { .protocol = ACTOR_SYSTEM };
	OWN(ingest) in = NULL;
	struct appended done;
	mailbox_id      inbox;
	int             r = mailbox_find(a, STR("INBOX"), &inbox);

	if (r == 0)
		r = ingest_new(server->store, LETTER_MAX, &in);
	if (r == 0)
		r = ingest_write(in, letter);
	if (r == 0)
		r = ingest_end(in);
	return r < 0 ? r : message_append(a, inbox, in, &options, &actor, &done);
}

static int
send_letter(struct server *server, struct account *a, device_id device, struct alarm_letter *l)
{
	OWN_ARENA struct arena   arena = ARENA_INIT(ALARM_ARENA_MAX);
	OWN_BUF struct buf       text = BUF_INIT(LETTER_MAX);
	struct directory_account who;
	int r = directory_account_by_id(server->directory, account_number(a), &arena, &who);

	if (r == 0)
		r = device_policy(a, device, &l->policy);
	if (r < 0)
		return r;
	l->address = who.address;
	l->hostname = server->hostname;
	alarm_put_letter(l, &text);
	return text.err < 0 ? text.err : append(server, a, buf_view(&text));
}

void
alarm_after_removal(struct server *server, struct account *a, device_id device,
    const struct actor *actor)
{
	struct alarm_letter l = {
		.device = actor->device, .peer = actor->peer, .now_ms = clock_real_ms()
	};
	bool due = false;
	int  r = device_alarm_due(a, device, &due, &l.alarm), ended;

	if (r == 0 && !due)
		return;
	if (r == 0) {
		r = send_letter(server, a, device, &l);
		ended = device_alarm_end(a, device, actor, r == 0);
		r = r < 0 ? r : ended;
	}
	if (r < 0)
		log_event(LOG_ERROR, "device-alarm-failed", LOG_U("session", actor->session),
		    LOG_U("account", account_number(a)), LOG_S("device", actor->device),
		    LOG_ERR(r));
	else
		log_event(LOG_WARN, "device-alarm", LOG_U("session", actor->session),
		    LOG_U("account", account_number(a)), LOG_S("device", actor->device),
		    LOG_S("peer", actor->peer), LOG_U("removed", l.alarm.removed_n),
		    LOG_U("inbox", l.alarm.inbox_n));
}
