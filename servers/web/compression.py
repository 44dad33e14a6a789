"""gzip for polls and streams (--compress): once for an answer that many share, and with a flush behind every message.

A stream has a compressor of its own, because what it may refer back to is what this client was sent.
"""

import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

if TYPE_CHECKING:
    from servers.web.streams import Sink

GZIP: Final = "gzip"
GZIP_WINDOW_BITS: Final = 31
"""zlib's word for the largest window, in gzip's clothes."""
LEVEL: Final = 6
"""The default of zlib and gzip; nginx uses 1."""


def accepts_gzip(request: web.BaseRequest) -> bool:
    """Say whether the client names gzip, and not only to refuse it (RFC 9110 section 12.5.3). Lines of one name are one
    list (section 5.3)."""
    for each in ",".join(request.headers.getall(hdrs.ACCEPT_ENCODING, ())).split(","):
        name, _, weight = each.partition(";")
        if name.strip().lower() == GZIP:
            return weight.replace(" ", "").lower() not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def gzipped(body: bytes) -> bytes:
    return zlib.compress(body, LEVEL, GZIP_WINDOW_BITS)


class Deflated:
    """Stands in for a transport: what is written leaves compressed, in what HTTP puts around it (`wire`), and readable
    to its last byte: without the flush zlib would keep a message until some 16 kB have come together."""

    def __init__(self, sink: "Sink", wire: Callable[[bytes], bytes]) -> None:
        self._sink = sink
        self._wire = wire
        self._deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP_WINDOW_BITS)

    def write(self, data: bytes) -> None:
        self._sink.write(self._wire(self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)))

    def get_write_buffer_size(self) -> int:
        return self._sink.get_write_buffer_size()

    def is_closing(self) -> bool:
        return self._sink.is_closing()

    def abort(self) -> None:
        self._sink.abort()

    def ending(self, end: Callable[[], object]) -> Callable[[], None]:
        """Return what ends the response: gzip's tail, then `end`."""

        def finish() -> None:
            if not self._sink.is_closing():
                self._sink.write(self._wire(self._deflate.flush()))
            end()

        return finish
