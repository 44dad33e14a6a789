"""The same delay by the kernel: a private network whose two ends are joined by a cable with `tc netem` on it.

Beside the relay this has all of TCP under the delay (handshake, slow start, congestion control, delayed ACKs) and no
process between user and server; it needs Linux, root, iproute2 and a kernel built with sch_netem. The server is started
inside (`Namespace.inside`) and reached from outside at `Namespace.host`; both see one CLOCK_MONOTONIC.
"""

import contextlib
import ipaddress
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from servers.relay.network import Network

TOOLS: Final = ("ip", "tc", "unshare")
QUEUE_PACKETS: Final = 1_000_000
"""netem drops what is beyond its limit, 1000 packets unless told otherwise."""
BENCHMARK_NETWORK: Final = ipaddress.ip_network("198.18.0.0/15")
"""Set aside for benchmarks (RFC 2544); each process takes a /30 of it by its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A network of its own. host: the server's address in it. outer, inner: the two ends of the cable."""

    name: str
    host: str
    outer: str
    inner: str

    def inside(self, command: list[str]) -> list[str]:
        """Return the command that runs `command` in here."""
        return ["ip", "netns", "exec", self.name, *command]


def available() -> str | None:
    """Return None where `delayed` works, else why it does not. Asks the kernel, in a namespace thrown away at once."""
    if sys.platform != "linux":
        return f"netem is a part of Linux, and this is {sys.platform}"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"netem needs the commands {', '.join(missing)} (Debian packages iproute2 and util-linux)"
    if os.geteuid() != 0:
        return "netem needs root, to make a network namespace"
    probe = ["unshare", "--net", "tc", *netem("lo", one_way_ns=1_000_000)]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)  # noqa: S603
    return None if done.returncode == 0 else f"this kernel has no netem (CONFIG_NET_SCH_NETEM): {done.stderr.strip()}"


@contextlib.contextmanager
def delayed(rtt_ns: int) -> Iterator[Namespace]:
    """Yield a namespace half of `rtt_ns` away in each direction. Raises OSError where `available` gives a reason."""
    if reason := available():
        raise OSError(reason)
    one_way_ns = Network(rtt_ns=rtt_ns).one_way_ns
    with cabled() as namespace:
        run("tc", *netem(namespace.outer, one_way_ns))
        run(*namespace.inside(["tc", *netem(namespace.inner, one_way_ns)]))
        yield namespace


@contextlib.contextmanager
def cabled() -> Iterator[Namespace]:
    """Yield a namespace joined to this one by a cable without delay; the end of it takes everything away again."""
    pid = os.getpid()
    outer_ip, inner_ip = addresses(pid)
    namespace = Namespace(name=f"pollbench-{pid}", host=inner_ip, outer=f"pbo{pid}", inner=f"pbi{pid}")
    with contextlib.ExitStack() as undo:
        run("ip", "netns", "add", namespace.name)
        undo.callback(run, "ip", "netns", "delete", namespace.name)
        run("ip", "link", "add", namespace.outer, "type", "veth", "peer", namespace.inner, "netns", namespace.name)
        undo.callback(run, "ip", "link", "delete", namespace.outer)
        run("ip", "address", "add", f"{outer_ip}/30", "dev", namespace.outer)
        run("ip", "link", "set", namespace.outer, "up")
        run(*namespace.inside(["ip", "address", "add", f"{inner_ip}/30", "dev", namespace.inner]))
        run(*namespace.inside(["ip", "link", "set", namespace.inner, "up"]))
        yield namespace


def addresses(number: int) -> tuple[str, str]:
    """Return the outer and inner address of one of the /30 networks in BENCHMARK_NETWORK."""
    first = int(BENCHMARK_NETWORK.network_address) + number * 4 % BENCHMARK_NETWORK.num_addresses
    return str(ipaddress.ip_address(first + 1)), str(ipaddress.ip_address(first + 2))


def netem(device: str, one_way_ns: int) -> list[str]:
    """Return the arguments of tc that delay what leaves `device` by `one_way_ns`."""
    delay = f"{one_way_ns / 1_000:.3f}us"
    return ["qdisc", "add", "dev", device, "root", "netem", "delay", delay, "limit", str(QUEUE_PACKETS)]


def run(*command: str) -> None:
    """Run a command that must work. Raises OSError with what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
