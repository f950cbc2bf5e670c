/*
 * main/engine.h: the data folder opened: store, directory, password checks and the net, joined in
 * one struct server. Used by `serve` and by commands that find no server running.
 *
 * Folder   DIR/store (the engine's files), DIR/tls, DIR/control.sock.
 * Errors   told on standard error; the exit code comes back (EXIT_OK when all is open).
 */
#ifndef MAIN_ENGINE_H
#define MAIN_ENGINE_H

#include "main/config.h"
#include "serve/server.h"

struct engine {
	struct server     server;
	struct store     *store;
	struct directory *directory;
	struct auth      *auth;
	struct net       *net;
};

/* `quiet`: E_IN_USE is not told, for a caller that then asks the running server. */
int  engine_open(const struct config *, bool quiet, struct engine *ret);
void engine_close(struct engine *);

/* "DIR/name" in the arena. */
char *engine_path(const struct config *, const char *name, struct arena *);

#endif
