"""Bytes on the wire: the formulas against what the servers themselves write, whatever is published."""

import asyncio
from itertools import groupby
from typing import cast

import numpy as np
import pytest
from hyperframe.frame import PingFrame
from hypothesis import example, given, settings
from hypothesis import strategies as st

import servers.feed.message
from loadtests.protocols.events import Message
from loadtests.protocols.push_decoder import PushDecoder
from loadtests.protocols.stream_decoders import LinesDecoder, SseDecoder
from loadtests.protocols.websocket_decoder import client_frame
from reports.model.tls_record import connected
from reports.theory.oracles.framing import body_bytes, in_records
from reports.theory.patterns import NO_FILE, theory_of, why_none
from reports.theory.patterns.http2_push import FIRST_PUSH_BYTES
from servers import patterns
from servers.feed.message import encode
from servers.http2.h2_server import ServerH2
from servers.http2.limits import DEFAULT_LIMITS
from servers.http2.promise import PushedResponse
from servers.http2.sender import Sender
from servers.patterns import chunked, sse
from servers.web.streams import Framing
from servers.web.unread import Unread
from servers.web.websocket_frames import PONG

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

instants_st = st.integers(1, 10**18 - 1)
messages_st = st.lists(
    st.tuples(instants_st, instants_st, st.integers(0, 3)), min_size=1, max_size=12
)  # due, published, and how many wake-ups later than the message before
STAMP = "2026-11-24T08:00:00.000000Z"
FRAMINGS: dict[str, Framing] = {
    name: vars(patterns.load(name))["FRAMING"] for name in patterns.names() if "FRAMING" in vars(patterns.load(name))
}
"""Of the streams whose server says how it frames a message, the sevenths too."""
SEALING, _, SEALED = connected()


def sealed_bytes(written: bytes) -> int:
    """Return what a real TLS connection makes of one write; its session tickets are left out."""
    SEALED.read()
    SEALING.write(written)
    return len(SEALED.read())


def published(drawn: list[tuple[int, int, int]], first_id: int, content_bytes: int) -> tuple[list[bytes], np.ndarray]:
    """Return real bodies, and the number of the wake-up each was written in."""
    bodies = [
        encode(servers.feed.message.Message(first_id + n, due_ns, published_ns, STAMP, "x" * content_bytes))
        for n, (due_ns, published_ns, _) in enumerate(drawn)
    ]
    return bodies, np.cumsum([later for _, _, later in drawn])


@given(messages_st, st.integers(1, 10**9), st.integers(0, 70_000))
def test_the_length_of_a_body_follows_from_its_numbers(
    drawn: list[tuple[int, int, int]], first_id: int, content_bytes: int
) -> None:
    bodies, _ = published(drawn, first_id, content_bytes)
    ids = np.arange(first_id, first_id + len(drawn))
    due_ns, published_ns = (np.array([each[at] for each in drawn]) for at in (0, 1))
    assert body_bytes(ids, due_ns, published_ns, content_bytes).tolist() == [len(body) for body in bodies]


def framed_bytes(pattern: str, ids: np.ndarray, bodies: np.ndarray, wakes: np.ndarray) -> np.ndarray:
    theory = theory_of(pattern)
    assert theory is not None
    return np.asarray(theory.framed(ids, bodies, wakes), float)


@pytest.mark.parametrize("pattern", [name for name in FRAMINGS if theory_of(name)])
@given(drawn=messages_st, first_id=st.integers(1, 10**9), content_bytes=st.sampled_from([0, 1, 20, 200, 65_536]))
def test_framing_is_what_a_stream_writes_for_each_wake_up(
    pattern: str, drawn: list[tuple[int, int, int]], first_id: int, content_bytes: int
) -> None:
    framing = FRAMINGS[pattern]
    bodies, wakes = published(drawn, first_id, content_bytes)
    sizes = framed_bytes(pattern, np.arange(first_id, first_id + len(drawn)), np.array([*map(len, bodies)]), wakes)
    for wake, together in groupby(range(len(bodies)), key=lambda n: wakes[n]):
        members = list(together)
        wire = framing.wire(b"".join(framing.message(bodies[n]) for n in members))
        assert sizes[wakes == wake].sum() == pytest.approx(len(wire))


@pytest.mark.parametrize("pattern", [name for name in FRAMINGS if theory_of(name)])
def test_a_heartbeat_is_as_long_as_the_server_writes_it_and_the_client_answers(pattern: str) -> None:
    theory = theory_of(pattern)
    assert theory is not None
    written = FRAMINGS[pattern].wire(FRAMINGS[pattern].heartbeat())
    answer = client_frame(PONG, b"") if theory.heartbeats.asked else b""
    assert theory.heartbeats.length_bytes == theory.heartbeats.wire_bytes(sealed=False) == len(written) + len(answer)
    assert theory.heartbeats.wire_bytes(sealed=True) == sum(map(sealed_bytes, filter(None, (written, answer))))


def test_http2_is_pinged_as_often_as_the_server_does_it() -> None:
    theory = theory_of("http2_push")
    assert theory is not None
    assert theory.heartbeats.every_s == DEFAULT_LIMITS.ping_every_s
    assert theory.heartbeats.length_bytes == 2 * len(PingFrame(opaque_data=bytes(8)).serialize())


@given(st.lists(st.tuples(st.integers(1, 40_000), st.integers(0, 1)), min_size=1, max_size=8))
@example([(16_384, 1), (16_385, 1), (16_384, 1), (1, 0)])
def test_records_are_as_long_as_tls_makes_them_of_each_write(drawn: list[tuple[int, int]]) -> None:
    lengths, wakes = (np.array(each) for each in zip(*drawn, strict=True))
    wakes = wakes.cumsum()
    sealed = in_records(lengths, wakes)
    for wake in np.unique(wakes):
        written = bytes(lengths[wakes == wake].sum())
        assert sealed[wakes == wake].sum() == pytest.approx(sealed_bytes(written))


@given(messages_st, st.integers(1, 10**9))
def test_framing_is_what_the_load_side_counts(drawn: list[tuple[int, int, int]], first_id: int) -> None:
    bodies, wakes = published(drawn, first_id, 100)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    for pattern, framing, decoder in (("chunked", chunked.FRAMING, LinesDecoder), ("sse", sse.FRAMING, SseDecoder)):
        reader = decoder(b"")
        events = reader.receive(head)[1:]
        for _, together in groupby(range(len(bodies)), key=lambda n: wakes[n]):
            events += reader.receive(framing.wire(b"".join(framing.message(bodies[n]) for n in together)))
        ids, lengths = np.arange(first_id, first_id + len(drawn)), np.array([*map(len, bodies)])
        counted = sum(event.wire_bytes for event in events if isinstance(event, Message))
        assert framed_bytes(pattern, ids, lengths, wakes).sum() == pytest.approx(counted)


class Kept:
    """As much of a transport as pushes need."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, _name: str) -> None:
        return None


@given(st.integers(1, 2_000), st.integers(0, 40_000), st.integers(1024, 65_535))
def test_a_push_is_what_the_server_sends_and_the_first_of_a_connection_a_little_more(
    first_id: int, content_bytes: int, port: int
) -> None:
    """A port's digits cost five or six bits each, so the authority is known to a byte."""
    bodies, wakes = published([(10**15, 10**15, 1)] * 4, first_id, content_bytes)
    sizes = framed_bytes("http2_push", np.arange(first_id, first_id + 4), np.array([*map(len, bodies)]), wakes)
    authority = f"127.0.0.1:{port}"
    server = ServerH2(DEFAULT_LIMITS)
    server.start(DEFAULT_LIMITS)
    server.receive_data(PushDecoder(authority, "/api/updates").take_output())
    server.send_headers(1, [(b":status", b"200"), (b"content-type", b"application/json")])
    kept = Kept()
    sender = Sender(server, DEFAULT_LIMITS, lambda _: None, Unread(0))
    sender.connected(cast(asyncio.Transport, kept))
    sender.flush()
    request = ((b":method", b"GET"), (b":scheme", b"http"), (b":authority", authority.encode()))
    fields = ((b":status", b"200"), (b"content-type", b"application/json"))
    lengths = []
    for n, body in enumerate(bodies):
        kept.data = b""
        sender.push(1, request, [PushedResponse(b"/api/messages/%d" % (first_id + n), fields, body)])
        lengths.append(len(kept.data))
    assert sizes[1:].tolist() == lengths[1:]
    assert abs(sizes[0] - lengths[0]) <= 1
    assert FIRST_PUSH_BYTES > 5


@pytest.mark.parametrize("pattern", patterns.names())
def test_a_pattern_has_a_theory_or_a_file_that_says_why_not(pattern: str) -> None:
    assert bool(theory_of(pattern)) != bool(why_none(pattern))
    assert why_none(pattern) != NO_FILE
