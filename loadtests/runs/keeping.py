"""What every run keeps, whether it was planned or driven by hand: how its run.json begins, and how each cell ends."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from loadtests.host import environment
from loadtests.records import journal
from loadtests.records.manifest import Cell, Run
from loadtests.records.seal import sealed
from loadtests.records.to_parquet import Collected, collect, recorded_rows
from loadtests.runs import kept_advice, kept_calibration
from loadtests.runs.run_folder import save
from loadtests.runs.unheard import first_words, unheard
from loadtests.scenario.plan import PlannedCell, scenario_fields
from loadtests.scenario.scenarios import Scenario
from loadtests.summary.kept import FILE, Folded


def described(
    kind: str,
    command: str,
    started_at: str,
    scenarios: Sequence[Scenario],
    labels: Mapping[str, str],
    repeats: int,
    cells: Sequence[str],
    runs: Path,
) -> Run:
    """Return run.json. labels: pattern -> name, in order; cells: names, in order; runs: where runs of here are kept."""
    return Run(
        command=command,
        started_at=started_at,
        kind=kind,
        scenarios=[scenario_fields(scenario) for scenario in scenarios],
        patterns=dict(labels),
        repeats=repeats,
        cells=[*cells],
        machine=environment.machine(),
        versions=environment.versions(),
        commit=environment.commit(),
        calibration=kept_calibration.kept(runs),
        advice=kept_advice.kept(runs),
    )


def ended(planned: PlannedCell, cell: Cell, folder: Path, folded: Folded | None = None) -> Cell:
    """Turn what was recorded in a cell's folder into what is reported, and return the cell with what came of that.

    folded: what deliveries and requests came to, where they are not kept.
    Its journal is looked at before it is believed, rows are held against what the processes say they recorded, and
    clients that received nothing of what was due are a problem. Raises OSError.
    """
    if unusable := journal.unusable(folder / "published.csv"):
        problem = f"the server's journal (--journal) cannot be used: {unusable}"
        return msgspec.structs.replace(cell, status="failed", problems=[*cell.problems, problem])
    words = first_words(folder / "raw")
    if folded is None:
        collected, summary = collect(folder), None
    else:
        collected, summary = _summed(folder, folded), folded.summary
    edges_ns = cell.publish_from_ns, cell.window_from_ns, cell.window_until_ns, cell.load_ended_ns
    silent = unheard(planned, folder, edges_ns, words, summary) if not collected.problems else []
    problems = [*cell.problems, *collected.problems, *silent]
    return msgspec.structs.replace(
        cell,
        rows=collected.rows,
        clocks=collected.clocks,
        problems=problems,
        status="failed" if problems else "finished",
    )


def _summed(folder: Path, folded: Folded) -> Collected:
    """Keep a summary instead of requests and deliveries. Their instants were moved by what was known as they came."""
    (folder / FILE).write_bytes(msgspec.json.encode(folded.summary))
    problems = folded.unaccounted(recorded_rows(folder / "raw"))
    collected = collect(folder, ("samples",))
    collected.problems += problems
    collected.clocks = [
        known
        if known.same
        else msgspec.structs.replace(known, error_ns=folded.clock_error_ns.get(known.process, known.error_ns))
        for known in collected.clocks
    ]
    kept = folded.summary
    collected.rows |= {"requests": kept.requests.recorded, "deliveries": kept.deliveries.recorded}
    return collected


def keep(folder: Path, cell: Cell) -> Cell:
    """Seal a cell and write its cell.json, the last of its files; return it as it was written. Raises OSError."""
    cell = sealed(folder, cell)
    save(folder / "cell.json", cell)
    return cell
