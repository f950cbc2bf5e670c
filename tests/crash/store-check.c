/* store-check DIR: does the store in DIR agree with itself? Prints each difference; exit status 0 when
 * there is none, 1 when there are some, 2 when it could not be opened. */
#include "base/error.h"
#include "store/verify.h"

static void
report(void *arg, account_id account, const char *text)
{
	(void)arg;
	printf("account %llu: %s\n", (unsigned long long)account, text);
}

int
main(int argc, char **argv)
{
	const struct kv_rocks_options rocks = { .cache_bytes = 32 << 20 };
	const struct store_options    options = { 0 };
	const struct verify           verify = { .report = report, .read_blobs = true };
	OWN_BUF struct buf            detail = BUF_INIT(4096);
	OWN(kv) kv = NULL;
	OWN(store) store = NULL;
	size_t faults = 0;
	int    r = argc == 2 ? kv_rocks_open(argv[1], &rocks, &detail, &kv) : E_SYNTAX;

	if (r == 0)
		r = store_open(TAKE(kv), &options, &detail, &store);
	if (r == 0)
		r = store_verify(store, &verify, &faults);
	if (r < 0) {
		printf("%s: %.*s\n", error_row(r)->text, STR_ARG(buf_view(&detail)));
		return 2;
	}
	return faults != 0;
}
