"""A small HTTP/1.1 client on asyncio, written for the tests so that they do not check aiohttp with aiohttp."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from tests.server_process import HANG_S

Line = dict[str, Any]
"""A message, which has an `id`, or a stream's control line, which has a `type`."""


class Response:
    """The head of a response, and its body to be read."""

    def __init__(self, status: int, headers: dict[str, str], reader: asyncio.StreamReader) -> None:
        self.status = status
        self.headers = headers
        self._reader = reader

    async def read(self) -> bytes:
        """Return the whole body."""
        if self.headers.get("transfer-encoding") == "chunked":
            return b"".join([piece async for piece in self.pieces()])
        if "content-length" in self.headers:
            return await self._reader.readexactly(int(self.headers["content-length"]))
        return b"" if self.status in {101, 204, 304} else await self._reader.read()

    async def json(self) -> Any:
        return msgspec.json.decode(await self.read())

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it comes: the chunks of a chunked body, else whatever each read brings."""
        if self.headers.get("transfer-encoding") != "chunked":
            while data := await self._reader.read(65_536):
                yield data
            return
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            yield (await self._reader.readexactly(size + 2))[:-2]
        assert await self._reader.readexactly(2) == b"\r\n"

    async def lines(self, ending: bytes = b"\n") -> AsyncGenerator[bytes, None]:
        """Yield what stands between the endings, wherever the pieces of the body end."""
        rest = b""
        async for piece in self.pieces():
            *whole, rest = (rest + piece).split(ending)
            for line in whole:
                yield line
        assert rest == b"", f"the body ends in the middle of a line: {rest[:80]!r}"


async def read_response(reader: asyncio.StreamReader) -> Response:
    """Return once the head of a response is there."""
    status_line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")[:-4].split("\r\n")
    fields = (line.split(": ", 1) for line in lines)
    return Response(int(status_line.split()[1]), {name.lower(): value for name, value in fields}, reader)


class Http1:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(
        self,
        target: str,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        body: bytes = b"",
        version: str = "1.1",
    ) -> Response:
        """Send a request and return once the head of the response is there."""
        given = {"Host": "test", **(headers or {})}
        if body:
            given["Content-Length"] = str(len(body))
        head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        self.writer.write(f"{method} {target} HTTP/{version}\r\n{head}\r\n".encode() + body)
        return await self.response()

    async def response(self) -> Response:
        return await read_response(self.reader)

    async def post(self, content: str) -> int:
        answer = await self.ask("/api/message", method="POST", body=content.encode())
        assert answer.status == 201
        return int((await answer.json())["id"])

    async def until(self, field: str, wanted: int) -> None:
        """Return once /stats says so."""
        while (await (await self.ask("/stats")).json())[field] != wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(port: int, limit: int = 65_536) -> AsyncIterator[Http1]:
    """Connect; leave without a good-bye. limit: bytes read ahead."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=limit)
    try:
        yield Http1(reader, writer)
    finally:
        writer.transport.abort()


def run(check: Coroutine[Any, Any, None]) -> None:
    """Run an asynchronous test; a hang fails it."""
    asyncio.run(asyncio.wait_for(check, HANG_S))


async def until(condition: Callable[[], bool]) -> None:
    """Return once it is true."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.002)
