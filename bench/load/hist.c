/* A log-linear histogram. */
#include "load/hist.h"

static unsigned
slot_of(uint64_t us)
{
	unsigned shift, slot;

	if (us < HIST_STEPS)
		return (unsigned)us;
	shift = 63u - (unsigned)__builtin_clzll(us) - 5; /* us >> shift is 32..63 */
	slot = HIST_STEPS * shift + (unsigned)(us >> shift);
	return slot < HIST_SLOTS ? slot : HIST_SLOTS - 1;
}

/* The largest value that falls into the slot. */
static uint64_t
slot_top(unsigned slot)
{
	unsigned shift;

	if (slot < 2 * HIST_STEPS)
		return slot;
	shift = slot / HIST_STEPS - 1;
	return ((uint64_t)(slot % HIST_STEPS + HIST_STEPS + 1) << shift) - 1;
}

void
hist_put(struct hist *h, uint64_t us)
{
	h->n++;
	if (us > h->max)
		h->max = us;
	h->slot[slot_of(us)]++;
}

void
hist_add(struct hist *to, const struct hist *from)
{
	to->n += from->n;
	if (from->max > to->max)
		to->max = from->max;
	for (unsigned i = 0; i < HIST_SLOTS; i++)
		to->slot[i] += from->slot[i];
}

uint64_t
hist_percent(const struct hist *h, double percent)
{
	uint64_t seen = 0, wanted = (uint64_t)((double)h->n * percent / 100.0 + 0.5);

	if (wanted == 0)
		wanted = 1;
	for (unsigned i = 0; i < HIST_SLOTS; i++) {
		seen += h->slot[i];
		if (seen >= wanted)
			return slot_top(i) < h->max ? slot_top(i) : h->max;
	}
	return h->max;
}
