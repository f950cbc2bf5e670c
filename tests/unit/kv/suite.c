/* One suite on all engines: the disk, memory, and both wrappers around memory. */
#include "suite.h"

int
main(void)
{
	const struct CMUnitTest rocks[] = SUITE(env_rocks);
	const struct CMUnitTest mem[] = SUITE(env_mem);
	const struct CMUnitTest fault[] = SUITE(env_fault);
	const struct CMUnitTest trace[] = SUITE(env_trace);
	int                     failed = 0;

	failed += cmocka_run_group_tests_name("kv_mem", mem, NULL, NULL);
	failed += cmocka_run_group_tests_name("kv_rocks", rocks, NULL, NULL);
	failed += cmocka_run_group_tests_name("kv_fault on kv_mem", fault, NULL, NULL);
	failed += cmocka_run_group_tests_name("kv_trace on kv_mem", trace, NULL, NULL);
	return failed != 0;
}
