"""A calendar for the server: its real-time clock, and that of its commands, is days ahead.

    with Days() as days, Server(env=days.env) as server:
        days.pass_on(31)

Timeouts go by the other clock, which stays as it is, and so do clients.
"""
import mmap
import os
import struct
import subprocess
import tempfile
import time
from pathlib import Path

DAY = 24 * 3600
# Only what the program itself asks is shifted: a library may wait for a moment of this clock.
SHIFT = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *seconds;
static uintptr_t lo, hi;

static int
program(struct dl_phdr_info *info, size_t n, void *arg)
{
	(void)n, (void)arg;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD)
			hi = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr +
			    info->dlpi_phdr[i].p_memsz;
	lo = info->dlpi_addr;
	return 1; /* the first is the program */
}

__attribute__((constructor)) static void
begin(void)
{
	int fd = open(getenv("POSTRIDER_TEST_DAYS"), O_RDONLY);

	dl_iterate_phdr(program, NULL);
	seconds = mmap(NULL, sizeof(*seconds), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
}

int
clock_gettime(clockid_t id, struct timespec *t)
{
	uintptr_t from = (uintptr_t)__builtin_return_address(0);
	int       r = (int)syscall(SYS_clock_gettime, id, t);

	if (r == 0 && id == CLOCK_REALTIME && from >= lo && from < hi)
		t->tv_sec += *seconds;
	return r;
}
"""


class Days:
    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="postrider-days-")
        at = Path(self.folder.name)
        (at / "shift.c").write_text(SHIFT)
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", at / "shift.so", at / "shift.c"],
                       check=True)
        (at / "seconds").write_bytes(bytes(8))
        with open(at / "seconds", "r+b") as file:
            self.seconds = mmap.mmap(file.fileno(), 8)
        self.today = 0
        self.env = {"LD_PRELOAD": str(at / "shift.so"), "POSTRIDER_TEST_DAYS": str(at / "seconds"),
                    "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")
                    + ":verify_asan_link_order=0"}
        return self

    def __exit__(self, kind, value, trace):
        self.seconds.close()
        self.folder.cleanup()

    def pass_on(self, days=1):
        self.today += days
        self.seconds[:] = struct.pack("=q", self.today * DAY)

    def now(self):
        """The server's time, in seconds."""
        return time.time() + self.today * DAY
