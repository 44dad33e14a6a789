"""How long a connection may take to say what it wants (slowloris; aiohttp's own limit is an hour), and what it is told
when that is no HTTP: the same JSON as of every refusal, and nothing on stderr, where aiohttp prints a traceback. And
whether its client reads what it is sent (`Unread`)."""

import asyncio
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler

from servers.web.errors import error_body, error_response, last_word
from servers.web.unread import Unread, Wire

SHOWN: Final = 200
"""Characters of what the parser says that are repeated."""
WHY: Final = error_body("the head of the request did not come in time", "head")
TOO_LATE: Final = (
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(WHY), WHY)
)


def patient(runner: web.AppRunner, head_timeout_s: float, unread: Unread) -> Callable[[], "PatientHandler"]:
    """Return what makes the protocol of each HTTP/1.1 connection to an application that has been set up."""
    return partial(
        PatientHandler,
        runner.server,
        loop=asyncio.get_running_loop(),
        access_log=None,
        auto_decompress=False,  # a body that was packed is refused, never undone
        head_timeout_s=head_timeout_s,
        unread=unread,
    )


def bounds_itself(request: web.BaseRequest) -> None:
    """Hear that whoever writes the answer to a request looks himself how much of it waits."""
    if isinstance(request.protocol, PatientHandler):
        request.protocol.bounded = True


class PatientHandler(RequestHandler):
    """One HTTP/1.1 connection. A request's head must be whole so many seconds after its first byte, and the first one
    after the connection was made; 0 for no limit. Between two requests the limit is aiohttp's.

    sending: what is just being written, where others may be sent the same object. owed: how long an answer
    is that is this client's alone. bounded: whoever writes looks himself how much waits.
    """

    __slots__ = ("_begun", "_head_timeout_s", "_timer", "_unread", "bounded", "owed", "sending")

    def __init__(self, *arguments: Any, head_timeout_s: float, unread: Unread, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._unread = unread
        self.sending: Wire | None = None
        self.owed = 0
        self.bounded = False
        self._head_timeout_s = head_timeout_s
        self._timer: asyncio.TimerHandle | None = None
        self._begun = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        heads, in_content = self._request_count, self._is_in_content()
        super().data_received(data)
        if self._request_count != heads:
            self._stop_waiting()
        # An empty line ahead of a request is no part of it (RFC 9112 2.2).
        if not in_content and data.strip(b"\r\n") and self._has_begun(data):
            self._begun = True
            if self._timer is None:
                self._wait_for_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.bounded:
            return
        # What is sent in part is kept whole.
        if self.sending is not None:
            self._unread.behind(self, len(self.sending.wire), self.sending)
        elif self.transport is not None:
            self._unread.behind(self, max(self.owed, self.transport.get_write_buffer_size()))

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread.caught_up(self)

    def cut(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_waiting()
        self._unread.caught_up(self)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or request.writer.output_size:
            return super().handle_error(request, status, exc, message)
        why = " ".join((message or HTTPStatus(status).phrase).split())
        return last_word(error_response(status, f"this is no HTTP that is taken here: {why[:SHOWN]}", "request"))

    def _is_in_content(self) -> bool:
        """Say whether the content of the last request is still to come."""
        if self._messages:
            return not self._messages[-1][1].is_eof()
        return self._current_request is not None and not self._current_request.content.is_eof()

    def _has_begun(self, data: bytes) -> bool:
        """Say whether these bytes, of which none are content of an earlier request, end within a head."""
        if self._upgraded or self._is_in_content():
            return False
        if self._messages:  # a request without content, and more behind it
            return self._messages[-1][1] is EMPTY_PAYLOAD and not data.endswith((b"\n\r\n", b"\n\n"))
        return True

    def _wait_for_head(self) -> None:
        if self._head_timeout_s:
            self._timer = self._loop.call_later(self._head_timeout_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._begun = False

    def _give_up(self) -> None:
        """Say so to a client that has begun to speak; one that never did may be a browser that connected ahead."""
        self._timer = None
        if self._current_request is not None or self._messages:  # the answers to others come first
            self._wait_for_head()
            return
        if self.transport is not None and self._begun:
            self.transport.write(TOO_LATE)
        self.force_close()
