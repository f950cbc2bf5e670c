/*
 * kv/reserve.h: address space that is kept back for RocksDB, which does not survive a failed
 * allocation: the process would end. When C++'s operator new finds none, it gets the reserve; from
 * then on nothing new is begun (E_NOMEM) until the reserve can be had again.
 *
 * Limits   RESERVE_BYTES; they are never touched. Who needs more waits up to RESERVE_WAIT_MS for
 *          what others free, and then the process ends as before.
 * Threads  any.
 */
#ifndef KV_RESERVE_H
#define KV_RESERVE_H

#include <stdbool.h>

enum { RESERVE_BYTES = 64 << 20, RESERVE_WAIT_MS = 5000 };

/* Once in the process, before RocksDB is used; later calls do nothing. */
void reserve_init(void);
/* Is it there? Takes it back when it can be had. */
bool reserve_is_whole(void);

#endif
