"""A way to Redis on which a test can let connections fall silent: open at both ends, and nothing passes any more."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Self, TypeVar

Held = TypeVar("Held")


class Valve:
    """Passes on bytes to a port of this machine, until a connection is hushed. New connections are not."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._pumps: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"

    def hush(self) -> None:
        """Let every connection there is fall silent."""
        for pump in self._pumps:
            pump.cancel()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.hush()
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
        self._writers += [writer, onward_writer]
        for source, sink in ((reader, onward_writer), (onward_reader, writer)):
            pump = asyncio.create_task(self._pump(source, sink))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
        except ConnectionError:
            pass
        writer.close()


@asynccontextmanager
async def in_thread(manager: Callable[[], AbstractContextManager[Held]]) -> AsyncIterator[Held]:
    """Enter and leave what blocks while it starts and stops, so that a valve goes on meanwhile."""
    entered = manager()
    held = await asyncio.to_thread(entered.__enter__)
    try:
        yield held
    finally:
        await asyncio.to_thread(entered.__exit__, None, None, None)
