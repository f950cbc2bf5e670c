/* check: is the store sound? */
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "kv/salvage.h"
#include "main/check_store.h"
#include "main/commands.h"
#include "main/engine.h"

typedef unsigned long long ull;

static int
lock_store(const char *dir, const struct config *config, int *ret)
{
	int r;

	if (access(dir, F_OK) != 0) {
		tell("there is no store in %.*s", STR_ARG(config->data));
		return EXIT_FAILED;
	}
	r = kv_store_lock(dir, ret);
	if (r == 0)
		return EXIT_OK;
	if (r == E_IN_USE)
		tell("a running server uses the data folder %.*s: stop it to check it, or check a backup "
		     "of it (postrider backup)", STR_ARG(config->data));
	else
		tell("cannot lock %s: %s", dir, error_row(r)->text);
	return r == E_IN_USE ? EXIT_DATA_IN_USE : EXIT_FAILED;
}

static int
summary(const struct check_result *r)
{
	size_t faults = r->file_faults + r->model_faults;

	if (faults == 0 && !r->broken) {
		printf("sound: %llu accounts, %llu messages, %zu files of %llu bytes\n",
		    (ull)r->accounts, (ull)r->messages, r->n_files, (ull)r->bytes);
		return EXIT_OK;
	}
	printf("%zu faults in the files, %zu in the mailboxes%s: postrider repair saves what can be "
	       "read\n", r->file_faults, r->model_faults,
	    r->broken ? ", which could not all be looked at" : "");
	return EXIT_FAILED;
}

int
cmd_check(const struct command *command, const struct options *o, struct arena *a)
{
	struct check_how    how = { .read_blobs = (o->given & OPT_BLOBS) != 0 };
	struct check_result result;
	struct config       config;
	const char         *dir;
	int                 lock = -1, r = options_config(o, a, &config);

	(void)command;
	if (r != EXIT_OK)
		return r;
	dir = engine_path(&config, "store", a);
	if (dir == NULL)
		return EXIT_FAILED;
	r = lock_store(dir, &config, &lock);
	if (r != EXIT_OK)
		return r;
	r = check_store(dir, &how, &result);
	if (lock >= 0)
		close(lock);
	return r != EXIT_OK ? r : summary(&result);
}
