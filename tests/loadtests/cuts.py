"""How bytes may arrive: whole, one by one, or cut anywhere. What a decoder says must not depend on it."""

from collections.abc import Sequence

from hypothesis import strategies as st

from loadtests.protocols.events import Event, StreamDecoder

WHOLE: Sequence[int] = (1 << 30,)
SINGLE: Sequence[int] = (1,)

cuts = st.one_of(
    st.just(WHOLE), st.just(SINGLE), st.lists(st.integers(min_value=1, max_value=90), min_size=1, max_size=20)
)
"""Lengths of successive reads, repeated for as long as there are bytes."""


def reads(data: bytes, lengths: Sequence[int]) -> list[bytes]:
    """Cut bytes into reads of these lengths, over and over."""
    pieces, at, turn = [], 0, 0
    while at < len(data):
        pieces.append(data[at : at + lengths[turn % len(lengths)]])
        at += len(pieces[-1])
        turn += 1
    return pieces


def events_of(decoder: StreamDecoder, data: bytes, lengths: Sequence[int]) -> list[Event]:
    return [event for piece in reads(data, lengths) for event in decoder.receive(piece)]
