"""Colours that stay, and labels that keep their distance."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from reports.charts.style import Look, spread
from servers.palette import KNOWN, SPARE


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast of two colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_a_pattern_has_the_same_colour_whoever_stands_beside_it() -> None:
    alone, together = Look.of({"sse": "SSE"}), Look.of({name: name for name in [*KNOWN, "seventh"]})
    assert alone.line("sse") == together.line("sse")


def test_a_new_pattern_gets_a_colour_of_its_own() -> None:
    look = Look.of({name: name for name in [*KNOWN, "seventh", "eighth"]})
    assert len({colour.line for colour in look.colours.values()}) == len(KNOWN) + 2


def test_lines_can_be_seen_and_text_can_be_read_on_white_and_on_dark() -> None:
    for colour in (*KNOWN.values(), *SPARE):
        assert contrast(colour.line, "#ffffff") >= 3
        assert contrast(colour.text, "#ffffff") >= 4.5
        assert contrast(colour.dark, "#14161a") >= 4.5


def test_colours_are_written_as_matplotlib_writes_them() -> None:
    # svg.py finds them by their text.
    used = [value for colour in (*KNOWN.values(), *SPARE) for value in (colour.line, colour.text)]
    assert all(re.fullmatch("#[0-9a-f]{6}", value) for value in used)
    assert len(set(used)) == len(used)


@given(st.lists(st.floats(-100, 100), max_size=12), st.floats(0.1, 10))
def test_labels_keep_their_order_and_their_distance(wanted: list[float], gap: float) -> None:
    placed = spread(wanted, gap)
    in_order = sorted(range(len(wanted)), key=lambda at: (wanted[at], at))
    for lower, upper in pairwise(in_order):
        assert placed[upper] - placed[lower] >= gap * 0.999


@given(st.lists(st.integers(-20, 20), unique=True, max_size=12))
def test_labels_with_room_stay_where_they_are_wanted(wanted: list[int]) -> None:
    assert spread([float(value) for value in wanted], 0.5) == [float(value) for value in wanted]
