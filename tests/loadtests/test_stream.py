"""A stream records the same whether it takes the short way or not, however the bytes were cut."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.protocols.events import ProtocolError, StreamDecoder
from loadtests.records.rows import DELIVERY, UNTOLD
from loadtests.users.connection import NoAnswer
from loadtests.users.inbox import Inbox
from loadtests.users.stream import Stream
from tests.loadtests.test_lone import PROTOCOLS, Protocol, protocols

Read = tuple[bytes, int]
"""What was read, and when the kernel says that it had it."""
S = 1_000_000_000


class Unhurried:
    """A decoder without a short way."""

    def __init__(self, decoder: StreamDecoder) -> None:
        self._decoder = decoder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decoder, name)

    def lone(self, data: bytes) -> None:  # noqa: ARG002
        return None


@dataclass
class Wire:
    """A connection on which all comes that a server has sent, and then no more."""

    reads: Sequence[Read]
    receive: Callable[[bytes, int, int], None] = print
    sent: list[bytes] = field(default_factory=list)
    deadline_ns: int = 0

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def wake(self) -> None: ...

    def wait(self) -> None:
        self.deadline_ns = 0  # by the clock until now
        for number, (data, arrived_ns) in enumerate(self.reads):
            self.receive(data, (number + 1) * S, arrived_ns)
        raise NoAnswer


def recorded(decoder: StreamDecoder | Unhurried, reads: Sequence[Read]) -> list[object]:
    """Return all that is left of a stream that brought these reads."""
    said: list[object] = []
    rows = bytearray()
    user: Any = SimpleNamespace(
        how=SimpleNamespace(follow=lambda _: decoder),
        ask=lambda: None,
        number=7,
        inbox=Inbox(7, rows),
        control=said.append,
    )
    stream, wire = Stream(user, None, 1), Wire(reads)
    wire.receive = stream.receive
    try:
        stream.follow(wire)  # type: ignore[arg-type]
    except (ProtocolError, NoAnswer) as wrong:
        said.append(str(wrong))
    counted = stream.messages, stream.bytes_in, stream.first_byte_ns, stream.closed
    return [bytes(rows), *said, *counted, user.inbox.cursor, wire.deadline_ns, wire.sent]


bodies = st.one_of(
    st.integers(1, 9).map(lambda number: msgspec.json.encode({"id": number, "due_ns": 8, "published_ns": 9})),
    st.just(b'{"type":"ahead"}'),
    st.just(b'{"id":0}'),
)
pieces_of = st.lists(st.tuples(bodies, st.sampled_from(["message"] * 4 + ["nothing"])), max_size=8)


@protocols
@given(pieces=pieces_of, data=st.data())
@settings(deadline=None)
def test_a_stream_leaves_the_same_behind_by_either_way(
    protocol: Protocol, pieces: list[tuple[bytes, str]], data: st.DataObject
) -> None:
    new, head, message, nothing = protocol
    wire, edges = head, [len(head)]
    for body, kind in pieces:
        wire += message(body) if kind == "message" else nothing(body)
        edges.append(len(wire))
    cuts = data.draw(st.sets(st.sampled_from(edges)) | st.sets(st.integers(0, len(wire))))
    stamps = data.draw(st.lists(st.sampled_from([0, UNTOLD, 5]), min_size=len(cuts) + 1, max_size=len(cuts) + 1))
    cut = pairwise(sorted({0, len(wire), *cuts}))
    reads = [(wire[begin:end], at_ns) for (begin, end), at_ns in zip(cut, stamps, strict=False)]
    assert recorded(new(), reads) == recorded(Unhurried(new()), reads)


@pytest.mark.parametrize("name", ["chunked", "sse", "websocket"])
def test_a_message_that_came_alone_has_the_stamp_of_its_read(name: str) -> None:
    new, head, message, _ = PROTOCOLS[name]
    body = b'{"id":3,"due_ns":1,"published_ns":2}'
    rows = recorded(new(), [(head, 5), (message(body), 5), (message(body), 6)])[0]
    assert isinstance(rows, bytes)
    assert [row[-1] for row in DELIVERY.iter_unpack(rows)] == [5, 6]
