"""The answers of polls: rendered once, head and body, and shared by everyone who asks with the same cursor."""

from dataclasses import replace
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


class Rendered(web.StreamResponse):
    """A response whose bytes exist already. It keeps nothing of the request, so one object answers any number.

    `web.Response` builds, checks and serialises its headers for every request: 51 us for an empty poll, 37 with this
    class in its place (aiohttp 3.14, Python 3.11, client on another core).
    """

    keep_alive = True

    def __init__(self, wire: bytes) -> None:
        self.wire = wire

    def force_close(self) -> None:
        self.keep_alive = False

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        if self.wire and request.transport is not None:
            request.transport.write(self.wire)
        await request.writer.drain()
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to write."""


SENT: Final = Rendered(b"")


class Answer:
    """One poll's answer. `silent`: it holds no message and no remark on the cursor."""

    def __init__(self, replay: Replay, etag: str = "") -> None:
        self.silent = not replay.bodies and not replay.cursor
        self._body = poll_body(replay, wall_timestamp())
        self._headers = {
            "Content-Type": "application/json",
            "Cache-Control": NO_STORE,
            "Date": formatdate(usegmt=True),
            "Server": SERVER_SOFTWARE,
        } | ({"ETag": etag} if etag else {})
        lines = "".join(f"{name}: {value}\r\n" for name, value in self._headers.items())
        head = f"HTTP/1.1 200 OK\r\n{lines}Content-Length: {len(self._body)}\r\n\r\n"
        self._rendered = Rendered(head.encode("ascii") + self._body)

    @property
    def wire(self) -> bytes:
        """The whole response, for HTTP/1.1 and a connection that is kept."""
        return self._rendered.wire

    def to(self, request: web.Request) -> web.StreamResponse:
        """Return what a handler returns to this request."""
        return self._rendered if takes_rendered(request) else web.Response(body=self._body, headers=self._headers)

    def sent_to(self, request: web.Request) -> web.StreamResponse:
        """Write to the client now if that can be done; return what a handler is left to return."""
        if not takes_rendered(request):
            return self.to(request)
        if request.transport is not None:
            request.transport.write(self.wire)
        return SENT


def takes_rendered(request: web.Request) -> bool:
    """Say whether rendered bytes fit: not on HTTP/2, nor for a client that wants its connection closed, nor for a page
    of another origin, whose answer needs headers of its own (CORS)."""
    return request.version == HttpVersion11 and request.keep_alive and hdrs.ORIGIN not in request.headers


class Answers:
    """Makes the answer for a cursor. etags: whether every answer has an ETag, which begins with the feed's token."""

    def __init__(self, feed: Feed, *, etags: bool = False) -> None:
        self._feed = feed
        self._etags = etags
        self._kept: dict[tuple[int, int | None], Answer] = {}
        self._kept_for = (-1, -1)

    @property
    def kept(self) -> int:
        return len(self._kept)

    def after(self, last_id: int, limit: int | None = None) -> Answer:
        """Return the answer for a client at `last_id`, of at most `limit` messages. It may be one second old: Date is
        no finer, and nothing in it but Date and polled_at can have changed."""
        moment = (self._feed.newest_id, int(time()))
        if moment != self._kept_for or len(self._kept) >= CACHED_ANSWERS:
            self._kept.clear()
            self._kept_for = moment
        answer = self._kept.get((last_id, limit))
        if answer is None:
            answer = self._kept[last_id, limit] = self.fresh(last_id, limit)
        return answer

    def fresh(self, last_id: int, limit: int | None = None) -> Answer:
        """Return the answer for a client at `last_id`, of at most `limit` messages, made now."""
        replay = self._feed.after(last_id)
        if limit is not None and len(replay.bodies) > limit:
            replay = replace(replay, bodies=replay.bodies[:limit])
        return Answer(replay, self.etag() if self._etags else "")

    def etag(self) -> str:
        """Return the validator of whatever is asked for now; weak, since polled_at differs (RFC 9110 section 8.8.1)."""
        return f'W/"{self._feed.token}-{self._feed.newest_id}"'


def poll_body(replay: Replay, polled_at: str) -> bytes:
    """Return the JSON body of a poll. The messages go in as the bytes they became when they were published."""
    rest: dict[str, object] = {"count": len(replay.bodies), "polled_at": polled_at}
    if replay.cursor:
        rest |= {"cursor": replay.cursor, "first_id": replay.first_id}
    return b'{"messages":[' + b",".join(replay.bodies) + b"]," + msgspec.json.encode(rest)[1:]
