/*
 * base/clock.h: the time, in one unit: milliseconds.
 *
 * clock_real_ms  since 1970-01-01 UTC; may jump. For what users see.
 * clock_mono_ms  since some start; never goes back. For timeouts.
 * Tests move both with clock_test_advance instead of sleeping.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_real_ms(void);
int64_t clock_mono_ms(void);
void    clock_test_advance(int64_t ms);

#endif
