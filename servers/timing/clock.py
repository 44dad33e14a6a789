"""The only clock. Every instant in pollbench is an integer of nanoseconds read here, or derived from one.

CLOCK_MONOTONIC counts from boot, is never stepped by NTP, and is one and the same counter for all processes of
a host (Linux clock_gettime(2); on macOS mach_absolute_time). So `received - due` is exact between a server and
a user on the same host, and meaningless across hosts or reboots: `clock_id()` names the counter, and whoever
subtracts must first have seen two equal names.
"""

import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

now_ns = time.monotonic_ns


def clock_id() -> str:
    """Name the counter behind `now_ns`: the kernel's boot id, or "" where none can be read."""
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    if boot_id.exists():
        return boot_id.read_text(encoding="ascii").strip()
    if sys.platform == "darwin":
        sysctl = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
        return subprocess.run(sysctl, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    return ""


def wall_timestamp() -> str:
    """Return the time of day as ISO 8601 UTC with microseconds: for people to read, never to subtract."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
