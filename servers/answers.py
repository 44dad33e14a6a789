"""The answers of polls, rendered once and shared by everyone who asks with the same cursor."""

from email.utils import formatdate
from time import time
from typing import Final

import msgspec
from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import SERVER_SOFTWARE

from servers.clock import wall_timestamp
from servers.feed import Feed
from servers.history import Replay

NO_STORE: Final = "no-cache, no-store, must-revalidate"
CACHED_ANSWERS: Final = 16


class Answer(web.StreamResponse):
    """A whole HTTP/1.1 response, rendered once.

    It keeps no state of its request, so that one object answers any number of them; `web.Response` builds, checks
    and serialises its headers for each: 3 us here instead of 12.
    """

    keep_alive = True

    def __init__(self, headers: dict[str, str], body: bytes) -> None:
        self._fields = headers
        self._content = body
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        length = f"{hdrs.CONTENT_LENGTH}: {len(body)}\r\n"
        self.wire = f"HTTP/1.1 200 OK\r\n{head}{length}\r\n".encode("ascii") + body

    def to(self, request: web.Request) -> web.StreamResponse:
        """Return what a handler returns for this request: itself wherever these bytes are right as they stand."""
        if request.version == HttpVersion11 and request.keep_alive:
            return self
        return web.Response(body=self._content, headers=self._fields)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        transport = request.transport
        if transport is not None:
            transport.write(self.wire)
            await request.writer.drain()
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        pass


class Answers:
    """Makes the answer for a cursor. `etag`, when given, names this feed in each answer's ETag."""

    def __init__(self, feed: Feed, etag: str = "") -> None:
        self._feed = feed
        self._etag = etag
        self._rendered: dict[int, Answer] = {}
        self._rendered_for = (-1, -1)

    def after(self, last_id: int) -> Answer:
        """Return the answer for a client at `last_id`. Date and polled_at are good to the second, hence shareable."""
        moment = (self._feed.newest_id, int(time()))
        if moment != self._rendered_for or len(self._rendered) >= CACHED_ANSWERS:
            self._rendered.clear()
            self._rendered_for = moment
        answer = self._rendered.get(last_id)
        if answer is None:
            answer = self._rendered[last_id] = self._render(self._feed.after(last_id))
        return answer

    def etag(self) -> str:
        """Return the validator of whatever is polled now; weak, because polled_at differs (RFC 9110 section 8.8.1)."""
        return f'W/"{self._etag}-{self._feed.newest_id}"'

    def _render(self, replay: Replay) -> Answer:
        headers = {
            hdrs.CONTENT_TYPE: "application/json",
            hdrs.CACHE_CONTROL: NO_STORE,
            hdrs.DATE: formatdate(usegmt=True),
            hdrs.SERVER: SERVER_SOFTWARE,
        }
        if self._etag:
            headers[hdrs.ETAG] = self.etag()
        return Answer(headers, poll_body(replay, wall_timestamp()))


def poll_body(replay: Replay, polled_at: str) -> bytes:
    """Return the JSON body of a poll; the messages go in as the bytes they were encoded to when published."""
    rest: dict[str, object] = {"count": len(replay.bodies), "polled_at": polled_at}
    if replay.cursor:
        rest |= {"cursor": replay.cursor, "first_id": replay.first_id}
    return b'{"messages":[' + b",".join(replay.bodies) + b"]," + msgspec.json.encode(rest)[1:]
