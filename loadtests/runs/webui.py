"""Starts a server and Locust's web UI beside it, and ends both together."""

import os
import socket
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

from loadtests.host.managed_process import Child, ChildFailed
from loadtests.runs import announcements
from loadtests.runs.commands import HOST, OURS

USERS: Final = 24
"""What the start form says until it is changed; six patterns share them evenly."""


class Unreachable(Exception):
    """A port that is taken, or a server that does not come up; the message says which, why and what to do."""


def serve(
    port: int,
    say: Callable[[str], None],
    beside: AbstractContextManager[str] | None = None,
    words: Sequence[str] = (),
) -> int:
    """Show the web UI on this port until Ctrl-C; return Locust's exit code. Raises Unreachable.

    beside: entered while it is shown; what it gives is said. words: options of our own for Locust.
    """
    check_free(port)
    with tempfile.TemporaryDirectory(prefix="pollbench-") as folder:
        ports = ["--port", "0", "--http2-port", "0", "--announce-json"]
        with Child("server", [*OURS.server, *ports], Path(folder, "server.log")) as server:
            try:
                ready = server.answered(announcements.ready, OURS.ready_s)
            except ChildFailed as problem:
                raise Unreachable(str(problem)) from None
            host = f"http://{HOST}:{ready.http_port}"
            say(f"server  {host}")
            with beside or nullcontext("") as more:
                if more:
                    say(more)
                say(f"web UI  http://{HOST}:{port}   Ctrl-C ends both")
                return _locust(["--host", host, "--web-host", HOST, "--web-port", str(port), *words])


def _locust(where: list[str]) -> int:
    form = ["--class-picker", "--users", str(USERS), "--spawn-rate", str(USERS), "--exit-code-on-error", "0"]
    with Child("web UI", [*OURS.load, *form, *where], log=None) as locust:
        try:
            return locust.wait()
        except KeyboardInterrupt:
            return locust.stop()


def check_free(port: int) -> None:
    """Raise Unreachable when this port is taken; 0 never is."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError as problem:
        raise Unreachable(f"--port {port}: {os.strerror(problem.errno or 0)}; choose another") from None
