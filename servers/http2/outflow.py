"""PURE. Content on its way out, as far as both flow-control windows let it (RFC 9113 5.2).

First come, first served, so that pushed messages end in the order in which they were pushed. A body that waits for
the window of its own stream delays no other stream.
"""

from collections import deque
from dataclasses import dataclass, field

from h2.connection import H2Connection
from h2.exceptions import StreamClosedError


@dataclass(slots=True)
class _Body:
    chunks: deque[memoryview] = field(default_factory=deque)
    end: bool = False
    answer_bytes: int = 0


class Outflow:
    """What has been handed over for sending and has not been framed yet, per stream.

    answer_bytes: of all answers that are not framed to their end, whole as they are kept; pushes, which many clients
    share, are not in it.
    """

    def __init__(self, h2: H2Connection) -> None:
        self._h2 = h2
        self._bodies: dict[int, _Body] = {}
        self.answer_bytes = 0

    def __contains__(self, stream_id: int) -> bool:
        return stream_id in self._bodies

    def __bool__(self) -> bool:
        return bool(self._bodies)

    def add(self, stream_id: int, chunk: bytes | bytearray | memoryview, *, end: bool) -> None:
        """Queue a chunk behind what the stream already has; `end` puts END_STREAM after it."""
        body = self._bodies.setdefault(stream_id, _Body())
        if chunk:
            body.chunks.append(memoryview(chunk))
            if stream_id % 2:
                body.answer_bytes += len(chunk)
                self.answer_bytes += len(chunk)
        body.end = body.end or end

    def drop(self, stream_id: int) -> None:
        body = self._bodies.pop(stream_id, None)
        if body is not None:
            self.answer_bytes -= body.answer_bytes

    def pump(self, room_bytes: int) -> list[int]:
        """Frame about `room_bytes` at most; return the streams that have nothing left waiting."""
        emptied: list[int] = []
        for stream_id, body in list(self._bodies.items()):
            if room_bytes <= 0:
                break
            try:
                room_bytes -= self._send(stream_id, body, room_bytes)
            except StreamClosedError:
                body.chunks.clear()
            if not body.chunks:
                self.drop(stream_id)
                emptied.append(stream_id)
        return emptied

    def _send(self, stream_id: int, body: _Body, room_bytes: int) -> int:
        """Send frames until a window shuts or the room is used up; return the bytes sent."""
        sent_bytes = 0
        while body.chunks and sent_bytes < room_bytes:
            size = min(
                len(body.chunks[0]), self._h2.local_flow_control_window(stream_id), self._h2.max_outbound_frame_size
            )
            if size <= 0:
                return sent_bytes
            chunk = body.chunks.popleft()
            if size < len(chunk):
                body.chunks.appendleft(chunk[size:])
            self._h2.send_data(stream_id, chunk[:size], end_stream=body.end and not body.chunks)
            sent_bytes += size
            if not body.chunks:
                return sent_bytes
        if not body.chunks and body.end:
            self._h2.end_stream(stream_id)  # without content, so it needs no window (RFC 9113 6.9.1)
        return sent_bytes
