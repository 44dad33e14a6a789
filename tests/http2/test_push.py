"""Server push on the wire, as a handler uses it (RFC 9113 8.4)."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, PushedStreamReceived, ResponseReceived, StreamEnded
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame

from loadtests.protocols.events import Message
from loadtests.protocols.push_decoder import PushDecoder
from servers.http2 import H2Server, PushedResponse, Pusher, pusher
from tests.http2.h2_peer import Peer, connected, run, served

FIELDS = ((b":status", b"200"), (b"content-type", b"text/plain"))


def response(number: int, body: bytes = b"body") -> PushedResponse:
    return PushedResponse(b"/pushed/%d" % number, FIELDS, body)


class Open:
    """A handler that keeps its response open and shows its pusher to the test."""

    def __init__(self) -> None:
        self.pushers: list[Pusher | None] = []
        self.left = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.pushers.append(pusher(request))
        stream = web.StreamResponse()
        await stream.prepare(request)
        try:
            await asyncio.Event().wait()
        finally:
            self.left += 1
        return stream

    @property
    def push(self) -> Pusher:
        newest = self.pushers[-1]
        assert newest is not None
        return newest


@asynccontextmanager
async def open_stream(
    settings: dict[SettingCodes, int] | None = None,
) -> AsyncIterator[tuple[Peer, Open, H2Server]]:
    handler = Open()
    async with served([web.get("/open", handler.handle)]) as (port, server), connected(port, settings) as peer:
        stream = peer.streams[peer.request("/open")]
        await peer.until(lambda: bool(stream.headers))
        yield peer, handler, server
        for connection in server.connections:
            connection.cancel_streams()


def test_promises_come_before_the_page_that_needs_them() -> None:
    async def page(request: web.Request) -> web.Response:
        push = pusher(request)
        assert push is not None
        assert push.push([response(1, b"one"), response(2, b"two")]) == 2
        return web.Response(text="page")

    async def check() -> None:
        async with served([web.get("/", page)]) as (port, _), connected(port) as peer:
            await peer.get("/")
            kinds = (PushedStreamReceived, ResponseReceived, StreamEnded)
            order = [event for event in peer.events if isinstance(event, kinds)]
            promises = [at for at, event in enumerate(order) if isinstance(event, PushedStreamReceived)]
            page_at = next(
                at for at, event in enumerate(order) if isinstance(event, ResponseReceived) and event.stream_id == 1
            )
            assert len(promises) == 2
            assert max(promises) < page_at
            assert [event.pushed_stream_id for event in peer.seen(PushedStreamReceived)] == [2, 4]
            assert all(event.parent_stream_id == 1 for event in peer.seen(PushedStreamReceived))
            assert [one.body for one in peer.pushed()] == [b"one", b"two"]
            assert peer.streams[2].promised == {
                ":method": "GET",
                ":scheme": "http",
                ":authority": peer.authority,
                ":path": "/pushed/1",
            }
            assert peer.streams[4].headers == {":status": "200", "content-type": "text/plain", "content-length": "3"}

    run(check())


def test_a_client_that_refuses_pushes_has_no_pusher() -> None:
    async def check() -> None:
        async with open_stream({SettingCodes.ENABLE_PUSH: 0}) as (_, handler, _server):
            assert handler.pushers == [None]

    run(check())


def test_http1_has_no_pusher() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=str(pusher(request)))

    async def check() -> None:
        app = web.Application()
        app.add_routes([web.get("/", handler)])
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert (await reader.read()).endswith(b"\r\n\r\nNone")
        writer.close()
        await runner.cleanup()

    run(check())


def test_a_client_may_refuse_pushes_from_the_middle_of_its_connection_on() -> None:
    async def check() -> None:
        async with open_stream() as (peer, handler, _):
            assert handler.push.push([response(1)]) == 1
            peer.h2.update_settings({SettingCodes.ENABLE_PUSH: 0})
            peer.flush()
            await peer.round_trip()
            assert not handler.push.enabled
            assert handler.push.push([response(2)]) == 0
            await peer.round_trip()
            assert len(peer.seen(PushedStreamReceived)) == 1

    run(check())


def test_nothing_is_promised_to_a_client_that_has_said_goodbye() -> None:
    """RFC 9113 6.8: whoever receives GOAWAY opens no more streams."""

    async def check() -> None:
        async with open_stream() as (peer, handler, _):
            peer.send(GoAwayFrame(last_stream_id=0).serialize())
            await peer.until(lambda: bool(peer.seen(ConnectionTerminated)))
            assert not handler.push.enabled
            assert handler.push.push([response(1)]) == 0

    run(check())


@pytest.mark.parametrize("most", [0, 1, 5])
def test_no_more_pushes_are_open_at_once_than_the_client_allows(most: int) -> None:
    async def check() -> None:
        settings = {SettingCodes.MAX_CONCURRENT_STREAMS: most, SettingCodes.INITIAL_WINDOW_SIZE: 1}
        async with open_stream(settings) as (peer, handler, _):
            peer.acknowledge = False
            assert handler.push.push(map(response, range(10))) == most
            await peer.round_trip()
            assert len(peer.seen(PushedStreamReceived)) == most

    run(check())


def test_a_slot_is_free_again_when_its_push_has_ended_or_is_refused() -> None:
    async def check() -> None:
        settings = {SettingCodes.MAX_CONCURRENT_STREAMS: 2, SettingCodes.INITIAL_WINDOW_SIZE: 1}
        async with open_stream(settings) as (peer, handler, _):
            room: list[int] = []
            peer.acknowledge = False
            handler.push.on_room(lambda: room.append(handler.push.push([response(3)])))
            assert handler.push.push([response(1), response(2)]) == 2
            await peer.until(lambda: 4 in peer.streams)
            peer.h2.reset_stream(2, ErrorCodes.CANCEL)
            peer.flush()
            await peer.until(lambda: 6 in peer.streams)
            assert sum(room) == 1
            peer.h2.increment_flow_control_window(3, 4)
            peer.flush()
            await peer.until(lambda: 8 in peer.streams)
            assert sum(room) == 2
            assert peer.streams[4].body == b"body"

    run(check())


def test_refusing_pushes_harms_nothing_else_and_is_never_charged() -> None:
    async def check() -> None:
        async with open_stream({SettingCodes.INITIAL_WINDOW_SIZE: 0}) as (peer, handler, _):
            for number in range(300):
                assert handler.push.push([response(number)]) == 1
                await peer.until(lambda: (2 * number + 2) in peer.streams)  # noqa: B023
                peer.h2.reset_stream(2 * number + 2, ErrorCodes.REFUSED_STREAM)
                peer.flush()
            assert not peer.seen(ConnectionTerminated)
            assert (await peer.get("/nothing", "HEAD")).headers[":status"] == "404"

    run(check())


def test_resetting_the_request_ends_its_handler_and_its_pushes() -> None:
    async def check() -> None:
        async with open_stream() as (peer, handler, _):
            peer.h2.reset_stream(1, ErrorCodes.CANCEL)
            peer.flush()
            await peer.round_trip()
            assert handler.left == 1
            assert handler.push.push([response(1)]) == 0
            await peer.round_trip()
            assert not peer.seen(PushedStreamReceived)

    run(check())


def test_nothing_is_pushed_behind_the_end_of_the_response() -> None:
    async def check() -> None:
        async with open_stream() as (peer, handler, _):
            handler.push.end("enough")
            assert handler.push.push([response(1)]) == 0
            handler.push.end("said already")
            await peer.until(lambda: peer.streams[1].ended)
            assert peer.streams[1].trailers == {"x-closed-reason": "enough"}
            assert not peer.seen(PushedStreamReceived)

    run(check())


def test_a_reason_reaches_a_client_whose_windows_are_shut() -> None:
    async def check() -> None:
        async with open_stream({SettingCodes.INITIAL_WINDOW_SIZE: 0}) as (peer, handler, _):
            handler.push.push([response(1)])
            handler.push.end("too slow")
            await peer.until(lambda: peer.streams[1].ended)
            assert peer.streams[1].trailers == {"x-closed-reason": "too slow"}

    run(check())


def test_pushes_end_in_order_however_small_the_window_of_the_connection() -> None:
    async def check() -> None:
        async with open_stream() as (peer, handler, _):
            peer.acknowledge = False
            bodies = [b"%d" % number * size for number, size in enumerate([40_000, 40_000, 3, 20_000, 5, 1])]
            numbered = [response(number, body) for number, body in enumerate(bodies)]
            assert handler.push.push(numbered) == len(bodies)
            while len(peer.pushed()) < len(bodies):
                received = len(peer.seen(DataReceived))
                peer.h2.increment_flow_control_window(10_000)
                peer.flush()
                await peer.until(lambda: len(peer.seen(DataReceived)) > received)  # noqa: B023
            assert [event.stream_id for event in peer.seen(StreamEnded)] == [2, 4, 6, 8, 10, 12]
            assert [one.body for one in peer.pushed()] == bodies

    run(check())


def test_a_body_larger_than_every_window_arrives_whole() -> None:
    async def check() -> None:
        async with open_stream() as (peer, handler, _):
            assert handler.push.push([response(1, b"x" * 1_000_000), response(2)]) == 2
            await peer.until(lambda: len(peer.pushed()) == 2)
            assert peer.streams[2].body == b"x" * 1_000_000

    run(check())


@pytest.mark.parametrize("window_bytes", [65_535, 100])
def test_thousands_of_pushes_leave_nothing_behind(window_bytes: int) -> None:
    """Whole ones never enter h2; of those sent in parts it would remember every one (h2 4.4)."""

    async def check() -> None:
        count = 5_000 if window_bytes > 1_000 else 1_500
        body = b"x" * 200
        async with open_stream({SettingCodes.INITIAL_WINDOW_SIZE: window_bytes}) as (peer, handler, server):
            sent = 0

            def push_more() -> None:
                nonlocal sent
                sent += handler.push.push(response(number, body) for number in range(sent, min(sent + 50, count)))

            handler.push.on_room(push_more)
            while sent < count:
                push_more()
                await asyncio.sleep(0)
            await peer.until(lambda: sum(one.ended for one in peer.streams.values()) == count)
            (connection,) = server.connections
            assert len(connection.sender.h2.streams) < 500

    run(check())


def test_a_client_that_reads_nothing_is_not_pushed_to_without_end() -> None:
    async def check() -> None:
        settings = {SettingCodes.INITIAL_WINDOW_SIZE: 2**31 - 1}
        async with open_stream(settings) as (peer, handler, server):
            peer.h2.increment_flow_control_window(2**31 - 1 - 65_535)
            peer.flush()
            await peer.round_trip()
            peer.pause()
            body = b"x" * 16_000
            taken = 0
            while handler.push.push([response(taken, body)]):
                taken += 1
                assert taken < 10_000
            (connection,) = server.connections
            assert connection.transport.get_write_buffer_size() <= 32_000
            peer.resume()
            await peer.until(lambda: len(peer.pushed()) == taken)

    run(check())


def test_a_push_is_on_the_wire_when_the_call_returns() -> None:
    """Held back to the end of the loop's turn, it would wait for the pushes of all other clients."""

    async def check() -> None:
        handler = Open()
        async with served([web.get("/open", handler.handle)]) as (port, server):
            loop = asyncio.get_running_loop()
            decoder = PushDecoder(f"127.0.0.1:{port}", "/open")
            with socket.create_connection(("127.0.0.1", port)) as sock:
                sock.setblocking(False)
                sock.sendall(decoder.take_output())
                while not decoder.receive(await loop.sock_recv(sock, 65_536)):
                    pass
                handler.push.push([response(1)])
                (message,) = decoder.receive(sock.recv(65_536))
                assert isinstance(message, Message)
                assert message.body == b"body"
            for connection in server.connections:
                connection.cancel_streams()

    run(check())
