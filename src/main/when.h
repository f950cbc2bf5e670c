/*
 * main/when.h: times as people write them, and as commands print them (UTC).
 *
 *   2h  3d  90m  45s  2w          so long ago
 *   2026-11-22                    the first moment of that day
 *   2026-11-22 08:30[:15], 2026-11-22T08:30:15Z, with or without +01:00; and dates of mail
 */
#ifndef MAIN_WHEN_H
#define MAIN_WHEN_H

#include "base/str.h"

/* Milliseconds since 1970. E_SYNTAX. */
int when_parse(struct str, int64_t now_ms, int64_t *ret_ms);

enum { WHEN_TEXT_MAX = 32 };
/* "2026-11-22 08:30:15", or "never" for 0. */
const char *when_text(int64_t ms, char to[WHEN_TEXT_MAX]);

/* Prints text that came from outside: no byte of it ends a line or moves the cursor. */
void put_plain(struct str);

#endif
