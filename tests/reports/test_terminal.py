"""The table that ends a run on the terminal."""

import io
from pathlib import Path

import msgspec
import pandas as pd
import pytest
from rich.console import Console

from loadtests.records.manifest import Cell
from reports.data.load import Run
from reports.page.terminal import COLUMNS, LiveTable, ruling_lines, summary_table
from reports.validity.caution import Caution, Ruling

ROW = {
    "label": "Server-Sent Events",
    "clients": 50,
    "rtt_ms": 40.0,
    "rate_per_s": 5.0,
    "p50_ms": 1.25,
    "p99_ms": 1234.5,
    "requests_per_delivery": 0.0,
    "empty_ratio": float("nan"),
    "http_bytes_per_delivery": 357.4,
    "cpu_ms_per_1000": 52.0,
    "memory_per_client_bytes": 8_200.0,
    "missed": 0,
    "errors": 12,
}


def printed(*rows: dict[str, object]) -> str:
    text = io.StringIO()
    Console(file=text, width=80).print(summary_table(pd.DataFrame(rows)))
    return text.getvalue()


def test_a_row_fits_eighty_columns_with_units_converted_and_unknown_left_blank() -> None:
    last = printed(ROW).splitlines()[-1]
    assert last.split() == ["Server-Sent", "Events", "1.2", "1,234.5", "0.00", "357", "52", "8.2", "0", "12"]


def test_counts_of_clients_are_shown_when_there_are_several() -> None:
    assert "clients" not in printed(ROW, ROW)
    sweep = printed(ROW, ROW | {"clients": 500})
    assert "clients" in sweep
    assert "…" not in sweep


def test_round_trips_are_shown_when_there_are_several() -> None:
    assert "rtt" not in printed(ROW, ROW)
    assert "rtt" in printed(ROW, ROW | {"rtt_ms": 0.0})


def test_message_rates_are_shown_when_there_are_several() -> None:
    assert "msgs" not in printed(ROW, ROW)
    assert "0.5" in printed(ROW, ROW | {"rate_per_s": 0.5})


def test_the_board_has_a_row_for_each_pattern_that_has_ended_and_the_medians_so_far(folder: Path, run: Run) -> None:
    board = LiveTable(folder)
    cells = [
        msgspec.json.decode((folder / "cells" / name / "cell.json").read_bytes(), type=Cell)
        for name in run.manifest.cells
    ]
    assert [board(cell).row_count for cell in cells] == [1, 2, 3, 4, 5, 6, 6, 6, 6, 6, 6, 6]


@pytest.mark.parametrize("missing", [name for name, _, _ in COLUMNS.values()])
def test_a_measure_the_platform_lacks_is_blank_not_an_error(missing: str) -> None:
    assert "nan" not in printed({name: value for name, value in ROW.items() if name != missing})


def test_the_verdict_comes_with_every_reason_for_it() -> None:
    doubts = [Caution("invalid", f"Reason {nth}", "cause.", "Remedy.") for nth in range(5)]
    lines = ruling_lines(Ruling.on([*doubts, Caution("note", "A limit", "cause.", "Remedy.")]))
    assert lines[0] == "INVALID: Do not decide anything from this run; its cautions say why."
    assert lines[1:] == [f"  Reason {nth}: cause. Remedy." for nth in range(5)]


def test_the_answer_comes_first_but_under_a_bad_verdict_there_is_none() -> None:
    note, bad = Caution("note", "A limit", "cause.", "Remedy."), Caution("invalid", "Late", "cause.", "Remedy.")
    assert ruling_lines(Ruling.on([note], ["SSE is first."]))[:2] == ["SSE is first.", ""]
    assert ruling_lines(Ruling.on([bad], ["SSE is first."]))[0].startswith("INVALID: ")


def test_a_valid_run_is_one_line() -> None:
    assert ruling_lines(Ruling.on([Caution("note", "A limit", "cause.", "Remedy.")])) == [
        "VALID: Nothing was found that puts the figures in doubt."
    ]
