/*
 * kv/open.h: the storage engines behind kv/kv.h, and how to open one: kv_rocks (disk), kv_mem
 * (tests), kv_fault and kv_trace (around another engine).
 *
 * Owner   the handle is the caller's: kv_drop. kv_fault and kv_trace own what they wrap.
 * Errors  *ret is written on success only.
 * Threads opening from any; kv_fault_set and kv_fault_slow at any time.
 */
#ifndef KV_OPEN_H
#define KV_OPEN_H

#include "kv/kv.h"

struct kv_rocks_options {
	size_t cache_bytes;      /* blocks and parts of blobs; 0 = 256 MiB */
	size_t memtable_bytes;   /* write buffer; 0 = 64 MiB */
	bool   read_only;        /* for check and export of a damaged store: E_READ_ONLY */
};

/* Opens or creates the store in folder `dir`. E_IN_USE when another process has it open,
 * E_CORRUPT, E_IO. *detail (if not NULL) gets a text for people: of the error, or with 0 of the end
 * of the log, when it could not be read (kv/salvage.h, doubt). */
int  kv_rocks_open(const char *dir, const struct kv_rocks_options *, struct buf *detail,
     struct kv **ret);
int  kv_mem_open(struct kv **ret);
/* Both take the wrapped engine over: dropping them drops it. The descriptor stays the caller's. */
int  kv_fault_open(struct kv *inner, struct kv **ret);
int  kv_trace_open(struct kv *inner, int fd, struct kv **ret);

/* kv_mem: ends `kv` as a crash would. *ret is what a restart finds: all that was durable, and no
 * more. The old handle gives E_IO from now on, and is still to be dropped. */
int kv_mem_crash(struct kv *, struct kv **ret);

/* kv_fault: the nth operation from now, and with `sticky` all later ones, fails with err; 0: none.
 * Returns the number of operations since the last call. Each function on partitions and blobs is
 * one, a scan is two (its opening and its first step), a kv_wait for what is durable is none. A
 * write or wait that fails with E_IO or E_DISK_FULL leaves the wrapped engine failed until kv_heal,
 * which over kv_mem loses what was not durable, as a disk may. E_READ_ONLY: so do writes and waits
 * with E_IO, and reads go on, as on a disk that takes no writes. */
unsigned long kv_fault_set(struct kv *, unsigned long nth, bool sticky, int err);
/* kv_fault: every sync takes this much longer, for the tests of slow disks. */
void          kv_fault_slow(struct kv *, int64_t sync_ms);

#endif
