"""Well-formed abuse is stopped, early and with a reason; what h2 stops itself stays stopped."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from aiohttp import web
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    ExtensionFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from servers.http2.limits import DEFAULT_LIMITS, Budget, Rate
from tests.http2.h2_peer import connected, last_words, run, served
from tests.server_process import HANG_S

HEAD = bytes.fromhex("828684") + b"\x41\x01h"
"""HPACK: GET, http, /, authority "h"."""


async def wait_for_ever(request: web.Request) -> web.Response:
    await request.read()
    await asyncio.Event().wait()
    return web.Response()


def rapid_reset(number: int) -> bytes:
    """CVE-2023-44487."""
    stream_id = 2 * number + 1
    asked = HeadersFrame(stream_id, HEAD, flags=["END_HEADERS", "END_STREAM"])
    return asked.serialize() + RstStreamFrame(stream_id, error_code=ErrorCodes.CANCEL).serialize()


def ping(number: int) -> bytes:
    """CVE-2019-9512."""
    return PingFrame(opaque_data=number.to_bytes(8, "big")).serialize()


def empty_settings(number: int) -> bytes:
    """CVE-2019-9515."""
    return SettingsFrame().serialize()


def priority(number: int) -> bytes:
    """CVE-2019-9513."""
    return PriorityFrame(2 * number + 1, depends_on=0, stream_weight=7).serialize()


def empty_data(number: int) -> bytes:
    """CVE-2019-9518."""
    first = HeadersFrame(3, HEAD, flags=["END_HEADERS"]).serialize() if number == 1 else b""
    return first + DataFrame(3).serialize()


def unknown(number: int) -> bytes:
    return ExtensionFrame(type=0xBB, stream_id=0, flag_byte=0, body=b"").serialize()


def unasked_pong(number: int) -> bytes:
    return PingFrame(opaque_data=b"pollping", flags=["ACK"]).serialize()


def made_you_reset(number: int) -> bytes:
    """CVE-2025-8671: the client breaks a rule of each stream, so that it is the server that resets it."""
    stream_id = 2 * number + 1
    asked = HeadersFrame(stream_id, HEAD, flags=["END_HEADERS", "END_STREAM"])
    return asked.serialize() + WindowUpdateFrame(stream_id, window_increment=2**31 - 1).serialize()


@pytest.mark.parametrize(
    "abuse",
    [
        rapid_reset,
        made_you_reset,
        ping,
        empty_settings,
        priority,
        empty_data,
        unknown,
        unasked_pong,
    ],
)
def test_a_flood_ends_in_enhance_your_calm(abuse: Callable[[int], bytes]) -> None:
    async def check() -> None:
        async with served([web.route("*", "/", wait_for_ever)]) as (port, server):
            async with connected(port) as peer:
                await peer.round_trip()
                flood = [abuse(number) for number in range(1, 3_000)]
                peer.send(b"".join(flood))
                await peer.until_closed()
                assert last_words(peer)[0] == ErrorCodes.ENHANCE_YOUR_CALM
            async with connected(port) as next_one:
                assert (await next_one.get("/nothing")).headers[":status"] == "404"
            assert len(server.connections) <= 1

    run(check())


def test_a_client_that_resets_now_and_then_is_left_alone() -> None:
    async def check() -> None:
        async with served([web.get("/", wait_for_ever)]) as (port, _), connected(port) as peer:
            for _ in range(150):
                stream_id = peer.request("/")
                peer.h2.reset_stream(stream_id, ErrorCodes.CANCEL)
                peer.flush()
            await peer.round_trip()
            assert not peer.seen(ConnectionTerminated)

    run(check())


def test_a_header_block_in_two_hundred_frames_is_refused() -> None:
    """CVE-2024-27316 and its kin: h2 stops at 64 CONTINUATIONs."""

    async def check() -> None:
        async with served([]) as (port, _), connected(port) as peer:
            await peer.round_trip()
            peer.send(HeadersFrame(3, HEAD).serialize() + ContinuationFrame(3).serialize() * 200)
            await peer.until_closed()
            assert last_words(peer)[0] == ErrorCodes.PROTOCOL_ERROR

    run(check())


def test_a_header_list_that_is_too_long_is_refused() -> None:
    async def check() -> None:
        async with served([]) as (port, _), connected(port) as peer:
            peer.request("/", headers=[(f"x-{number}", "y" * 1_000) for number in range(20)])
            await peer.until_closed()
            assert last_words(peer)[0] == ErrorCodes.ENHANCE_YOUR_CALM

    run(check())


def test_a_client_that_never_reads_its_answers_is_cut() -> None:
    async def check() -> None:
        limits = replace(DEFAULT_LIMITS, output_bytes=20_000, control_frames=Rate(1e9, 1e9))
        async with served([], limits, kernel_bytes=8_192) as (port, server), connected(port) as peer:
            await peer.round_trip()
            peer.pause()
            async with asyncio.timeout(HANG_S):
                while server.connections:
                    peer.send(ping(1) * 5_000)
                    await asyncio.sleep(0.001)

    run(check())


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"\0" * 64, id="DATA on stream 0"),
        pytest.param(b"\xff" * 64, id="a frame of 16 MiB, refused by its head"),
        pytest.param(bytes.fromhex("00000408000000000000000000"), id="WINDOW_UPDATE by 0"),
    ],
)
def test_garbage_ends_the_connection_and_nothing_else(garbage: bytes) -> None:
    async def check() -> None:
        async with served([]) as (port, _), connected(port) as peer:
            await peer.round_trip()
            peer.send(garbage)
            await peer.until_closed()

    run(check())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.booleans())
def test_no_input_raises_in_the_server(noise: list[bytes], framed: bool) -> None:
    errors: list[dict[str, object]] = []

    async def check() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        async with served([web.route("*", "/", wait_for_ever)]) as (port, _), connected(port) as peer:
            await peer.round_trip()
            for octets in noise:
                head = len(octets).to_bytes(3, "big") + octets[:1] + octets[-1:] + b"\0\0\0\x03" if framed else b""
                peer.send(head + octets)
            await asyncio.sleep(0.01)  # half a frame keeps the server waiting, rightly, so there is no event to await

    run(check())
    assert not errors


def test_a_budget_refills_with_time_and_never_beyond_its_burst() -> None:
    budget = Budget(Rate(burst=3, per_s=2))
    assert [budget.spend(100) for _ in range(4)] == [True, True, True, False]
    assert [budget.spend(101) for _ in range(3)] == [True, True, False]
    assert [budget.spend(1_000) for _ in range(4)] == [True, True, True, False]
