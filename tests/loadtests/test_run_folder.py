"""A run folder is input: whatever its JSON says, it is read in bounded time and memory, or refused in one line."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loadtests.runs import runner
from loadtests.runs.run_folder import MOST_BYTES, NotARun, RunFolder, RunRefused
from loadtests.scenario.scenarios import SCENARIOS
from reports.data.load import ReportError, load
from reports.page.page import write_report
from tests.reports.conftest import SMALL
from tests.synthetic import write_run

CELL = "small-6-sse-1"
RUN_JSON, CELL_JSON = Path("run.json"), Path("cells", CELL, "cell.json")
DEEP = "[" * 5000 + "]" * 5000
Harm = Callable[[Path], object]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", [SMALL], repeats=1, labels={"sse": "SSE"})


def edit(file: Path, *path: str | int, value: object = None, drop: bool = False) -> None:
    """Change one value of a JSON file, or drop it."""
    content = json.loads(file.read_text(encoding="utf-8"))
    at: Any = content
    for key in path[:-1]:
        at = at[key]
    if drop:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    file.write_text(json.dumps(content), encoding="utf-8")


def edited(file: Path, *path: str | int, value: object = None, drop: bool = False) -> Harm:
    return lambda run: edit(run / file, *path, value=value, drop=drop)


def renamed(name: str) -> Harm:
    """Call the scenario something else everywhere, as whoever edits a run on purpose would."""

    def harm(run: Path) -> None:
        edit(run / RUN_JSON, "scenarios", 0, "name", value=name)
        edit(run / RUN_JSON, "cells", value=[f"{name}-6-sse-1"])

    return harm


def piped(file: Path) -> Harm:
    def harm(run: Path) -> None:
        (run / file).unlink()
        os.mkfifo(run / file)

    return harm


def replaced(file: Path, content: str) -> Harm:
    return lambda run: (run / file).write_text(content, encoding="utf-8")


def swollen(run: Path) -> None:
    os.truncate(run / RUN_JSON, MOST_BYTES + 1)


def linked(run: Path) -> None:
    (run / "cells").rename(run.parent / "elsewhere")
    (run / "cells").symlink_to(run.parent / "elsewhere")


def endless(run: Path) -> None:
    """2.5 billion cells, named by few numbers."""
    edit(run / RUN_JSON, "scenarios", 0, "clients", value=[6] * 50_000)
    edit(run / RUN_JSON, "scenarios", 0, "rtt_ms", value=[0] * 50_000)


MISSING = [
    *((RUN_JSON, (field,)) for field in ("command", "started_at", "kind", "scenarios", "patterns", "repeats", "cells")),
    *((RUN_JSON, (field,)) for field in ("machine", "versions", "commit")),
    *((RUN_JSON, ("scenarios", 0, field)) for field in ("name", "purpose", "clients", "schedule")),
    *((CELL_JSON, (field,)) for field in ("name", "pattern", "label", "scenario", "clients", "rtt_ms", "repeat")),
    *((CELL_JSON, (field,)) for field in ("status", "problems", "window_from_ns", "window_until_ns", "rows")),
]
HOSTILE: dict[str, Harm] = {
    "no scenarios": edited(RUN_JSON, "scenarios", value=[]),
    "a scenario that is a list": edited(RUN_JSON, "scenarios", value=[[]]),
    "a scenario the cells do not have": edited(RUN_JSON, "scenarios", 0, "name", value="other"),
    "a scenario out of the folder": renamed("../../victim"),
    "a scenario with markup": renamed("x</script><script>alert(1)</script>"),
    "an absolute scenario": renamed("/tmp/victim"),
    "a scenario with a line end": renamed("small\n"),
    "a huge name": renamed("x" * 10_000),
    "cells out of the folder": edited(RUN_JSON, "cells", value=["../../victim"]),
    "cells that are there twice": edited(RUN_JSON, "cells", value=[CELL, CELL]),
    "no cells": edited(RUN_JSON, "cells", value=[]),
    "a pattern out of the folder": edited(RUN_JSON, "patterns", value={"../../victim": "SSE"}),
    "a pattern with markup": edited(RUN_JSON, "patterns", value={"x;}</style><script>": "SSE"}),
    "no patterns": edited(RUN_JSON, "patterns", value={}),
    "a huge label": edited(RUN_JSON, "patterns", value={"sse": "S" * 1_000_000}),
    "a label that steers terminals": edited(RUN_JSON, "patterns", value={"sse": "\x1b[2JSSE"}),
    "no repeats": edited(RUN_JSON, "repeats", value=0),
    "2^62 repeats": edited(RUN_JSON, "repeats", value=2**62),
    "repeats of text": edited(RUN_JSON, "repeats", value="3"),
    "more cells than can be made": endless,
    "no clients": edited(RUN_JSON, "scenarios", 0, "clients", value=[0]),
    "2^40 clients": edited(RUN_JSON, "scenarios", 0, "clients", value=[2**40]),
    "clients of text": edited(RUN_JSON, "scenarios", 0, "clients", value="6"),
    "no window": edited(RUN_JSON, "scenarios", 0, "window_s", value=0),
    "a window without end": edited(RUN_JSON, "scenarios", 0, "window_s", value=2**62),
    "a window backwards": edited(RUN_JSON, "scenarios", 0, "window_s", value=-1),
    "a window of null": edited(RUN_JSON, "scenarios", 0, "window_s", value=None),
    "no schedule": edited(RUN_JSON, "scenarios", 0, "schedule", value="sometimes"),
    "a schedule of nothing": edited(RUN_JSON, "scenarios", 0, "schedule", value=""),
    "a poll interval of nothing": edited(RUN_JSON, "scenarios", 0, "poll_interval_s", value=0),
    "a fault that is none": edited(RUN_JSON, "scenarios", 0, "fault", value="gremlins"),
    "a deep scenario": edited(RUN_JSON, "scenarios", 0, "purpose", value=[[[["x"]]]]),
    "deep JSON": replaced(RUN_JSON, DEEP),
    "a deep field": replaced(RUN_JSON, f'{{"schema": 2, "scenarios": {DEEP}}}'),
    "an integer beyond 64 bits": edited(RUN_JSON, "repeats", value=2**200),
    "a fraction without end": replaced(RUN_JSON, '{"schema": 1e999}'),
    "a lone surrogate": replaced(RUN_JSON, '{"schema": 2, "command": "\\ud800"}'),
    "NaN": replaced(RUN_JSON, '{"schema": NaN}'),
    "empty": replaced(RUN_JSON, ""),
    "null": replaced(RUN_JSON, "null"),
    "a pipe": piped(RUN_JSON),
    "larger than any": swollen,
    "cells elsewhere": linked,
    "the cell: a pipe": piped(CELL_JSON),
    "the cell: deep JSON": replaced(CELL_JSON, DEEP),
    "the cell: an unknown scenario": edited(CELL_JSON, "scenario", value="other"),
    "the cell: an unknown pattern": edited(CELL_JSON, "pattern", value="telepathy"),
    "the cell: another pattern's name": edited(CELL_JSON, "name", value="small-6-chunked-1"),
    "the cell: a name out of the folder": edited(CELL_JSON, "name", value="../../../victim"),
    "the cell: another label": edited(CELL_JSON, "label", value="<script>alert(1)</script>"),
    "the cell: a client more": edited(CELL_JSON, "clients", value=7),
    "the cell: a client less": edited(CELL_JSON, "clients", value=5),
    "the cell: no clients": edited(CELL_JSON, "clients", value=0),
    "the cell: 2^62 clients": edited(CELL_JSON, "clients", value=2**62),
    "the cell: another repeat": edited(CELL_JSON, "repeat", value=2),
    "the cell: another round trip": edited(CELL_JSON, "rtt_ms", value=40),
    "the cell: another rate": edited(CELL_JSON, "rate_per_s", value=80.0),
    "the cell: a status that is none": edited(CELL_JSON, "status", value="splendid"),
    "the cell: a window of 2^62": edited(CELL_JSON, "window_until_ns", value=2**62),
    "the cell: a window of 2^63": edited(CELL_JSON, "window_until_ns", value=2**63),
    "the cell: a window from 0": edited(CELL_JSON, "window_from_ns", value=0),
    "the cell: a window before its start": edited(CELL_JSON, "window_from_ns", value=-1),
    "the cell: an end before its window": edited(CELL_JSON, "load_ended_ns", value=1),
    "the cell: 2^62 messages": edited(CELL_JSON, "published", value=2**62),
    "the cell: fewer than no rows": edited(CELL_JSON, "rows", "deliveries", value=-1),
    "the cell: rows of text": edited(CELL_JSON, "rows", value={"deliveries": "many"}),
    **{f"no {'.'.join(map(str, path))} in {file.name}": edited(file, *path, drop=True) for file, path in MISSING},
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_no_run_can_hold_is_refused_in_one_line_that_names_the_file(made: Path, what: str) -> None:
    HOSTILE[what](made)
    with pytest.raises(ReportError) as refusal:
        load(made)
    said = str(refusal.value)
    assert str(made) in said
    assert "\n" not in said
    assert len(said) < 1000


@pytest.mark.parametrize("what", [what for what in HOSTILE if "the cell" not in what and "cell.json" not in what])
def test_a_run_that_cannot_be_read_is_not_resumed_and_loses_nothing(made: Path, what: str) -> None:
    victim = made.parent.parent / "victim"
    victim.mkdir(exist_ok=True)
    (victim / "kept").touch()
    HOSTILE[what](made)
    with pytest.raises(RunRefused if what != "cells elsewhere" else NotARun):
        plan = runner.reopen(made)
        RunFolder.open(made).folder(plan.cells()[0].name)
    assert (victim / "kept").exists()
    assert runner.finished_cells(made, [CELL]) == {}


def test_a_cell_is_never_emptied_where_a_link_leads_out_of_the_run(made: Path) -> None:
    linked(made)
    kept = made.parent / "elsewhere" / CELL / "cell.json"
    planned = runner.reopen(made).cells()
    outcome = runner.run_cells(made, planned, {"sse": "SSE"}, _Nobody())
    assert "cannot write" in outcome.halted
    assert kept.exists()


class _Nobody:
    def starts(self, planned: object) -> None: ...
    def tick(self) -> None: ...
    def ended(self, cell: object) -> None: ...


def test_a_report_replaces_links_and_pipes_and_writes_nothing_behind_them(made: Path) -> None:
    outside = made.parent / "outside"
    outside.write_text("mine", encoding="utf-8")
    for name in ("report.html", "verdict.json", "summary.csv", "summary.parquet"):
        (made / name).symlink_to(outside)
    (made / "charts").mkdir()
    os.mkfifo(made / "charts" / "small-latency.svg")
    (made / "charts" / "small-latency.png").symlink_to(outside)
    page = write_report(made)
    assert outside.read_text(encoding="utf-8") == "mine"
    assert page.is_file()
    assert not page.is_symlink()
    assert (made / "charts" / "small-latency.svg").is_file()


def test_charts_that_would_go_elsewhere_are_refused(made: Path) -> None:
    (made.parent / "outside").mkdir()
    (made / "charts").symlink_to(made.parent / "outside")
    with pytest.raises(ReportError, match="charts"):
        write_report(made)
    assert not [*(made.parent / "outside").iterdir()]


def test_words_of_a_run_stand_on_its_page_as_words(made: Path) -> None:
    """Whatever is not a name may say anything, also what a browser or a chart would take for more than words."""
    evil = "</script><script>alert(1)</script> $\\frac{"
    edit(made / RUN_JSON, "patterns", value={"sse": evil[:60]})
    edit(made / CELL_JSON, "label", value=evil[:60])
    for path in (("command",), ("commit",), ("started_at",), ("machine", "cpu"), ("scenarios", 0, "purpose")):
        edit(made / RUN_JSON, *path, value=evil)
    edit(made / RUN_JSON, "versions", value={evil: evil})
    page = write_report(made).read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "alert(1)" in page
    assert all("<script>alert" not in chart.read_text(encoding="utf-8") for chart in made.glob("charts/*.svg"))


def test_a_run_from_before_a_setting_was_one_has_its_default(made: Path) -> None:
    for field in ("poll_pace", "network", "content", "heartbeat_s"):
        edit(made / RUN_JSON, "scenarios", 0, field, drop=True)
    (scenario,) = load(made).manifest.scenarios
    assert scenario["poll_pace"] == SCENARIOS["feed"].poll_pace
    assert scenario["name"] == "small"


def test_a_setting_of_a_newer_version_is_kept(made: Path) -> None:
    edit(made / RUN_JSON, "scenarios", 0, "phase_of_the_moon", value="full")
    (scenario,) = load(made).manifest.scenarios
    assert scenario["phase_of_the_moon"] == "full"
