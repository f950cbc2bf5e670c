/*
 * kv/salvage_files.h: the files of RocksDB, for the salvage*.c files among themselves.
 *
 * log       blocks of 32 KiB; a record is crc:4 n:2 type:1 [log number:4] bytes, in one piece or
 *           first, middle..., last. The crc is over type and bytes. WAL and MANIFEST are so.
 * table     blocks with a trailer compression:1 checksum:4; at the end index, properties, footer:
 *           checksum type:1 metaindex and index handles, zeros, version:4 magic:8
 * blob file header:30, records of key_n:8 value_n:8 expiration:8 header_crc:4 crc:4 key value,
 *           footer:32
 */
#ifndef KV_SALVAGE_FILES_H
#define KV_SALVAGE_FILES_H

#include "base/pack.h"
#include "kv/salvage.h"

enum { SALVAGE_BLOCK_MAX = 64 << 20 };

/* --- salvage_sum.c --- */

uint32_t salvage_crc(uint32_t crc, const void *p, size_t n); /* CRC-32C; begin with 0 */
uint32_t salvage_crc_mask(uint32_t crc);
/* Blocks of tables: a checksum that this program can judge. Without any is none. */
bool     salvage_sum_known(unsigned type);
/* Is the checksum in the trailer right? b has the block's n bytes and the trailer. */
bool     salvage_sum_ok(unsigned type, const char *b, size_t n);
/* The length of the block that begins at the start of raw, or 0: it ends where its checksum says
 * so. Linear time. */
size_t   salvage_sum_find(unsigned type, struct str raw);
/* E_UNSUPPORTED, E_CORRUPT, E_NOMEM. */
int      salvage_inflate(unsigned compression, struct str in, struct buf *to);
enum { SALVAGE_TRAILER = 5 };

/* --- a file --- */

struct salvage_file {
	int              dir_fd, fd;
	char             name[64];
	uint64_t         size;
	struct kv_files *files;
};

int  salvage_file_open(int dir_fd, const char *name, struct kv_files *, struct salvage_file *ret);
void salvage_file_close(struct salvage_file *);
/* All n bytes, or E_CORRUPT: beyond the end, or not readable. */
int  salvage_file_read(const struct salvage_file *, uint64_t off, void *to, size_t n);
void salvage_damage(const struct salvage_file *, uint64_t off, uint64_t n, const char *what);
void salvage_damage_keys(const struct salvage_file *, const struct kv_damage *);

/* --- entries --- */

/* SALVAGE_INDEX: the value is in a blob file. */
enum salvage_kind { SALVAGE_PUT, SALVAGE_DEL, SALVAGE_INDEX };
struct salvage_entry {
	enum salvage_kind kind;
	uint64_t          seq;
	struct str        key, value;
};
/* fn may be NULL: the bytes are checked only. */
typedef int salvage_entry_fn(void *arg, const struct salvage_entry *);
struct salvage_sink {
	salvage_entry_fn *fn;
	void             *arg;
};

/* --- salvage_log.c --- */

struct salvage_log {
	uint64_t n_records;
	bool     torn;     /* ends in what was not written whole, as after a crash */
	uint64_t torn_at;
	uint64_t noise_n;  /* bytes there that are neither the beginning of a piece nor zeros */
	size_t   n_damages;
};
/*
 * What cannot be read is damage when something of the log lies behind it, or when it is a last
 * piece that was whole once; else the log is torn there.
 */
struct salvage_log_sink {
	int (*fn)(void *arg, struct str record); /* NULL: the bytes are checked only */
	/* Of a write-ahead log: can a record that begins so, behind something unreadable, have come
	 * after all that were handed out? If not, it is of a file that lay there earlier. */
	bool (*is_later)(void *arg, struct str begin);
	void *arg;
};
int salvage_log_read(struct salvage_file *, const struct salvage_log_sink *,
    struct salvage_log *ret);
/* A record of the write-ahead log: its changes are numbered first up to, without, end. */
struct salvage_batch {
	uint64_t first, end;
	uint64_t columns; /* a set of bits */
};
/* E_CORRUPT. */
int salvage_batch_read(struct str record, const struct salvage_sink *, struct salvage_batch *ret);

/* --- salvage_manifest.c --- */

struct salvage_live {
	uint64_t number;
	uint64_t size;      /* of a table */
	uint64_t oldest_blob; /* that a table refers to; 0: none */
	uint64_t count;     /* of a blob file: values that are not garbage */
	bool     is_blob;
	bool     in_blobs;    /* the table is of the column of blobs */
	uint64_t last_seq;    /* in the table */
};
struct salvage_manifest {
	char                 name[64];
	uint64_t             log_min;  /* logs from here on are read at a start */
	uint64_t             last_seq; /* of the last change that it knows of */
	uint64_t             next_file; /* the number of the next file that is made */
	uint64_t             blob_min; /* the oldest blob file that a table refers to */
	uint64_t             columns;  /* a set of bits; there is always column 0 */
	bool                 whole;    /* read to its end without damage */
	struct salvage_live *live;
	size_t               n_live, cap_live;
};
/* By way of CURRENT. Damage is reported; `whole` is false then. */
int  salvage_manifest_read(int dir_fd, struct kv_files *, struct salvage_manifest *ret);
void salvage_manifest_done(struct salvage_manifest *);

/* --- tables and blob files --- */

int salvage_table_read(struct salvage_file *, const struct salvage_sink *);
/* Each value with its key, as puts. */
int salvage_blob_read(struct salvage_file *, const struct salvage_sink *);

/* --- salvage_walk.c: all files of a store --- */

struct salvage_sinks {
	struct salvage_sink rows; /* of tables and logs */
	struct salvage_sink blobs;
};
int salvage_walk(const char *dir, struct kv_files *, const struct salvage_sinks *);

#endif
