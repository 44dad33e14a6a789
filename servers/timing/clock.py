"""The only clock. Every instant in pollbench is an integer of nanoseconds read here, or derived from one.

CLOCK_MONOTONIC counts from boot, is never stepped by NTP, and is one and the same counter for all processes of
a host (Linux clock_gettime(2); on macOS mach_absolute_time), but for those in a time namespace of their own, which add
a constant to it (time_namespaces(7)). So `received - due` is exact between a server and a user that read one counter,
and needs an offset between any others (loadtests/clocks): `clock_id()` names the counter.
"""

import subprocess
import sys
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

now_ns = time.monotonic_ns

RAW: Final[int | None] = getattr(time, "CLOCK_MONOTONIC_RAW", None)
TOGETHER_NS: Final = 2_000
READINGS: Final = 5


def clock_id(proc: Path = Path("/proc")) -> str:
    """Name the counter behind `now_ns`: the kernel's boot id and, after a colon, the time namespace.

    The boot id alone, where there are no time namespaces; "" where none can be read.
    """
    boot_id = proc / "sys/kernel/random/boot_id"
    if boot_id.exists():
        booted, namespace = boot_id.read_text(encoding="ascii").strip(), proc / "self/ns/time"
        return f"{booted}:{namespace.stat().st_ino}" if namespace.exists() else booted
    if sys.platform == "darwin":
        sysctl = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
        return subprocess.run(sysctl, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    return ""


def same_clock(theirs: str, ours: str) -> bool:
    """Whether two names are said to be of one counter. Servers of others may tell the boot id alone.

    A name is what a process says, and two machines made from one snapshot say the same: an exchange must agree with it.
    """
    return theirs in {ours, ours.partition(":")[0]}


def now_and_raw_ns() -> tuple[int, int]:
    """Return `now_ns()`, and CLOCK_MONOTONIC_RAW at the same instant; 0 where there is none, or we were held up."""
    at_ns = now_ns()
    if RAW is not None:
        for _ in range(READINGS):
            raw_ns, after_ns = time.clock_gettime_ns(RAW), now_ns()
            if after_ns - at_ns <= TOGETHER_NS:
                return at_ns, raw_ns
            at_ns = after_ns
    return at_ns, 0


def clock_answer(received_ns: int) -> bytes:
    """Return the JSON that answers GET /clock: which clock this is, and when the question came and this was sent."""
    sent_ns, raw_ns = now_and_raw_ns()
    return b'{"clock_id":"%b","received_ns":%d,"sent_ns":%d,"raw_ns":%d}' % (
        _named().encode("ascii"),
        received_ns,
        sent_ns,
        raw_ns,
    )


_named: Final = cache(clock_id)


def wall_timestamp() -> str:
    """Return the time of day as ISO 8601 UTC with microseconds: for people to read, never to subtract."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
