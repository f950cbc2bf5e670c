/* The configuration file: any bytes give a configuration or one line that says what is wrong. */

#include "fuzz.h"

#include "base/error.h"
#include "main/config.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
	OWN_BUF struct buf     problem = BUF_INIT(1 << 16), shown = BUF_INIT(1 << 20);
	struct config          c;
	FILE                  *file;
	int                    r;

	if (size == 0)
		return 0;
	file = fmemopen((void *)data, size, "r");
	if (file == NULL || config_init(&c, &a) < 0)
		abort();
	r = config_read(&c, file, "fuzz", &a, &problem);
	fclose(file);
	if ((r < 0 && r != E_NOMEM) != (problem.n != 0) ||
	    memchr(problem.p != NULL ? problem.p : "", '\n', problem.n) != NULL)
		abort();
	config_show(&c, &shown);
	return 0;
}
