"""What machine, versions and source a run was made with: enough to judge a run by, and to repeat it."""

import hashlib
import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from loadtests.host import machine_limits
from loadtests.records.manifest import Machine
from servers.home import HOME, VERSION
from servers.timing.clock import clock_id

PACKAGES: Final = ("locust", "gevent", "aiohttp", "uvloop", "h2", "msgspec", "pandas")
"""The packages whose version can move a figure."""
DECISIVE: Final = frozenset({"pollbench", "sources", "locust", "gevent"})
"""Those of a load process: what it measures with, and what it talks to its master by."""


def machine() -> Machine:
    import psutil

    return Machine(
        system=platform.platform(),
        cpu=_cpu_model(),
        cores=cores(),
        memory_bytes=psutil.virtual_memory().total,
        python=platform.python_version(),
        clock_id=clock_id(),
        open_files=machine_limits.open_files(),
        ports=machine_limits.ports(),
    )


def cores() -> int:
    """Return how many we may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Return package -> version, "" for one that is not installed; and "sources", a digest of what measures."""
    return {"pollbench": VERSION} | {name: _version(name) for name in PACKAGES} | {"sources": _digest()}


def decisive_versions() -> dict[str, str]:
    """Return those of versions() that must be the same wherever a run's load processes are, and Python's."""
    return {name: version for name, version in versions().items() if name in DECISIVE} | {
        "python": platform.python_version()
    }


def commit(checkout: Path = HOME) -> str:
    """Return a checkout's commit, followed by "+changes" when files differ from it; "" outside of one.

    What is installed may lie within the checkout of something else.
    """
    head = _git(checkout, "rev-parse", "--short=12", "HEAD") if (checkout / ".git").exists() else ""
    changed = head and _git(checkout, "status", "--porcelain", "--untracked-files=no")
    return f"{head}+changes" if changed else head


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _digest() -> str:
    """Name the code of servers and load side: cells are comparable only when it was the same, commit or not."""
    digest = hashlib.sha256()
    for folder in ("servers", "loadtests"):
        for file in sorted((HOME / folder).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _git(checkout: Path, *arguments: str) -> str:
    command = ["git", "-C", str(checkout), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(encoding="utf-8"), re.MULTILINE)
        return found[1] if found else platform.machine()
    if platform.system() == "Darwin":
        sysctl = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(sysctl, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    return platform.processor()
