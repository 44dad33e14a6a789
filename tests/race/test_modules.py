"""The parts of the page that decide without network, run where they live: in a browser."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.async_api import Page

from servers import palette, patterns
from tests.race.browser import Stage
from tests.race.scripted import PAGES, Says, scripted

MODULES = sorted(PAGES.glob("*.js"))
UNHURRIED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Modules:
    """A page that has loaded nothing but may import the race's modules."""

    def __init__(self, chromium: Stage, page: Page) -> None:
        self._chromium = chromium
        self._page = page

    def run(self, script: str, argument: Any = None) -> Any:
        """Run an async JavaScript function of one argument in the page."""
        return self._chromium.run(self._page.evaluate(f"async (given) => {{ {script} }}", argument))


@asynccontextmanager
async def opened(chromium: Stage) -> AsyncIterator[Page]:
    async with scripted(Says()) as script, chromium.page(f"http://127.0.0.1:{script.port}/") as page:
        yield page


@pytest.fixture(scope="module")
def modules(chromium: Stage) -> Iterator[Modules]:
    opening = opened(chromium)
    yield Modules(chromium, chromium.run(opening.__aenter__()))
    chromium.run(opening.__aexit__(None, None, None))


LINES = """
const { JsonLines } = await import("/race/json_lines.js");
const bytes = new TextEncoder().encode(given.text);
const lines = new JsonLines();
const cuts = [0, ...given.cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
return cuts.slice(1).flatMap((cut, nth) => lines.feed(bytes.slice(cuts[nth], cut)));
"""


ENDS = """
const { Ends } = await import("/race/guest.js");
const ends = new Ends(given.events);
const cuts = [0, ...given.cuts.map((cut) => cut % (given.text.length + 1)).sort((a, b) => a - b), given.text.length];
return cuts.slice(1).reduce((sum, cut, nth) => sum + ends.in(given.text.slice(cuts[nth], cut)), 0);
"""


@given(
    events=st.lists(st.lists(st.sampled_from(["data: x", "data", ": remark", "id: 1", "event: e"]), max_size=4)),
    end=st.sampled_from(["\n", "\r\n"]),
    cuts=st.lists(st.integers(0, 10**6), max_size=8),
)
@UNHURRIED
def test_events_of_others_are_counted_alike_however_the_chunks_are_cut(
    modules: Modules, events: list[list[str]], end: str, cuts: list[int]
) -> None:
    text = "".join(line + end for event in events for line in [*event, ""])
    with_data = sum(any(line.startswith("data") for line in event) for event in events)
    assert modules.run(ENDS, {"text": text, "events": True, "cuts": cuts}) == with_data
    filled = sum(len(event) for event in events)
    assert modules.run(ENDS, {"text": text, "events": False, "cuts": cuts}) == filled


@given(
    values=st.lists(st.dictionaries(st.text(max_size=4), st.text(max_size=6) | st.integers(-9, 9), max_size=3)),
    cuts=st.lists(st.integers(0, 10**6), max_size=12),
)
@UNHURRIED
def test_json_lines_are_the_same_however_the_chunks_are_cut(
    modules: Modules, values: list[dict[str, Any]], cuts: list[int]
) -> None:
    text = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)
    assert modules.run(LINES, {"text": text, "cuts": cuts}) == values


def test_json_lines_cut_at_every_byte_of_every_character_are_the_same(modules: Modules) -> None:
    value = {"content": "zażółć 🏁 \u2028"}
    text = json.dumps(value, ensure_ascii=False) + "\n"
    assert modules.run(LINES, {"text": text, "cuts": list(range(len(text.encode())))}) == [value]


def test_json_lines_refuse_a_line_without_end_and_bytes_that_are_no_text(modules: Modules) -> None:
    script = """
    const { JsonLines } = await import("/race/json_lines.js");
    const said = [];
    for (const bytes of [new TextEncoder().encode("x".repeat(20)), Uint8Array.of(0xff, 0x0a)]) {
      try { new JsonLines(10).feed(bytes); said.push("taken"); } catch (problem) { said.push(problem.message); }
    }
    return said;
    """
    too_long, no_text = modules.run(script)
    assert too_long == "a line is longer than 10 characters"
    assert no_text != "taken"


@given(
    truth=st.floats(-1e9, 1e9),
    exchanges=st.lists(st.tuples(st.floats(0, 1e6), st.floats(0.01, 50), st.floats(0.01, 50)), min_size=1, max_size=70),
)
@UNHURRIED
def test_the_clock_offset_is_never_further_off_than_its_bound(
    modules: Modules, truth: float, exchanges: list[tuple[float, float, float]]
) -> None:
    script = """
    const { Offset } = await import("/race/clock.js");
    const offset = new Offset(0.005);
    return given.map((exchange) => { offset.add(...exchange); return [offset.offsetMs, offset.errorMs]; });
    """
    asked = [(sent, sent + there + truth, sent + there + back) for sent, there, back in exchanges]
    narrowed = modules.run(script, asked)
    for (estimate, bound), _ in zip(narrowed, exchanges, strict=True):
        assert abs(estimate - truth) <= bound + 1e-5  # doubles of 1e9 ms are 1e-7 ms apart
    bounds = [bound for _, bound in narrowed[:64]]
    assert all(later <= bound + 1e-5 for bound, later in pairwise(bounds))


def test_a_clock_that_jumped_is_measured_anew(modules: Modules) -> None:
    script = """
    const { Offset } = await import("/race/clock.js");
    const offset = new Offset(0);
    offset.add(0, 1000, 2);
    offset.add(10, 1010.5, 11);
    const before = [offset.offsetMs, offset.exchanges];
    offset.add(20, 5020, 22);
    return [before, [offset.offsetMs, offset.errorMs, offset.exchanges]];
    """
    assert modules.run(script) == [[999.75, 2], [4999, 1, 1]]


def test_the_resolution_is_the_smallest_step_that_was_seen(modules: Modules) -> None:
    script = """
    const { resolution } = await import("/race/clock.js");
    const ticks = [0, 0, 3, 3, 5, 5, 9];
    return resolution(() => ticks.shift(), 3);
    """
    assert modules.run(script) == 2


def test_backoff_doubles_to_its_bound_spreads_out_and_adds_what_the_server_asked_for(modules: Modules) -> None:
    script = """
    const { Backoff } = await import("/race/backoff.js");
    const late = new Backoff({ firstMs: 100, longestMs: 1000, random: () => 1 });
    const early = new Backoff({ random: () => 0 });
    const bounds = Array.from({ length: 6 }, () => late.failed());
    late.succeeded();
    return [bounds, late.failed(), late.failed(5000), early.failed(3000)];
    """
    assert modules.run(script) == [[100, 200, 400, 800, 1000, 1000], 100, 5200, 3000]


def test_polls_keep_their_schedule_and_do_not_make_up_for_what_was_missed(modules: Modules) -> None:
    script = """
    const { nextDue } = await import("/race/short_polling.js");
    return [
      nextDue(0, 1000, 500, true, () => 0.5),
      nextDue(1000, 1003, 500, false),
      nextDue(1000, 1499, 500, false),
      nextDue(1000, 99_000, 500, false),
    ];
    """
    assert modules.run(script) == [1250, 1500, 1500, 99_500]


def test_a_lane_counts_what_is_missing_and_what_comes_twice(modules: Modules) -> None:
    script = """
    const { Lane } = await import("/race/lane.js");
    const lane = new Lane(4);
    for (const id of [5, 6, 6, 9, 5]) lane.message(id, 100, 101);
    const before = [lane.messages, lane.missed, lane.repeated];
    lane.remark("gone", 15);
    lane.message(15, 100, 101);
    const gone = lane.missed;
    lane.remark("ahead", 1);
    lane.message(1, 100, 101);
    return [before, gone, lane.missed, lane.repeated, lane.lastId];
    """
    assert modules.run(script) == [[3, 2, 2], 7, 7, 2, 1]


def test_latency_figures_are_of_messages_due_since_the_last_change(modules: Modules) -> None:
    script = """
    const { Lane } = await import("/race/lane.js");
    const lane = new Lane(0, 3);
    const none = [lane.latestMs, lane.medianMs, lane.worstMs];
    lane.restart(100);
    lane.message(1, 90, 900);
    const before = lane.samples;
    [10, 40, 20, 30].forEach((ms, nth) => lane.message(nth + 2, 100, 100 + ms));
    return [none, before, lane.messages, lane.latestMs, lane.medianMs, lane.worstMs];
    """
    assert modules.run(script) == [[None, None, None], 0, 5, 30, 30, 40]


@pytest.mark.parametrize(
    ("ms", "error_ms", "words"),
    [
        (None, 0.1, "\u2013"),
        (0.42, 0.01, "0.42 ms"),
        (0.42, 0.1, "0.4 ms"),
        (0.42, 0.6, "≤ 1 ms"),
        (-0.05, 0.1, "≤ 0.1 ms"),
        (21.37, 0.1, "21.4 ms"),
        (21.37, 0.9, "21 ms"),
        (412.3, 0.01, "412 ms"),
        (1624, 0.1, "1.62 s"),
    ],
)
def test_a_latency_has_no_more_digits_than_its_error_allows(
    modules: Modules, ms: float | None, error_ms: float, words: str
) -> None:
    script = 'const { latency } = await import("/race/words.js"); return latency(given[0] ?? undefined, given[1]);'
    assert modules.run(script, [ms, error_ms]) == words


def test_every_protocol_that_a_browser_can_follow_has_a_client() -> None:
    for known in map(patterns.facts, patterns.names()):
        text = (PAGES / f"{known.protocol}.js").read_text(encoding="utf-8")
        assert known.http2 or "export function follow(url, {" in text


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_every_module_opens_with_its_law_and_needs_nothing_from_outside(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("/**\n * ")
    imported = set(re.findall(r'(?:from "|import\(["`])(\S+?)["`]', text))
    assert imported - {"./${pattern.protocol}.js"} <= {f"./{each.name}" for each in MODULES}


def test_no_file_of_the_page_names_an_address_outside() -> None:
    for path in PAGES.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.findall(r"(?:https?:)?//[a-z][\w-]*\.", text), path.name


def test_the_row_of_push_has_the_colour_of_the_report() -> None:
    light, dark = (PAGES / "race.css").read_text(encoding="utf-8").split("@media (prefers-color-scheme: dark)")
    colour = palette.KNOWN["http2_push"]
    assert f"--http2_push: {colour.line};" in light
    assert f"--http2_push: {colour.dark};" in dark
