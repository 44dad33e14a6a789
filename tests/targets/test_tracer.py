"""The tracer survives whatever a server does to text, and nothing else is taken for one."""

import html
import json
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.targets.tracer import Scanner, mint

RUN = "0af3"
INSTANT = st.integers(0, 2**62)


@given(st.integers(1, 2**53), INSTANT, st.integers(0, 10**10))
def test_what_was_minted_is_found_whole(number: int, due_ns: int, late_ns: int) -> None:
    text = mint(RUN, number, due_ns, due_ns + late_ns)
    (found,) = Scanner(RUN).scan(b"before " + text.encode() + b" behind")
    assert found[:3] == (number, due_ns, due_ns + late_ns)


@pytest.mark.parametrize(
    "envelope",
    [
        lambda text: json.dumps({"data": json.dumps({"text": text})}),
        lambda text: html.escape(f"<b>{text}</b>"),
        lambda text: escape(f"<body>{text}</body>"),
        lambda text: quote(f"a b/{text}"),
        lambda text: quote_plus(f"a b&{text}"),
        lambda text: f'42["message","{text}"]',
        lambda text: f"id: 4\ndata: {text}\n\n",
    ],
)
def test_the_tracer_survives_every_escaping(envelope: object) -> None:
    text = mint(RUN, 7, 1_000, 1_234)
    (found,) = Scanner(RUN).scan(envelope(text).encode())  # type: ignore[operator]
    assert found[:3] == (7, 1_000, 1_234)


@given(st.binary(max_size=200))
def test_noise_is_never_a_message(noise: bytes) -> None:
    assert Scanner(RUN).scan(noise) == []


def test_a_message_that_is_shown_twice_is_one() -> None:
    text = mint(RUN, 7, 1_000, 1_000).encode()
    assert [found.id for found in Scanner(RUN).scan(text + b" " + text)] == [7]


def test_several_messages_are_found_in_order() -> None:
    texts = [mint(RUN, number, number * 10, number * 10).encode() for number in (3, 1, 2)]
    assert [found.id for found in Scanner(RUN).scan(b",".join(texts))] == [3, 1, 2]


def test_a_tracer_that_was_cut_is_none_and_never_a_smaller_number() -> None:
    text = mint(RUN, 123456, 1_000, 1_000).encode()
    for end in range(len(text)):
        assert Scanner(RUN).scan(text[:end]) == []


def test_what_an_earlier_run_left_is_not_taken() -> None:
    assert Scanner(RUN).scan(mint("ffff", 1, 1, 1).encode()) == []


def test_an_instant_beyond_64_bits_is_none() -> None:
    assert Scanner(RUN).scan(f"pb{RUN}.1.9999999999999999999.1.z".encode()) == []
