"""A run, or tests driven by hand, while they are measured: what is read, and how it is labelled."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, Self

from loadtests.metrics.counting import Counting, SoFar
from loadtests.metrics.destination import Destination
from loadtests.metrics.exporter import Exporter
from loadtests.metrics.tally import Tally
from loadtests.records.manifest import SESSION, Cell
from loadtests.scenario.plan import PlannedCell


class Elsewhere(Protocol):
    """Load hosts, each of which counts the rows that it has."""

    def told(self) -> Mapping[str, SoFar]: ...
    def forget(self) -> None: ...


class _Followed:
    """What both do: count the rows of one folder after the other."""

    def __init__(self) -> None:
        self._tally = Tally()
        self._counting: Counting | None = None

    def _follow(self, folder: Path | None) -> None:
        """Read this folder from now on, and the one before no more."""
        if self._counting is not None:
            self._counting.close()
        self._counting = Counting(folder) if folder is not None else None

    def _take(self) -> None:
        if self._counting is not None:
            self._tally.hear({"": self._counting.read()})


class Watched(_Followed):
    """A run folder whose cells are told of as they are measured: a watcher, as runner.run_cells takes it.

    folder: that of the run; whoever measures several runs one after the other changes it in between. hosts: those that
    have the rows, if they are not there.
    """

    def __init__(self, folder: Path, asked: Destination, hosts: Elsewhere | None = None) -> None:
        """Raises ValueError for a port that is taken."""
        super().__init__()
        self.folder = folder
        self._hosts = hosts
        self._whole = False
        self._exporter = Exporter(asked, self._take, self._tally.families)

    @property
    def url(self) -> str:
        return self._exporter.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._exporter.close()
        self._follow(None)

    def starts(self, planned: PlannedCell) -> None:
        self._exporter.refresh()
        situation = {
            "scenario": planned.scenario.name,
            "clients": str(planned.clients),
            "rtt_ms": f"{planned.rtt_ms:g}",
            "rate_per_s": f"{planned.rate_per_s:g}",
        }
        with self._exporter.lock:
            self._tally.begin(situation)
            if self._hosts is not None:
                self._hosts.forget()
                return
            self._follow(self.folder / "cells" / planned.name)
            self._whole = False

    def tick(self) -> None:
        """Read the end of a cell before its rows become Parquet, and are gone."""
        if self._counting is not None and not self._whole and self._counting.whole:
            self._whole = True
            self._exporter.refresh()

    def ended(self, cell: Cell) -> None:
        self._exporter.refresh()  # by now hosts have said what they counted in all
        self._tally.cells[cell.status] += 1

    def rule(self, verdict: str) -> None:
        self._tally.rule(verdict)

    def _take(self) -> None:
        if self._hosts is not None:
            self._tally.hear(self._hosts.told())
        else:
            super()._take()


class ByHand(_Followed):
    """The tests that somebody drives from the web UI, one after the other, in a folder of runs.

    Entered, it says where it is scraped. Raises ValueError for a port that is taken.
    """

    def __init__(self, runs: Path, asked: Destination) -> None:
        super().__init__()
        self._runs, self._asked = runs, asked
        self._known = {each.name for each in runs.glob("*")}
        self._folder: Path | None = None
        self._exporter: Exporter | None = None

    def __enter__(self) -> str:
        self._exporter = Exporter(self._asked, self._read, self._tally.families)
        return f"metrics {self._exporter.url}" if self._exporter.url else ""

    def __exit__(self, *_: object) -> None:
        if self._exporter is not None:
            self._exporter.close()
        self._follow(None)

    def _read(self) -> None:
        fresh = sorted(each.parent for each in self._runs.glob("*/raw") if each.parent.name not in self._known)
        self._take()
        if fresh:
            self._folder = fresh[-1]
            self._known.add(self._folder.name)
            self._tally.begin({"scenario": SESSION})
            self._follow(self._folder)
            self._take()
        if self._folder is not None and (ruled := self._folder / "verdict.json").exists():
            self._tally.rule(json.loads(ruled.read_bytes())["verdict"])
