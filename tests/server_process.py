"""A real server process, as a test starts, asks and stops it."""

import json
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.forked import Forked

ROOT = Path(__file__).resolve().parent.parent
HANG_S = 150.0
"""Only catches hangs; no test asserts how long anything took."""


def has_ipv6() -> bool:
    """Whether this machine has a loopback address of IPv6."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


class ServerProcess:
    """`python -m servers` on ephemeral ports, publishing only what is posted, unless told otherwise."""

    def __init__(self, *arguments: str, module: str = "servers") -> None:
        quiet = ["--port", "0", "--http2-port", "0", "--schedule", "manual", "--announce-json"]
        self._told = False
        self.process = Forked(module, *quiet, *arguments, cwd=ROOT)
        line = self.process.first_line()
        if not line:
            raise AssertionError(f"the server did not start: {self.process.communicate()[1]}")
        self.ready: dict[str, Any] = json.loads(line)
        self.port: int = self.ready["http_port"]
        self.http2_port: int | None = self.ready["http2_port"]

    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stats", timeout=HANG_S) as answer:
            return dict(json.load(answer))

    def post(self, content: str) -> int:
        """Publish one message; return its id."""
        url = f"http://127.0.0.1:{self.port}/api/message"
        with urllib.request.urlopen(url, data=content.encode(), timeout=HANG_S) as answer:
            return int(json.load(answer)["id"])

    def tell_to_stop(self) -> None:
        """Ask once: a second signal would find a process that handles none any more."""
        if not self._told:
            self._told = True
            self.process.send_signal(signal.SIGTERM)

    def stop(self) -> tuple[int, str]:
        """Stop it and return its exit code and what it wrote on stderr."""
        self.tell_to_stop()
        try:
            _, errors = self.process.communicate(timeout=HANG_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return self.process.wait(), errors


@contextmanager
def serving(*arguments: str, module: str = "servers") -> Iterator[ServerProcess]:
    """Run a server, and see that it stops cleanly and had nothing to complain of."""
    server = ServerProcess(*arguments, module=module)
    try:
        yield server
    finally:
        code, errors = server.stop()
    assert (code, errors) == (0, ""), (code, errors)
