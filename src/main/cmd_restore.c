/* restore: a backup put back, all of it or messages of an account. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "kv/open.h"
#include "main/backup_set.h"
#include "main/check_store.h"
#include "main/commands.h"
#include "main/engine.h"
#include "main/folders.h"
#include "main/restore_mail.h"
#include "store/repair.h"

typedef unsigned long long ull;

struct whole {
	const char *backup;
	const char *data;  /* where it goes */
	const char *place; /* the store in it */
	const char *to;    /* while it is made */
	const char *aside; /* where a store that was there goes */
};

static int
copy_store(const struct whole *w, const struct backup_contents *c, struct arena *a)
{
	if (mkdir(w->to, 0700) != 0) {
		tell("cannot make the folder %s: %s", w->to, strerrordesc_np(errno));
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < c->n; i++) {
		struct str path = str_c(c->files[i].path);
		bool       in_store = str_starts(path, STR("store/"));
		char      *from = arena_printf(a, "%s/%s", w->backup, path.p);
		char      *to = in_store ? arena_printf(a, "%s/%s", w->to, path.p + 6)
		                         : arena_printf(a, "%s/%s", w->data, path.p);
		size_t     slash = to != NULL ? str_rfind_byte(str_c(to), '/') : 0;
		int        r = from != NULL && to != NULL ? 0 : E_NOMEM;

		if (r == 0 && !in_store) { /* TLS files that are there stay */
			to[slash] = '\0';
			mkdir(to, 0700);
			to[slash] = '/';
			if (access(to, F_OK) == 0)
				continue;
		}
		if (r == 0)
			r = file_copy(from, to);
		if (r == 0)
			continue;
		tell("cannot copy %s: %s", from, error_row(r)->text);
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

static void
print_loss(void *arg, account_id id, const char *text)
{
	(void)arg;
	printf("account %llu: %s\n", (ull)id, text);
}

static int
renew(const struct whole *w)
{
	const struct kv_rocks_options options = { 0 };
	const struct check_how        how = { .read_blobs = true };
	struct store_repair           rep = { .report = print_loss };
	struct check_result           result;
	OWN_BUF struct buf            detail = BUF_INIT(4096);
	struct kv                    *kv = NULL;
	int                           r = kv_rocks_open(w->to, &options, &detail, &kv);

	if (r == 0)
		r = store_renew(kv, &rep);
	if (r < 0) {
		tell("cannot open the copy in %s: %s %.*s", w->to, error_row(r)->text,
		    STR_ARG(buf_view(&detail)));
		return EXIT_FAILED;
	}
	if (check_store(w->to, &how, &result) != EXIT_OK)
		return EXIT_FAILED;
	if (result.file_faults + result.model_faults != 0 || result.broken) {
		tell("the copy in %s does not pass the check", w->to);
		return EXIT_FAILED;
	}
	printf("restored: %llu accounts, %llu messages\n", (ull)result.accounts,
	    (ull)result.messages);
	return EXIT_OK;
}

static int
put_in_place(const struct whole *w)
{
	if (folder_sync(w->to) < 0)
		return EXIT_FAILED;
	if (access(w->place, F_OK) == 0) {
		if (rename(w->place, w->aside) != 0) {
			tell("cannot rename %s: %s", w->place, strerrordesc_np(errno));
			return EXIT_FAILED;
		}
		printf("what was there is kept in %s\n", w->aside);
	}
	if (rename(w->to, w->place) != 0) {
		tell("cannot rename %s: %s", w->to, strerrordesc_np(errno));
		return EXIT_FAILED;
	}
	folder_sync_parent(w->place);
	return EXIT_OK;
}

static int
sound(const char *backup, struct backup_contents *c, struct arena *a)
{
	size_t faults = 0;
	int    r = backup_contents_read(backup, a, c);

	if (r == EXIT_OK)
		r = backup_verify_sums(backup, c, &faults);
	if (r != EXIT_OK || faults == 0)
		return r;
	tell("the backup %s is damaged: nothing was restored; copy it and use postrider repair",
	    backup);
	return EXIT_FAILED;
}

static int
restore_all(const char *backup, const struct config *config, struct arena *a)
{
	struct whole           w = { .backup = backup };
	struct backup_contents c;
	char                   stamp[32];
	int                    lock = -1, r = sound(backup, &c, a);

	folder_stamp(stamp, sizeof(stamp));
	w.data = arena_cstr(a, config->data);
	w.place = engine_path(config, "store", a);
	if (r != EXIT_OK || w.data == NULL || w.place == NULL)
		return EXIT_FAILED;
	w.to = arena_printf(a, "%s.restored-%s", w.place, stamp);
	w.aside = arena_printf(a, "%s.before-%s", w.place, stamp);
	if (mkdir(w.data, 0700) != 0 && errno != EEXIST) {
		tell("cannot make the folder %s: %s", w.data, strerrordesc_np(errno));
		return EXIT_FAILED;
	}
	if (access(w.place, F_OK) == 0)
		r = store_folder_lock(config, a, &lock);
	if (r == EXIT_OK) {
		r = copy_store(&w, &c, a);
		if (r == EXIT_OK)
			r = renew(&w);
		if (r == EXIT_OK)
			r = put_in_place(&w);
		if (r != EXIT_OK)
			remove_tree(w.to);
	}
	if (lock >= 0)
		close(lock);
	return r;
}

int
cmd_restore(const struct command *command, const struct options *o, struct arena *a)
{
	bool                   all = (o->given & OPT_ALL) != 0;
	struct backup_contents c;
	struct config          config;
	const char            *backup;
	int                    r;

	if (all == (o->account.n != 0) || (all && (o->given & ~OPT_ALL) != 0)) {
		tell("use it as: postrider %s", command->usage);
		return EXIT_USAGE;
	}
	r = options_config(o, a, &config);
	if (r == EXIT_OK)
		r = backup_find(o->words[0], a, &backup);
	if (r != EXIT_OK)
		return r;
	if (all)
		return restore_all(backup, &config, a);
	r = sound(backup, &c, a);
	return r == EXIT_OK ? restore_mail(backup, &config, o, a) : r;
}
