"""WebSocket: frames both ways and of every length, pings, the closing handshake, and requests that are no handshake."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import msgspec
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from servers.patterns.websocket import PATH, text_frame
from servers.web.websocket import Socket
from servers.web.websocket_frames import FrameError
from tests.http1 import Http1, connected, run, until
from tests.server_process import ServerProcess, serving
from tests.websocket_cases import BAD, WIRE, as_sent, frame, on_the_wire

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
KEY = base64.b64encode(b"sixteen bytes :)").decode()
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}


@asynccontextmanager
async def socket(server: ServerProcess, last_id: int) -> AsyncIterator[Http1]:
    """Connect and shake hands (RFC 6455 section 4)."""
    async with connected(server.port) as client:
        response = await client.ask(f"{PATH}?last_id={last_id}", HANDSHAKE)
        assert response.status == 101
        accept = hashlib.sha1(KEY.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        assert base64.b64decode(response.headers["sec-websocket-accept"]) == accept
        yield client


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return opcode and payload of a server's frame (RFC 6455 section 5.2): final and unmasked."""
    first, length = await reader.readexactly(2)
    assert first & 0xF0 == 0x80
    assert length < 128
    if length >= 126:
        length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8), "big")
    return first & 0x0F, await reader.readexactly(length)


def send_frame(client: Http1, opcode: int, payload: bytes) -> None:
    """Send a short frame as a client must, masked; a mask of zeros leaves the payload readable."""
    client.writer.write(bytes((0x80 | opcode, 0x80 | len(payload))) + bytes(4) + payload)


def test_silence_is_broken_by_a_ping_and_a_heartbeat_and_a_ping_is_answered(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.stats()["newest_id"]
        async with socket(server, newest) as client:
            assert msgspec.json.decode((await read_frame(client.reader))[1])["type"] == "connected"
            assert await read_frame(client.reader) == (PING, b"")
            assert msgspec.json.decode((await read_frame(client.reader))[1])["type"] == "heartbeat"
            send_frame(client, PONG, b"")
            send_frame(client, PING, b"still there?")
            while (frame := await read_frame(client.reader))[0] != PONG:
                pass
            assert frame == (PONG, b"still there?")

    run(check())


def test_a_client_that_closes_gets_its_close_back_and_is_forgotten(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.stats()["newest_id"]
        async with socket(server, newest) as client, connected(server.port) as other:
            send_frame(client, CLOSE, (1000).to_bytes(2, "big"))
            while (frame := await read_frame(client.reader))[0] != CLOSE:
                pass
            assert frame[1][:2] == (1000).to_bytes(2, "big")
            assert await client.reader.read() == b""
            await other.until("streams", 0)

    run(check())


async def line(client: Http1, kind: str = "") -> dict[str, Any]:
    """Return the next message, or the next control line of a kind."""
    while True:
        opcode, payload = await read_frame(client.reader)
        if opcode == TEXT and (said := msgspec.json.decode(payload)).get("type", "") == kind:
            return dict(said)


async def goodbye(client: Http1) -> int:
    """Return the code of the close that comes, behind which the connection must end."""
    while (closed := await read_frame(client.reader))[0] != CLOSE:
        pass
    with suppress(ConnectionResetError):
        assert await client.reader.read() == b""
    return int.from_bytes(closed[1][:2], "big")


@pytest.mark.parametrize("pieces", [1, 3])
def test_what_a_client_sends_becomes_a_message_as_if_it_were_posted(server: ServerProcess, pieces: int) -> None:
    said = "five \u20ac".encode()
    parts = [said[at * len(said) // pieces : (at + 1) * len(said) // pieces] for at in range(pieces)]
    opcodes = [TEXT, *[0] * (pieces - 1)]
    opcodes[-1] |= 0x80

    async def check() -> None:
        newest = server.stats()["newest_id"]
        async with socket(server, newest) as client, socket(server, newest) as other, connected(server.port) as poller:
            for first, part in zip(opcodes, parts, strict=True):
                client.writer.write(frame(first, part, masked=True))
            message = await line(client)
            assert (message["id"], message["content"]) == (newest + 1, "five \u20ac")
            assert message["due_ns"] == message["published_ns"]
            assert await line(other) == message
            assert (await (await poller.ask(f"/api/poll?last_id={newest}")).json())["messages"] == [message]
            journal = await (await poller.ask(f"/api/published?last_id={newest}")).read()
            assert journal == b"%d,%d,%d\n" % (message["id"], message["due_ns"], message["published_ns"])
            assert await poller.post("posted") == newest + 2
            assert (await line(client))["content"] == "posted"

    run(check())


@pytest.mark.parametrize(
    ("sent", "error"),
    [((0x81, b""), "content is empty"), ((0x82, b"x"), "content is binary"), ((0x82, b"\xff"), "content is binary")],
)
def test_a_message_that_is_not_taken_is_answered_with_why_and_the_next_one_is(
    server: ServerProcess, sent: tuple[int, bytes], error: str
) -> None:
    async def check() -> None:
        newest = server.stats()["newest_id"]
        async with socket(server, newest) as client, socket(server, newest) as other:
            client.writer.write(frame(*sent, masked=True) + frame(0x81, b"next", masked=True))
            refused = await line(client, "refused")
            assert (refused["field"], refused["error"][: len(error)]) == ("content", error)
            for each in (client, other):
                message = await line(each)
                assert (message["id"], message["content"]) == (newest + 1, "next")

    run(check())


def test_a_message_that_is_longer_than_a_post_may_be_is_refused_by_its_length(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.stats()["newest_id"]
        async with socket(server, newest) as client:
            client.writer.write(frame(0x81, b"x" * 1_000_001, masked=True)[:14])
            refused = await line(client, "refused")
            assert (refused["field"], refused["error"]) == ("frame", "a message of more than 1000000 bytes")
            assert await goodbye(client) == 1009
        assert server.stats()["newest_id"] == newest

    run(check())


def test_all_that_was_sent_before_a_close_is_taken_in_order_and_then_the_close_is_answered(
    server: ServerProcess,
) -> None:
    async def check() -> None:
        newest = server.stats()["newest_id"]
        async with socket(server, newest) as client, socket(server, newest) as other:
            wire = b"".join(frame(0x81, b"%d" % number, masked=True) for number in range(100))
            client.writer.write(wire + frame(0x88, (1000).to_bytes(2, "big"), masked=True))
            assert await goodbye(client) == 1000
            assert [(await line(other))["content"] for _ in range(100)] == [str(number) for number in range(100)]

    run(check())


def test_a_message_that_does_not_end_is_given_up_whatever_is_sent_between_its_parts() -> None:
    half, ping = frame(0x01, b"half", masked=True), frame(0x89, b"still here", masked=True)

    async def check(server: ServerProcess) -> None:
        async with socket(server, 0) as client, socket(server, 0) as idle:
            client.writer.write(half + ping)
            said: list[tuple[int, bytes]] = []
            while not said or said[-1][0] != CLOSE:
                said.append(await read_frame(client.reader))
                if said[-1][0] == PONG:
                    await asyncio.sleep(0.02)
                    client.writer.write(ping)
            assert b"did not arrive in time" in said[-2][1]
            assert said[-1][1][:2] == (1008).to_bytes(2, "big")
            send_frame(idle, TEXT, b"whole")
            message = await line(idle)
            assert (message["id"], message["content"]) == (1, "whole")

    with serving("websocket", "--body-timeout", "0.2") as impatient:
        run(check(impatient))


class Connection:
    """What a socket of a server needs of aiohttp: request, protocol and transport in one, which only note."""

    def __init__(self) -> None:
        self.transport = self.protocol = self
        self.reading = True
        self.written = b""

    def set_parser(self, parser: object) -> None:
        self.parser = parser

    def keep_alive(self, val: bool) -> None:
        assert not val

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes) -> None:
        self.written += data


def test_no_more_is_read_of_a_client_while_its_messages_wait_and_pings_are_answered_meanwhile() -> None:
    async def check() -> None:
        connection = Connection()
        client = Socket(cast(web.Request, connection), limit_bytes=100, within_s=0)
        client.listen()
        assert connection.parser is client
        client.feed_data(frame(0x81, b"0", masked=True))
        assert connection.reading
        client.feed_data(frame(0x81, b"1", masked=True) + frame(0x89, b"p", masked=True))
        assert (connection.reading, connection.written) == (False, frame(0x8A, b"p"))
        assert [await client.receive() for _ in range(2)] == [(TEXT, b"0"), (TEXT, b"1")]
        more = asyncio.create_task(client.receive())
        await until(lambda: connection.reading)
        client.feed_data(frame(0x82, b"2", masked=True) + frame(0xC1, b"broken", masked=True))
        assert await more == (BINARY, b"2")
        with pytest.raises(FrameError):
            await client.receive()

    asyncio.run(check())


async def refused_with(server: ServerProcess, wire: bytes) -> int:
    """Return the code of the close that answers these bytes. The connection must end behind it."""
    async with socket(server, server.stats()["newest_id"]) as client:
        client.writer.write(wire)
        assert (await line(client, "refused"))["field"] == "frame"
        return await goodbye(client)


def test_every_frame_against_the_rules_is_answered_with_its_code(server: ServerProcess) -> None:
    """Autobahn's list, and what a server has to look for besides: lengths in the wrong form, frames without a mask."""
    # A server that closes with so much unread resets the connection, which may overtake the code.
    wires = {one.name: (wire, one.code) for one in BAD if len(wire := as_sent(one, masked=True)) < 5_000}
    wires |= {name: (on_the_wire(name, masked=True)[:14], code) for name, (*_, code) in WIRE.items()}
    wires |= {f"{first:#x} without a mask": (frame(first, b""), 1002) for first in (0x81, 0x89, 0x88)}

    async def check() -> None:
        for name, (wire, code) in wires.items():
            assert (name, await refused_with(server, wire)) == (name, code)

    run(check())


def test_pings_before_a_broken_frame_are_answered_and_a_close_within_a_message_too(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.stats()["newest_id"]
        broken, goodbye = frame(0xC1, b"x", masked=True), frame(0x88, b"\x0f\xa0", masked=True)
        for end, code in ((broken, 1002), (frame(0x01, b"half", masked=True) + goodbye, 4000)):
            async with socket(server, newest) as client:
                client.writer.write(frame(0x89, b"a", masked=True) + frame(0x89, b"b", masked=True) + end)
                seen: list[tuple[int, bytes]] = []
                while not seen or seen[-1][0] != CLOSE:
                    seen.append(await read_frame(client.reader))
                control = [one for one in seen if one[0] not in {TEXT, PING}]
                assert control == [(PONG, b"a"), (PONG, b"b"), (CLOSE, code.to_bytes(2, "big"))]

    run(check())


def test_a_ping_is_answered_between_fragments_and_however_it_is_cut_and_a_close_without_code_as_such(
    server: ServerProcess,
) -> None:
    def sent(first: int, payload: bytes) -> bytes:
        return frame(first, payload, masked=True)

    async def check() -> None:
        async with socket(server, server.stats()["newest_id"]) as client:
            for wire in (sent(0x01, b"half"), sent(0x89, b"abc"), sent(0x80, b"the other"), sent(0x88, b"")):
                for byte in wire:
                    client.writer.write(bytes((byte,)))
                    await client.writer.drain()
            seen: list[tuple[int, bytes]] = []
            while not seen or seen[-1][0] != CLOSE:
                seen.append(await read_frame(client.reader))
            assert [one for one in seen if one[0] not in {TEXT, PING}] == [(PONG, b"abc"), (CLOSE, b"")]
            assert await client.reader.read() == b""

    run(check())


def test_nothing_is_written_behind_a_close() -> None:
    """Messages are due every half millisecond, so that some are due between the client's close and the server's."""

    async def check(server: ServerProcess) -> None:
        for _ in range(20):
            async with socket(server, server.stats()["newest_id"]) as client:
                await read_frame(client.reader)
                send_frame(client, CLOSE, (1000).to_bytes(2, "big"))
                while (await read_frame(client.reader))[0] != CLOSE:
                    pass
                assert await client.reader.read() == b""

    with serving("websocket", "--schedule", "steady:2000", "--message-bytes", "10") as busy:
        run(check(busy))


Refused = tuple[str, dict[str, str | None], str, str, int]
VERSIONS = ("0", "8", "12", "14", "25", "x")
BAD_KEYS = ("", "AAAA", "!!!", KEY[:-2], KEY + "AAAA", "!" + KEY, KEY.replace("=", "*"))


def changed(name: str, value: str, status: int) -> Refused:
    return f"{name} {value!r}", {name: value}, "GET", "1.1", status


REFUSED: list[Refused] = [
    ("no upgrade", {"Upgrade": None, "Connection": None}, "GET", "1.1", 426),
    ("no Upgrade", {"Upgrade": None}, "GET", "1.1", 426),
    ("no Connection", {"Connection": None}, "GET", "1.1", 426),
    ("another protocol", {"Upgrade": "h2c"}, "GET", "1.1", 426),
    ("another option", {"Connection": "keep-alive"}, "GET", "1.1", 426),
    ("HTTP/1.0", {}, "GET", "1.0", 426),
    ("another site's page", {"Origin": "http://evil.example"}, "GET", "1.1", 403),
    ("no version", {"Sec-WebSocket-Version": None}, "GET", "1.1", 426),
    *(changed("Sec-WebSocket-Version", one, 426) for one in VERSIONS),
    ("no key", {"Sec-WebSocket-Key": None}, "GET", "1.1", 400),
    *(changed("Sec-WebSocket-Key", one, 400) for one in BAD_KEYS),
    ("POST", {}, "POST", "1.1", 405),
    ("HEAD", {}, "HEAD", "1.1", 405),
]


@pytest.mark.parametrize(
    ("change", "method", "version", "status"), [one[1:] for one in REFUSED], ids=[one[0] for one in REFUSED]
)
def test_a_request_that_is_no_handshake_is_told_what_is_spoken_here(
    server: ServerProcess, change: dict[str, str | None], method: str, version: str, status: int
) -> None:
    async def check() -> None:
        fields = {name: value for name, value in (HANDSHAKE | change).items() if value is not None}
        async with connected(server.port) as client:
            response = await client.ask(PATH, fields, method=method, version=version)
            assert response.status == status
            if status == 426:
                said = [response.headers[name].lower() for name in ("upgrade", "connection", "sec-websocket-version")]
                assert said == ["websocket", "upgrade", "13"]
            if status == 400:
                assert (await response.json())["field"] == "Sec-WebSocket-Key"

    run(check())


@pytest.mark.parametrize(
    "more",
    [
        {"Connection": "keep-alive, UPGRADE", "Upgrade": "WebSocket"},
        {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"},
        {"Sec-WebSocket-Protocol": "chat, v2"},
    ],
)
def test_what_a_handshake_offers_beside_is_not_taken(server: ServerProcess, more: dict[str, str]) -> None:
    async def check() -> None:
        async with connected(server.port) as client:
            response = await client.ask(PATH, HANDSHAKE | more)
            assert response.status == 101
            assert not {"sec-websocket-extensions", "sec-websocket-protocol", "content-type"} & set(response.headers)

    run(check())


@given(st.binary(max_size=200) | st.sampled_from([125, 126, 127, 65_535, 65_536, 70_000]).map(bytes))
def test_frames_of_every_length_are_read_back(payload: bytes) -> None:
    async def check() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(text_frame(payload))
        reader.feed_eof()
        assert await read_frame(reader) == (TEXT, payload)
        assert await reader.read() == b""

    asyncio.run(check())
