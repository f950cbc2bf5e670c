#include "base/error.h"
#include "kv/rocks.h"

enum {
	OPEN_FILES = 1000,
	INFO_LOG_BYTES = 1 << 20,
	INFO_LOG_KEEP = 2,
	INFO_LOG_NOTHING = 6, /* above its highest level */
	BLOB_MIN_BYTES = 1024,
	BLOB_FILE_BYTES = 256 << 20,
	BLOOM_BITS = 10,
	WAL_MEMTABLES = 2 /* as long as the log may get; it is read at the start after a crash */
};

static rocksdb_options_t *
db_options(const struct rocks *r)
{
	rocksdb_options_t *o = rocksdb_options_create();

	rocksdb_options_set_create_if_missing(o, 1);
	rocksdb_options_set_create_missing_column_families(o, 1);
	rocksdb_options_set_max_open_files(o, OPEN_FILES);
	rocksdb_options_set_max_background_jobs(o, 2);
	/* Nothing goes into RocksDB's LOG but its head at the opening: the second line that it
	 * cannot write, as on a full disk, fails an assertion of Debian's build and ends the
	 * process. */
	rocksdb_options_set_max_log_file_size(o, INFO_LOG_BYTES);
	rocksdb_options_set_keep_log_file_num(o, INFO_LOG_KEEP);
	rocksdb_options_set_info_log_level(o, INFO_LOG_NOTHING);
	rocksdb_options_set_bytes_per_sync(o, 1 << 20);
	rocksdb_options_set_max_total_wal_size(o, WAL_MEMTABLES * r->wanted.memtable_bytes);
	/* kv_wait decides when the log is written and synced. */
	rocksdb_options_set_manual_wal_flush(o, 1);
	/* Writers come one at a time: what serves many beside each other only costs. */
	rocksdb_options_set_allow_concurrent_memtable_write(o, 0);
	rocksdb_options_set_enable_write_thread_adaptive_yield(o, 0);
	return o;
}

static rocksdb_options_t *
column_options(const struct rocks *r, enum layout_space space)
{
	rocksdb_options_t                   *o = rocksdb_options_create();
	rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();

	rocksdb_block_based_options_set_block_cache(table, r->cache);
	rocksdb_block_based_options_set_filter_policy(
	    table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
	rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
	rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
	rocksdb_block_based_options_set_block_size(table, 8 << 10);
	rocksdb_options_set_block_based_table_factory(o, table);
	rocksdb_block_based_options_destroy(table);

	rocksdb_options_set_write_buffer_size(o, r->wanted.memtable_bytes);
	rocksdb_options_set_max_write_buffer_number(o, 3);
	rocksdb_options_set_compression(o, rocksdb_lz4_compression);
	rocksdb_options_set_level_compaction_dynamic_level_bytes(o, 1);
	if (space == LAYOUT_BLOB) {
		rocksdb_options_set_enable_blob_files(o, 1);
		rocksdb_options_set_min_blob_size(o, BLOB_MIN_BYTES);
		rocksdb_options_set_blob_file_size(o, BLOB_FILE_BYTES);
		/* Compressing a delivery's body took a tenth of its processor time. */
		rocksdb_options_set_blob_compression_type(o, rocksdb_no_compression);
		rocksdb_options_set_enable_blob_gc(o, 1);
		rocksdb_options_set_blob_gc_age_cutoff(o, 0.25);
		rocksdb_options_set_blob_gc_force_threshold(o, 0.5);
	}
	return o;
}

int
rocks_handle_open(struct rocks *r, bool read_only, struct buf *detail)
{
	static const char *const names[ROCKS_COLUMNS] = { "default", "blob" };
	rocksdb_options_t       *db = db_options(r);
	rocksdb_options_t       *columns[ROCKS_COLUMNS];
	char                    *text = NULL;

	for (int i = 0; i < ROCKS_COLUMNS; i++)
		columns[i] = column_options(r, (enum layout_space)i);
	if (read_only)
		r->db = rocksdb_open_for_read_only_column_families(db, r->dir, ROCKS_COLUMNS, names,
		    (const rocksdb_options_t *const *)columns, r->column, 0, &text);
	else
		r->db = rocksdb_open_column_families(db, r->dir, ROCKS_COLUMNS, names,
		    (const rocksdb_options_t *const *)columns, r->column, &text);
	for (int i = 0; i < ROCKS_COLUMNS; i++)
		rocksdb_options_destroy(columns[i]);
	rocksdb_options_destroy(db);
	if (text == NULL)
		return 0;
	r->db = NULL;
	return rocks_error(text, detail);
}

/* All to the disk, and memory into tables, so that the next start has no log to read. An error
 * leaves it to the log, which has everything that was confirmed. */
static void
settle(struct rocks *r)
{
	rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
	char                   *text = NULL;

	rocksdb_flush_wal(r->db, 1, &text);
	for (int i = 0; i < ROCKS_COLUMNS && text == NULL; i++)
		rocksdb_flush_cf(r->db, options, r->column[i], &text);
	rocksdb_flushoptions_destroy(options);
	rocksdb_free(text);
}

void
rocks_handle_close(struct rocks *r)
{
	if (r->db == NULL)
		return;
	if (tickets_err(&r->flat.tickets) == 0)
		settle(r);
	rocksdb_cancel_all_background_work(r->db, 1);
	for (int i = 0; i < ROCKS_COLUMNS; i++) {
		rocksdb_column_family_handle_destroy(r->column[i]);
		r->column[i] = NULL;
	}
	rocksdb_close(r->db);
	r->db = NULL;
}
