"""What leaves a connection: frames that h2 has queued, content as the windows open, and pushes.

Frames are written by `flush` and `write_after_h2` alone, once per batch of input, per write of a handler and per push.
Both begin with what h2 has queued, so header blocks leave in the order in which HPACK encoded them (RFC 7541 2.2).
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from h2.exceptions import StreamClosedError
from hpack import NeverIndexedHeaderTuple

from servers.http2.h2_server import ServerH2
from servers.http2.limits import Limits
from servers.http2.outflow import Outflow
from servers.http2.promise import Fields, Promiser, PushedResponse
from servers.web.unread import Unread

ROOM_BYTES: Final = 65_536
"""How much content is framed before the socket is asked whether it still keeps up."""
FORGET_EVERY: Final = 256


class Sender:
    """The sending half of a connection. `on_room` hears of streams whose waiting content has all been sent.

    writable: whether the socket keeps up. draining: no new streams, from either side. over: nothing more is sent.
    peer: peer name, own name and TLS context of the socket. client_settings: what the client's first SETTINGS frame
    said, by name.
    """

    def __init__(self, h2: ServerH2, limits: Limits, on_room: Callable[[int], None], unread: Unread) -> None:
        self.writable = True
        self.draining = False
        self.over = False
        self.transport: asyncio.Transport
        self.peer: tuple[Any, Any, Any] = (None, None, None)
        self.client_settings: dict[str, int] | None = None
        self.h2 = h2
        self._limits = limits
        self._on_room = on_room
        self._unread = unread
        self._outflow = Outflow(h2)
        self._promiser = Promiser(h2)
        self._open_pushes: set[int] = set()
        self._pushed_in_parts = 0

    def connected(self, transport: asyncio.Transport) -> None:
        """Hear of the transport. Who the peer is gets asked once: uvloop asks the kernel each time."""
        self.transport = transport
        self.peer = tuple(map(transport.get_extra_info, ("peername", "sockname", "sslcontext")))

    def head(self, stream_id: int, fields: Fields, *, end: bool) -> None:
        if not self.over:
            self.h2.send_headers(stream_id, fields, end_stream=end)

    def content(self, stream_id: int, chunk: bytes | bytearray | memoryview, *, end: bool) -> None:
        self._outflow.add(stream_id, chunk, end=end)

    def reset(self, stream_id: int, error_code: int) -> None:
        """Send RST_STREAM; does nothing when the client's own was faster."""
        self.forget(stream_id)
        if not self.over:
            with suppress(StreamClosedError):
                self.h2.reset_stream(stream_id, error_code)
            self.flush()

    def forget(self, stream_id: int) -> None:
        """Drop what a stream still has to send; for a pushed stream, free its slot."""
        self._outflow.drop(stream_id)
        self._open_pushes.discard(stream_id)

    def acknowledge(self, stream_id: int, flow_controlled_bytes: int) -> None:
        if not self.over:
            self.h2.acknowledge_received_data(flow_controlled_bytes, stream_id)

    def is_waiting(self, stream_id: int) -> bool:
        """Whether content of this stream waits for a window, or all content for the client to read."""
        return not self.writable or stream_id in self._outflow

    @property
    def push_enabled(self) -> bool:
        """Whether pushes are possible at all: ENABLE_PUSH (RFC 9113 6.5.2), there was no GOAWAY, ids are left."""
        ids_left = self.h2.highest_outbound_stream_id < self.h2.HIGHEST_ALLOWED_STREAM_ID - 2
        return bool(self.h2.remote_settings.enable_push) and ids_left and not (self.draining or self.over)

    def push(self, parent_id: int, request: Fields, responses: Iterable[PushedResponse]) -> int:
        """Promise responses and send them, in order and in one write; return how many the client takes now."""
        taken, composed = 0, []
        for response in responses:
            if not self._may_push():
                break
            # Behind a push that waits for a window every later one waits too: messages arrive in order.
            whole = None if self._open_pushes else self._promiser.compose(parent_id, request, response)
            if whole is not None:
                composed.append(whole)
            else:
                self._write_composed(composed)
                self._push_in_parts(parent_id, request, response)
                self.flush()
            taken += 1
        self._write_composed(composed)
        return taken

    def flush(self) -> None:
        """Send what is queued, and as much content as windows and socket take."""
        while not self.over:
            emptied = self._outflow.pump(ROOM_BYTES) if self._outflow and self.writable else ()
            data = self.h2.data_to_send()
            if data:
                self.transport.write(data)
            for stream_id in emptied:
                self._open_pushes.discard(stream_id)
                self._on_room(stream_id)
            if not (data and self._outflow and self.writable):
                break
        if not self.writable and self.transport.get_write_buffer_size() > self._limits.output_bytes:
            self.transport.abort()
        self.account()

    def account(self) -> None:
        """Say whether the client keeps up, and what is kept for it if it does not."""
        waiting = 0
        if self._outflow or not self.writable:
            waiting = self._outflow.answer_bytes + self.transport.get_write_buffer_size()
        if self.over or (not waiting and not self.transport.is_closing()):
            self._unread.caught_up(self)
        elif not self.transport.is_closing():
            self._unread.behind(self, waiting)

    def cut(self) -> None:
        self.transport.abort()

    def write_after_h2(self, frames: bytes) -> None:
        """Send frames that h2 has not made itself, behind everything it has queued."""
        self.transport.write(self.h2.data_to_send() + frames)

    def _may_push(self) -> bool:
        """h2 does not count pushes against the client's limit of open streams (RFC 9113 5.1.2), so we do."""
        most = min(self.h2.remote_settings.max_concurrent_streams, self._limits.pushes_open)
        return self.writable and len(self._open_pushes) < most and self.push_enabled

    def _write_composed(self, composed: list[bytes]) -> None:
        if composed:
            self.write_after_h2(b"".join(composed))
            composed.clear()

    def _push_in_parts(self, parent_id: int, request: Fields, response: PushedResponse) -> None:
        promised_id = self.h2.get_next_available_stream_id()
        path = NeverIndexedHeaderTuple(b":path", response.path)
        length = NeverIndexedHeaderTuple(b"content-length", b"%d" % len(response.body))
        self.h2.push_stream(parent_id, promised_id, [*request, path])
        self.h2.send_headers(promised_id, [*response.fields, length])
        self._open_pushes.add(promised_id)
        self._outflow.add(promised_id, response.body, end=True)
        self._pushed_in_parts += 1
        if self._pushed_in_parts % FORGET_EVERY == 0:
            _ = self.h2.open_outbound_streams  # reading it is what makes h2 forget closed streams
