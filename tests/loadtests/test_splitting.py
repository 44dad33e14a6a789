"""What a client of any pattern hears does not depend on where reads end: a real conversation, cut anywhere.

A pattern gets this test by having a file.
"""

import socket
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given

from loadtests import patterns
from loadtests.protocols.asking import Ask
from loadtests.protocols.events import Event, Message, StreamDecoder
from servers.feed.message import decode_stamp
from servers.patterns import facts
from tests.loadtests.cuts import WHOLE, cuts, events_of
from tests.server_process import HANG_S, ServerProcess, serving

CONTENTS = ["x", "x" * 60, "\u20ac \n\r\n\r\n data: id: 1", "y" * 200, "z" * 70_000]
AHEAD = 1_000_000
"""A cursor from the future: what the server says of that is part of the conversation."""


def following(pattern: str) -> StreamDecoder:
    ask = Ask(netloc="h", path=facts(pattern).path, random_bytes=bytes, cursor=AHEAD, one_per_response=True)
    return patterns.load(pattern).follow(ask)


def turns(pattern: str, server: ServerProcess) -> list[bytes]:
    """Return what a server says until its newest message is there, each time that it is said something."""
    newest, said = server.stats()["newest_id"], [b""]
    decoder = following(pattern)
    port = server.http2_port if facts(pattern).http2 else server.port
    with socket.create_connection(("127.0.0.1", port or 0), HANG_S) as sock:
        sock.sendall(decoder.take_output())
        while newest not in heard(events := decoder.receive(data := sock.recv(65_536))):
            said[-1] += data
            if output := decoder.take_output():
                sock.sendall(output)
                said.append(b"")
        assert data, events
    said[-1] += data
    return said


def heard(events: Sequence[Event]) -> list[int]:
    return [decode_stamp(event.body).id for event in events if isinstance(event, Message)]


@pytest.fixture(scope="module")
def spoken() -> Iterator[dict[str, list[bytes]]]:
    with serving("--heartbeat", "0.2") as server:
        for content in CONTENTS:
            server.post(content)
        yield {pattern: turns(pattern, server) for pattern in patterns.names()}


def told(pattern: str, said: Sequence[bytes], lengths: Sequence[int]) -> list[object]:
    """Return the events of a conversation; which of its messages framing is counted with may depend on the reads."""
    decoder = following(pattern)
    events = [event for turn in said for event in events_of(decoder, turn, lengths)]
    return [event.body if isinstance(event, Message) else event for event in events]


@pytest.mark.parametrize("pattern", patterns.names())
@given(lengths=cuts)
def test_what_is_heard_is_the_same_however_it_is_cut(
    pattern: str, spoken: dict[str, list[bytes]], lengths: Sequence[int]
) -> None:
    whole = told(pattern, spoken[pattern], WHOLE)
    assert len([body for body in whole if isinstance(body, bytes) and b'"id":' in body]) == len(CONTENTS)
    assert told(pattern, spoken[pattern], lengths) == whole
