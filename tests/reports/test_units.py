"""Numbers as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.basics.units import counted, grouped, listed, number, percent, quantity, times

NNBSP = "\N{NARROW NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0421, "0.042"),
        (0.4217, "0.422"),
        (0.9996, "1.00"),
        (4.217, "4.22"),
        (42.17, "42.2"),
        (421.7, "422"),
        (1180.4, "1,180"),
        (-4.217, "-4.22"),
        (float("nan"), "\N{EN DASH}"),
    ],
)
def test_a_number_keeps_its_significant_digits_and_all_before_the_point(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.42, "ms", "0.42 ms"),
        (12.3, "ms", "12 ms"),
        (1234, "ms", "1.2 s"),
        (90_000, "ms", "1.5 min"),
        (340, "B", "340 B"),
        (14_200, "B", "14 kB"),
        (3.2e6, "B", "3.2 MB"),
        (0.5, "%", "50 %"),
        (7, "", "7.0"),
        (float("nan"), "ms", "\N{EN DASH}"),
    ],
)
def test_a_quantity_takes_the_unit_that_reads_best(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text.replace(" ", NNBSP)


@pytest.mark.parametrize(
    ("ratio", "text"), [(0, "0 %"), (1e-6, "< 0.01 %"), (0.034, "3.4 %"), (0.999999, "> 99.9 %"), (1, "100 %")]
)
def test_a_share_is_never_none_or_all_unless_it_is(ratio: float, text: str) -> None:
    assert percent(ratio) == text.replace(" ", NNBSP)


@given(st.floats(min_value=1e-3, max_value=1e9))
def test_a_printed_number_is_near_what_it_stands_for(value: float) -> None:
    assert float(number(value).replace(",", "")) == pytest.approx(value, rel=0.06)


def test_words_agree_with_their_numbers() -> None:
    assert [counted(n, "cell") for n in (0, 1, 1200)] == ["0 cells", "1 cell", "1,200 cells"]
    assert counted(2, "delivery", "deliveries") == "2 deliveries"
    assert [listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
    assert times(681.2) == f"681{NNBSP}\N{MULTIPLICATION SIGN}"


def test_a_group_is_named_as_shortly_as_can_be() -> None:
    everyone = ["a", "b", "c", "d"]
    assert grouped(everyone, everyone) == "all 4 patterns"
    assert grouped(["a", "c", "d"], everyone) == "all but b"
    assert grouped(["c", "a"], everyone) == "a and c"
    assert grouped(["a"], ["a"]) == "a"
