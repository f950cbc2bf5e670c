/* repair: a sound store from a damaged one, which is kept. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "kv/open.h"
#include "main/check_store.h"
#include "main/commands.h"
#include "main/engine.h"
#include "main/folders.h"
#include "main/repair_directory.h"
#include "store/repair.h"

typedef unsigned long long ull;

struct repair {
	const char *from;    /* the damaged store */
	const char *to;      /* the new one, while it is made */
	const char *scratch;
	const char *aside;   /* where the damaged one goes; NULL with --out */
	const char *place;   /* where the new one goes */
};

static void
print_damage(void *arg, const struct kv_damage *d)
{
	(void)arg;
	printf("damaged: %s", d->file);
	if (d->n != 0)
		printf(", %llu bytes at %llu", (ull)d->n, (ull)d->off);
	printf(": %s\n", d->what);
}

static void
print_loss(void *arg, account_id id, const char *text)
{
	(void)arg;
	printf("account %llu: %s\n", (ull)id, text);
}

static int
make_store(const struct repair *w, struct store_repair *rep)
{
	const struct kv_rocks_options options = { 0 };
	OWN_BUF struct buf            detail = BUF_INIT(4096);
	struct kv_files               files = { .damage = print_damage };
	struct kv                    *kv = NULL;
	int                           r = kv_rocks_open(w->to, &options, &detail, &kv);

	if (r == 0)
		r = store_repair(w->from, w->scratch, kv, &files, rep);
	if (r == 0)
		return repair_directory(w->to);
	tell("cannot make the new store in %s: %s %.*s", w->to, error_row(r)->text,
	    STR_ARG(buf_view(&detail)));
	return EXIT_FAILED;
}

/* The new store has to pass the check before anything of the old one is touched. */
static int
prove(const struct repair *w)
{
	const struct check_how how = { .read_blobs = true };
	struct check_result    result;
	int                    r = check_store(w->to, &how, &result);

	if (r != EXIT_OK)
		return r;
	if (result.file_faults + result.model_faults == 0 && !result.broken)
		return EXIT_OK;
	tell("the new store does not pass the check: it stays in %s, and the damaged one where it "
	    "was",
	    w->to);
	return EXIT_FAILED;
}

static int
put_in_place(const struct repair *w)
{
	if (folder_sync(w->to) < 0) {
		tell("cannot write %s to the disk", w->to);
		return EXIT_FAILED;
	}
	if (w->aside != NULL && rename(w->from, w->aside) != 0) {
		tell("cannot rename %s: %s", w->from, strerrordesc_np(errno));
		return EXIT_FAILED;
	}
	if (rename(w->to, w->place) != 0) {
		tell("cannot rename %s: %s", w->to, strerrordesc_np(errno));
		if (w->aside != NULL && rename(w->aside, w->from) != 0)
			tell("the damaged store is in %s", w->aside);
		return EXIT_FAILED;
	}
	folder_sync_parent(w->place);
	return EXIT_OK;
}

static int
run(const struct repair *w)
{
	struct store_repair rep = { .report = print_loss };
	int                 r = make_store(w, &rep);

	remove_tree(w->scratch);
	if (r == EXIT_OK)
		r = prove(w);
	else
		remove_tree(w->to);
	if (r == EXIT_OK)
		r = put_in_place(w);
	if (r != EXIT_OK)
		return r;
	if (w->aside != NULL)
		printf("the damaged store is kept in %s\n", w->aside);
	printf("repaired: %llu accounts; %llu messages kept, %llu recovered without their "
	    "records, %llu "
	       "lost; %llu other records mended\n", (ull)rep.accounts, (ull)rep.messages,
	    (ull)rep.recovered, (ull)rep.lost, (ull)rep.mended);
	return rep.lost != 0 ? EXIT_PARTLY : EXIT_OK;
}

/* Where everything goes. */
static int
plan(const struct config *c, const char *out, struct arena *a, struct repair *ret)
{
	char stamp[32];

	folder_stamp(stamp, sizeof(stamp));
	ret->from = engine_path(c, "store", a);
	if (out != NULL) {
		ret->place = arena_printf(a, "%s/store", out);
		if (folder_make_new(out) != EXIT_OK)
			return EXIT_FAILED;
	} else {
		ret->place = ret->from;
		ret->aside = arena_printf(a, "%s.damaged-%s", ret->from, stamp);
	}
	if (ret->from == NULL || ret->place == NULL || (out == NULL && ret->aside == NULL))
		return EXIT_FAILED;
	ret->to = arena_printf(a, "%s.repaired-%s", ret->place, stamp);
	ret->scratch = arena_printf(a, "%s.scratch-%s", ret->place, stamp);
	return ret->to != NULL && ret->scratch != NULL ? EXIT_OK : EXIT_FAILED;
}

int
cmd_repair(const struct command *command, const struct options *o, struct arena *a)
{
	const char   *out = (o->given & OPT_OUT) != 0 ? o->out.p : NULL;
	struct repair w = { 0 };
	struct config config;
	int           lock = -1, r = options_config(o, a, &config);

	(void)command;
	if (r != EXIT_OK)
		return r;
	r = store_folder_lock(&config, a, &lock);
	if (r == EXIT_OK)
		r = plan(&config, out, a, &w);
	if (r == EXIT_OK)
		r = run(&w);
	if ((r == EXIT_OK || r == EXIT_PARTLY) && out != NULL)
		folder_copy_beside(&config, out, a);
	if (lock >= 0)
		close(lock);
	return r;
}
