/* check: is the store sound? */
#include <stdio.h>
#include <unistd.h>

#include "main/check_store.h"
#include "main/commands.h"
#include "main/engine.h"
#include "main/folders.h"

typedef unsigned long long ull;

static int
summary(const struct check_result *r)
{
	size_t faults = r->file_faults + r->model_faults;

	if (faults == 0 && !r->broken) {
		printf("sound: %llu accounts, %llu messages, %zu files of %llu bytes\n",
		    (ull)r->accounts, (ull)r->messages, r->n_files, (ull)r->bytes);
		return EXIT_OK;
	}
	printf("%zu faults in the files, %zu in the mailboxes%s: postrider repair saves what can "
	    "be "
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
	r = store_folder_lock(&config, a, &lock);
	if (r != EXIT_OK)
		return r;
	r = check_store(dir, &how, &result);
	if (lock >= 0)
		close(lock);
	return r != EXIT_OK ? r : summary(&result);
}
