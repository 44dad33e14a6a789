"""A WebSocket as a server holds it: the handshake answered, frames read by the rules, a close answered or begun.

On aiohttp's connection, but not on its `WebSocketResponse`, which takes frames without a mask, lengths in the wrong
form and codes that never travel, and says nothing of the version it speaks.
"""

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Callable
from typing import Any, Final, cast

from aiohttp import HttpVersion11, hdrs, web

from servers.web.errors import error_response
from servers.web.patience import bounds_itself
from servers.web.websocket_frames import CLOSE, FINAL, PING, PONG, FrameError, FrameReader, frame

GOING_AWAY: Final = 1001
VERSION: Final = "13"
UNREAD_BYTES_MAX: Final = 65_536
"""Pings of a client that leaves so much unread are not answered; it would not read the answer either."""
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

    heard: called for every frame, with its opcode and payload. left: called once, before the closing handshake is
    answered or begun: nothing may be written behind a close. limit_bytes: the longest message that is taken.
    """

    def __init__(self, request: web.Request, limit_bytes: int) -> None:
        if request.transport is None:
            raise ConnectionResetError("the client has gone")
        self.transport: asyncio.Transport = request.transport
        self.heard: Callable[[int, bytes], object] = lambda _opcode, _payload: None
        self.left: Callable[[], object] = lambda: None
        self._protocol = request.protocol
        self._frames = FrameReader(masked=True, limit_bytes=limit_bytes)
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._closing = False

    async def listen(self) -> None:
        """Take what comes until the connection or the closing handshake is over."""
        if self._protocol.transport is not None:
            self._protocol.set_parser(cast(Any, self))
            self._protocol.keep_alive(False)
            await self._over

    def close(self, code: int) -> None:
        """Begin the closing handshake; `listen` returns when the client has answered."""
        if not self._closing:
            self._say_close(code.to_bytes(2, "big"))

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take what came. Called by aiohttp, which is told that it may go on."""
        try:
            for opcode, payload, _ in self._frames.receive(bytes(data)):
                self._take(opcode, payload)
        except FrameError as wrong:
            self.close(wrong.code)
            self.feed_eof()
        return False, b""

    def feed_eof(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == CLOSE:
            if not self._closing:
                self._say_close(payload[:2])
            self.feed_eof()
        elif not self._closing:
            if opcode == PING and self.transport.get_write_buffer_size() <= UNREAD_BYTES_MAX:
                self.transport.write(frame(FINAL | PONG, payload))
            self.heard(opcode, payload)

    def _say_close(self, payload: bytes) -> None:
        self._closing = True
        self.left()
        self.transport.write(frame(FINAL | CLOSE, payload))


async def accept(request: web.Request, limit_bytes: int) -> tuple[web.StreamResponse, Socket]:
    """Answer a handshake that was not refused. Raises ConnectionError when the client has gone."""
    proof = base64.b64encode(hashlib.sha1(request.headers[hdrs.SEC_WEBSOCKET_KEY].encode() + _GUID).digest())  # noqa: S324
    response = web.StreamResponse(status=101, headers={"Upgrade": "websocket", "Connection": "Upgrade"})
    response.headers[hdrs.SEC_WEBSOCKET_ACCEPT] = proof.decode()
    response.force_close()
    await response.prepare(request)
    bounds_itself(request)
    return response, Socket(request, limit_bytes)
