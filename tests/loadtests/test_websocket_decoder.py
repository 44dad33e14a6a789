"""A WebSocket as the load sees it: the handshake held against what was asked, frames by the rules, every code named."""

import base64
import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.protocols.events import Closed, Event, Head, Message, ProtocolError
from loadtests.protocols.websocket_decoder import WebSocketDecoder, client_frame, error_of, handshake
from loadtests.records.rows import ERRORS
from servers.patterns.websocket import text_frame
from servers.web.websocket_frames import MESSAGE_MAX_BYTES
from tests.loadtests.cuts import SINGLE, WHOLE, cuts, events_of, reads
from tests.websocket_cases import (
    BAD,
    CLOSE,
    GOOD,
    LIMIT_BYTES,
    PING,
    PONG,
    WIRE,
    Case,
    as_sent,
    close,
    frame,
    on_the_wire,
)

KEY = base64.b64encode(bytes(range(16)))
ACCEPT = base64.b64encode(hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
FIELDS = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {ACCEPT}")

payloads = st.one_of(st.text(max_size=200).map(str.encode), st.integers(126, 70_000).map(bytes))


def head(*fields: str) -> bytes:
    return "".join(f"{line}\r\n" for line in ("HTTP/1.1 101 Switching Protocols", *fields, "")).encode()


HEAD = head(*FIELDS)


def decoder(limit_bytes: int = MESSAGE_MAX_BYTES, subprotocols: Sequence[str] = ()) -> WebSocketDecoder:
    stream = WebSocketDecoder(handshake("h", "/", KEY, "", subprotocols), KEY, limit_bytes, subprotocols)
    stream.take_output()
    return stream


def outcome(stream: WebSocketDecoder, wire: bytes, lengths: Sequence[int]) -> tuple[list[Event], str]:
    """Return all events, also those in front of what is refused, and how it is refused."""
    events: list[Event] = []
    for piece in reads(wire, lengths):
        try:
            events += stream.receive(piece)
        except ProtocolError as wrong:
            return [*events, *wrong.events], str(wrong)
    return events, ""


def answer_to(opcode: int, payload: bytes) -> bytes:
    return client_frame(PONG, payload) if opcode == PING else client_frame(CLOSE, payload[:2])


# The handshake (RFC 6455 section 4.1)


def test_the_request_asks_for_a_websocket_and_for_what_is_offered() -> None:
    lines = handshake("[::1]:80", "/a?b", KEY, "Cookie: c\r\n", ["chat", "v2"]).decode().split("\r\n")
    assert lines[:2] == ["GET /a?b HTTP/1.1", "Host: [::1]:80"]
    assert set(lines[2:-2]) == {
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {KEY.decode()}",
        "Sec-WebSocket-Protocol: chat, v2",
        "Cookie: c",
    }
    assert lines[-2:] == ["", ""]


@pytest.mark.parametrize(
    "fields",
    [
        FIELDS,
        ("upgrade: WebSocket", "connection: keep-alive, upgrade", FIELDS[2]),
        ("UPGRADE: WEBSOCKET", "Connection: Upgrade,", FIELDS[2]),
        (*FIELDS, "Sec-WebSocket-Protocol: v2"),
        (*FIELDS, "Sec-WebSocket-Extensions:"),
        (*FIELDS, "Sec-WebSocket-Version: 13", "Date: today"),
    ],
)
@pytest.mark.parametrize("lengths", [WHOLE, SINGLE])
def test_a_good_answer_is_taken(fields: Sequence[str], lengths: Sequence[int]) -> None:
    assert events_of(decoder(subprotocols=["chat", "v2"]), head(*fields), lengths) == [Head(101)]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (FIELDS[:2], "did not prove"),
        ((*FIELDS[:2], f"Sec-WebSocket-Accept: {ACCEPT.lower()}"), "did not prove"),
        ((*FIELDS[:2], f"Sec-WebSocket-Accept: {base64.b64encode(bytes(20)).decode()}"), "did not prove"),
        ((*FIELDS[:2], f"Sec-WebSocket-Accept: {KEY.decode()}"), "did not prove"),
        (FIELDS[1:], "a change to '' instead of WebSocket"),
        (("Upgrade: h2c", *FIELDS[1:]), "a change to 'h2c'"),
        (("Upgrade: websocket2", *FIELDS[1:]), "a change to 'websocket2'"),
        (FIELDS[::2], "without Connection: Upgrade"),
        ((FIELDS[0], "Connection: keep-alive", FIELDS[2]), "without Connection: Upgrade"),
        ((FIELDS[0], "Connection: upgraded", FIELDS[2]), "without Connection: Upgrade"),
        ((*FIELDS, "Sec-WebSocket-Extensions: permessage-deflate"), "extension that was not asked for: 'permessage-"),
        ((*FIELDS, "Sec-WebSocket-Protocol: chat"), "subprotocol that was not asked for: 'chat'"),
    ],
)
@pytest.mark.parametrize("lengths", [WHOLE, SINGLE])
def test_an_answer_to_something_else_is_refused(fields: Sequence[str], words: str, lengths: Sequence[int]) -> None:
    events, wrong = outcome(decoder(), head(*fields) + frame(0x81, b"x"), lengths)
    assert words in wrong
    assert events == []


def test_a_subprotocol_other_than_those_offered_is_refused() -> None:
    with pytest.raises(ProtocolError, match="subprotocol that was not asked for"):
        decoder(subprotocols=["v2"]).receive(head(*FIELDS, "Sec-WebSocket-Protocol: v1"))


@pytest.mark.parametrize("lengths", [WHOLE, SINGLE])
def test_another_status_closes_and_its_body_is_no_message(lengths: Sequence[int]) -> None:
    wire = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 10\r\n\r\n\x81\x02{}\x81\x04more"
    assert events_of(decoder(), wire, lengths) == [
        Head(503, retry_after="7"),
        Closed("status", "the server answered 503"),
    ]


# Frames


@pytest.mark.parametrize("case", [*GOOD, *BAD], ids=lambda case: case.name)
@pytest.mark.parametrize("lengths", [WHOLE, SINGLE], ids=["whole", "byte by byte"])
def test_autobahns_cases_are_messages_answers_or_errors(case: Case, lengths: Sequence[int]) -> None:
    stream, wire = decoder(LIMIT_BYTES), as_sent(case, masked=False)
    if len(wire) > 5_000 and lengths is SINGLE:
        lengths = (1, 1, 1, 1, 1, 1, 1, 1, 4_001)
    events, wrong = outcome(stream, HEAD + wire, (len(HEAD), *lengths))
    assert [event.body for event in events if isinstance(event, Message)] == [
        payload for opcode, payload in case.read if opcode < CLOSE
    ]
    assert bool(wrong) == bool(case.code)
    answers = [answer_to(*one) for one in case.read if one[0] in {PING, CLOSE}]
    good_bye = answer_to(CLOSE, case.code.to_bytes(2, "big")) if case.code else b""
    assert stream.take_output() == b"".join(answers) + good_bye
    assert len([event for event in events if isinstance(event, Closed)]) == (CLOSE in dict(case.read))


@pytest.mark.parametrize("name", WIRE)
def test_a_length_that_no_server_may_write_is_refused_by_its_head(name: str) -> None:
    with pytest.raises(ProtocolError):
        decoder().receive(HEAD + on_the_wire(name, masked=False)[:10])


def test_a_masked_frame_of_a_server_is_refused() -> None:
    with pytest.raises(ProtocolError, match="a masked frame from a server"):
        decoder().receive(HEAD + frame(0x81, b"x", masked=True))


@given(st.lists(st.one_of(payloads, st.binary(max_size=125).map(lambda ping: [ping])), max_size=6), cuts)
def test_frames_come_out_message_by_message_pings_are_answered(
    wanted: list[bytes | list[bytes]], cut: list[int]
) -> None:
    stream = decoder()
    sent = [frame(0x89, one[0]) if isinstance(one, list) else frame(0x81, one) for one in wanted]
    cut = cut if sum(map(len, sent)) < 5_000 else [997]
    events = events_of(stream, HEAD + b"".join(sent), cut)
    texts = [Message(one, len(frame(0x81, one))) for one in wanted if isinstance(one, bytes)]
    assert events == [Head(101), *texts]
    assert stream.take_output() == b"".join(client_frame(PONG, one[0]) for one in wanted if isinstance(one, list))
    assert stream.at_rest


@given(st.lists(st.text(max_size=60).map(str.encode), min_size=2, max_size=5), cuts)
def test_a_message_in_fragments_with_a_ping_between_them_is_one_message(parts: list[bytes], cut: list[int]) -> None:
    opcodes = [0x01, *[0x00] * (len(parts) - 2), 0x80]
    frames = [frame(first, part) for first, part in zip(opcodes, parts, strict=True)]
    events = events_of(decoder(), HEAD + frame(0x89, b"p").join(frames), cut)
    assert events == [Head(101), Message(b"".join(parts), sum(map(len, frames)))]


MIXED = st.lists(
    st.tuples(st.sampled_from([0x81, 0x82, 0x01, 0x00, 0x80, 0x89, 0x88, 0xC1]), st.binary(max_size=150)), max_size=8
)


@given(sent=MIXED, tail=st.binary(max_size=20), lengths=cuts)
def test_any_split_gives_the_same_events_the_same_answers_and_the_same_end(
    sent: list[tuple[int, bytes]], tail: bytes, lengths: list[int]
) -> None:
    wire = HEAD + b"".join(frame(first, payload) for first, payload in sent) + tail
    whole, cut = decoder(300), decoder(300)
    assert outcome(cut, wire, lengths) == outcome(whole, wire, WHOLE)
    assert cut.take_output() == whole.take_output()


@given(payloads)
def test_the_servers_frames_are_those_of_the_rfc(payload: bytes) -> None:
    assert text_frame(payload) == frame(0x81, payload)


def test_a_long_message_in_many_reads_is_put_together_in_time_that_grows_with_its_length() -> None:
    body = b"x" * 8_000_000
    events = events_of(decoder(), HEAD + frame(0x81, body), (4_096,))
    assert events == [Head(101), Message(body, len(body) + 10)]


# Closes


@pytest.mark.parametrize(
    ("code", "error"),
    [
        *((code, "") for code in (0, 1000, 1001, 1012)),
        *((code, "protocol") for code in (1002, 1003, 1007, 1009, 1010)),
        *((code, "refused") for code in (1008, 1013, 3000, 4000, 4401, 4999)),
        *((code, "reset") for code in (1011, 1014)),
    ],
)
@pytest.mark.parametrize("lengths", [WHOLE, SINGLE])
def test_a_close_ends_the_stream_with_what_its_code_means(code: int, error: str, lengths: Sequence[int]) -> None:
    stream, payload = decoder(), close(code, b"why") if code else b""
    events = events_of(stream, HEAD + frame(0x88, payload) + frame(0x81, b"late"), lengths)
    assert events == [Head(101), Closed(error, "why" if code else "")]
    assert stream.take_output() == client_frame(CLOSE, payload[:2])


def test_every_code_is_a_known_error_or_a_clean_end() -> None:
    assert {error_of(code) for code in range(65_536)} <= set(ERRORS)


# What clients send


@given(st.binary(max_size=300) | st.sampled_from([125, 126, 65_535, 65_536]).map(bytes))
def test_a_clients_frame_is_masked_and_reads_as_it_was(payload: bytes) -> None:
    sent = client_frame(0x2, payload)
    plain = frame(0x82, payload)
    start = len(plain) - len(payload)
    assert sent == plain[:1] + bytes((plain[1] | 0x80,)) + plain[2:start] + bytes(4) + payload
