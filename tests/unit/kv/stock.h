/*
 * tests/unit/kv/stock.h: a store that was written by kv_rocks, for the tests of kv/salvage.h, which
 * damage its files, and what can be salvaged of it.
 *
 * The store is written in three rounds with restarts between them, so that rows and blobs are
 * changed and deleted across tables; the last round is in the log, as after kill -9.
 */
#ifndef KV_STOCK_H
#define KV_STOCK_H

#include "env.h"
#include "kv/salvage.h"

enum {
	ACCOUNTS = 3, ROWS = 120, BATCH_ROWS = 10,
	ROW_N = 200, /* of bytes that no compression makes less */
	BLOBS = 24, BLOBS_LATE = 18, /* from here on they come in the last round */
	BODY_MAX = KV_BLOB_PIECE + 5000,
	BLOCK_ROWS = 60, /* more than a block of a table has */
	FILES_MAX = 32,
	GONE = -1
};

struct stock {
	char              dir[80], scratch[80];
	struct kv_blob_id blob[BLOBS];
	uint64_t          version[ACCOUNTS];
	char              file[FILES_MAX][64];
	size_t            n_files;
};
extern struct stock stock;

struct bytes {
	char  *p;
	size_t n;
};

struct harvest {
	char     label[160];
	size_t   damages;
	unsigned latest;  /* rows as they should be */
	unsigned other;   /* older versions, and rows that were deleted */
	unsigned blobs;   /* that live, are referred to and whole */
	unsigned revived; /* that were deleted and are referred to */
	uint64_t version[ACCOUNTS];
	bool     row[ACCOUNTS][ROWS], ref[BLOBS];
	uint64_t at; /* of the row before, for the order */
};

int  stock_make(void **state);
int  stock_remove(void **state);
/* Copies the files of the folder `from` into stock.dir. */
void stock_copy(const char *from);

/* p is the caller's: free. */
struct bytes file_read(const char *dir, const char *name);
void         file_write(const char *dir, const char *name, const char *p, size_t n);
void         path_of(const char *dir, const char *name, char to[200]);

/* How much there is. */
unsigned rows_in_all(void);
unsigned blobs_in_all(void);
bool     blob_lives(unsigned i);
bool     blob_is_whole(struct kv *, unsigned i);

/* Salvages it. No row or blob is other than it ever was. */
void reap(struct harvest *);
bool is_all(const struct harvest *);

bool is_log(struct str name);

#define CHECK(h, holds)                                                                          \
	do {                                                                                     \
		if (!(holds))                                                                    \
			print_error("%s: %zu damages, %u of %u rows, %u others, %u of %u "       \
				    "blobs, %u revived\n", (h)->label, (h)->damages,             \
			    (h)->latest, rows_in_all(), (h)->other, (h)->blobs,              \
			    blobs_in_all(), (h)->revived);                                   \
		assert_true(holds);                                                              \
	} while (0)

#endif
