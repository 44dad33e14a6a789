"""Looks at a process from outside: what it cost so far. The process itself is not asked, so it cannot flatter itself.

CPU time is read from the process's own CPU clock in nanoseconds, because what psutil reads comes in ticks of 10 ms,
a tenth of what a small cell uses. What only Linux tells is -1 elsewhere.
"""

import os
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from loadtests.host.socket_memory import socket_bytes
from loadtests.records.rows import ROLES, Sample
from servers.timing.clock import now_ns

LINUX: Final = sys.platform.startswith("linux")
UNKNOWN: Final = -1


class Family:
    """A process and all that it started, seen from outside: any of them may be the one that serves.

    Each has rows of its own, all with the instant at which the family was looked at. What a process used is never
    lost: one that came since the last look has a row of zeros there, and what the ended ones used unseen is the first
    process's, whose row says so.
    """

    def __init__(self, pid: int, role: str) -> None:
        self._pid, self._role = pid, role
        self._looked_at_ns = self._reaped_ns = 0
        self._members: dict[int, tuple[Sampler, Sample]] = {}
        self._gone_ns = 0

    def sample(self) -> list[Sample]:
        """Read the counters of all of them now. Raises ProcessLookupError when the first process is gone."""
        at_ns, known = now_ns(), self._members
        self._members, rows, reaped_ns = {}, [], 0
        for pid in family(self._pid):
            try:
                sampler = known[pid][0] if pid in known else Sampler(pid, self._role)
                row = sampler.sample()._replace(at_ns=at_ns)
                reaped_ns += sampler.reaped_ns()
            except ProcessLookupError:
                if pid == self._pid:
                    raise
                continue
            if pid not in known and self._looked_at_ns:
                rows.append(_unborn(row, self._looked_at_ns))
            self._members[pid] = sampler, row
            rows.append(row)
        self._gone_ns += sum(row.cpu_ns for pid, (_, row) in known.items() if pid not in self._members)
        self._reaped_ns = max(self._reaped_ns, reaped_ns - self._gone_ns)
        self._looked_at_ns = at_ns
        return [row._replace(cpu_ns=row.cpu_ns + self._reaped_ns) if row.pid == self._pid else row for row in rows]


def _unborn(row: Sample, at_ns: int) -> Sample:
    known = {name: 0 for name, value in row._asdict().items() if value != UNKNOWN}
    return row._replace(**known | {"at_ns": at_ns, "pid": row.pid, "role": row.role})


def family(pid: int) -> list[int]:
    """Return a process and its living descendants, it first."""
    found = [pid]
    for each in found:
        found += _children(each)
    return found


def _children(pid: int) -> list[int]:
    with suppress(OSError, psutil.Error):
        if LINUX:
            lists = Path(f"/proc/{pid}/task").glob("*/children")  # one for each thread that started some
            return [int(child) for each in lists for child in each.read_bytes().split()]
        return [child.pid for child in psutil.Process(pid).children()]
    return []


def listens(pids: Iterable[int], port: int) -> bool | None:
    """Whether one of these processes listens on a TCP port; None where it cannot be told."""
    found: set[int] = set()
    for pid in pids if LINUX else ():
        with suppress(OSError):
            lines = [line.split() for version in ("", "6") for line in _table(pid, f"tcp{version}")]
            # proc(5): local address with its port in hex, state 0A is LISTEN, the inode stands tenth.
            at_port = {
                int(line[9]) for line in lines if line[3] == "0A" and int(line[1].rpartition(":")[2], 16) == port
            }
            if at_port & socket_inodes(pid):
                return True
            found |= at_port
    return False if found else None


def _table(pid: int, name: str) -> list[str]:
    with suppress(FileNotFoundError):  # no IPv6
        return Path(f"/proc/{pid}/net/{name}").read_text(encoding="ascii").splitlines()[1:]
    return []


class Sampler:
    """One process seen from outside. role: one of `arrival.ROLES`."""

    def __init__(self, pid: int, role: str) -> None:
        """Raises ProcessLookupError when there is none."""
        try:
            self._process = psutil.Process(pid)
        except psutil.NoSuchProcess:
            raise ProcessLookupError(f"process {pid} is gone") from None
        self._role = ROLES.index(role)

    def reaped_ns(self) -> int:
        """Return what its ended children used, as far as it has asked for them; 0 where that is not counted."""
        try:
            times = self._process.cpu_times()
        except psutil.NoSuchProcess:
            raise ProcessLookupError(f"process {self._process.pid} is gone") from None
        return round((times.children_user + times.children_system) * 1e9)

    def sample(self) -> Sample:
        """Read the counters now. Raises ProcessLookupError when the process is gone."""
        try:
            at_ns, used_ns = now_ns(), cpu_ns(self._process)
            rss_bytes = self._process.memory_info().rss
            open_sockets, kernel_bytes = self._sockets()
        except (psutil.NoSuchProcess, FileNotFoundError):
            raise ProcessLookupError(f"process {self._process.pid} is gone") from None
        return Sample(
            at_ns=at_ns,
            pid=self._process.pid,
            role=self._role,
            cpu_ns=used_ns,
            rss_bytes=rss_bytes,
            open_sockets=open_sockets,
            kernel_socket_bytes=kernel_bytes,
            lag_ns=UNKNOWN,
            connections=UNKNOWN,
            wire_bytes_out=UNKNOWN,
            wire_bytes_in=UNKNOWN,
            wire_segments_out=UNKNOWN,
            wire_segments_in=UNKNOWN,
            waited_ns=waited_ns(self._process.pid),
        )

    def _sockets(self) -> tuple[int, int]:
        """Return how many there are, and what waits in them; -1 for what nobody may see but their owner."""
        if not LINUX:
            return len(self._process.net_connections("all")), UNKNOWN
        try:
            inodes = socket_inodes(self._process.pid)
        except PermissionError:
            return UNKNOWN, UNKNOWN
        return len(inodes), socket_bytes(inodes)


def waited_ns(pid: int) -> int:
    """Return how long the main thread of the process waited for CPU, in ns; -1 where that is not counted."""
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
