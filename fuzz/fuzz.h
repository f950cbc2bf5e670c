/* What every fuzzer begins with. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Checked in release builds too. */
#define hold(holds)                                                                              \
	do {                                                                                     \
		if (!(holds)) {                                                                  \
			fprintf(stderr, "line %d: %s\n", __LINE__, #holds);                      \
			abort();                                                                 \
		}                                                                                \
	} while (0)

#endif
