"""Clients of `peers.py` seen from outside: told to die, and watched for how long a server keeps their connections."""

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import psutil

from loadtests.host.managed_process import Child
from loadtests.probes.reference import Server
from servers.home import python
from servers.timing.clock import now_ns

LOOK_S: Final = 0.02
READY_S: Final = 30.0


class Group:
    """One process of peers, started at once. wanted: as its command line takes it. silence_s: when they give up."""

    def __init__(self, stack: ExitStack, where: Path, name: str, wanted: Sequence[str], silence_s: float = 0.0) -> None:
        self.name = name
        self._log = where / f"{name}.log"
        command = python("loadtests.probes.peers", *wanted, "--silence", str(silence_s))
        self._child = stack.enter_context(Child(name, command, self._log))

    def ports(self) -> list[int]:
        """Wait until all are connected and answered; return the ports they have. Raises ChildFailed."""
        self._child.heard(re.compile('"event": "ready"'), READY_S)
        return [int(port) for port in self.said("ready")[-1]["ports"]]

    def tell(self, number: signal.Signals) -> None:
        os.kill(self._child.pid, number)

    def tally(self) -> dict[str, Any]:
        """Ask what the connections carried so far, and when that was."""
        before = len(self.said("tally"))
        self.tell(signal.SIGUSR2)
        await_that(lambda: len(self.said("tally")) > before, f"{self.name} does not say what it carried")
        return self.said("tally")[-1]

    def said(self, event: str) -> list[dict[str, Any]]:
        """Return every line of this kind that is complete."""
        *lines, _begun = self._log.read_text(encoding="utf-8").split("\n")
        said = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in said if line["event"] == event]


class Watch:
    """When servers give up connections, each known by the client's port. noticed_ns: name -> the first look without it.

    The kernel's table is asked, not the servers, so that looking costs them nothing.
    """

    def __init__(self, servers: Iterable[Server], ports: Mapping[str, int]) -> None:
        self._processes = [psutil.Process(server.pid) for server in servers]
        self._ports = ports
        self.noticed_ns: dict[str, int] = {}

    def until(self, at_ns: int) -> None:
        """Look until then."""
        while now_ns() < at_ns:
            self._look()
            time.sleep(LOOK_S)

    def _look(self) -> None:
        connections = [one for process in self._processes for one in process.net_connections("tcp")]
        # A listening socket has no other end, which psutil shows as an empty tuple.
        there = {getattr(one.raddr, "port", 0) for one in connections}
        for name, port in self._ports.items():
            if port not in there:
                self.noticed_ns.setdefault(name, now_ns())


def await_that(condition: Callable[[], bool], otherwise: str) -> None:
    """Return once it is true. Raises TimeoutError, saying `otherwise`."""
    until_s = time.monotonic() + READY_S
    while not condition():
        if time.monotonic() > until_s:
            raise TimeoutError(otherwise)
        time.sleep(LOOK_S)
