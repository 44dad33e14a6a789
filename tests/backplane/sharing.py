"""Server processes that share a feed, and clients that go from one to another and keep account of what they get."""

import asyncio
import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Any, NamedTuple

from tests.clients import CUT, messages
from tests.http1 import Line
from tests.relay.running import command
from tests.server_process import HANG_S, ServerProcess, serving

STREAM, PUBSUB = KINDS = ["redis-stream", "redis-pubsub"]


class Pair(NamedTuple):
    """Two servers with one feed. Only the first publishes on schedule, when it has one."""

    one: ServerProcess
    two: ServerProcess


@contextmanager
def sharing(
    url: str, *arguments: str, schedule: str = "manual", publisher: Sequence[str] = (), second_url: str = ""
) -> Iterator[Pair]:
    """Run two servers that share a feed.

    publisher: what only the first is told. second_url: how the second gets to the same Redis, if by another way.
    """
    common = ["--heartbeat", "0.2", *arguments]
    with (
        serving("--redis", url, "--schedule", schedule, *publisher, *common) as one,
        serving("--redis", second_url or url, "--no-publish", *common) as two,
    ):
        yield Pair(one, two)


class Follower:
    """A client that resumes by its cursor wherever it can, and asks the next server when one ends the conversation.

    ids: what it got, in the order in which it came. remarks: what it was told about its cursor.
    """

    def __init__(self, pattern: str, servers: Sequence[ServerProcess], last_id: int = 0) -> None:
        self.pattern = pattern
        self.ids: list[int] = []
        self.lines: list[Line] = []
        self.remarks: list[str] = []
        self.heartbeats = 0
        self._servers = list(servers)
        self._last_id = last_id

    async def until(self, last_id: int) -> None:
        """Follow until that message is here."""
        while self._last_id < last_id:
            try:
                async with aclosing(messages(self.pattern, self._servers[0], self._last_id)) as lines:
                    async for line in lines:
                        self._take(line)
                        if self._last_id >= last_id:
                            return
            except CUT:
                pass
            self._servers.append(self._servers.pop(0))
            await asyncio.sleep(0.01)

    def _take(self, line: Line) -> None:
        if "id" in line:
            self.ids.append(line["id"])
            self.lines.append(line)
            self._last_id = line["id"]
        elif line["type"] in {"gone", "ahead"}:
            self.remarks.append(line["type"])
        elif line["type"] == "heartbeat":
            self.heartbeats += 1


async def state_of(server: ServerProcess, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return what a server says of its backplane, once that is as it should be."""
    async with asyncio.timeout(HANG_S):
        while not condition(state := (await asyncio.to_thread(server.stats))["backplane"]):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return dict(state)


class Way(NamedTuple):
    """A way to Redis through a process that can be slow, or be frozen: connections stay open, and nothing comes."""

    process: "subprocess.Popen[str]"
    url: str


@contextmanager
def way_to(port: int, *options: str) -> Iterator[Way]:
    with subprocess.Popen(command(port, *options), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Way(process, f"redis://127.0.0.1:{json.loads(process.stdout.readline())['port']}/0")
        finally:
            process.kill()
