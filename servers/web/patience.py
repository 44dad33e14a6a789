"""How long a connection may take to say what it wants (slowloris): aiohttp's own limit is an hour."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from aiohttp import web
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler

from servers.web.errors import error_body

WHY: Final = error_body("the head of the request did not come in time", "head")
TOO_LATE: Final = (
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(WHY), WHY)
)


def patient(runner: web.AppRunner, head_timeout_s: float) -> Callable[[], "PatientHandler"]:
    """Return what makes the protocol of each HTTP/1.1 connection to an application that has been set up."""
    return partial(
        PatientHandler,
        runner.server,
        loop=asyncio.get_running_loop(),
        access_log=None,
        auto_decompress=False,  # a body that was packed is refused, never undone
        head_timeout_s=head_timeout_s,
    )


class PatientHandler(RequestHandler):
    """One HTTP/1.1 connection. A request's head must be whole so many seconds after its first byte, and the first one
    after the connection was made; 0 for no limit. Between two requests the limit is aiohttp's."""

    __slots__ = ("_begun", "_head_timeout_s", "_timer")

    def __init__(self, *arguments: Any, head_timeout_s: float, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._head_timeout_s = head_timeout_s
        self._timer: asyncio.TimerHandle | None = None
        self._begun = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        heads = self._request_count
        super().data_received(data)
        if self._request_count != heads:
            self._stop_waiting()
        if self._has_begun(data):
            self._begun = True
            if self._timer is None:
                self._wait_for_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _has_begun(self, data: bytes) -> bool:
        """Say whether these bytes end within a head."""
        if self._upgraded:
            return False
        if self._messages:  # a request without content, and more behind it
            return self._messages[-1][1] is EMPTY_PAYLOAD and not data.endswith((b"\n\r\n", b"\n\n"))
        return self._current_request is None or self._current_request.content.is_eof()

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
