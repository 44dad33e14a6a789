"""WebSocket: frames of every length, ping and pong, the closing handshake, and requests that are no handshake."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.patterns.websocket import PATH, text_frame
from tests.http1 import Http1, Line, connected, run
from tests.server_process import ServerProcess

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
KEY = base64.b64encode(b"sixteen bytes :)").decode()
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}


async def messages(server: ServerProcess, last_id: int) -> AsyncGenerator[Line, None]:
    async with socket(server, last_id) as client:
        while True:
            opcode, payload = await read_frame(client.reader)
            if opcode == CLOSE:
                send_frame(client, CLOSE, payload)
                return
            if opcode == PING:
                send_frame(client, PONG, payload)
            if opcode == TEXT:
                yield msgspec.json.decode(payload)


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


def test_what_clients_send_is_ignored_up_to_4_kb_and_refused_above(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.stats()["newest_id"]
        async with socket(server, newest) as client:
            send_frame(client, TEXT, b"hello")
            client.writer.write(b"\x81\xfe" + (5000).to_bytes(2, "big") + bytes(4) + b"x" * 5000)
            while (frame := await read_frame(client.reader))[0] != CLOSE:
                pass
            assert int.from_bytes(frame[1][:2], "big") == 1009

    run(check())


@pytest.mark.parametrize("missing", sorted(HANDSHAKE))
def test_a_request_that_is_no_handshake_is_told_what_is_spoken_here(server: ServerProcess, missing: str) -> None:
    async def check() -> None:
        async with connected(server.port) as client:
            response = await client.ask(PATH, {name: value for name, value in HANDSHAKE.items() if name != missing})
            assert response.status == 426
            assert response.headers["upgrade"] == "websocket"
            assert (await response.json())["field"] == "Upgrade"

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
