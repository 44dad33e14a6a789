"""PURE. One table of many servers: a row for each server and pattern, figures only where something may be said."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from loadtests.records.manifest import Run
from loadtests.records.peers import INSTALL, Record
from loadtests.scenario.scenarios import Scenario
from loadtests.scenario.settings import typed
from reports.basics.exit_codes import markdown_notes, markdown_table
from reports.basics.templating import template
from reports.basics.units import NONE, counted, number
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
        counts = (f"{self.delivered:,} of {self.owed:,}", f"{self.twice:,}") if self.owed else (NONE, NONE)
        return (self.server, self.version, self.pattern, *shown, *counts, self.verdict)

    def as_json(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in ("server", "version", "pattern", "verdict", "delivered", "owed")}
        figures = {
            name: {"value": value, "low": low, "high": high} for name, (value, low, high) in self.figures.items()
        }
        return {**plain, "twice": self.twice, "why": list(self.why), "figures": figures}


def row_of(server: str, version: str, found: Evidence) -> Row:
    """Return what one run says, which is of one pattern; of one that proves nothing why, and what it delivered.

    What arrived is counted message by message, which no late generator puts in doubt; records that differ do.
    """
    ruled, (row,) = verdict(found.cautions), found.summary.to_dict("records")
    why = [caution.what for caution in found.cautions if caution.severity != "note"]
    figures = {} if ruled in WORTHLESS else {name: _interval(row, name) for name, _ in FIGURES.values()}
    counts = ("delivered", "owed", "duplicated")
    delivered, owed, twice = (0, 0, 0) if ruled == "FAIL" else (int(row[name]) for name in counts)
    return Row(server, version, str(row["label"]), ruled, figures, delivered, owed, twice, why)


def _interval(row: Mapping[Hashable, Any], name: str) -> tuple[float, float, float]:
    return float(row[name]), float(row.get(f"{name}_low", "nan")), float(row.get(f"{name}_high", "nan"))


def _figure(figure: tuple[float, float, float] | None, scale: float) -> str:
    if figure is None:
        return NONE
    value, low, high = (number(each / scale) for each in figure)
    return value if NONE in {low, high} or low == high else f"{value} ({low} to {high})"


TITLE: Final = "Servers of others, measured"
ABOUT: Final = (
    "Servers that others wrote, unchanged, each run by the small program that its own documentation shows, beside "
    "pollbench's own. One process each, untuned: what one gets without effort, and no league of frameworks."
)
HOW_TO_READ: Final = (
    "Latency is from when a message was due to be published to when a client had read it. Of servers that are not ours "
    "the way up is in it; of the rows `pollbench` it is not. An interval is that of the repeats. CPU is that of all "
    "processes of a server for each 1,000 deliveries, with what it takes to be published to; memory is growth for each "
    "client. Where a verdict is INVALID, nothing is shown but what was delivered, which is counted, not timed."
)


@dataclass(frozen=True)
class Page:
    """The table, with all that says what it holds for. run: one of the runs, which are alike but for the server."""

    record: Record
    rows: Sequence[Row]
    run: Run

    @property
    def facts(self) -> list[str]:
        machine, load = self.run.machine, msgspec.convert(self.run.scenarios[0], Scenario)
        servers = counted(len({row.server for row in self.rows}), "server")
        pairs = counted(len(self.rows), "pair")
        return [
            (
                f"Measured at {self.record.started_at}: {typed('clients', load.clients)} clients, {load.schedule}, "
                f"windows of {load.window_s:g} s, {counted(self.run.repeats, 'repeat')} each."
            ),
            (
                f"On {machine.cpu}, {counted(machine.cores, 'core')}, {machine.memory_bytes / 1e9:.0f} GB, "
                f"{machine.system}, Python {machine.python}. Servers and clients share it."
            ),
            f"By pollbench {self.run.versions['pollbench']}, sources {self.run.versions['sources']}.",
            (
                f"{servers}, {pairs} of server and pattern; every message reached every client once in "
                f"{sum(row.complete for row in self.rows)} of them."
            ),
        ]

    @property
    def header(self) -> Sequence[str]:
        return HEADER

    @property
    def lists(self) -> dict[str, list[str]]:
        """Return title -> lines, of what stands below the table."""
        versions = {need: version for each in self.record.servers for need, version in each.versions.items()}
        found = {
            "Doubts": [f"{row.server}, {row.pattern}: {'; '.join(row.why)}." for row in self.rows if row.why],
            "Not installed where this was measured": [
                f"{title}: {', '.join(missing)} ({INSTALL})" for title, missing in self.record.absent.items()
            ],
            "Versions": [f"{', '.join(f'{need} {version}' for need, version in versions.items())}."],
        }
        return {title: lines for title, lines in found.items() if lines}

    def markdown(self) -> str:
        below = [f"\n## {title}\n\n{markdown_notes(lines)}".rstrip("\n") + "\n" for title, lines in self.lists.items()]
        table = markdown_table(HEADER, (row.cells() for row in self.rows))
        head = f"# {TITLE}\n\n{ABOUT} `pollbench peers` makes this page.\n\n{markdown_notes(self.facts)}"
        return "".join([head, table, f"\n{HOW_TO_READ}\n", *below])

    def html(self) -> str:
        return template("peers.html.j2").render(page=self, title=TITLE, about=ABOUT, how=HOW_TO_READ)
