"""The rules of WebSocket frames, for both sides: Autobahn's list, read whole and byte by byte."""

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.web.websocket_frames import FrameError, FrameReader, frame, unmasked
from tests import websocket_cases
from tests.loadtests.cuts import SINGLE, WHOLE, cuts, reads
from tests.websocket_cases import BAD, GOOD, LIMIT_BYTES, MASK, WIRE, Case, as_sent, on_the_wire

Read = list[tuple[int, bytes]]
SIDES = pytest.mark.parametrize("masked", [False, True], ids=["from a server", "from a client"])
SPLITS = pytest.mark.parametrize("lengths", [WHOLE, SINGLE, (997,)], ids=["whole", "byte by byte", "in pieces"])


def outcome(pieces: Iterable[bytes], *, masked: bool, limit_bytes: int = LIMIT_BYTES) -> tuple[Read, int]:
    """Return what is read, and the code of what is refused behind it: 0 for nothing."""
    reader, read = FrameReader(masked=masked, limit_bytes=limit_bytes), []
    try:
        for piece in pieces:
            for opcode, payload, _ in reader.receive(piece):
                read.append((opcode, payload))
    except FrameError as wrong:
        assert list(reader.receive(b"\x81\x80\0\0\0\0" if masked else b"\x81\0")) == []
        return read, wrong.code
    return read, 0


@SIDES
@SPLITS
@pytest.mark.parametrize("case", [*GOOD, *BAD], ids=lambda case: case.name)
def test_autobahns_cases_are_read_or_refused_as_the_rfc_says(case: Case, masked: bool, lengths: Sequence[int]) -> None:
    wire = as_sent(case, masked=masked)
    if len(wire) > 5_000 and lengths is SINGLE:
        lengths = (1, 1, 1, 1, 1, 1, 1, 1, 4_001)
    assert outcome(reads(wire, lengths), masked=masked) == (case.read, case.code)


@SIDES
@pytest.mark.parametrize("name", WIRE)
def test_a_length_is_refused_before_its_payload_is_waited_for(name: str, masked: bool) -> None:
    wire = on_the_wire(name, masked=masked)
    for pieces in ([wire], reads(wire, SINGLE), [wire[:10]]):
        assert outcome(pieces, masked=masked) == ([], WIRE[name][3])


@SIDES
def test_the_other_sides_masking_is_refused(masked: bool) -> None:
    for first in (0x81, 0x89, 0x88):
        wrong = websocket_cases.frame(first, b"", masked=not masked)
        assert outcome(reads(wrong, SINGLE), masked=masked) == ([], 1002)


FRAMES = st.lists(
    st.tuples(
        st.sampled_from([0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A, 0x88, 0xC1, 0x83]),
        st.binary(max_size=200) | st.text(max_size=60).map(str.encode) | st.just(b"\x03\xe8"),
    ),
    max_size=8,
)


@SIDES
@given(sent=FRAMES, lengths=cuts)
def test_any_split_of_any_frames_reads_the_same(
    masked: bool, sent: list[tuple[int, bytes]], lengths: list[int]
) -> None:
    wire = as_sent(Case("", sent, []), masked=masked)
    assert outcome(reads(wire, lengths), masked=masked, limit_bytes=300) == outcome(
        [wire], masked=masked, limit_bytes=300
    )


@SIDES
@given(garbage=st.binary(max_size=300), lengths=cuts)
def test_any_split_of_any_bytes_reads_the_same(masked: bool, garbage: bytes, lengths: list[int]) -> None:
    assert outcome(reads(garbage, lengths), masked=masked) == outcome([garbage], masked=masked)


@given(st.binary(max_size=300) | st.sampled_from([125, 126, 65_535, 65_536]).map(bytes))
def test_frames_are_written_as_the_rfc_says(payload: bytes) -> None:
    assert frame(0x81, payload) == websocket_cases.frame(0x81, payload)
    assert outcome([frame(0x82, payload, 0x80)], masked=True) == ([(2, payload)], 0)


@given(st.binary(max_size=50))
def test_a_mask_comes_off_byte_by_byte(payload: bytes) -> None:
    assert unmasked(payload, MASK) == bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))


def test_fragments_without_end_keep_no_more_than_the_limit() -> None:
    reader = FrameReader(masked=False, limit_bytes=10_000)
    assert list(reader.receive(b"\x01\x00")) == []
    for _ in range(1_000):
        assert list(reader.receive(b"\x00\x00" * 100)) == []
    with pytest.raises(FrameError, match="more than 10000 bytes"):
        for _ in range(11):
            list(reader.receive(b"\x00\x7e\x03\xe8" + bytes(1_000)))
