"""PURE. One table of many servers: a row for each server and pattern, figures only where something may be said."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from loadtests.records.manifest import Run
from loadtests.scenario.scenarios import Scenario
from loadtests.scenario.settings import typed
from reports.basics.exit_codes import markdown_notes, markdown_table, markdown_text
from reports.basics.units import NONE, counted, listed, number
from reports.peers.entrants import INSTALL, Record
from reports.validity.caution import WORTHLESS, Verdict, verdict
from reports.validity.evidence import Evidence

FIGURES: Final[Mapping[str, tuple[str, float]]] = {
    "p50 ms": ("p50_ms", 1),
    "p99 ms": ("p99_ms", 1),
    "bytes / message": ("http_bytes_per_delivery", 1),
    "CPU ms / 1,000": ("cpu_ms_per_1000", 1),
    "kB / client": ("memory_per_client_bytes", 1e3),
}
"""Heading -> measure, and what its unit is worth."""
HEADER: Final = ("server", "version", "pattern", *FIGURES, "delivered", "twice", "verdict")
FAILED: Final = "failed"


@dataclass(frozen=True, slots=True)
class Row:
    """figures: measure -> value, low and high. why: what is wrong with it, one line each."""

    server: str
    version: str
    pattern: str
    verdict: Verdict | str
    figures: Mapping[str, tuple[float, float, float]]
    delivered: int = 0
    owed: int = 0
    twice: int = 0
    why: Sequence[str] = ()

    @property
    def complete(self) -> bool:
        """Whether every message reached every client, once."""
        return self.owed > 0 and (self.delivered, self.twice) == (self.owed, 0)

    def cells(self) -> tuple[str, ...]:
        shown = [_figure(self.figures.get(name), scale) for name, scale in FIGURES.values()]
        counts = (f"{self.delivered:,} of {self.owed:,}", f"{self.twice:,}") if self.figures else (NONE, NONE)
        return (self.server, self.version, self.pattern, *shown, *counts, self.verdict)

    def as_json(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in ("server", "version", "pattern", "verdict", "delivered", "owed")}
        figures = {name: {"value": value, "low": low, "high": high} for name, (value, low, high) in self.figures.items()}
        return {**plain, "twice": self.twice, "why": list(self.why), "figures": figures}


def row_of(server: str, version: str, found: Evidence) -> Row:
    """Return what one run says, which is of one pattern; of one that proves nothing only why."""
    ruled, (row,) = verdict(found.cautions), found.summary.to_dict("records")
    why = [*found.invalid, *found.doubts]
    if ruled in WORTHLESS:
        return Row(server, version, str(row["label"]), ruled, {}, why=why)
    figures = {name: _interval(row, name) for name, _ in FIGURES.values()}
    counts = (int(row[name]) for name in ("delivered", "owed", "duplicated"))
    return Row(server, version, str(row["label"]), ruled, figures, *counts, why)


def _interval(row: Mapping[Hashable, Any], name: str) -> tuple[float, float, float]:
    return float(row[name]), float(row.get(f"{name}_low", "nan")), float(row.get(f"{name}_high", "nan"))


def _figure(figure: tuple[float, float, float] | None, scale: float) -> str:
    if figure is None:
        return NONE
    value, low, high = (number(each / scale) for each in figure)
    return value if NONE in {low, high} or low == high else f"{value} ({low} to {high})"


def page(record: Record, rows: Sequence[Row], run: Run) -> str:
    """Return the table as a page of Markdown, with all that says what it holds for. run: one of them, all alike."""
    machine, load = run.machine, msgspec.convert(run.scenarios[0], Scenario)
    bad = [f"{row.server}, {row.pattern}: {row.verdict}. {why}" for row in rows for why in row.why]
    needs = [f"{title}: {', '.join(missing)} ({INSTALL})" for title, missing in record.absent.items()]
    made = {need: version for each in record.servers for need, version in each.versions.items()}
    return "".join(
        [
            "# Servers of others, measured\n\n",
            (
                "What `pollbench peers` measures: servers that others wrote, unchanged, each run by the smallest program "
                "that its own documentation shows (`servers/targets/peers`), beside pollbench's own. One process each, "
                "no tuning: the table compares what one gets without effort, and is no league of frameworks.\n\n"
            ),
            f"- Measured at {markdown_text(record.started_at)}: {typed('clients', load.clients)} clients, ",
            f"{markdown_text(load.schedule)}, windows of {load.window_s:g} s, {counted(run.repeats, 'repeat')} each.\n",
            f"- On {markdown_text(machine.cpu)}, {machine.cores} cores, {machine.memory_bytes / 1e9:.0f} GB, ",
            f"{markdown_text(machine.system)}, Python {machine.python}. Servers and clients share them.\n",
            f"- By pollbench {run.versions['pollbench']}, sources {run.versions['sources']}.\n",
            f"- {len({row.server for row in rows})} servers, {len(rows)} pairs of server and pattern; ",
            f"every message reached every client once in {sum(row.complete for row in rows)} of them.\n\n",
            markdown_table(HEADER, (row.cells() for row in rows)),
            (
                "\nLatency is from when a message was due to be published to when a client had read it: of servers that "
                "are not ours the way up is in it, of the rows `pollbench` it is not. An interval is that of the "
                "repeats. CPU is of all processes of the server, for each 1,000 deliveries, publishing included; memory "
                "is growth for each client. Of what is INVALID no figure is shown.\n"
            ),
            *(["\n## Doubts\n\n", markdown_notes(bad)] if bad else []),
            *(["\n## Not installed where this was measured\n\n", markdown_notes(needs)] if needs else []),
            "\n## Versions\n\n",
            markdown_notes([listed([f"{need} {version}" for need, version in made.items()])]),
        ]
    )
