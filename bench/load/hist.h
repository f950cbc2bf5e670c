/*
 * bench/load/hist.h: a histogram of times, log-linear: 32 steps for each doubling.
 *
 * Units    microseconds, 0..2^40. An answer is at most 1/32 (3 %) above the true value.
 * Threads  plain value; hist_add sums two.
 */
#ifndef LOAD_HIST_H
#define LOAD_HIST_H

#include <stdint.h>

enum { HIST_STEPS = 32, HIST_DOUBLINGS = 36, HIST_SLOTS = HIST_STEPS * HIST_DOUBLINGS };

struct hist {
	uint64_t n, max;
	uint64_t slot[HIST_SLOTS];
};

void     hist_put(struct hist *, uint64_t us);
void     hist_add(struct hist *to, const struct hist *from);
/* The value that `percent` of all do not exceed; 0 when there are none. */
uint64_t hist_percent(const struct hist *, double percent);

#endif
