"""An application that knows nothing of HTTP/2 works over it."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from h2.errors import ErrorCodes

from servers.http2.bridge import raw_message
from tests.http2.h2_peer import connected, run, served


def test_a_get_is_answered_with_its_query_host_and_peer() -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.version == (2, 0)
        return web.json_response({"q": request.query["q"], "host": request.host, "peer": request.remote})

    async def check() -> None:
        async with served([web.get("/a/{b}", handler)]) as (port, _), connected(port) as peer:
            response = await peer.get("/a/b?q=%C3%A9+1")
            assert response.headers[":status"] == "200"
            assert response.body == b'{"q": "\\u00e9 1", "host": "%s", "peer": "127.0.0.1"}' % peer.authority.encode()

    run(check())


@pytest.mark.parametrize("size", [0, 5, 300_000])
def test_a_posted_body_arrives_whole(size: int) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def check() -> None:
        body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        async with served([web.post("/echo", handler)]) as (port, _), connected(port) as peer:
            response = await peer.post("/echo", body)
            assert response.body == body

    run(check())


def test_an_upload_waits_until_the_handler_reads() -> None:
    read = asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        await read.wait()
        return web.Response(text=str(len(await request.read())))

    async def check() -> None:
        async with served([web.post("/slow", handler)]) as (port, _), connected(port) as peer:
            stream_id = peer.request("/slow", "POST", end=False)
            sent_bytes = 0
            while window_bytes := peer.h2.local_flow_control_window(stream_id):
                sent_bytes += (size := min(window_bytes, 16_384))
                assert sent_bytes < 200_000
                peer.h2.send_data(stream_id, b"x" * size)
                await peer.get("/nothing")  # the server has had its turn to open the window again
            read.set()
            await peer.until(lambda: peer.h2.local_flow_control_window(stream_id) > 0)
            peer.h2.end_stream(stream_id)
            peer.flush()
            await peer.until(lambda: peer.streams[stream_id].ended)
            assert peer.streams[stream_id].body == str(sent_bytes).encode()

    run(check())


def test_a_streamed_response_leaves_as_it_is_written() -> None:
    go_on = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await go_on.wait()
        await response.write(b"second")
        return response

    async def check() -> None:
        async with served([web.get("/", handler)]) as (port, _), connected(port) as peer:
            response = peer.streams[peer.request("/")]
            await peer.until(lambda: response.body == b"first")
            assert not response.ended
            go_on.set()
            await peer.until(lambda: response.ended)
            assert response.body == b"firstsecond"
            assert not {"transfer-encoding", "connection", "content-length"} & set(response.headers)

    run(check())


def test_head_gets_the_headers_of_get_and_no_body() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text="four")

    async def check() -> None:
        async with served([web.get("/", handler)]) as (port, _), connected(port) as peer:
            response = await peer.get("/", "HEAD")
            assert (response.headers["content-length"], response.body) == ("4", b"")

    run(check())


@pytest.mark.parametrize(
    ("path", "status"), [("/nothing", "404"), ("/raises", "500"), ("/none", "500"), ("/late", "504")]
)
def test_what_goes_wrong_in_a_handler_becomes_a_status(
    path: str, status: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def raises(request: web.Request) -> web.Response:
        raise RuntimeError("on purpose")

    async def none(request: web.Request) -> web.Response:
        return None  # type: ignore[return-value]

    async def late(request: web.Request) -> web.Response:
        raise TimeoutError

    async def check() -> None:
        routes = [web.get("/raises", raises), web.get("/none", none), web.get("/late", late)]
        async with served(routes) as (port, _), connected(port) as peer:
            response = await peer.get(path)
            assert response.headers[":status"] == status
            assert b"on purpose" not in response.body

    run(check())
    assert ("on purpose" in caplog.text) == (path == "/raises")


def test_a_handler_that_fails_halfway_resets_its_stream_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        raise RuntimeError("on purpose")

    async def check() -> None:
        async with served([web.get("/", handler)]) as (port, _), connected(port) as peer:
            response = await peer.get("/")
            assert (response.body, response.reset) == (b"half", ErrorCodes.INTERNAL_ERROR)
            assert (await peer.get("/other")).headers[":status"] == "404"

    run(check())
    assert "on purpose" in caplog.text


def test_a_header_value_with_a_line_break_is_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(headers={"X-Bad": request.query["v"]})

    async def check() -> None:
        async with served([web.get("/", handler)]) as (port, _), connected(port) as peer:
            assert (await peer.get("/?v=a%0D%0Ab")).headers[":status"] == "500"

    run(check())
    assert "line break" in caplog.text


def test_a_response_that_does_not_wait_for_the_upload_ends_it() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=403)

    async def check() -> None:
        async with served([web.post("/", handler)]) as (port, _), connected(port) as peer:
            response = peer.streams[peer.request("/", "POST", end=False)]
            await peer.until(lambda: response.reset is not None)
            assert (response.headers[":status"], response.ended, response.reset) == ("403", True, ErrorCodes.NO_ERROR)

    run(check())


def test_a_client_that_goes_away_cancels_its_handler() -> None:
    cancelled: list[bool] = []

    async def handler(request: web.Request) -> web.Response:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)
        return web.Response()

    async def check(reset: bool) -> None:
        async with served([web.get("/", handler)]) as (port, _), connected(port) as peer:
            stream_id = peer.request("/")
            await peer.get("/nothing")
            if reset:
                peer.h2.reset_stream(stream_id, ErrorCodes.CANCEL)
                peer.flush()
            else:
                await peer.close()
        assert cancelled.pop()

    run(check(reset=True))
    run(check(reset=False))


@pytest.mark.parametrize("loop_factory", [None, "uvloop"])
def test_a_file_is_read_and_never_sent_past_the_frames(tmp_path: Path, loop_factory: str | None) -> None:
    content = b"file" * 50_000
    (tmp_path / "f.bin").write_bytes(content)

    async def check() -> None:
        async with served([web.static("/files", tmp_path)]) as (port, _), connected(port) as peer:
            assert (await peer.get("/files/f.bin")).body == content

    if loop_factory:
        run(check())
    else:
        asyncio.run(check())


def test_compression_and_cookies_work() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_compression(web.ContentCoding.gzip)
        response.set_cookie("seen", request.cookies["a"] + request.cookies["b"])
        await response.prepare(request)
        await response.write(b"x" * 10_000)
        return response

    async def check() -> None:
        async with served([web.get("/", handler)]) as (port, _), connected(port) as peer:
            # RFC 9113 8.2.3: cookies may be split into several fields
            stream_id = peer.request("/", headers=[("cookie", "a=1"), ("cookie", "b=2")])
            await peer.until(lambda: peer.streams[stream_id].ended)
            response = peer.streams[stream_id]
            assert response.headers["content-encoding"] == "gzip"
            assert response.headers["set-cookie"] == "seen=12; Path=/"
            assert len(response.body) < 200

    run(check())


def test_nothing_but_the_writer_puts_bytes_on_the_wire() -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        assert request.transport.get_extra_info("peername")[0] == "127.0.0.1"
        with pytest.raises(NotImplementedError, match="never through the transport"):
            request.transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
        return web.Response(text="ok")

    async def check() -> None:
        async with served([web.get("/", handler)]) as (port, _), connected(port) as peer:
            assert (await peer.get("/")).body == b"ok"

    run(check())


def test_a_websocket_handshake_is_refused_politely() -> None:
    async def handler(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        return response

    async def check() -> None:
        async with served([web.get("/", handler)]) as (port, _), connected(port) as peer:
            assert (await peer.get("/")).headers[":status"] == "400"

    run(check())


def test_request_fields_become_what_http1_would_have_brought() -> None:
    fields = [(b":method", b"GET"), (b":path", b"//a?b=1#c"), (b":authority", b"h:1"), (b"x-latin", b"\xe9")]
    message = raw_message(fields)
    assert (message.method, message.path, message.headers["Host"]) == ("GET", "//a?b=1#c", "h:1")
    assert message.url.raw_path == "//a"
    assert message.headers["x-latin"] == "\udce9"
    assert raw_message([(b":method", b"CONNECT"), (b":authority", b"h:1")]).path == "h:1"
