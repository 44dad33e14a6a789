"""PURE. The responses of one HTTP/2 connection as a client sees them: how far each has come, which were promised."""

from typing import Final

from loadtests.protocols.http1_bodies import LIMIT_BYTES
from loadtests.protocols.http2_fields import Section
from loadtests.protocols.http2_frames import ENHANCE_YOUR_CALM, STREAM_CLOSED, refused

OPEN_PUSHES: Final = 1_000
"""Pushed responses that may be under way at once. More are refused: a server that floods (RFC 9113 10.5)."""
REFUSED_PUSHES: Final = 10_000
"""So many of those may go on as if they had not been."""
INTERIM_RESPONSES: Final = 100


class Response:
    """A response under way. status: 0 until its head is there. content_bytes: what came, kept in `parts` or not."""

    __slots__ = ("_interims", "_length", "content_bytes", "parts", "status", "wire_bytes")

    def __init__(self, wire_bytes: int) -> None:
        self.wire_bytes = wire_bytes
        self.status = self.content_bytes = self._interims = 0
        self.parts: list[bytes] = []
        self._length = -1

    def head(self, section: Section, *, end: bool) -> None:
        """Take fields: of an interim response, the final one, or trailers. Raises ProtocolError (RFC 9113 8.1)."""
        if self.status:
            section.check_trailers(end=end)
        elif section.check_response(end=end) >= 200:
            self.status, self._length = section.status, section.length
        else:
            self._interims += 1
            if self._interims > INTERIM_RESPONSES:
                raise refused("interim responses without end", ENHANCE_YOUR_CALM)
        if end:
            self.content(0, end=True)

    def content(self, size: int, *, end: bool) -> None:
        """Count content against what was announced (RFC 9113 8.1.1). Raises ProtocolError."""
        if not self.status:
            raise refused("DATA before its response")
        self.content_bytes += size
        length = self._length
        if length < 0 or self.content_bytes == length or (self.content_bytes < length and not end):
            return
        if self.status != 304 or self.content_bytes:
            raise refused(f"{self.content_bytes} bytes of content where content-length says {length}")


class Pushes:
    """What was promised. last_id: the newest promise. limit_bytes: the longest content of one."""

    def __init__(self, limit_bytes: int) -> None:
        self.last_id = 0
        self._limit_bytes = limit_bytes
        self._open: dict[int, Response] = {}
        self._held_bytes = 0
        self._refused: set[int] = set()

    def __len__(self) -> int:
        return len(self._open)

    def promised(self, stream_id: int, wire_bytes: int) -> bool:
        """Take note of a promise; say whether it is to be kept. Raises ProtocolError."""
        if stream_id <= self.last_id or stream_id % 2:
            raise refused(f"a push promised as stream {stream_id} after {self.last_id}")
        self.last_id = stream_id
        if len(self._open) < OPEN_PUSHES:
            self._open[stream_id] = Response(wire_bytes)
            return True
        self._refused.add(stream_id)
        if len(self._refused) > REFUSED_PUSHES:
            raise refused("pushes without end, though they were refused", ENHANCE_YOUR_CALM)
        return False

    def of(self, stream_id: int, *, end: bool) -> Response | None:
        """Return the response a frame belongs to, None for one that was refused while the frame was on its way."""
        response = self._open.get(stream_id)
        if response is None:
            if stream_id not in self._refused:
                self.check(stream_id)
                raise refused(f"a frame on stream {stream_id}, which has ended", STREAM_CLOSED)
            if end:
                self._refused.discard(stream_id)
        return response

    def check(self, stream_id: int) -> None:
        """Raises ProtocolError for a stream that was never promised."""
        if stream_id % 2 or stream_id > self.last_id:
            raise refused(f"a frame on stream {stream_id}, which was never opened")

    def keep(self, push: Response, payload: bytes) -> None:
        """Keep content until its end. Raises ProtocolError for more than the limit, also of all together."""
        self._held_bytes += len(payload)
        if push.content_bytes > self._limit_bytes or self._held_bytes > max(self._limit_bytes, LIMIT_BYTES):
            raise refused(f"a message of more than the limit of {self._limit_bytes} bytes", ENHANCE_YOUR_CALM)
        push.parts.append(payload)

    def ended(self, stream_id: int) -> bool:
        """Forget a push; say whether it was under way until now."""
        self._refused.discard(stream_id)
        push = self._open.pop(stream_id, None)
        if push is not None:
            self._held_bytes -= push.content_bytes
        return push is not None
