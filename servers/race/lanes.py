"""One relay process for each pattern: a port, so an origin, of its own, its share of the delay, and its byte count."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import msgspec

from servers.home import python

HOST: Final = "127.0.0.1"
ANSWER_S: Final = 10.0


class LaneLostError(Exception):
    """A relay that ended by itself, or says nothing any more."""


class Tally(msgspec.Struct, frozen=True):
    """What a lane has carried: bytes are TCP payload, both ways."""

    rtt_ns: int
    connections: int
    bytes: int


class Ready(msgspec.Struct, frozen=True):
    """A relay's first line."""

    port: int


class Lane:
    """A running relay."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.port = 0
        self._process = process
        self._asking = asyncio.Lock()

    @property
    def origin(self) -> str:
        return f"http://{HOST}:{self.port}"

    async def meet(self) -> None:
        """Wait until it listens. Raises LaneLostError."""
        self.port = msgspec.json.decode(await self._line(), type=Ready).port

    async def ask(self, command: str) -> Tally:
        """Have it obey a command (servers/relay/steering.py). Raises LaneLostError."""
        async with self._asking:
            commands = self._process.stdin
            if commands is not None and not commands.is_closing():
                commands.write(command.encode("ascii") + b"\n")
            return msgspec.json.decode(await self._line(), type=Tally)

    async def stop(self) -> None:
        """Close its stdin, which ends it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), ANSWER_S)
        except TimeoutError:
            line = b""
        if not line:
            raise LaneLostError(f"the relay in front of {self.name} does not answer; start the race again")
        return line


@asynccontextmanager
async def open_lanes(names: Sequence[str], to_port: int, rtt_ms: float) -> AsyncIterator[list[Lane]]:
    """Run a relay to this server for each name. Raises LaneLostError when one does not start."""
    to_server = ("--to", f"{HOST}:{to_port}", "--rtt", f"{rtt_ms:g}ms", "--steered", "--announce-json")
    lanes = []
    async with AsyncExitStack() as stack:
        for name in names:
            process = await asyncio.create_subprocess_exec(
                *python("servers.relay", *to_server),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,  # it would tell of clients that come back while the server leaves
                start_new_session=True,  # Ctrl-C in the terminal is for the server, which ends them in order
            )
            lanes.append(Lane(name, process))
            stack.push_async_callback(lanes[-1].stop)
        for lane in lanes:
            await lane.meet()
        yield lanes
