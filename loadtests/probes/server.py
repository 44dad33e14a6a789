"""A reference server for one observation: started on free ports, stopped when the block ends, its CPU read outside."""

import http.client
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import msgspec
import psutil

from loadtests.cell import READY_LINE, Announcement
from loadtests.child import Child
from loadtests.programs import HOST, OURS
from loadtests.sampler import cpu_ns

READY_S: Final = 60.0
ANSWER_S: Final = 20.0


class Server:
    """A running server. port, http2_port: where it listens."""

    def __init__(self, child: Child, said: Announcement) -> None:
        self._child = child
        self._process = psutil.Process(child.pid)
        self.pid = child.pid
        self.port = said.http_port
        self.http2_port = said.http2_port

    def cpu_ns(self) -> int:
        """Return the CPU time it has used so far. Raises ChildFailed when it is gone."""
        self._child.check()
        return cpu_ns(self._process)

    def post(self, content: str) -> int:
        """Publish a message; return its id. Raises OSError."""
        with closing(http.client.HTTPConnection(HOST, self.port, timeout=ANSWER_S)) as connection:
            connection.request("POST", "/api/message", content.encode())
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 201:
                raise ConnectionError(f"POST /api/message was answered {answer.status}: {body[:200]!r}")
        return int(msgspec.json.decode(body)["id"])


@contextmanager
def serving(where: Path, patterns: Sequence[str], *options: str) -> Iterator[Server]:
    """Run `python -m servers` with these patterns and options; its log is where/server.log. Raises ChildFailed."""
    command = [*OURS.server, *patterns, "--host", HOST, "--port", "0", "--http2-port", "0", "--schedule", "manual"]
    with Child("server", [*command, *options, "--announce-json"], where / "server.log") as child:
        line = child.heard(READY_LINE, READY_S)[0]
        yield Server(child, msgspec.json.decode(line, type=Announcement))
