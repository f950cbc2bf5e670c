#include "main/check_store.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/directory.h"
#include "base/error.h"
#include "kv/salvage.h"
#include "main/options.h"
#include "main/store_view.h"
#include "store/keys.h"
#include "store/verify.h"

typedef unsigned long long ull;

/* --- the files --- */

static void
put_record(struct buf *to, const struct kv_row *row)
{
	mailbox_id box;
	uint32_t   uid;
	email_id   email;

	if (row->part.kind == KV_DIRECTORY)
		buf_printf(to, "the directory of accounts");
	else if (row->part.kind != KV_ACCOUNT)
		buf_printf(to, "the program's own records");
	else if (key_read_uid(row->key, 'm', &box, &uid) == 0)
		buf_printf(to, "account %llu, mailbox %u, message UID %u", (ull)row->part.id, box,
		    uid);
	else if (key_read_uid(row->key, 'f', &box, &uid) == 0)
		buf_printf(to, "account %llu, mailbox %u, what is known of UID %u",
		    (ull)row->part.id,
		    box, uid);
	else if (key_read_place(row->key, &email) == 0)
		buf_printf(to, "account %llu, place of email %llu", (ull)row->part.id, (ull)email);
	else
		buf_printf(to, "account %llu, records of kind '%c'", (ull)row->part.id,
		    row->key.n > 0 ? row->key.p[0] : 'A');
}

static void
put_key(struct buf *to, struct str key)
{
	struct kv_row row;

	kv_row_read(key, &row);
	if (key.n == 0)
		buf_printf(to, "the beginning");
	else if (row.kind == KV_ROW_RECORD)
		put_record(to, &row);
	else
		buf_printf(to, "the references of messages' bytes");
}

static void
print_damage(void *arg, const struct kv_damage *d)
{
	const struct check_how *how = arg;
	OWN_BUF struct buf      line = BUF_INIT(8192);
	struct kv_row           row;

	if (how->quiet)
		return;
	buf_printf(&line, "%s", d->file);
	if (d->n != 0)
		buf_printf(&line, ", %llu bytes at %llu", (ull)d->n, (ull)d->off);
	buf_printf(&line, ": %s", d->what);
	kv_row_read(d->to, &row);
	if (row.kind == KV_ROW_BLOB) {
		buf_printf(&line, " (message bytes ");
		for (size_t i = 0; i < sizeof(row.blob.b); i++)
			buf_printf(&line, "%02x", row.blob.b[i]);
		buf_printf(&line, ")");
	} else if (d->to.n != 0) {
		buf_printf(&line, " (between ");
		put_key(&line, d->from);
		buf_printf(&line, " and ");
		put_key(&line, d->to);
		buf_printf(&line, ")");
	}
	printf("%.*s\n", STR_ARG(buf_view(&line)));
}

static void
print_note(void *arg, const char *file, const char *what)
{
	const struct check_how *how = arg;

	if (!how->quiet)
		printf("note: %s %s; that is no fault\n", file, what);
}

/* --- the mail model, in the child --- */

struct model {
	const struct check_how *how;
	struct store           *store;
	struct directory       *directory;
	size_t                  printed;
};

static void
print_fault(void *arg, account_id id, const char *text)
{
	struct model            *m = arg;
	OWN_ARENA struct arena   a = ARENA_INIT(1 << 20);
	struct directory_account who;

	if (m->how->quiet)
		return;
	if (id == 0)
		printf("%s\n", text);
	else if (directory_account_by_id(m->directory, id, &a, &who) == 0)
		printf("account %llu (%.*s): %s\n", (ull)id, STR_ARG(who.address), text);
	else
		printf("account %llu: %s\n", (ull)id, text);
}

static void
count_all(struct store *store, struct check_result *ret)
{
	account_id id = 0;

	for (; kv_part_next(store_kv(store), KV_ACCOUNT, id, &id) == 0; id++) {
		OWN(account) a = NULL;
		struct quota       quota;
		struct quota_usage use;

		if (account_open(store, id, &a) < 0)
			continue;
		account_quota(a, &quota, &use);
		ret->accounts++;
		ret->messages += use.count;
	}
}

/* Every account of the directory has its mailboxes, and every mailbox tree its account. */
static int
check_directory(struct model *m, size_t *faults)
{
	OWN_ARENA struct arena    a = ARENA_INIT(512 << 20);
	struct directory_account *list;
	size_t                    n;
	int                       r = directory_account_list(m->directory, &a, &list, &n);

	if (r == E_CORRUPT) {
		printf("the directory of accounts cannot be read to its end\n");
		++*faults;
		return 0;
	}
	for (size_t i = 0; r == 0 && i < n; i++) {
		OWN(account) account = NULL;
		int e = account_open(m->store, list[i].id, &account);

		/* An account whose making was cut short gets its mailboxes at the next start. */
		if (e == E_NOT_FOUND) {
			uint64_t version = 0;

			e = kv_version(store_kv(m->store), (struct kv_part){ KV_ACCOUNT,
			    list[i].id },
			    &version);
			if (e == 0 && version != 0) {
				print_fault(m, list[i].id, "has no mailboxes");
				++*faults;
			}
		}
	}
	return r;
}

static int
check_model(const char *dir, const struct check_how *how, struct check_result *ret)
{
	OWN_BUF struct buf detail = BUF_INIT(4096);
	struct store_view  view;
	struct model       m = { .how = how };
	struct verify      v = { print_fault, &m, how->read_blobs };
	int                r = store_view_open(dir, &detail, &view);

	if (r < 0) {
		if (!how->quiet)
			printf("the store cannot be opened: %s: %.*s\n", error_row(r)->text,
			    STR_ARG(buf_view(&detail)));
		return r;
	}
	m.store = view.store;
	r = directory_open(store_kv(view.store), &m.directory);
	if (r == 0)
		r = store_verify(view.store, &v, &ret->model_faults);
	if (r == 0)
		r = check_directory(&m, &ret->model_faults);
	if (r == 0)
		count_all(view.store, ret);
	else if (!how->quiet)
		printf("the records cannot be read to their end: %s\n", error_row(r)->text);
	directory_drop(m.directory);
	store_view_close(&view);
	return r;
}

static void
child(const char *dir, const struct check_how *how, int to)
{
	struct check_result r = { 0 };

	r.broken = check_model(dir, how, &r) < 0;
	fflush(stdout);
	if (write(to, &r, sizeof(r)) != (ssize_t)sizeof(r))
		_exit(EXIT_FAILED);
	_exit(EXIT_OK);
}

static int
model_apart(const char *dir, const struct check_how *how, struct check_result *ret)
{
	struct check_result r = { .broken = true };
	int                 ends[2], status = 0;
	pid_t               pid;

	fflush(stdout);
	if (pipe(ends) != 0)
		return EXIT_FAILED;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		child(dir, how, ends[1]);
	}
	close(ends[1]);
	if (pid < 0 || read(ends[0], &r, sizeof(r)) != (ssize_t)sizeof(r))
		r = (struct check_result){ .broken = true };
	close(ends[0]);
	if (pid > 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	if (WIFSIGNALED(status) && !how->quiet)
		printf("looking at the mailboxes ended with signal %d\n", WTERMSIG(status));
	ret->model_faults = r.model_faults;
	ret->accounts = r.accounts;
	ret->messages = r.messages;
	ret->broken = r.broken;
	return EXIT_OK;
}

int
check_store(const char *dir, const struct check_how *how, struct check_result *ret)
{
	struct check_how    h = *how;
	struct check_result result = { 0 };
	struct kv_files     files = {
		.damage = print_damage, .note = print_note, .doubt = print_damage, .arg = &h
	};
	int                 r = kv_files_check(dir, &files);

	if (r < 0) {
		tell("cannot read %s: %s", dir, error_row(r)->text);
		return EXIT_FAILED;
	}
	result.file_faults = files.n_damages + files.n_doubts;
	result.n_files = files.n_files;
	result.bytes = files.bytes;
	r = model_apart(dir, how, &result);
	if (r == EXIT_OK)
		*ret = result;
	return r;
}
