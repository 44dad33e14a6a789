"""The load side's decoder: the same events however the bytes are cut, and the same as h2 reads from them."""

from collections.abc import Iterable
from contextlib import suppress

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, PushedStreamReceived, RequestReceived
from hpack import Encoder
from hyperframe.frame import (
    DataFrame,
    GoAwayFrame,
    PingFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.protocols.events import Closed, Event, Head, Message, ProtocolError, Refused
from loadtests.protocols.http2_responses import OPEN_PUSHES
from loadtests.protocols.push_decoder import PushDecoder
from tests.http2.h2_peer import texts

AUTHORITY = "127.0.0.1:8081"
REQUEST = [(":method", "GET"), (":scheme", "http"), (":authority", AUTHORITY)]
PUSHED_HEAD = [(":status", "200"), ("x-updates-mode", "pushed")]


class Server:
    """Our server's side of the wire, spoken by h2: everything it says is kept in `wire`."""

    def __init__(self, client: PushDecoder) -> None:
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.asked = self.h2.receive_data(client.take_output())
        self.wire = self.h2.data_to_send()

    def head(self, fields: list[tuple[str, str]], *, end: bool = False) -> None:
        self.h2.send_headers(1, fields, end_stream=end)
        self.wire += self.h2.data_to_send()

    def push(self, path: str, body: bytes, frame_bytes: int = 16_384, padding: int | None = None) -> None:
        stream_id = self.h2.get_next_available_stream_id()
        self.h2.push_stream(1, stream_id, [*REQUEST, (":path", path)])
        self.h2.send_headers(stream_id, [(":status", "200"), ("content-length", str(len(body)))])
        parts = [body[at : at + frame_bytes] for at in range(0, len(body), frame_bytes)] or [b""]
        for left, part in reversed(list(enumerate(reversed(parts)))):
            self.h2.send_data(stream_id, part, end_stream=left == 0, pad_length=padding)
        self.wire += self.h2.data_to_send()

    def data(self, data: bytes, *, end: bool = False) -> None:
        self.h2.send_data(1, data, end_stream=end)
        self.wire += self.h2.data_to_send()


def receive(client: PushDecoder, pieces: Iterable[bytes]) -> list[Event]:
    return [event for piece in pieces for event in client.receive(piece)]


def decoder(*, accept_push: bool = True) -> tuple[PushDecoder, Server]:
    client = PushDecoder(AUTHORITY, "/api/updates?last_id=7", accept_push=accept_push)
    return client, Server(client)


@st.composite
def sessions(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """Return the bytes of a whole session with pushes, and their bodies."""
    _, server = decoder()
    server.head(PUSHED_HEAD)
    bodies = draw(st.lists(st.binary(max_size=300), max_size=6))
    for number, body in enumerate(bodies):
        padding = draw(st.sampled_from([None, 0, 1, 30]))
        server.push(f"/api/messages/{number}", body, draw(st.integers(1, 400)), padding)
        if draw(st.booleans()):
            server.wire += PingFrame(opaque_data=b"12345678").serialize()
    server.head([("x-closed-reason", "bye")], end=True)
    return server.wire, bodies


@given(sessions(), st.data())
@settings(deadline=None)
def test_events_do_not_depend_on_how_the_bytes_are_cut(session: tuple[bytes, list[bytes]], data: st.DataObject) -> None:
    wire, bodies = session
    whole = receive(decoder()[0], [wire])
    assert [event.body for event in whole if isinstance(event, Message)] == bodies
    assert receive(decoder()[0], [wire[at : at + 1] for at in range(len(wire))]) == whole
    cut = data.draw(st.integers(0, len(wire)))
    assert receive(decoder()[0], [wire[:cut], wire[cut:]]) == whole


@given(sessions(), st.integers(1, 60))
@settings(deadline=None)
def test_a_tail_of_the_next_frame_waits_for_its_rest(session: tuple[bytes, list[bytes]], tail: int) -> None:
    wire, _ = session
    more = DataFrame(1, b"x" * 60).serialize()[:tail]
    with_tail = decoder()[0]
    assert receive(with_tail, [wire + more]) == receive(decoder()[0], [wire])


@given(sessions())
@settings(deadline=None)
def test_h2_reads_the_same_from_the_same_bytes(session: tuple[bytes, list[bytes]]) -> None:
    wire, bodies = session
    client, _ = decoder()
    oracle = H2Connection(H2Configuration(client_side=True))
    oracle.initiate_connection()
    oracle.send_headers(1, [*REQUEST, (":path", "/api/updates?last_id=7")], end_stream=True)
    oracle.increment_flow_control_window(2**30)
    events = oracle.receive_data(wire)
    ids = [event.pushed_stream_id for event in events if isinstance(event, PushedStreamReceived)]
    by_h2 = [
        b"".join(event.data for event in events if isinstance(event, DataReceived) and event.stream_id == one)
        for one in ids
    ]
    ours = [event for event in client.receive(wire) if isinstance(event, Message)]
    assert [event.body for event in ours] == by_h2 == bodies
    assert all(event.pushed for event in ours)


@given(st.lists(st.binary(max_size=60).map(lambda line: line.replace(b"\n", b" ")), max_size=6), st.integers(1, 50))
def test_inline_lines_are_messages_wherever_the_frames_are_cut(lines: list[bytes], frame_bytes: int) -> None:
    client, server = decoder(accept_push=False)
    server.head([(":status", "200"), ("x-updates-mode", "inline")])
    text = b"".join(line + b"\n" for line in lines)
    frames = [text[at : at + frame_bytes] for at in range(0, len(text), frame_bytes)]
    for part in frames:
        server.data(part)
    head, *messages = client.receive(server.wire)
    assert head == Head(200, "inline")
    bodies = [event.body for event in messages if isinstance(event, Message) and not event.pushed]
    assert bodies == lines
    # Every byte is counted once: with the message it ends.
    assert sum(event.wire_bytes for event in messages if isinstance(event, Message)) == len(text) + 9 * len(frames)


def test_a_push_is_billed_for_its_promise_its_head_and_its_content() -> None:
    client, server = decoder()
    server.head(PUSHED_HEAD)
    client.receive(server.wire)
    server.wire = b""
    server.push("/api/messages/1", b"x" * 100, frame_bytes=40)
    assert client.receive(server.wire) == [Message(b"x" * 100, len(server.wire), pushed=True)]


def test_the_request_is_what_a_server_expects() -> None:
    _, server = decoder()
    (request,) = [event for event in server.asked if isinstance(event, RequestReceived)]
    assert texts(request.headers) == {**dict(REQUEST), ":path": "/api/updates?last_id=7"}
    assert request.stream_ended is not None
    assert server.h2.remote_settings.enable_push == 1
    assert server.h2.remote_settings.max_concurrent_streams == OPEN_PUSHES
    assert server.h2.local_flow_control_window(1) == 2**31 - 1
    assert not decoder(accept_push=False)[1].h2.remote_settings.enable_push


def test_the_head_tells_mode_and_cursor() -> None:
    client, server = decoder()
    server.head([*PUSHED_HEAD, ("x-cursor", "gone"), ("x-first-id", "12")])
    assert client.receive(server.wire) == [Head(200, "pushed", "gone", 12)]


def test_an_early_hint_is_not_the_head() -> None:
    client, server = decoder()
    server.head([(":status", "103"), ("link", "</a>")])
    server.head(PUSHED_HEAD)
    assert client.receive(server.wire) == [Head(200, "pushed")]


def test_a_refusal_says_when_to_come_back() -> None:
    client, server = decoder()
    server.head([(":status", "429"), ("retry-after", "7")])
    assert client.receive(server.wire)[0] == Head(429, retry_after="7")


def test_an_error_status_closes_and_its_text_is_no_message() -> None:
    client, server = decoder()
    server.head([(":status", "400")])
    server.data(b'{"error":"x"}\n', end=True)
    assert client.receive(server.wire) == [Head(400), Closed("status", "the server answered 400")]


def test_the_trailer_says_why_the_stream_ends() -> None:
    client, server = decoder()
    server.head(PUSHED_HEAD)
    server.head([("x-closed-reason", "too slow")], end=True)
    assert client.receive(server.wire)[1:] == [Closed("", "too slow")]


def test_settings_and_pings_are_acknowledged() -> None:
    client, server = decoder()
    ping = PingFrame(opaque_data=b"pollping")
    client.receive(server.wire + ping.serialize() + PingFrame(opaque_data=b"12345678", flags=["ACK"]).serialize())
    answers = SettingsFrame(flags=["ACK"]).serialize() + PingFrame(opaque_data=b"pollping", flags=["ACK"]).serialize()
    assert client.take_output().startswith(answers[:9])
    assert client.take_output() == b""


def test_goaway_in_peace_lets_the_stream_end_and_an_error_ends_it() -> None:
    client, server = decoder()
    server.head(PUSHED_HEAD)
    server.wire += GoAwayFrame(last_stream_id=1).serialize()
    server.push("/api/messages/1", b"after")
    assert [type(event) for event in client.receive(server.wire)] == [Head, Message]
    calm = GoAwayFrame(last_stream_id=1, error_code=11, additional_data=b"calm").serialize()
    assert client.receive(calm) == [Closed("reset", "GOAWAY with code 11: calm")]


def test_goaway_before_our_request_was_seen_is_a_refusal() -> None:
    client, server = decoder()
    server.wire += GoAwayFrame(last_stream_id=0).serialize()
    assert client.receive(server.wire) == [Closed("refused", "GOAWAY before the request")]


@pytest.mark.parametrize(("code", "error"), [(7, "refused"), (8, "reset")])
def test_a_reset_of_our_stream_closes_it(code: int, error: str) -> None:
    client, server = decoder()
    events = client.receive(server.wire + RstStreamFrame(1, error_code=code).serialize())
    assert events == [Closed(error, f"RST_STREAM with code {code}")]


def test_pushes_that_will_not_arrive_are_counted() -> None:
    client, server = decoder()
    server.head(PUSHED_HEAD)
    stream_id = server.h2.get_next_available_stream_id()
    server.h2.push_stream(1, stream_id, [*REQUEST, (":path", "/a")])
    server.h2.reset_stream(stream_id)
    server.h2.push_stream(1, stream_id + 2, [*REQUEST, (":path", "/b")])
    server.h2.send_headers(stream_id + 2, [(":status", "404")], end_stream=True)
    assert client.receive(server.wire + server.h2.data_to_send())[1:] == [Refused(2), Refused(4)]


def test_more_pushes_at_once_than_allowed_are_refused_and_their_frames_ignored() -> None:
    client, server = decoder()
    server.head(PUSHED_HEAD)
    client.receive(server.wire)
    client.take_output()
    for number in range(OPEN_PUSHES + 1):
        server.h2.push_stream(1, 2 * number + 2, [*REQUEST, (":path", f"/{number}")])
    refused_id = 2 * OPEN_PUSHES + 2
    assert client.receive(server.h2.data_to_send()) == [Refused(refused_id)]
    assert client.take_output() == RstStreamFrame(refused_id, error_code=7).serialize()
    server.h2.send_headers(refused_id, [(":status", "200")])
    server.h2.send_data(refused_id, b"late", end_stream=True)
    assert client.receive(server.h2.data_to_send()) == []


def promise(fields: list[tuple[str, str]], promised_id: int = 2, stream_id: int = 1) -> bytes:
    frame = PushPromiseFrame(stream_id, promised_id, Encoder().encode(fields), flags=["END_HEADERS"])
    return frame.serialize()


GOOD = [*REQUEST, (":path", "/a")]


def test_a_push_to_a_client_that_refuses_pushes_is_an_error() -> None:
    client, server = decoder(accept_push=False)
    client.receive(server.wire)
    with pytest.raises(ProtocolError, match="ENABLE_PUSH"):
        client.receive(promise(GOOD))


@given(st.binary(max_size=200))
def test_garbage_is_an_error_or_nothing(garbage: bytes) -> None:
    client, server = decoder()
    client.receive(server.wire)
    with suppress(ProtocolError):
        client.receive(garbage)


def test_blocks_that_change_the_table_are_decoded_by_every_connection_for_itself() -> None:
    """Two connections whose tables differ are sent equal blocks that say different things."""
    clients = [decoder() for _ in range(2)]
    for number, (client, server) in enumerate(clients):
        server.head([*PUSHED_HEAD, ("x-cursor", ["gone", "ahead"][number])])
        assert client.receive(server.wire) == [Head(200, "pushed", ["gone", "ahead"][number])]
        server.wire = b""
        server.h2.send_headers(1, [("x-closed-reason", "a"), ("x-cursor", ["gone", "ahead"][number])], end_stream=True)
        assert client.receive(server.h2.data_to_send()) == [Closed("", "a")]
