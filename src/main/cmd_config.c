#include <stdio.h>

#include "main/commands.h"

int
cmd_config_check(const struct command *command, const struct options *o, struct arena *a)
{
	struct config c;
	int           r = options_config(o, a, &c);

	(void)command;
	if (r == EXIT_OK)
		puts("ok");
	return r;
}

int
cmd_config_show(const struct command *command, const struct options *o, struct arena *a)
{
	OWN_BUF struct buf text = BUF_INIT(1 << 20);
	struct config      c;
	int                r = options_config(o, a, &c);

	(void)command;
	if (r != EXIT_OK)
		return r;
	config_show(&c, &text);
	fwrite(text.p, 1, text.n, stdout);
	return EXIT_OK;
}
