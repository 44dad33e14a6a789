"""Writes an aiohttp response to a stream: HEADERS, DATA, END_STREAM."""

from typing import Final

from aiohttp.abc import AbstractStreamWriter
from aiohttp.compression_utils import ZLibCompressor
from multidict import CIMultiDict

from servers.http2.promise import Fields
from servers.http2.stream import Stream

CONNECTION_FIELDS: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)
"""RFC 9113 8.2.2: they speak of an HTTP/1.1 connection, and are malformed in HTTP/2."""


class ResponseWriter(AbstractStreamWriter):
    """The payload writer of one response. Headers wait for the first content, so that both share a packet."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._head: Fields = ()
        self._compressor: ZLibCompressor | None = None
        self.buffer_size = 0
        self.output_size = 0
        self.length = None

    def enable_chunking(self) -> None:
        """Nothing to do: DATA frames are chunks already."""

    def enable_compression(self, encoding: str = "deflate", strategy: int | None = None) -> None:
        self._compressor = ZLibCompressor(encoding=encoding, strategy=strategy)

    async def write_headers(self, status_line: str, headers: CIMultiDict[str]) -> None:
        self._head = response_fields(status_line.split(" ", 2)[1], headers)

    def send_headers(self) -> None:
        self._send_head(end=False)
        self._stream.sender.flush()

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Send content, waiting for windows and socket. Raises ClientConnectionResetError when the client has gone."""
        if self._compressor is not None:
            chunk = await self._compressor.compress(chunk)
        if not chunk:
            return
        self.output_size += len(chunk)
        self._send_head(end=False)
        self._stream.send(chunk)
        self._stream.sender.flush()
        await self._stream.drain()

    async def write_eof(self, chunk: bytes = b"") -> None:
        if self._compressor is not None:
            chunk = await self._compressor.compress(chunk) + self._compressor.flush()
        if self._stream.ended:
            return
        self.output_size += len(chunk)
        if self._head and not chunk:
            self._send_head(end=True)
        else:
            self._send_head(end=False)
            self._stream.send(chunk, end=True)
        self._stream.sender.flush()
        await self._stream.drain()

    async def drain(self) -> None:
        await self._stream.drain()

    def _send_head(self, *, end: bool) -> None:
        if self._head:
            head, self._head = self._head, ()
            self._stream.send_head(head, end=end)


def response_fields(status: str, headers: CIMultiDict[str]) -> Fields:
    """Return HTTP/2 fields, names in lower case. Raises ValueError for a value that would be malformed."""
    fields = [(b":status", status.encode("ascii"))]
    for name, value in headers.items():
        if "\r" in value or "\n" in value or "\0" in value:
            raise ValueError(f"the value of response header {name} has a line break in it")
        field = name.lower().encode("ascii")
        if field not in CONNECTION_FIELDS:
            fields.append((field, value.strip().encode("utf-8", "surrogateescape")))
    return tuple(fields)
