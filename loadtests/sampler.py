"""Looks at a process from outside: what it cost so far. The process itself is not asked, so it cannot flatter itself.

CPU time is read from the process's own CPU clock in nanoseconds, because what psutil reads comes in ticks of 10 ms,
a tenth of what a small cell uses. What only Linux tells is -1 elsewhere.
"""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from loadtests.arrival import ROLES, Sample
from loadtests.socket_memory import socket_bytes
from servers.clock import now_ns

LINUX: Final = sys.platform.startswith("linux")
UNKNOWN: Final = -1


class Sampler:
    """One process seen from outside. role: one of `arrival.ROLES`."""

    def __init__(self, pid: int, role: str) -> None:
        self._process = psutil.Process(pid)
        self._role = ROLES.index(role)

    def sample(self) -> Sample:
        """Read the counters now. Raises ProcessLookupError when the process is gone."""
        try:
            at_ns, used_ns = now_ns(), cpu_ns(self._process)
            rss_bytes = self._process.memory_info().rss
            inodes = socket_inodes(self._process.pid) if LINUX else set()
            open_sockets = len(inodes) if LINUX else len(self._process.net_connections("all"))
        except (psutil.NoSuchProcess, FileNotFoundError):
            raise ProcessLookupError(f"process {self._process.pid} is gone") from None
        return Sample(
            at_ns=at_ns,
            pid=self._process.pid,
            role=self._role,
            cpu_ns=used_ns,
            rss_bytes=rss_bytes,
            open_sockets=open_sockets,
            kernel_socket_bytes=socket_bytes(inodes) if LINUX else UNKNOWN,
            lag_ns=UNKNOWN,
            connections=UNKNOWN,
            wire_bytes_out=UNKNOWN,
            wire_bytes_in=UNKNOWN,
            wire_segments_out=UNKNOWN,
            wire_segments_in=UNKNOWN,
            waited_ns=waited_ns(self._process.pid),
        )


def waited_ns(pid: int) -> int:
    """Return how long the process's main thread stood in line for a core, in ns; -1 where nobody counts it."""
    try:
        # Documentation/scheduler/sched-stats.rst: time on the cpu, time waiting on a runqueue, timeslices.
        return int(Path(f"/proc/{pid}/schedstat").read_bytes().split()[1])
    except (OSError, IndexError):
        return UNKNOWN


def cpu_ns(process: psutil.Process) -> int:
    """Return user + system time of the process and all threads it ever had, in ns."""
    if LINUX:
        # clock_getcpuclockid(3) as glibc computes it: the complement of the pid, and CPUCLOCK_SCHED.
        try:
            return time.clock_gettime_ns((~process.pid << 3) | 2)
        except OSError:
            raise psutil.NoSuchProcess(process.pid) from None
    times = process.cpu_times()
    return round((times.user + times.system) * 1e9)


def socket_inodes(pid: int) -> set[int]:
    """Return the inode of every socket that a process holds open. Linux only."""
    inodes: set[int] = set()
    folder = f"/proc/{pid}/fd"
    for name in os.listdir(folder):  # noqa: PTH208  (Path takes three times as long)
        with suppress(FileNotFoundError):  # closed meanwhile
            target = os.readlink(f"{folder}/{name}")  # noqa: PTH115
            if target.startswith("socket:["):
                inodes.add(int(target[8:-1]))
    return inodes
