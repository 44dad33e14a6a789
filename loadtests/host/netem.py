"""The kernel's own delay instead of the relay's: a private network whose loopback passes everything through `tc netem`.

What runs inside is alone on a loopback of its own, so the host's network is neither used nor touched, and the kernel
takes the network away with the last process in it. Beside the relay this has all of TCP under the delay (handshake,
slow start, congestion control, delayed ACKs) and no process between user and server; it needs Linux, root, iproute2 and
a kernel built with sch_netem.
"""

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

TOOLS: Final = ("ip", "tc", "unshare")
QUEUE_PACKETS: Final = 1_000_000
"""netem drops what is beyond its limit, 1000 packets unless told otherwise."""
CLONE_NEWNET: Final = 0x40000000
"""linux/sched.h; `os` has unshare and setns from Python 3.12 on."""
OURS: Final = Path("/proc/thread-self/ns/net")


class NetworkFailed(Exception):
    """A private network that could not be made: what was tried and what the system said."""


def unavailable() -> str:
    """Return why `delayed` cannot work here, "" where it can. Asks the kernel, in a network thrown away at once."""
    if sys.platform != "linux":
        return f"netem is a part of Linux, and this is {sys.platform}"
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return f"netem needs the commands {', '.join(missing)} (Debian packages iproute2 and util-linux)"
    if os.geteuid() != 0:
        return "netem needs root, to make a private network"
    try:
        _run("unshare", "--net", *netem(1.0))
    except NetworkFailed as refused:
        return f"no private network with netem (CONFIG_NET_SCH_NETEM) can be made here: {refused}"
    return ""


@contextlib.contextmanager
def delayed(rtt_ms: float) -> Iterator[None]:
    """Put this thread, and what it starts, into a private network where every exchange takes `rtt_ms` longer.

    Raises NetworkFailed where `unavailable` gives a reason.
    """
    if reason := unavailable():
        raise NetworkFailed(reason)
    with private():
        if rtt_ms:
            _run(*netem(rtt_ms / 2))
        yield


@contextlib.contextmanager
def private() -> Iterator[None]:
    """Put this thread, and what it starts, into a network of nothing but a loopback. Raises NetworkFailed.

    Linux only, whether or not it has netem.
    """
    outside = os.open(OURS, os.O_RDONLY)
    try:
        _call("unshare", CLONE_NEWNET)
        try:
            _run("ip", "link", "set", "lo", "up")
            yield
        finally:
            _call("setns", outside, CLONE_NEWNET)
    finally:
        os.close(outside)


def netem(one_way_ms: float) -> list[str]:
    """Return the command that delays what passes over the loopback, which is each packet of either direction once."""
    delay = ["delay", f"{one_way_ms * 1000:.3f}us", "limit", str(QUEUE_PACKETS)]
    return ["tc", "qdisc", "add", "dev", "lo", "root", "netem", *delay]


def _call(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        raise NetworkFailed(f"{name} for a private network: {os.strerror(ctypes.get_errno())}")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise NetworkFailed(f"{' '.join(command)}: {' '.join(done.stderr.split())}")
