"""One request and its response, as the connection sees them; the bridge hangs the aiohttp side on it."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from aiohttp import ClientConnectionResetError
from h2.errors import ErrorCodes

from servers.http2.promise import Fields, PushedResponse
from servers.http2.sender import Sender


class Body(Protocol):
    """Where the content of a request goes."""

    def feed_data(self, data: bytes) -> object: ...
    def feed_eof(self) -> None: ...
    def set_exception(self, exc: BaseException) -> None: ...


class Stream:
    """A stream the client opened. All sends raise ClientConnectionResetError once it is gone.

    body: receives the request's content. task: the handler, cancelled when the stream is reset.
    on_push_room: called when a push that was turned down may fit now.
    """

    def __init__(
        self,
        sender: Sender,
        stream_id: int,
        fields: list[tuple[bytes, bytes]],
        *,
        request_ended: bool,
        on_finished: Callable[["Stream"], None],
    ) -> None:
        self.sender = sender
        self.id = stream_id
        self.fields = fields
        self.task: asyncio.Task[None] | None = None
        self.body: Body | None = None
        self.request_ended = request_ended
        self.on_push_room: Callable[[], None] | None = None
        self._on_finished = on_finished
        self._head_sent = False
        self._end_sent = False
        self._gone = False
        self._unacknowledged_bytes = 0
        self._reading_paused = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def open(self) -> bool:
        """Whether anything can still be sent."""
        return not (self._gone or self._end_sent)

    @property
    def ended(self) -> bool:
        """Whether END_STREAM has been handed over."""
        return self._end_sent

    @property
    def gone(self) -> bool:
        return self._gone

    @property
    def head_sent(self) -> bool:
        return self._head_sent

    def send_head(self, fields: Fields, *, end: bool = False) -> None:
        """Send the response's fields, or after them its trailers, which always end the stream."""
        self._check_open()
        self._head_sent = True
        self._end_sent = end
        self.sender.head(self.id, fields, end=end)

    def send_interim(self, fields: Fields) -> None:
        """Send the fields of an interim response, status 1xx, ahead of the response itself (RFC 9113 8.1)."""
        self._check_open()
        if not self._head_sent:
            self.sender.head(self.id, fields, end=False)
            self.sender.flush()

    def send(self, chunk: bytes | bytearray | memoryview, *, end: bool = False) -> None:
        """Queue content. What the windows allow goes out with the next flush."""
        self._check_open()
        self._end_sent = end
        self.sender.content(self.id, chunk, end=end)

    def reset(self, error_code: int) -> None:
        """End the stream and its handler without ceremony; does nothing to a stream that is over."""
        if not self._gone:
            self.sender.reset(self.id, error_code)
            self.lost(ClientConnectionResetError("the stream was reset"))

    def finished(self) -> None:
        """Hear that the handler is done. What it left open is cut, so that no client waits for the rest."""
        if self.open:
            self.reset(ErrorCodes.INTERNAL_ERROR)
        elif not self.request_ended:
            self.reset(ErrorCodes.NO_ERROR)  # RFC 9113 8.1: it is answered, so the rest need not be sent
        self._on_finished(self)

    async def drain(self) -> None:
        """Wait until everything handed over has left, and the client keeps reading."""
        self._check_gone()
        while self.sender.is_waiting(self.id):
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
            self._check_gone()

    def room(self) -> None:
        """Hear from the connection that what waited may have left."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def push(self, request: Fields, responses: Iterable[PushedResponse]) -> int:
        return self.sender.push(self.id, request, responses) if self.open else 0

    def received(self, data: bytes, flow_controlled_bytes: int) -> None:
        """Take content of the request. Unread content is not acknowledged, so the window closes (RFC 9113 5.2)."""
        self._unacknowledged_bytes += flow_controlled_bytes
        if self.body is not None and data:
            self.body.feed_data(data)
        if not self._reading_paused:
            self._acknowledge()

    def received_end(self) -> None:
        self.request_ended = True
        if self.body is not None:
            self.body.feed_eof()

    def pause_reading(self) -> None:
        self._reading_paused = True

    def resume_reading(self) -> None:
        if self._reading_paused:
            self._reading_paused = False
            self._acknowledge()
            self.sender.flush()

    def lost(self, error: BaseException) -> None:
        """Hear that the stream was reset or its connection closed: the handler is cancelled."""
        if self._gone:
            return
        self._gone = True
        self._acknowledge()
        if self.body is not None and not self.request_ended:
            self.body.set_exception(error)
        self.room()
        if self.task is not None:
            self.task.cancel()

    def _acknowledge(self) -> None:
        if self._unacknowledged_bytes:
            self.sender.acknowledge(self.id, self._unacknowledged_bytes)
            self._unacknowledged_bytes = 0

    def _check_open(self) -> None:
        self._check_gone()
        if self._end_sent:
            raise ClientConnectionResetError("the response has ended")

    def _check_gone(self) -> None:
        if self._gone:
            raise ClientConnectionResetError("the client has gone")
