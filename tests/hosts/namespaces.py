"""Hosts made of network namespaces: a run and its load hosts, each with a network of its own and one cable to the run.

Nothing of the machine's own network is touched, and nothing of it is left.
"""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

RUN: Final = "run"


def unavailable() -> str:
    """Say why this machine cannot have such hosts, "" where it can."""
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("ip"):
        return "network namespaces need Linux, root and iproute2"
    name = f"pb{secrets.token_hex(3)}"
    probe = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if probe.returncode:
        return f"this machine makes no network namespaces: {probe.stderr.strip()}"
    try:
        pair = _ip("-n", name, "link", "add", "near", "type", "veth", "peer", "name", "far", check=False)
        return f"this kernel has no veth: {pair.stderr.strip()}" if pair.returncode else ""
    finally:
        _ip("netns", "del", name)


@dataclass(frozen=True)
class Net:
    """mark: in the names of its namespaces. hosts: beside the run, whose address is the first one's other end."""

    mark: str
    hosts: Sequence[str]

    @property
    def address(self) -> str:
        """Where all of them reach the run."""
        return "10.77.1.1"

    def of(self, host: str) -> str:
        return f"10.77.{self.hosts.index(host) + 1}.2"

    def inside(self, host: str) -> tuple[str, ...]:
        """Return the words before a command that runs there."""
        return ("ip", "netns", "exec", f"{self.mark}-{host}")

    def cut(self, host: str) -> None:
        """Pull the cable of a host: nothing goes there or comes from there any more, and nobody is told."""
        _ip("-n", f"{self.mark}-{host}", "link", "set", "cable", "down")


@contextmanager
def networked(*hosts: str) -> Iterator[Net]:
    """Make namespaces for a run and its hosts, and take them away with all that is in them."""
    net = Net(f"pb{secrets.token_hex(3)}", hosts)
    made: list[str] = []
    try:
        for host in (RUN, *hosts):
            _ip("netns", "add", f"{net.mark}-{host}")
            made.append(host)
            _ip("-n", f"{net.mark}-{host}", "link", "set", "lo", "up")
        for number, host in enumerate(hosts, 1):
            there = f"{net.mark}-{host}"
            ours = f"cable{number}"
            _ip(
                *("-n", f"{net.mark}-{RUN}", "link", "add", ours, "type", "veth"),
                *("peer", "name", "cable", "netns", there),
            )
            for namespace, device, address in (
                (f"{net.mark}-{RUN}", ours, f"10.77.{number}.1/30"),
                (there, "cable", f"10.77.{number}.2/30"),
            ):
                _ip("-n", namespace, "address", "add", address, "dev", device)
                _ip("-n", namespace, "link", "set", device, "up")
            _ip("-n", there, "route", "add", "default", "via", f"10.77.{number}.1")
        yield net
    finally:
        for host in made:
            _ip("netns", "del", f"{net.mark}-{host}", check=False)


def _ip(*words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=check)
