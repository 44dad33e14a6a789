"""What messages say: as long as was asked for, the same in every run, and as compressible as its kind promises."""

import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.feed.content import CONTENTS, contents
from servers.settings.options import ServerOptions


@given(st.sampled_from(CONTENTS), st.integers(0, 70_000), st.integers(0, 10_000))
def test_content_has_the_length_asked_for_and_is_the_same_every_time(kind: str, length: int, number: int) -> None:
    text = contents(kind, length)(number)
    assert (len(text), text.isascii()) == (length, True)
    assert contents(kind, length)(number) == text


def stream_ratio(kind: str, length: int = 400) -> float:
    """Return what is left of many messages that are compressed one after the other, each flushed."""
    text_of, deflate = contents(kind, length), zlib.compressobj()
    sent = [deflate.compress(text_of(n).encode()) + deflate.flush(zlib.Z_SYNC_FLUSH) for n in range(300)]
    return sum(map(len, sent)) / (300 * length)


def test_noise_stays_long_json_repeats_itself_and_the_same_again_is_next_to_nothing() -> None:
    assert stream_ratio("noise") > 0.7
    assert stream_ratio("json") < 0.4
    assert stream_ratio("same") < 0.1


def test_json_is_json_up_to_where_it_is_cut() -> None:
    text = contents("json", 1000)(7)
    prices = msgspec.json.decode(f"[{text[: text.rindex('},') + 1]}]")
    assert len(prices) > 10
    assert all(price["ask"] > price["bid"] for price in prices)


def test_a_kind_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="--content verse is out of range: it must be one of same, noise, json"):
        ServerOptions(content="verse")
