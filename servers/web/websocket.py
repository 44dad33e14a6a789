"""A WebSocket as a server holds it: the handshake answered, messages read by the rules, a close answered or begun.

On aiohttp's connection, but not on its `WebSocketResponse`, which takes frames without a mask, lengths in the wrong
form and codes that never travel, and says nothing of the version it speaks.
"""

import asyncio
import base64
import binascii
import hashlib
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

from aiohttp import HttpVersion11, hdrs, web

from servers.web.errors import error_response
from servers.web.patience import bounds_itself
from servers.web.websocket_frames import CLOSE, FINAL, PING, PONG, FrameError, FrameReader, frame

GOING_AWAY, POLICY_VIOLATION = 1001, 1008
VERSION: Final = "13"
UNREAD_BYTES_MAX: Final = 65_536
"""A client that leaves so much unread is answered nothing; it would not read the answer either."""
TOO_SLOW: Final = "a message that did not arrive in time; send it in one piece"
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_UPGRADE: Final = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": VERSION}


def refusal(request: web.Request) -> web.Response | None:
    """Return the answer to a request that is no handshake, with what would be (RFC 6455 4.2.1, 4.4); None if it is."""
    headers = request.headers
    # What HTTP/1.0 says of an upgrade is to be ignored (RFC 9110 7.8).
    if (
        request.version != HttpVersion11
        or headers.get(hdrs.UPGRADE, "").strip().lower() != "websocket"
        or "upgrade" not in {each.strip().lower() for each in headers.get(hdrs.CONNECTION, "").split(",")}
    ):
        return error_response(426, f"{request.path} speaks WebSocket over HTTP/1.1", "Upgrade", _UPGRADE)
    if headers.getall(hdrs.SEC_WEBSOCKET_VERSION, []) != [VERSION]:
        error = f"{request.path} speaks version {VERSION} of WebSocket"
        return error_response(426, error, "Sec-WebSocket-Version", _UPGRADE)
    keys = headers.getall(hdrs.SEC_WEBSOCKET_KEY, [])
    if len(keys) != 1 or not is_key(keys[0]):
        return error_response(400, "Sec-WebSocket-Key must be 16 bytes in base64, once", "Sec-WebSocket-Key")
    return None


def is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


class Socket:
    """An open WebSocket: the parser of all that its connection still receives, from `listen` on.

    heard: called for every frame. left: called once, before the closing handshake is answered or begun: nothing may be
    written behind a close. limit_bytes: the longest message that is taken; within_s: how long one may take, 0 for no
    limit.
    """

    def __init__(self, request: web.Request, limit_bytes: int, within_s: float) -> None:
        if request.transport is None:
            raise ConnectionResetError("the client has gone")
        self.transport: asyncio.Transport = request.transport
        self.heard: Callable[[], object] = lambda: None
        self.left: Callable[[], object] = lambda: None
        self._protocol = request.protocol
        self._frames = FrameReader(masked=True, limit_bytes=limit_bytes)
        self._within_s = within_s
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._came = asyncio.Event()
        self._late: asyncio.TimerHandle | None = None
        self._wrong: FrameError | None = None
        self._paused = self._closing = self._over = False

    def listen(self) -> None:
        """Take what comes from now on, for `receive`."""
        if self._protocol.transport is None:
            self._over = True
        else:
            self._protocol.set_parser(cast(Any, self))
            self._protocol.keep_alive(False)

    async def receive(self) -> tuple[int, bytes] | None:
        """Return the next message, TEXT or BINARY and its payload; None once the connection is over, or a close said.

        Messages that wait are the client's own to wait for: between two of them others have their turn, and no more is
        read meanwhile. Raises FrameError behind what was still good.
        """
        if self._waiting:
            await asyncio.sleep(0)
        while not self._waiting:
            if self._wrong is not None:
                raise self._wrong
            if self._over:
                return None
            self._read_on()
            self._came.clear()
            await self._came.wait()
        opcode, payload = self._waiting.popleft()
        if opcode == CLOSE:
            self._end_with(payload[:2])
            return None
        return opcode, payload

    def say(self, data: bytes) -> None:
        """Write a frame, where it may be written and will be read."""
        if not self._closing and self.transport.get_write_buffer_size() <= UNREAD_BYTES_MAX:
            self.transport.write(data)

    def close(self, code: int) -> None:
        """Begin the closing handshake; `receive` returns None when the client has answered."""
        self._end_with(code.to_bytes(2, "big"))

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take what came. Called by aiohttp, which is told that it may go on."""
        try:
            for opcode, payload, _ in self._frames.receive(bytes(data)):
                self._take(opcode, payload)
        except FrameError as wrong:
            self._wrong = wrong
            self._came.set()
        if len(self._waiting) > 1 and not self._paused:
            self._paused = True
            self._protocol.pause_reading()
        self._watch_the_clock()
        return False, b""

    def feed_eof(self) -> None:
        self._over = True
        self._watch_the_clock()
        self._came.set()

    def _take(self, opcode: int, payload: bytes) -> None:
        self.heard()
        if opcode == PING:
            self.say(frame(FINAL | PONG, payload))
        elif opcode == CLOSE or (opcode != PONG and not self._closing):
            self._stop_the_clock()
            self._waiting.append((opcode, payload))
            self._came.set()

    def _read_on(self) -> None:
        if self._paused and self._protocol.transport is not None:
            self._paused = False
            self._protocol.resume_reading()
            self._watch_the_clock()

    def _watch_the_clock(self) -> None:
        """Give a message that has begun its time to end, but none while it is us who do not read."""
        if self._frames.at_rest or self._paused or self._over or self._wrong:
            self._stop_the_clock()
        elif self._late is None and self._within_s:
            self._late = asyncio.get_running_loop().call_later(self._within_s, self._give_up)

    def _stop_the_clock(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        self._wrong = FrameError(POLICY_VIOLATION, TOO_SLOW)
        self._came.set()

    def _end_with(self, payload: bytes) -> None:
        if not self._closing:
            self._closing = True
            self.left()
            self.transport.write(frame(FINAL | CLOSE, payload))


async def accept(request: web.Request, limit_bytes: int, within_s: float) -> tuple[web.StreamResponse, Socket]:
    """Answer a handshake that was not refused. Raises ConnectionError when the client has gone."""
    proof = base64.b64encode(hashlib.sha1(request.headers[hdrs.SEC_WEBSOCKET_KEY].encode() + _GUID).digest())  # noqa: S324
    response = web.StreamResponse(status=101, headers={"Upgrade": "websocket", "Connection": "Upgrade"})
    response.headers[hdrs.SEC_WEBSOCKET_ACCEPT] = proof.decode()
    response.force_close()
    await response.prepare(request)
    bounds_itself(request)
    return response, Socket(request, limit_bytes, within_s)
