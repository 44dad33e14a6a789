"""Runs that somebody or something changed after they were measured: FAIL, or refused, whatever was changed."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest

from loadtests.records.manifest import Cell
from loadtests.records.rows import ROW_TYPES
from loadtests.records.seal import sealed
from reports.data.load import ReportError
from reports.validity.caution import verdict
from reports.validity.evidence import evidence
from tests.reports.conftest import SMALL
from tests.synthetic import write_run

ONE, OTHER, AGAIN = "small-6-sse-1", "small-6-short_polling-1", "small-6-sse-2"
S = 1_000_000_000
Tamper = Callable[[Path], object]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two patterns, twice each, sealed as the runner seals it."""
    labels = {"short_polling": "Short polling", "sse": "SSE"}
    folder = write_run(tmp_path_factory.mktemp("measured"), [SMALL], repeats=2, labels=labels)
    for file in folder.glob("cells/*/cell.json"):
        cell = sealed(file.parent, msgspec.json.decode(file.read_bytes(), type=Cell))
        file.write_bytes(msgspec.json.encode(cell))
    return folder


@pytest.fixture(scope="module")
def plain(measured: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run without its seals, with nothing else that is wrong."""
    run = Path(shutil.copytree(measured, tmp_path_factory.mktemp("plain") / "run"))
    unsealed(run)
    assert not worthless(run)
    return run


def fields(name: str, change: Callable[[dict[str, Any]], object]) -> Tamper:
    def tamper(run: Path) -> None:
        file = run / name
        content = json.loads(file.read_bytes())
        change(content)
        file.write_text(json.dumps(content), encoding="utf-8")

    return tamper


def cell(**by: float) -> Tamper:
    """Add to fields of a cell."""
    return fields(f"cells/{ONE}/cell.json", lambda content: content.update({f: content[f] + n for f, n in by.items()}))


def third(content: dict[str, Any]) -> None:
    content["window_until_ns"] -= 2 * (content["window_until_ns"] - content["window_from_ns"]) // 3


def rows(table: str, change: Callable[[pd.DataFrame], pd.DataFrame], name: str = ONE) -> Tamper:
    def tamper(run: Path) -> None:
        file = run / f"cells/{name}/{table}.parquet"
        change(pd.read_parquet(file)).to_parquet(file, index=False)

    return tamper


def faster_half(frame: pd.DataFrame) -> pd.DataFrame:
    latency = frame["received_ns"] - frame["due_ns"]
    return frame[latency <= latency.median()]


def hole(table: str, column: str) -> Tamper:
    def pierced(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(**{column: frame.get(column, frame.iloc[:, 0]).where(frame.index != 5)})

    return rows(table, pierced)


def add(table: str, column: str, by: int) -> Tamper:
    return rows(table, lambda frame: frame.assign(**{column: frame[column] + by}))


def swap(*files: str) -> Tamper:
    """Exchange what two cells have under these names."""

    def tamper(run: Path) -> None:
        for name in files:
            one, other, aside = (run / "cells" / each / name for each in (ONE, AGAIN, "aside"))
            aside.parent.mkdir(exist_ok=True)
            one.rename(aside)
            other.rename(one)
            aside.rename(other)
        (run / "cells" / "aside").rmdir()

    return tamper


def swap_folders(one: str, other: str) -> Tamper:
    def tamper(run: Path) -> None:
        cells = run / "cells"
        (cells / one).rename(cells / "aside")
        (cells / other).rename(cells / one)
        (cells / "aside").rename(cells / other)

    return tamper


def copied_over(run: Path) -> None:
    shutil.rmtree(run / "cells" / AGAIN)
    shutil.copytree(run / "cells" / ONE, run / "cells" / AGAIN)


def journal(change: Callable[[list[str]], list[str]]) -> Tamper:
    def tamper(run: Path) -> None:
        file = run / f"cells/{ONE}/published.csv"
        head, *lines = file.read_text(encoding="ascii").splitlines()
        file.write_text("\n".join([head, *change(lines)]) + "\n", encoding="ascii")

    return tamper


def later(line: str, due_ns: int, published_ns: int) -> str:
    number, due, published = map(int, line.split(","))
    return f"{number},{due + due_ns},{published + published_ns}"


def both(*tampers: Tamper) -> Tamper:
    return lambda run: [tamper(run) for tamper in tampers]


def unsealed(run: Path) -> None:
    """Take the seals away, as whoever tampers on purpose would, and as runs from before them are."""
    for file in run.glob("cells/*/cell.json"):
        fields(str(file.relative_to(run)), lambda content: content.pop("seal"))(run)


PLAIN: dict[str, Tamper] = {
    "a client more": cell(clients=1),
    "a client less": cell(clients=-1),
    "the window moved by 1 s": cell(window_from_ns=S, window_until_ns=S),
    "the window moved back by 0.1 s": cell(window_from_ns=-S // 10, window_until_ns=-S // 10),
    "the window moved by 1 ns": cell(window_from_ns=1, window_until_ns=1),
    "the window cut to a third": fields(f"cells/{ONE}/cell.json", third),
    "the window drawn out": cell(window_until_ns=S // 10),
    "the start of publishing moved": cell(publish_from_ns=S),
    "an end before the window's": cell(load_ended_ns=-60 * S),
    "another rate": cell(rate_per_s=2),
    "another rate in the plan": fields("run.json", lambda run: run["scenarios"][0].update(schedule="poisson:16")),
    "another window in the plan": fields("run.json", lambda run: run["scenarios"][0].update(window_s=1.0)),
    "another client count in the plan": fields("run.json", lambda run: run["scenarios"][0].update(clients=[7])),
    "another round trip": cell(rtt_ms=40),
    "fewer messages published": cell(published=-1),
    "more messages published": cell(published=1),
    **{
        f"NaN among {table}.{column}": hole(table, column)
        for table, (kind, _) in ROW_TYPES.items()
        for column in kind._fields
        if column not in {"mode", "error", "role"}
    },
    "a delivery dropped": rows("deliveries", lambda frame: frame.drop(index=3)),
    "the slowest dropped": rows("deliveries", faster_half),
    "all deliveries dropped": rows("deliveries", lambda frame: frame[:0]),
    "a request dropped": rows("requests", lambda frame: frame[1:]),
    "samples dropped": rows("samples", lambda frame: frame[::2]),
    "a delivery twice": rows("deliveries", lambda frame: pd.concat([frame, frame[:1]])),
    "all deliveries twice": rows("deliveries", lambda frame: pd.concat([frame, frame])),
    "a request twice": rows("requests", lambda frame: pd.concat([frame, frame[:1]])),
    "a client's deliveries given to another": rows("deliveries", lambda frame: frame.assign(user=frame["user"] % 3)),
    "another id": add("deliveries", "id", 1),
    "all due later": add("deliveries", "due_ns", S),
    "all published earlier": add("deliveries", "published_ns", -1),
    "received long after": add("deliveries", "received_ns", 1000 * S),
    "received before time": rows("deliveries", lambda frame: frame.assign(received_ns=-1)),
    "requests that end before they begin": add("requests", "started_ns", 1000 * S),
    "rows of another pattern": rows("deliveries", lambda frame: frame.assign(pattern="websocket")),
    "two repeats' folders swapped": swap_folders(ONE, AGAIN),
    "two patterns' folders swapped": swap_folders(ONE, OTHER),
    "two repeats' rows swapped": swap("requests.parquet", "deliveries.parquet", "samples.parquet"),
    "two repeats' deliveries swapped": swap("deliveries.parquet"),
    "two repeats' journals swapped": swap("published.csv"),
    "two repeats' cell.json swapped": swap("cell.json"),
    "one folder copied over another": copied_over,
    "a line of the journal dropped": journal(lambda lines: lines[:5] + lines[6:]),
    "the journal's last line dropped": journal(lambda lines: lines[:-1]),
    "the journal's last digit dropped": journal(lambda lines: [*lines[:-1], lines[-1][:-1]]),
    "a line of the journal twice": journal(lambda lines: [*lines, lines[-1]]),
    "the journal backwards": journal(lambda lines: lines[::-1]),
    "the journal due later": journal(lambda lines: [later(line, S, S) for line in lines]),
    "a message published before it was due": journal(lambda lines: [later(lines[0], 0, -S), *lines[1:]]),
    "NaN in the journal": journal(lambda lines: [*lines[:-1], lines[-1].rpartition(",")[0] + ",nan"]),
}
SEALED: dict[str, Tamper] = {
    "all received 1 ms earlier": add("deliveries", "received_ns", -1_000_000),
    "one received 1 ns later": rows(
        "deliveries", lambda frame: frame.assign(received_ns=frame["received_ns"] + (frame.index == 3))
    ),
    "half the server's CPU": rows("samples", lambda frame: frame.assign(cpu_ns=frame["cpu_ns"] // 2)),
    "fewer bytes": rows("requests", lambda frame: frame.assign(bytes_in=frame["bytes_in"] // 2)),
    "all instants of a message moved": both(
        journal(lambda lines: [later(line, 1000, 1000) for line in lines]),
        add("deliveries", "due_ns", 1000),
        add("deliveries", "published_ns", 1000),
    ),
    "rows dropped and their number with them": both(
        rows("samples", lambda frame: frame[:-1]),
        fields(
            f"cells/{ONE}/cell.json", lambda content: content["rows"].update(samples=content["rows"]["samples"] - 1)
        ),
    ),
    "window and plan cut alike": both(
        fields("run.json", lambda run: run["scenarios"][0].update(window_s=1.0)),
        *(
            fields(
                f"cells/{name}/cell.json", lambda content: content.update(window_until_ns=content["window_from_ns"] + S)
            )
            for name in (ONE, OTHER, AGAIN, "small-6-short_polling-2")
        ),
    ),
    "another machine": fields("run.json", lambda run: run["machine"].update(cpu="a faster one")),
    "another label": both(
        fields("run.json", lambda run: run["patterns"].update(sse="The best")),
        *(fields(f"cells/{name}/cell.json", lambda content: content.update(label="The best")) for name in (ONE, AGAIN)),
    ),
    "another setting": fields("run.json", lambda run: run["scenarios"][0].update(poll_interval_s=0.5)),
    "a clock of another name": fields("run.json", lambda run: run["machine"].update(clock_id="other")),
    "clients that had been started earlier": cell(spawned_by_ns=-1),
}


def worthless(run: Path) -> bool:
    """Whether a run is refused, or its verdict is FAIL."""
    try:
        return verdict(evidence(run).cautions) == "FAIL"
    except ReportError as refusal:
        return str(run) in str(refusal) and "\n" not in str(refusal)


def test_a_run_that_nobody_touched_does_not_fail(measured: Path, tmp_path: Path) -> None:
    assert not worthless(measured)
    assert not worthless(Path(shutil.copytree(measured, tmp_path / "moved elsewhere")))


@pytest.mark.parametrize("what", SEALED)
def test_a_change_that_contradicts_nothing_breaks_the_seal(measured: Path, tmp_path: Path, what: str) -> None:
    run = Path(shutil.copytree(measured, tmp_path / "run"))
    SEALED[what](run)
    assert worthless(run)


@pytest.mark.parametrize("what", PLAIN)
def test_a_contradiction_fails_a_run_also_without_its_seal(plain: Path, tmp_path: Path, what: str) -> None:
    run = Path(shutil.copytree(plain, tmp_path / "run"))
    PLAIN[what](run)
    assert worthless(run)


def test_the_page_says_which_file_was_changed(measured: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(measured, tmp_path / "run"))
    SEALED["half the server's CPU"](run)
    (caution,) = (each for each in evidence(run).cautions if each.severity == "fail")
    assert caution.cause == f"{ONE}: changed since they were measured: samples.parquet."


def test_line_ends_that_a_version_control_changes_are_no_change(measured: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(measured, tmp_path / "run"))
    for file in (run / "run.json", *run.glob("cells/*/published.csv")):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert not worthless(run)


def test_another_scenario_in_the_plan_is_told_by_the_cells(tmp_path: Path) -> None:
    """Two scenarios, and a cell of one says that it is of the other."""
    folder = write_run(tmp_path, [SMALL, replace(SMALL, name="other")], repeats=1, labels={"sse": "SSE"})
    fields(f"cells/{ONE}/cell.json", lambda content: content.update(scenario="other"))(folder)
    assert worthless(folder)
