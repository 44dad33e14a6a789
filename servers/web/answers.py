"""The answers of polls: rendered once, head and body, and shared by everyone who asks with the same cursor."""

from dataclasses import replace
from email.utils import formatdate
from time import time
from typing import Final

import msgspec
from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import SERVER_SOFTWARE

from servers.feed.feed import Feed
from servers.feed.history import Replay
from servers.timing.clock import wall_timestamp
from servers.web.compression import GZIP, accepts_gzip, gzipped
from servers.web.patience import PatientHandler

NO_STORE: Final = "no-cache, no-store, must-revalidate"
CACHED_ANSWERS: Final = 16
ANSWER_BYTES: Final = 8_000_000
"""Where an answer ends that need not bring all: half of what our users take, so that one more message always fits."""
CACHED_BYTES: Final = 2 * ANSWER_BYTES
COMPRESSED_FROM_BYTES: Final = 256
"""Below that gzip's own head and tail and the field that names it take away most of what it saves."""
LARGE_BYTES: Final = 65_536
"""What is no longer does not stop a transport by itself, which is full at so much."""


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

    def write_to(self, request: web.BaseRequest) -> None:
        protocol, transport = request.protocol, request.transport
        if transport is None or not self.wire:
            return
        if len(self.wire) <= LARGE_BYTES or not isinstance(protocol, PatientHandler):
            transport.write(self.wire)
            return
        protocol.sending = self
        transport.write(self.wire)
        protocol.sending = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        self.write_to(request)
        await request.writer.drain()
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to write."""


SENT: Final = Rendered(b"")


class Ready:
    """A response that is rendered when it is made, for anyone. gzip: the same, compressed, for who accepts that."""

    def __init__(self, status: str, fields: dict[str, str], body: bytes | None, gzip: "Ready | None" = None) -> None:
        self._status = status
        self._fields = {"Cache-Control": NO_STORE, "Date": formatdate(usegmt=True), "Server": SERVER_SOFTWARE} | fields
        self._length = None if body is None else len(body)
        self._gzip = gzip
        length = {} if body is None else {"Content-Length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in (self._fields | length).items())
        self._rendered = Rendered(f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("ascii") + (body or b""))

    @property
    def wire(self) -> bytes:
        """The whole response, for HTTP/1.1 and a connection that is kept."""
        return self._rendered.wire

    def to(self, request: web.Request) -> web.StreamResponse:
        """Return what a handler returns to this request."""
        if self._gzip is not None and accepts_gzip(request):
            return self._gzip.to(request)
        if takes_rendered(request):
            return self._rendered
        # Cut out for those few: a second copy would be kept for all.
        body = None if self._length is None else self.wire[len(self.wire) - self._length :]
        if isinstance(request.protocol, PatientHandler):
            request.protocol.owed = len(self.wire)
        return web.Response(status=int(self._status[:3]), body=body, headers=self._fields)

    def sent_to(self, request: web.Request) -> web.StreamResponse:
        """Write to the client now if that can be done; return what a handler is left to return."""
        answer = self.to(request)
        if not isinstance(answer, Rendered):
            return answer
        answer.write_to(request)
        return SENT


class Answer(Ready):
    """One poll's answer. `silent`: it holds no message and no remark on the cursor."""

    def __init__(self, replay: Replay, etag: str = "", *, compress: bool = False) -> None:
        self.silent = not replay.bodies and not replay.cursor
        fields = {"Content-Type": "application/json"} | ({"ETag": etag} if etag else {})
        body = poll_body(replay, wall_timestamp())
        gzip = None
        if compress:
            # Also what goes out plain depends on what the request accepts (RFC 9110 section 12.5.5).
            fields["Vary"] = hdrs.ACCEPT_ENCODING
            if len(body) >= COMPRESSED_FROM_BYTES:
                gzip = Ready("200 OK", fields | {"Content-Encoding": GZIP}, gzipped(body))
        super().__init__("200 OK", fields, body, gzip)


def takes_rendered(request: web.BaseRequest) -> bool:
    """Say whether rendered bytes fit: not on HTTP/2, nor for a client that wants its connection closed, nor for a page
    of another origin, whose answer needs headers of its own (CORS)."""
    return request.version == HttpVersion11 and request.keep_alive and hdrs.ORIGIN not in request.headers


class Answers:
    """Makes the answer for a cursor. etags: whether every answer has an ETag, which begins with the feed's token;
    compress: whether long ones are gzip for who accepts it, compressed once for all of them."""

    def __init__(self, feed: Feed, *, etags: bool = False, compress: bool = False) -> None:
        self._feed = feed
        self._etags = etags
        self._compress = compress
        self._unchanged: Ready | None = None
        self._kept: dict[tuple[int, int | None], Answer] = {}
        self._kept_for = (-1, -1)
        self._kept_bytes = 0

    @property
    def kept(self) -> int:
        return len(self._kept)

    def after(self, last_id: int, limit: int | None = None) -> Answer:
        """Return the answer for a client at `last_id`, of at most `limit` messages and about ANSWER_BYTES: whoever asks
        again with the new cursor gets the rest. It may be one second old: Date is
        no finer, and nothing in it but Date and polled_at can have changed."""
        self._forget_old()
        answer = self._kept.get((last_id, limit))
        if answer is None:
            answer = self._kept[last_id, limit] = self.fresh(last_id, limit)
            self._kept_bytes += len(answer.wire)
        return answer

    def fresh(self, last_id: int, limit: int | None = None) -> Answer:
        """Return the answer for a client at `last_id`, of at most `limit` messages, made now."""
        replay = self._feed.after(last_id)
        bodies = fitting(replay.bodies, limit)
        etag = self.etag() if self._etags else ""
        if len(bodies) < len(replay.bodies):
            # Not the validator of what is asked for next: that is the rest, and no 304.
            replay, etag = replace(replay, bodies=bodies), etag and f'{etag[:-1]}-{last_id}+{len(bodies)}"'
        return Answer(replay, etag, compress=self._compress)

    def unchanged(self) -> Ready:
        """Return the 304 for a client that holds `etag()`: rendered as the others are, or it would cost more than they
        do. It has the fields that a cache updates, and no body (RFC 9110 section 15.4.5)."""
        self._forget_old()
        if self._unchanged is None:
            vary = {"Vary": hdrs.ACCEPT_ENCODING} if self._compress else {}
            self._unchanged = Ready("304 Not Modified", {"ETag": self.etag()} | vary, None)
        return self._unchanged

    def _forget_old(self) -> None:
        moment = (self._feed.newest_id, int(time()))
        if moment != self._kept_for or len(self._kept) >= CACHED_ANSWERS or self._kept_bytes > CACHED_BYTES:
            self._kept.clear()
            self._kept_bytes = 0
            self._unchanged = None
            self._kept_for = moment

    def etag(self) -> str:
        """Return the validator of whatever is asked for now; weak, since polled_at differs (RFC 9110 section 8.8.1)."""
        return f'W/"{self._feed.token}-{self._feed.newest_id}"'


def fitting(bodies: tuple[bytes, ...], limit: int | None) -> tuple[bytes, ...]:
    """Return the first messages, as many as one answer may have, one at least."""
    bodies, total = bodies[:limit], 0
    for count, body in enumerate(bodies):
        total += len(body)
        if total > ANSWER_BYTES and count:
            return bodies[:count]
    return bodies


def poll_body(replay: Replay, polled_at: str) -> bytes:
    """Return the JSON body of a poll. The messages go in as the bytes they became when they were published."""
    rest: dict[str, object] = {"count": len(replay.bodies), "polled_at": polled_at}
    if replay.cursor:
        rest |= {"cursor": replay.cursor, "first_id": replay.first_id}
    return b'{"messages":[' + b",".join(replay.bodies) + b"]," + msgspec.json.encode(rest)[1:]
