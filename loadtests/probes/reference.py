"""Reference servers of our own behind or beside other programs: started on free ports, met, stopped with the block."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

from loadtests.host.managed_process import Child
from loadtests.host.sampler import cpu_ns
from loadtests.runs import announcements
from loadtests.runs.commands import HOST, OURS
from loadtests.runs.target import Target

SCHEDULED_LATER: Final = ("--host", HOST, "--port", "0", "--http2-port", "0", "--schedule", "manual", "--announce-json")


class Server:
    """One `python -m servers`, running when it was made; `meet` waits until it listens.

    Several can be made before the first is met, so that they start side by side. Options given later win.
    """

    def __init__(self, folder: Path, name: str, *options: object, token: str = "") -> None:
        self.token = token or secrets.token_hex(8)
        command = [*OURS.server, *SCHEDULED_LATER, "--token", self.token, *map(str, options)]
        self.child = Child(name, command, fresh(folder / f"{name}.log"))
        self.port = 0
        self.http2_port = 0

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def target(self) -> Target:
        """Ask it how it is, now. Raises WrongServer."""
        return Target(self.url, self.token)

    def cpu_ns(self) -> int:
        """Return the CPU time it has used so far. Raises ChildFailed when it is gone."""
        self.child.check()
        return cpu_ns(psutil.Process(self.pid))

    def meet(self) -> None:
        """Wait until it listens. Raises ChildFailed."""
        said = self.child.answered(announcements.ready, OURS.ready_s)
        self.port, self.http2_port = said.http_port, said.http2_port or 0


@contextmanager
def reference(folder: Path, *options: object, name: str = "server") -> Iterator[Server]:
    """Run one server. Raises ChildFailed."""
    server = Server(folder, name, *options)
    with server.child:
        server.meet()
        yield server


@contextmanager
def relay(folder: Path, port: int, rtt_ms: float) -> Iterator[int]:
    """Put a round trip before a port; give the port that has it. Raises ChildFailed."""
    command = [*OURS.relay, "--to", f"{HOST}:{port}", "--rtt", f"{rtt_ms:g}ms", "--announce-json"]
    with Child("relay", command, fresh(folder / f"relay-{port}-{rtt_ms:g}.log")) as child:
        yield child.answered(announcements.relay_ready, OURS.ready_s).port


def fresh(log: Path) -> Path:
    """Make way for a log: an earlier one would be heard instead."""
    log.unlink(missing_ok=True)
    return log
