/* The sweeper: every 200 ms it wakes what is due. */
#include <poll.h>

#include "base/clock.h"
#include "net/whole.h"

static void
sweep(struct net *net)
{
	int64_t now = clock_mono_ms();
	size_t  n = atomic_load(&net->listeners_n);

	slab_sweep(&net->slab, now);
	jobs_tick(&net->jobs, now);
	for (size_t i = 0; i < n; i++)
		listener_resume(net->listeners[i]);
}

void *
timer_main(void *arg)
{
	struct net   *net = arg;
	struct pollfd p = { .fd = net->sweep_fd, .events = POLLIN };

	while (poll(&p, 1, SWEEP_MS) <= 0)
		sweep(net);
	return NULL;
}
