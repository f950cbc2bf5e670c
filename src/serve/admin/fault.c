/* The op that makes the server's disk or memory fail, for tests: only in builds with -Dfaults=true.
 * There main/ puts kv_fault around the storage engine. */
#include "base/error.h"
#include "base/mem.h"
#include "kv/open.h"
#include "serve/admin/session.h"

static unsigned long
number(const struct admin *s, const char *key)
{
	return (unsigned long)json_integer_value(json_object_get(s->request, key));
}

static int
wanted_error(struct admin *s, int *ret)
{
	struct str name;

	*ret = E_IO;
	if (admin_text(s, "error", &name) < 0 || str_eq(name, STR("io")))
		return 0;
	*ret = E_DISK_FULL;
	if (str_eq(name, STR("disk-full")))
		return 0;
	*ret = E_READ_ONLY;
	return str_eq(name, STR("read-only")) ? 0 : admin_fail(s, E_PARAM, name);
}

/* nth: operation of the engine that fails; sticky: all later ones too; slow_ms: of each sync;
 * memory: allocation that fails. What is missing is switched off. When nothing is left on, the
 * storage is brought back at once. */
int
admin_run_fault(struct admin *s)
{
	bool          sticky = json_is_true(json_object_get(s->request, "sticky"));
	unsigned long nth = number(s, "nth"), slow_ms = number(s, "slow_ms");
	unsigned long memory = number(s, "memory");
	struct kv    *kv = store_kv(s->server->store);
	int           err;
	int           r = wanted_error(s, &err);

	if (r < 0)
		return r;
	kv_fault_slow(kv, (int64_t)slow_ms);
	kv_fault_set(kv, nth, sticky, err);
	mem_fault_set(memory, sticky);
	return nth == 0 && memory == 0 ? store_tend(s->server->store) : 0;
}
