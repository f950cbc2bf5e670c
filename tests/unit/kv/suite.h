/* tests/unit/kv/suite.h: what every engine must do, whichever it is. Each test gets a fresh env. */
#ifndef TESTS_KV_SUITE_H
#define TESTS_KV_SUITE_H

#include "env.h"

/* suite_records.c */
void suite_put_get_del(void **state);
void suite_empty_and_big(void **state);
void suite_limits(void **state);
void suite_del_range(void **state);
void suite_scan(void **state);
void suite_scan_is_a_snapshot(void **state);
void suite_partitions_are_apart(void **state);
void suite_versions(void **state);
void suite_batch_is_atomic(void **state);
void suite_part_next(void **state);
void suite_against_model(void **state);

/* suite_blobs.c */
void suite_blob_small(void **state);
void suite_blob_pieces(void **state);
void suite_blob_damaged(void **state);
void suite_blob_release(void **state);
void suite_blob_collect(void **state);
void suite_blob_home(void **state);
void suite_blob_home_in_one_batch(void **state);
void suite_blob_home_and_others(void **state);
void suite_blob_home_after_heal(void **state);

/* suite_threads.c */
void suite_tickets(void **state);
void suite_many_commit_and_wait(void **state);
void suite_one_partition_many_writers(void **state);
void suite_failed_until_healed(void **state);

#define SUITE_TEST(f, env) cmocka_unit_test_setup_teardown(f, env, env_done)
#define SUITE(env)                                                                               \
	{                                                                                        \
		SUITE_TEST(suite_put_get_del, env), SUITE_TEST(suite_empty_and_big, env),        \
		    SUITE_TEST(suite_limits, env), SUITE_TEST(suite_del_range, env),             \
		    SUITE_TEST(suite_scan, env), SUITE_TEST(suite_scan_is_a_snapshot, env),      \
		    SUITE_TEST(suite_partitions_are_apart, env),                                 \
		    SUITE_TEST(suite_versions, env), SUITE_TEST(suite_batch_is_atomic, env),     \
		    SUITE_TEST(suite_part_next, env), SUITE_TEST(suite_against_model, env),      \
		    SUITE_TEST(suite_blob_small, env), SUITE_TEST(suite_blob_pieces, env),       \
		    SUITE_TEST(suite_blob_damaged, env), SUITE_TEST(suite_blob_release, env),    \
		    SUITE_TEST(suite_blob_collect, env), SUITE_TEST(suite_blob_home, env),       \
		    SUITE_TEST(suite_blob_home_in_one_batch, env),                               \
		    SUITE_TEST(suite_blob_home_and_others, env),                                 \
		    SUITE_TEST(suite_blob_home_after_heal, env), SUITE_TEST(suite_tickets, env), \
		    SUITE_TEST(suite_many_commit_and_wait, env),                                 \
		    SUITE_TEST(suite_one_partition_many_writers, env),                           \
		    SUITE_TEST(suite_failed_until_healed, env)                                   \
	}

#endif
