"""Serves an unmodified aiohttp Application over a stream: builds the request, runs the handler, writes the response.

The one private thing it takes from aiohttp is `Application._handle` (and `_make_request`), so aiohttp's minor version
is pinned. The writer is the only way out: `request.transport` refuses bytes, which would be HTTP/1.1 anyway.
"""

import asyncio
import logging
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final, cast

from aiohttp import HttpVersion, StreamReader, hdrs, web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD
from h2.errors import ErrorCodes
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from servers.http2.stream import Stream
from servers.http2.writer import ResponseWriter

HTTP2: Final = HttpVersion(2, 0)
BODY_BUFFER_BYTES: Final = 16_384
logger = logging.getLogger(__name__)


class StreamTransport(asyncio.Transport):
    """What `request.transport` is on HTTP/2: it knows the peer, it can reset the stream, it takes no bytes."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._stream.sender.transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return not self._stream.open

    def abort(self) -> None:
        self._stream.reset(ErrorCodes.CANCEL)

    close = abort

    def write(self, data: object) -> None:
        raise NotImplementedError("on HTTP/2 a response leaves through its writer, never through the transport")

    @property
    def _sendfile_compatible(self) -> None:
        """Asked for by `loop.sendfile`: an answer that makes aiohttp's FileResponse read and write the file."""
        raise NotImplementedError


class StreamProtocol:
    """What `request.protocol` is on HTTP/2: the parts of aiohttp's RequestHandler that requests and bodies use."""

    max_field_size = 8190
    max_headers = 128

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.transport = StreamTransport(stream)
        self.peername, self.sockname, self.ssl_context = stream.sender.peer

    @property
    def connected(self) -> bool:
        return not self.stream.gone

    def pause_reading(self) -> None:
        self.stream.pause_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: ARG002
        self.stream.resume_reading()


class Bridge:
    """Answers the streams of all connections with one Application."""

    def __init__(self, app: web.Application) -> None:
        self._handle = app._handle
        self._make_request = app._make_request
        self._loop = asyncio.get_running_loop()

    def serve(self, stream: Stream) -> None:
        """Start the handler of a new stream."""
        protocol = StreamProtocol(stream)
        payload = EMPTY_PAYLOAD
        if not stream.request_ended:
            payload = StreamReader(cast(Any, protocol), BODY_BUFFER_BYTES, loop=self._loop)
            stream.body = payload
        writer = ResponseWriter(stream)
        stream.task = task = self._loop.create_task(self._answer(stream, protocol, payload, writer))
        task.add_done_callback(lambda _: stream.finished())

    async def _answer(
        self, stream: Stream, protocol: StreamProtocol, payload: StreamReader, writer: ResponseWriter
    ) -> None:
        message = raw_message(stream.fields)
        request = self._make_request(message, payload, cast(Any, protocol), writer, cast(Any, stream.task))
        try:
            try:
                response = await self._handle(request)
            except web.HTTPException as wanted:
                response = wanted
            except TimeoutError:
                response = error_response(HTTPStatus.GATEWAY_TIMEOUT)
            await finish(request, response)
        except ConnectionError:
            pass  # the client has gone, so there is no receiver
        except Exception:
            logger.exception("Error handling %s %s", request.method, request.path)
            if not stream.head_sent:
                with suppress(ConnectionError):
                    await finish(request, error_response(HTTPStatus.INTERNAL_SERVER_ERROR))


async def finish(request: web.BaseRequest, response: object) -> None:
    """Send what the handler has not sent itself. Raises TypeError when it has returned no response."""
    if not isinstance(response, web.StreamResponse):
        raise TypeError(f"a handler must return a response, not {response!r}")
    request._finish()
    await response.prepare(request)
    await response.write_eof()


def raw_message(fields: list[tuple[bytes, bytes]]) -> RawRequestMessage:
    """Translate HTTP/2 request fields into what aiohttp's own parser would have made of HTTP/1.1."""
    texts = [(name.decode("ascii"), value.decode("utf-8", "surrogateescape")) for name, value in fields]
    pseudo = dict(field for field in texts if field[0][0] == ":")
    headers = CIMultiDict(texts[len(pseudo) :])  # pseudo-header fields come first (RFC 9113 8.3)
    authority = pseudo.get(":authority", "")
    if authority and hdrs.HOST not in headers:
        headers[hdrs.HOST] = authority
    target = pseudo.get(":path", authority)  # CONNECT has no path (RFC 9113 8.5)
    path, _, query = target.partition("?")
    return RawRequestMessage(
        method=pseudo[":method"],
        path=target,
        version=HTTP2,
        headers=CIMultiDictProxy(headers),
        raw_headers=tuple(fields),
        should_close=False,
        compression=None,
        upgrade=False,
        chunked=False,
        url=URL.build(path=path, query_string=query, encoded=True),
    )


def error_response(status: HTTPStatus) -> web.Response:
    return web.Response(status=status, text=f"{status.value} {status.phrase}")


def stream_of(request: web.BaseRequest) -> Stream | None:
    """Return the HTTP/2 stream a request came on, None for HTTP/1.1."""
    protocol: object = request.protocol
    return protocol.stream if isinstance(protocol, StreamProtocol) else None
