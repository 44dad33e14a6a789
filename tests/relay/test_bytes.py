"""Bytes go through unchanged and in order, however they are cut, delayed or dammed up."""

import asyncio
import hashlib
import random
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trustme

from servers.relay.connection import BACKLOG_BYTES
from servers.relay.network import READ_BYTES
from tests.relay.running import Stopwatch, listening, read_exactly, read_to_end, relay_to, relayed

MIB = 1_048_576
KERNEL_BUFFERS = 24 * MIB
"""What the kernel may keep in the four sockets between two programs: its default limits are 4 MiB and 6 MiB each."""


def send_in_pieces(sock: socket.socket, content: bytes, draw: random.Random) -> None:
    """Send everything in pieces of all sizes, some after a pause, then FIN."""
    at = 0
    while at < len(content):
        size = min(draw.choice([1, 7, 200, 1_448, 9_000, 70_000]), len(content) - at)
        sock.sendall(content[at : at + size])
        at += size
        if draw.random() < 0.05:
            time.sleep(0.001)
    sock.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "options",
    [["--rtt", "0"], ["--rtt", "6ms"], ["--rtt", "2ms", "--jitter", "5ms"], ["--rtt", "0", "--bandwidth", "80mbit"]],
)
def test_both_directions_stay_intact_at_once(options: list[str], seed: int) -> None:
    draw = random.Random(seed)
    up, down = draw.randbytes(400_000), draw.randbytes(600_000)
    with relayed(*options) as link:
        senders = [
            threading.Thread(target=send_in_pieces, args=(link.client, up, random.Random(seed))),
            threading.Thread(target=send_in_pieces, args=(link.server, down, random.Random(seed + 1))),
        ]
        reader = threading.Thread(target=lambda: arrived.append(read_to_end(link.client)))
        arrived: list[bytes] = []
        for thread in [*senders, reader]:
            thread.start()
        assert read_to_end(link.server) == up
        for thread in [*senders, reader]:
            thread.join()
        assert arrived == [down]
        stopped, err = link.relay.stop()
    assert stopped["bytes"] == len(up) + len(down)
    assert not err


def test_messages_keep_their_order_under_jitter() -> None:
    with relayed("--rtt", "2ms", "--jitter", "20ms") as link:
        expected = b""
        for number in range(200):
            message = b"%d\n" % number
            link.server.sendall(message)
            expected += message
            time.sleep(0.0005)
        assert read_exactly(link.client, len(expected)) == expected


@asynccontextmanager
async def echoing(context: ssl.SSLContext | None = None) -> AsyncIterator[socket.socket]:
    """Yield a listening socket whose connections get back what they send; wait for the last of them to end."""
    talks: list[asyncio.Task[None]] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.create_task(echo(reader, writer)))

    with listening() as server:
        async with await asyncio.start_server(meet, sock=server, ssl=context):
            yield server
            await asyncio.gather(*talks)


async def converse(port: int, number: int, context: ssl.SSLContext | None = None) -> bool:
    draw = random.Random(number)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="pollbench.test" if context else None
    )
    intact = True
    for _ in range(3):
        content = draw.randbytes(draw.choice([1, 300, 20_000]))
        writer.write(content)
        intact = intact and await reader.readexactly(len(content)) == content
    writer.close()
    await writer.wait_closed()
    return intact


def test_two_hundred_connections_stay_apart() -> None:
    async def conversations() -> list[bool]:
        async with echoing() as server:
            with relay_to(server, "--rtt", "4ms") as relay:
                intact = await asyncio.gather(*(converse(relay.ready["port"], number) for number in range(200)))
                assert relay.stop()[0]["connections"] == 200
        return intact

    assert asyncio.run(conversations()) == [True] * 200


def test_tls_goes_through_like_anything_else() -> None:
    authority = trustme.CA()
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("pollbench.test").configure_cert(server_side)
    client_side = ssl.create_default_context()
    authority.configure_trust(client_side)

    async def conversation() -> bool:
        async with echoing(server_side) as server:
            with relay_to(server, "--rtt", "4ms") as relay:
                return await converse(relay.ready["port"], 1, client_side)

    assert asyncio.run(conversation())


def push_until_stuck(sock: socket.socket, block: bytes, quiet_s: float = 0.7) -> int:
    """Send `block` again and again until nothing goes for a while; return how many bytes went."""
    sock.settimeout(quiet_s)
    sent = 0
    try:
        while sent < 8 * KERNEL_BUFFERS:
            sent += sock.send(block[sent % len(block) :])
    except TimeoutError:
        pass
    return sent


def digest(content: bytes) -> tuple[int, bytes]:
    """Return what a failing assert can print."""
    return len(content), hashlib.sha256(content).digest()


def repeats(block: bytes, size: int) -> tuple[int, bytes]:
    return digest((block * (size // len(block) + 1))[:size])


def test_a_reader_that_stops_stops_the_writer_and_loses_nothing() -> None:
    block = random.Random(1).randbytes(65_536)
    with relayed("--rtt", "0") as link:
        sent = push_until_stuck(link.server, block)
        assert sent <= BACKLOG_BYTES + KERNEL_BUFFERS
        link.server.shutdown(socket.SHUT_WR)
        arrived = read_to_end(link.client)
    assert repeats(block, sent) == digest(arrived)


def test_what_a_reader_does_not_take_stays_with_the_writer_not_in_the_relay() -> None:
    with relayed("--rtt", "0") as link:
        push_until_stuck(link.server, bytes(65_536))
        stopped, _ = link.relay.stop()
        assert stopped["bytes"] - len(read_to_end(link.client)) <= READ_BYTES


def test_what_is_on_its_way_is_bounded() -> None:
    block = random.Random(2).randbytes(65_536)
    with relayed("--rtt", "1.6s") as link:
        sent = push_until_stuck(link.server, block, quiet_s=0.3)
        assert BACKLOG_BYTES <= sent <= BACKLOG_BYTES + KERNEL_BUFFERS
        link.server.shutdown(socket.SHUT_WR)
        time.sleep(1)  # all of it is due now, and more than the client's socket takes
        arrived = read_to_end(link.client)
    assert repeats(block, sent) == digest(arrived)


def test_a_narrow_line_takes_the_time_its_bytes_need() -> None:
    with relayed("--rtt", "20ms", "--bandwidth", "800kbit") as link:
        watch = Stopwatch()
        link.server.sendall(bytes(20_000))
        assert len(read_exactly(link.client, 20_000)) == 20_000
        assert watch.ms >= 10 + 20_000 * 8 / 800
