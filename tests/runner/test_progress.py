"""What people see while a run goes on."""

import io

import msgspec
import pytest
from rich.console import Console

from loadtests.runs.progress import Bar, TurnsBar, duration, learned_s
from loadtests.scenario.plan import Plan
from loadtests.scenario.scenarios import SCENARIOS

CELLS = Plan(SCENARIOS["feed"], ("sse", "chunked"), 1).cells()


def shown(terminal: bool) -> tuple[Bar, io.StringIO]:
    text = io.StringIO()
    return Bar(Console(file=text, force_terminal=terminal, width=200), CELLS), text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (8.4, "8 s"), (59.6, "1 min 00 s"), (160, "2 min 40 s"), (3600, "1 h 00 min"), (11_100, "3 h 05 min")],
)
def test_durations_are_written_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_terminal_shows_count_cell_and_time_left() -> None:
    bar, text = shown(terminal=True)
    with bar:
        bar.starts(CELLS[0])
        bar.ended(CELLS[0].unmeasured("SSE"))
        bar.starts(CELLS[1])
        bar.tick()
    assert "1/2" in text.getvalue()
    assert "feed-50-chunked-1" in text.getvalue()
    assert f"{duration(CELLS[1].expected_s)} left" in text.getvalue()


def test_a_terminal_shows_the_board_of_what_has_ended_above_the_bar() -> None:
    text = io.StringIO()
    board = iter(["after one", "after two"])
    bar = Bar(Console(file=text, force_terminal=True, width=200), CELLS, lambda _cell: next(board))
    with bar:
        bar.starts(CELLS[0])
        bar.ended(CELLS[0].unmeasured("SSE"))
        bar.tick()
    assert "after one" in text.getvalue()
    assert "after two" not in text.getvalue()


def test_a_pipe_gets_one_plain_line_per_cell() -> None:
    bar, text = shown(terminal=False)
    with bar:
        for planned in CELLS:
            bar.starts(planned)
            bar.tick()
            bar.ended(planned.unmeasured("SSE"))
    assert text.getvalue() == "1/2 feed-50-sse-1\n2/2 feed-50-chunked-1\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_problems_are_shown_as_they_happen_and_as_they_are(terminal: bool) -> None:
    bar, text = shown(terminal)
    cell = CELLS[0].unmeasured("SSE")
    with bar:
        bar.starts(CELLS[0])
        bar.ended(msgspec.structs.replace(cell, problems=["[Errno 9] no"]))
    assert "failed" in text.getvalue()
    assert "[Errno 9] no" in text.getvalue()


@pytest.mark.parametrize(
    ("took_s", "ended", "in_this_s", "to_do", "left_s"),
    [(10, 2, 0, 8, 40), (10, 2, 3, 8, 37), (10, 2, 60, 8, 35), (10, 2, 60, 1, 0)],
)
def test_time_left_is_learned_from_what_has_ended(
    took_s: float, ended: int, in_this_s: float, to_do: int, left_s: float
) -> None:
    assert learned_s(took_s, ended, in_this_s, to_do) == left_s


def test_turns_are_counted_and_a_failed_one_is_told_as_it_happens() -> None:
    text = io.StringIO()
    with TurnsBar(Console(file=text, width=200), 3) as bar:
        for name, problem in (("caching off-1", ""), ("caching on-1", "[Errno 9] no"), ("caching off-2", "")):
            bar.starts(name)
            bar.ended(problem)
    told = text.getvalue().splitlines()
    assert told == ["1/3 caching off-1", "failed caching on-1: [Errno 9] no", "3/3 caching off-2"]


def test_a_terminal_shows_which_turn_it_is_and_what_is_left_once_one_has_ended() -> None:
    text = io.StringIO()
    with TurnsBar(Console(file=text, force_terminal=True, width=200), 2) as bar:
        bar.starts("caching off-1")
        bar.ended()
        bar.starts("caching on-1")
    assert "1/2" in text.getvalue()
    assert "caching on-1" in text.getvalue()
    assert "left" in text.getvalue()
