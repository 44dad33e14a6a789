"""Which reads are asked for the kernel's stamp, and which of them end with a message, so that it is that message's."""

import json
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import gevent
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.protocols.events import Message, StreamDecoder, message_bytes
from loadtests.protocols.push_decoder import PushDecoder
from loadtests.records.rows import UNTOLD
from loadtests.users.arrivals import arrivals
from loadtests.users.connection import READ_BYTES, Connection, Draw
from servers.timing.clock import now_ns
from servers.timing.stamps import AVAILABLE
from tests.http2.test_push_decoder import AUTHORITY, PUSHED_HEAD, Server
from tests.loadtests.test_decoders import (
    STREAM_HEAD,
    chunk,
    lines_decoder,
    sse_decoder,
)
from tests.loadtests.test_websocket_decoder import HEAD as SOCKET_HEAD
from tests.loadtests.test_websocket_decoder import decoder as socket_decoder
from tests.server_process import HANG_S
from tests.websocket_cases import frame

S = 1_000_000_000
linux_only = pytest.mark.skipif(not AVAILABLE, reason="only Linux stamps what arrives")

# A read ends with a message


@dataclass
class Wire:
    """What a server sends: a head, then pieces.

    messages: where each message begins and ends in `data`; edges: where any piece ends, the head first.
    """

    data: bytes
    messages: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.edges = [len(self.data)]

    def add(self, data: bytes, *, message: bool) -> None:
        self.data += data
        if message:
            self.messages.append((self.edges[-1], len(self.data)))
        self.edges.append(len(self.data))


Pieces = Sequence[tuple[int, bool]]
"""(how long, whether it is a message)"""


def lines(pieces: Pieces) -> tuple[StreamDecoder, Wire]:
    wire = Wire(STREAM_HEAD)
    for size, is_message in pieces:
        wire.add(chunk(b"m" * size + b"\n" if is_message else b"\n"), message=is_message)
    return lines_decoder(), wire


def events(pieces: Pieces) -> tuple[StreamDecoder, Wire]:
    wire = Wire(STREAM_HEAD)
    for size, is_message in pieces:
        wire.add(chunk((b"data: " if is_message else b": ") + b"m" * size + b"\n\n"), message=is_message)
    return sse_decoder(), wire


def frames(pieces: Pieces) -> tuple[StreamDecoder, Wire]:
    wire = Wire(SOCKET_HEAD)
    for size, is_message in pieces:
        wire.add(frame(0x81 if is_message else 0x89, b"m" * min(size, 125)), message=is_message)
    return socket_decoder(), wire


def pushes(pieces: Pieces) -> tuple[StreamDecoder, Wire]:
    client = PushDecoder(AUTHORITY, "/api/updates?last_id=7")
    server = Server(client)
    server.head(PUSHED_HEAD)
    wire = Wire(server.wire)
    for size, is_message in pieces:
        server.wire = b""
        if is_message:
            server.push("/api/messages/1", b"m" * size)
        else:
            server.h2.ping(b"12345678")
            server.wire = server.h2.data_to_send()
        wire.add(server.wire, message=is_message)
    return client, wire


def pushed_lines(pieces: Pieces) -> tuple[StreamDecoder, Wire]:
    client = PushDecoder(AUTHORITY, "/api/updates?last_id=7", accept_push=False)
    server = Server(client)
    server.head([(":status", "200"), ("x-updates-mode", "inline")])
    wire = Wire(server.wire)
    for size, is_message in pieces:
        server.wire = b""
        if is_message:
            server.data(b"m" * size + b"\n")
        else:
            server.h2.ping(b"12345678")
            server.wire = server.h2.data_to_send()
        wire.add(server.wire, message=is_message)
    return client, wire


KINDS = [lines, events, frames, pushes, pushed_lines]
sizes = st.integers(1, 40)
pieces_of = st.lists(st.tuples(sizes, st.booleans()), min_size=1, max_size=8)


def judged(decoder: StreamDecoder, wire: Wire, cuts: set[int]) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Return the reads that were taken to end with a message, and those that end with one and hold nothing but messages
    or the end of one.
    """
    edges = sorted({0, len(wire.data), *cuts})
    reads = list(pairwise(edges))
    taken, other_bytes = set(), 0
    for begin, end in reads:
        data = wire.data[begin:end]
        other_bytes = len(data) if decoder.at_rest else other_bytes + len(data)
        events = decoder.receive(data)
        other_bytes -= message_bytes(events)
        if events and not other_bytes and decoder.at_rest:
            taken.add((begin, end))
    begins = {end: begin for begin, end in wire.messages}
    were = set()
    for begin, end in reads:
        at = end
        while at > begin and at in begins:
            at = begins[at]
        # A read may begin within its first message.
        if at <= begin < end and end in begins:
            were.add((begin, end))
    return taken, were


@pytest.mark.parametrize("kind", KINDS)
@given(lengths=st.lists(sizes, min_size=1, max_size=8), data=st.data())
@settings(deadline=None)
def test_a_read_that_ends_within_a_message_is_never_taken_to_end_with_one(
    kind: Callable[[Pieces], tuple[StreamDecoder, Wire]], lengths: list[int], data: st.DataObject
) -> None:
    decoder, wire = kind([(length, True) for length in lengths])
    edges = {edge for message in wire.messages for edge in message}
    near = st.sampled_from(sorted(edges | {edge + 1 for edge in edges} | {edge - 1 for edge in edges} | {1}))
    cuts = data.draw(st.sets(near | st.integers(1, len(wire.data))))
    taken, _ = judged(decoder, wire, cuts)
    assert {end for _, end in taken} <= {end for _, end in wire.messages}


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_whose_last_byte_came_alone_makes_no_other_look_like_one(
    kind: Callable[[Pieces], tuple[StreamDecoder, Wire]],
) -> None:
    """The late byte was counted with the message that followed, and made up for the one of a heartbeat behind it."""
    decoder, wire = kind([(1, True), (1, False), (1, True), (1, True), (1, False)])
    behind = wire.messages[1][1]
    taken, _ = judged(decoder, wire, {behind - 1, behind})
    assert taken == set()


@pytest.mark.parametrize("kind", KINDS)
@given(pieces=pieces_of, data=st.data())
@settings(deadline=None)
def test_reads_of_whole_messages_are_taken_for_what_they_are(
    kind: Callable[[Pieces], tuple[StreamDecoder, Wire]], pieces: Pieces, data: st.DataObject
) -> None:
    """Reads that end with any piece: some are messages only, others have a heartbeat before or after them."""
    decoder, wire = kind(pieces)
    taken, were = judged(decoder, wire, {wire.edges[0], *data.draw(st.sets(st.sampled_from(wire.edges)))})
    assert taken == were


@pytest.mark.parametrize("kind", KINDS)
@given(size=sizes, shift=sizes)
@settings(deadline=None)
def test_reads_as_long_as_a_message_but_shifted_end_with_none(
    kind: Callable[[Pieces], tuple[StreamDecoder, Wire]], size: int, shift: int
) -> None:
    """A proxy that sends equal segments of equal messages: each read completes one message, and is as long as one."""
    decoder, wire = kind([(size, True)] * 6)
    last = wire.messages[-1]
    length = last[1] - last[0]
    first = wire.messages[1][0] + 1 + shift % (length - 1)
    taken, _ = judged(decoder, wire, set(range(first, len(wire.data), length)))
    assert {end for _, end in taken} <= {len(wire.data)}


message_sets = st.lists(st.integers(0, 5 * S), min_size=1, max_size=6).map(sorted)


@given(message_sets, st.integers(0, S))
def test_messages_of_one_read_count_as_having_been_as_long_on_the_way_as_its_last(
    published_ns: list[int], way_ns: int
) -> None:
    bodies = [msgspec.json.encode({"id": 1, "due_ns": at, "published_ns": at + S}) for at in published_ns]
    arrived_ns = published_ns[-1] + S + way_ns
    found = list(islice(arrivals([Message(body, 1) for body in bodies], arrived_ns), len(bodies)))
    assert found == [at + S + way_ns for at in published_ns]
    assert max(found) == arrived_ns


def test_what_nobody_asked_about_or_what_cannot_be_told_stays_so() -> None:
    two = [Message(b'{"id":1}', 1), Message(b"{", 1)]
    assert list(islice(arrivals(two, 0), 2)) == [0, 0]
    assert list(islice(arrivals(two, UNTOLD), 2)) == [UNTOLD, UNTOLD]
    assert list(islice(arrivals(two, 5), 2)) == [UNTOLD, UNTOLD], "a body that is no JSON"


# Which reads are asked


def drawn(draw: Draw, instants_ns: Iterator[int]) -> list[int]:
    """Return which of the reads at these instants, by number, are asked for their stamp."""
    found = []
    for number, at_ns in enumerate(instants_ns):
        draw.left -= 1
        if not draw.left:
            draw.again(at_ns)
            found.append(number)
    return found


def evenly(per_s: int, seconds: int) -> Iterator[int]:
    return (S + number * S // per_s for number in range(per_s * seconds))


@given(st.integers(1, 900), st.integers(0, 99))
@settings(deadline=None)
def test_every_read_is_asked_while_they_are_few(per_s: int, seed: int) -> None:
    assert len(drawn(Draw(1_000, seed), evenly(per_s, 3))) == 3 * per_s


@given(st.integers(2_000, 20_000), st.integers(0, 99))
@settings(deadline=None, max_examples=20)
def test_of_many_reads_about_as_many_are_asked_as_wanted(per_s: int, seed: int) -> None:
    numbers = drawn(Draw(1_000, seed), evenly(per_s, 4))
    after_a_second = [number for number in numbers if number >= per_s + 1]
    assert 0.5 * 3_000 < len(after_a_second) < 1.2 * 3_000


def test_every_place_in_a_broadcast_is_asked_as_often_as_any_other() -> None:
    """To 64 users in a burst, 50 times a second: a read that is asked every so often would meet the same users."""
    users, seconds = 64, 100
    burst = (S + number * S // 50 + user * 10_000 for number in range(50 * seconds) for user in range(users))
    places = Counter(number % users for number in drawn(Draw(400, 7), burst) if number > 50 * users)
    mean = sum(places.values()) / users
    assert len(places) == users
    # Six standard deviations of a count that is at most Poisson.
    assert max(abs(count - mean) for count in places.values()) < 6 * mean**0.5


def test_nothing_is_asked_where_the_platform_does_not_tell() -> None:
    draw = Draw(0, 1)
    assert draw.left == sys.maxsize
    assert drawn(draw, evenly(1_000, 2)) == []


# Real sockets


@dataclass
class Reads:
    """A connection whose reads are kept, and the server's end of it."""

    connection: Connection
    server: socket.socket
    kept: list[tuple[bytes, int, int]]

    def read(self, *pieces: bytes) -> tuple[bytes, int, int]:
        """Send pieces, and only then let the connection read; return (what, when, arrived) of the one read it takes."""
        self.kept.clear()
        for piece in pieces:
            self.server.sendall(piece)
        while not self.kept:
            gevent.sleep(0.001)
        assert len(self.kept) == 1
        return self.kept[0]

    def stamped(self, *pieces: bytes) -> tuple[int, int, int]:
        """Return (sent from, arrived, received) of pieces that are read together.

        The kernel begins to stamp some time after the first wish, and a test may be preempted between two clocks.
        """
        for _ in range(1000):
            sent_from_ns = now_ns()
            data, received_ns, arrived_ns = self.read(*pieces)
            assert data == b"".join(pieces)
            if arrived_ns:
                return sent_from_ns, arrived_ns, received_ns
        raise AssertionError("no read had a stamp")


@pytest.fixture
def reads() -> Iterator[Reads]:
    kept: list[tuple[bytes, int, int]] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = Connection("127.0.0.1", listener.getsockname()[1], lambda *read: kept.append(read))
        server = listener.accept()[0]
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with closing(connection), closing(server):
        yield Reads(connection, server, kept)


@linux_only
def test_a_read_says_when_the_kernel_had_it_not_when_we_came_round_to_it(reads: Reads) -> None:
    sent_from_ns, arrived_ns, received_ns = reads.stamped(b"message")
    assert sent_from_ns - 10_000 <= arrived_ns <= received_ns


@linux_only
def test_a_full_read_has_no_stamp_since_there_may_be_more_of_it(reads: Reads) -> None:
    reads.stamped(b"message")
    for _ in range(20):
        reads.kept.clear()
        reads.server.sendall(b"x" * READ_BYTES)
        while sum(len(data) for data, _, _ in reads.kept) < READ_BYTES:
            gevent.sleep(0.001)
        assert all(arrived_ns <= 0 for data, _, arrived_ns in reads.kept if len(data) == READ_BYTES)
        if any(len(data) == READ_BYTES for data, _, _ in reads.kept):
            return
    raise AssertionError("no read was full")


def test_a_server_that_closes_ends_the_wait(reads: Reads) -> None:
    reads.server.close()
    with pytest.raises(ConnectionResetError, match="closed the connection"):
        reads.connection.wait()


# Real users


class OneUser:
    """A user in a process of its own, and the server's end of its connection."""

    def __init__(self, process: "subprocess.Popen[str]", server: socket.socket) -> None:
        self._process = process
        self._server = server
        self._newest = 0

    def next_message(self) -> bytes:
        self._newest += 1
        return msgspec.json.encode({"id": self._newest, "due_ns": 1, "published_ns": 2, "content": "x" * 50})

    def asked(self) -> None:
        """Wait for its request."""
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += self._server.recv(4096)

    def send(self, data: bytes) -> dict[str, Any]:
        """Send, and return what the user says of the read that this becomes."""
        self._server.sendall(data)
        assert self._process.stdout is not None
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert told["bytes"] == len(data), "sent at once is not always read at once"
        return told


@contextmanager
def one_user(pattern: str) -> Iterator[OneUser]:
    script = Path(__file__).with_name("one_user.py")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        process = subprocess.Popen([sys.executable, str(script), pattern, str(port)], stdout=subprocess.PIPE, text=True)
        listener.settimeout(HANG_S)
        try:
            server = listener.accept()[0]
            server.settimeout(HANG_S)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with closing(server):
                yield OneUser(process, server)
        finally:
            process.kill()
            process.communicate()


def until_stamped(attempt: Callable[[], dict[str, Any]]) -> list[tuple[int, int, int]]:
    """Try until the deciding read has the kernel's stamp, as all but the first few have; return the rows it brought."""
    for _ in range(200):
        told = attempt()
        if told["stamped"]:
            return [tuple(row) for row in told["rows"]]
    raise AssertionError("no read had a stamp")


STREAMS: dict[str, Callable[[bytes], bytes]] = {
    "chunked": lambda body: chunk(body + b"\n"),
    "sse": lambda body: chunk(b"data: " + body + b"\n\n"),
}
HEARTBEATS = {"chunked": chunk(b"\n"), "sse": chunk(b":\n\n")}


@linux_only
@pytest.mark.parametrize("pattern", STREAMS)
def test_a_stream_gives_an_arrival_to_each_message_of_a_read_that_ends_with_one(pattern: str) -> None:
    framed = STREAMS[pattern]
    with one_user(pattern) as user:
        user.asked()
        user.send(STREAM_HEAD)

        sent_from_ns = now_ns()
        ((_, received_ns, arrived_ns),) = until_stamped(lambda: user.send(framed(user.next_message())))
        assert sent_from_ns - 10_000 <= arrived_ns <= received_ns

        sent_from_ns = now_ns()
        two = until_stamped(lambda: user.send(framed(user.next_message()) + framed(user.next_message())))
        assert all(sent_from_ns - 10_000 <= arrived_ns <= received_ns for _, received_ns, arrived_ns in two)

        behind = until_stamped(lambda: user.send(framed(user.next_message()) + HEARTBEATS[pattern]))
        assert [arrived_ns for _, _, arrived_ns in behind] == [UNTOLD]

        def in_two_segments() -> dict[str, Any]:
            wire = framed(user.next_message())
            assert user.send(wire[:40])["rows"] == []
            return user.send(wire[40:])

        sent_from_ns = now_ns()
        ((_, received_ns, arrived_ns),) = until_stamped(in_two_segments)
        assert sent_from_ns - 10_000 <= arrived_ns <= received_ns

        def behind_a_tail() -> dict[str, Any]:
            first, second = framed(user.next_message()), framed(user.next_message())
            user.send(first[:40])
            return user.send(first[40:] + second)

        sent_from_ns = now_ns()
        behind_it = until_stamped(behind_a_tail)
        assert all(sent_from_ns - 10_000 <= arrived_ns <= received_ns for _, received_ns, arrived_ns in behind_it)


@linux_only
def test_a_poll_gives_the_arrival_of_its_response_to_all_it_brought() -> None:
    def response(*bodies: bytes) -> bytes:
        body = b'{"messages":[%b]}' % b",".join(bodies)
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    with one_user("long_polling") as user:

        def whole() -> dict[str, Any]:
            user.asked()
            return user.send(response(user.next_message(), user.next_message()))

        sent_from_ns = now_ns()
        both = until_stamped(whole)
        assert len(both) == 2
        assert all(sent_from_ns - 10_000 <= arrived_ns <= received_ns for _, received_ns, arrived_ns in both)

        def in_pieces() -> dict[str, Any]:
            user.asked()
            wire = response(user.next_message())
            assert user.send(wire[:30])["rows"] == []
            return user.send(wire[30:])

        sent_from_ns = now_ns()
        ((_, received_ns, arrived_ns),) = until_stamped(in_pieces)
        assert sent_from_ns - 10_000 <= arrived_ns <= received_ns
