"""What clients ask for, read strictly: the field at fault is always named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.feed.message import MAX_ID
from servers.web.query import (
    BadFieldError,
    PollQuery,
    parse_cursor,
    parse_fields,
    parse_last_id,
    parse_number,
    parse_poll,
)


@given(st.integers(0, MAX_ID))
def test_every_id_that_can_be_is_a_cursor(last_id: int) -> None:
    assert parse_cursor(str(last_id)) == last_id


@given(st.integers(min_value=MAX_ID + 1) | st.integers(max_value=-1))
def test_no_other_number_is(last_id: int) -> None:
    with pytest.raises(BadFieldError, match="last_id"):
        parse_cursor(str(last_id))


@given(st.text().filter(lambda text: not (text.isascii() and text.isdigit())))
def test_nor_any_other_text(text: str) -> None:
    with pytest.raises(BadFieldError, match="last_id"):
        parse_cursor(text)


@pytest.mark.parametrize("text", ["²", "٣", "1_000", "+5", " 5", "0x1", "1" * 5000])
def test_what_python_would_take_for_a_number_is_not_taken(text: str) -> None:
    with pytest.raises(BadFieldError):
        parse_cursor(text)


@pytest.mark.parametrize(
    ("target", "query"),
    [
        ("/api/poll", PollQuery(0, None)),
        ("/api/poll?", PollQuery(0, None)),
        ("/api/poll?last_id=7", PollQuery(7, None)),
        ("/api/poll?timeout=2.5&last_id=7", PollQuery(7, 2.5)),
        ("/api/poll?last_id=%37&cache_buster=1", PollQuery(7, None)),
        ("http://host/api/poll?last_id=7", PollQuery(7, None)),
        ("/api/poll?last_id=7&limit=1", PollQuery(7, None, 1)),
    ],
)
def test_a_target_says_cursor_timeout_and_limit(target: str, query: PollQuery) -> None:
    assert parse_poll(target) == query
    assert parse_last_id(target) == query.last_id


def test_a_name_given_twice_is_refused_because_nobody_knows_which_was_meant() -> None:
    with pytest.raises(BadFieldError) as refused:
        parse_fields("last_id=1&x=2&last_id=1")
    assert refused.value.field == "last_id"


def test_a_query_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(BadFieldError) as refused:
        parse_fields("content=%ff")
    assert refused.value.field == "query"


@given(st.text() | st.floats().map(str), st.floats(0, 10), st.floats(10, 20))
def test_a_number_lies_between_its_bounds_or_is_refused(text: str, low: float, high: float) -> None:
    try:
        assert low <= parse_number(text, "timeout", low, high) <= high
    except BadFieldError as refused:
        assert refused.field == "timeout"
