"""What a connection does on the wire: windows, limits of streams, shutdown, keepalive, TLS."""

import asyncio
import ssl
from dataclasses import replace

import pytest
import trustme
from aiohttp import web
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, PingReceived, WindowUpdated
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame

from servers.http2 import client_settings
from servers.http2.connection import setting_name
from servers.http2.keepalive import Keepalive
from servers.http2.limits import DEFAULT_LIMITS, Limits
from tests.http2.h2_peer import connected, last_words, run, served


async def hold(request: web.Request) -> web.StreamResponse:
    """Stream one line, then nothing more until cut."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"held\n")
    await asyncio.Event().wait()
    return response


async def big(request: web.Request) -> web.Response:
    return web.Response(body=b"0123456789" * int(request.query.get("tens", "20000")))


@pytest.mark.parametrize("window_bytes", [10, 1_000, 65_535])
def test_a_body_arrives_whole_through_a_window_of_any_size(window_bytes: int) -> None:
    tens = 50 if window_bytes == 10 else 20_000

    async def check() -> None:
        settings = {SettingCodes.INITIAL_WINDOW_SIZE: window_bytes}
        async with served([web.get("/big", big)]) as (port, _), connected(port, settings) as peer:
            peer.acknowledge = False
            response = peer.streams[stream_id := peer.request(f"/big?tens={tens}")]
            sizes = [0]
            while not response.ended:
                await peer.until(lambda: len(response.body) > sizes[-1] or response.ended)
                sizes.append(len(response.body))
                more = sizes[-1] - sizes[-2]
                assert more <= window_bytes
                if more:
                    peer.h2.increment_flow_control_window(more)
                    if not response.ended:
                        peer.h2.increment_flow_control_window(more, stream_id)
                    peer.flush()
            assert response.body == b"0123456789" * tens

    run(check())


def test_a_window_of_zero_lets_headers_through_and_content_wait() -> None:
    async def check() -> None:
        settings = {SettingCodes.INITIAL_WINDOW_SIZE: 0}
        async with served([web.get("/big", big)]) as (port, _), connected(port, settings) as peer:
            waiting = peer.streams[peer.request("/big?tens=1")]
            empty = await peer.get("/big?tens=0")
            assert empty.headers[":status"] == waiting.headers[":status"] == "200"
            assert waiting.body == b""
            peer.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 100})  # RFC 9113 6.9.2: open streams gain too
            peer.flush()
            await peer.until(lambda: waiting.ended)
            assert waiting.body == b"0123456789"

    run(check())


def test_a_stream_whose_window_is_shut_holds_no_other_up() -> None:
    async def check() -> None:
        async with served([web.get("/big", big)]) as (port, _), connected(port) as peer:
            peer.acknowledge = False
            peer.h2.increment_flow_control_window(10_000_000)
            stuck = peer.streams[peer.request("/big")]
            await peer.until(lambda: len(stuck.body) == 65_535)
            assert len((await peer.get("/big?tens=10")).body) == 100
            assert not stuck.ended

    run(check())


def test_one_stream_too_many_is_refused_and_the_others_live_on() -> None:
    async def check() -> None:
        limits = replace(DEFAULT_LIMITS, streams=3)
        async with served([web.get("/", hold)], limits) as (port, _), connected(port) as peer:
            streams = [peer.streams[peer.request("/")] for _ in range(5)]
            await peer.until(lambda: all(one.body or one.reset for one in streams))
            assert [one.reset for one in streams] == [None, None, None, *[ErrorCodes.REFUSED_STREAM] * 2]
            assert peer.h2.remote_settings.max_concurrent_streams == 3

    run(check())


def test_closing_ends_what_is_open_and_refuses_what_is_new() -> None:
    go_on = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        await go_on.wait()
        return web.Response(text="done")

    async def check() -> None:
        async with served([web.get("/", slow)]) as (port, server), connected(port) as peer:
            open_one = peer.streams[peer.request("/")]
            await peer.get("/nothing")
            closing = asyncio.create_task(server.close())
            await peer.until(lambda: bool(peer.seen(ConnectionTerminated)))
            assert last_words(peer) == (ErrorCodes.NO_ERROR, b"")
            assert peer.seen(ConnectionTerminated)[0].last_stream_id == 3
            new = await peer.get("/")
            assert new.reset == ErrorCodes.REFUSED_STREAM
            go_on.set()
            await peer.until_closed()
            assert (open_one.body, open_one.ended) == (b"done", True)
            await closing

    run(check())


def test_closing_cuts_handlers_that_do_not_end_by_themselves() -> None:
    async def check() -> None:
        limits = replace(DEFAULT_LIMITS, drain_s=0.05)
        async with served([web.get("/", hold)], limits) as (port, server), connected(port) as peer:
            stream = peer.streams[peer.request("/")]
            await peer.until(lambda: stream.body != b"")
            await server.close()
            await peer.until_closed()
            assert stream.reset == ErrorCodes.CANCEL
            assert not server.connections

    run(check())


def test_a_client_that_says_goodbye_still_gets_what_it_asked_for() -> None:
    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(0.05)
        return web.Response(text="done")

    async def check() -> None:
        async with served([web.get("/", slow)]) as (port, _), connected(port) as peer:
            stream = peer.streams[peer.request("/")]
            peer.send(GoAwayFrame(last_stream_id=0).serialize())
            await peer.until_closed()
            assert stream.body == b"done"

    run(check())


def limits_with(**changes: float) -> Limits:
    return replace(DEFAULT_LIMITS, **changes)  # type: ignore[arg-type]


def test_a_client_that_answers_pings_stays_and_one_that_does_not_is_cut() -> None:
    async def check() -> None:
        limits = limits_with(ping_every_s=0.02, ping_timeout_s=0.5)
        async with served([web.get("/", hold)], limits) as (port, server), connected(port) as peer:
            peer.request("/")
            await peer.until(lambda: len(peer.seen(PingReceived)) >= 3)
            peer.mute = True
            await peer.until_closed()
            assert not server.connections

    run(check())


def test_settings_that_are_never_acknowledged_end_the_connection() -> None:
    async def check() -> None:
        limits = limits_with(settings_timeout_s=0.05)
        async with served([], limits) as (port, _), connected(port, start=False) as peer:
            peer.mute = True
            peer.h2.initiate_connection()
            peer.send(peer.h2.data_to_send())
            await peer.until_closed()

    run(check())


def test_a_connection_that_says_nothing_is_cut() -> None:
    async def check() -> None:
        limits = limits_with(settings_timeout_s=0.05)
        async with served([], limits) as (port, _), connected(port, start=False) as peer:
            await peer.until_closed()

    run(check())


def test_an_idle_connection_is_told_to_go() -> None:
    async def check() -> None:
        async with served([], limits_with(idle_s=0.05)) as (port, _), connected(port) as peer:
            await peer.get("/")
            await peer.until_closed()
            assert last_words(peer)[0] == ErrorCodes.NO_ERROR

    run(check())


def test_http1_is_told_what_to_do() -> None:
    async def check() -> None:
        async with served([]) as (port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 505 ")
            assert b"--http2-prior-knowledge" in answer
            writer.close()

    run(check())


def test_the_preface_may_come_byte_by_byte() -> None:
    async def check() -> None:
        async with served([web.get("/big", big)]) as (port, _), connected(port, start=False) as peer:
            peer.mute = True
            peer.h2.initiate_connection()
            for octet in peer.h2.data_to_send():
                peer.send(bytes((octet,)))
                await asyncio.sleep(0.001)
            peer.mute = False
            assert len((await peer.get("/big?tens=1")).body) == 10

    run(check())


def test_a_window_update_of_the_connection_wakes_every_waiting_stream() -> None:
    async def check() -> None:
        async with served([web.get("/big", big)]) as (port, _), connected(port) as peer:
            peer.acknowledge = False
            streams = [peer.streams[peer.request("/big?tens=5000")] for _ in range(3)]
            await peer.until(lambda: sum(len(one.body) for one in streams) == 65_535)
            peer.h2.increment_flow_control_window(1_000_000)
            peer.flush()
            await peer.until(lambda: all(one.ended for one in streams))
            assert not peer.seen(WindowUpdated)

    run(check())


@pytest.fixture(scope="module")
def tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority = trustme.CA()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(client)
    return server, client


def test_tls_with_alpn_h2_serves(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server_context, client_context = tls
    client_context.set_alpn_protocols(["http/1.1", "h2"])

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.scheme} {request.secure}")

    async def check() -> None:
        routes = [web.get("/", handler), web.get("/big", big)]
        async with (
            served(routes, ssl_context=server_context) as (port, _),
            connected(port, ssl_context=client_context) as peer,
        ):
            assert (await peer.get("/")).body == b"https True"
            assert len((await peer.get("/big")).body) == 200_000

    run(check())


def test_an_answer_written_in_parts_comes_whole_over_tls(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server_context, client_context = tls
    client_context.set_alpn_protocols(["h2"])

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in (b"one ", b"two ", b"three"):
            await response.write(part)
        return response

    async def check() -> None:
        async with (
            served([web.get("/", handler)], ssl_context=server_context) as (port, _),
            connected(port, ssl_context=client_context) as peer,
        ):
            assert (await peer.get("/")).body == b"one two three"

    run(check())


def test_a_handler_sees_the_first_settings_of_its_client() -> None:
    seen = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(client_settings(request))
        return web.Response()

    async def check() -> None:
        async with (
            served([web.get("/", handler)]) as (port, _),
            connected(port, {SettingCodes.ENABLE_PUSH: 0}) as peer,
        ):
            await peer.get("/")
            peer.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 70_000})
            peer.flush()
            await peer.get("/")

    run(check())
    assert seen[0] == seen[1]
    assert seen[0] is not None
    assert seen[0]["ENABLE_PUSH"] == 0
    assert setting_name(0x3A4A) == "0x3a4a"


@pytest.mark.parametrize("protocols", [[], ["http/1.1"]])
def test_tls_without_alpn_h2_is_closed(tls: tuple[ssl.SSLContext, ssl.SSLContext], protocols: list[str]) -> None:
    server_context, client_context = tls
    client_context.set_alpn_protocols(protocols)

    async def check() -> None:
        async with served([], ssl_context=server_context) as (port, _):
            try:
                async with connected(port, ssl_context=client_context) as peer:
                    await peer.until_closed()
                    assert peer.events == []
            except (ssl.SSLError, ConnectionError):
                pass  # OpenSSL may refuse the handshake itself

    run(check())


@pytest.mark.parametrize(
    ("at_s", "open_streams", "decision"),
    [(1, 0, "wait"), (10, 0, "settings timeout"), (10, 1, "settings timeout")],
)
def test_the_first_deadline_is_that_of_settings(at_s: float, open_streams: int, decision: str) -> None:
    assert Keepalive(DEFAULT_LIMITS, 0).decide(at_s, open_streams) == decision


def test_keepalive_pings_then_waits_then_gives_up() -> None:
    keepalive = Keepalive(DEFAULT_LIMITS, 0)
    keepalive.settings_acknowledged()
    keepalive.received(0, None)
    assert (keepalive.next_s, keepalive.decide(20, 1)) == (20, "ping")
    assert (keepalive.next_s, keepalive.decide(29, 1)) == (30, "wait")
    keepalive.ping_acknowledged()
    assert keepalive.decide(30, 1) == "wait"
    assert keepalive.decide(40, 1) == "ping"
    assert keepalive.decide(50, 1) == "ping timeout"


def test_keepalive_lets_a_connection_idle_for_a_minute_after_its_last_request() -> None:
    keepalive = Keepalive(limits_with(ping_every_s=1e9), 0)
    keepalive.settings_acknowledged()
    keepalive.received(0, None)
    assert keepalive.decide(60, 1) == "wait"
    keepalive.used(70)
    assert keepalive.decide(129, 0) == "wait"
    assert keepalive.decide(130, 0) == "idle"
