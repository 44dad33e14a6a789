"""A folder of claims -> the claims by name, and what must be measured for them, each thing once."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from loadtests.scenario.dimensions import COLUMNS
from loadtests.scenario.overrides import overridden
from loadtests.scenario.plan import Plan, PlannedCell, known_name
from loadtests.scenario.scenarios import SCENARIOS
from loadtests.scenario.settings import SETTINGS
from reports import experiments
from reports.claims.claim import TOPICS, Claim, OfExperiment, OfRun, Shared, Test, Wanted, parse_claim, parse_shared
from servers import patterns

GUIDE: Final = Path(__file__).with_name("guide")
SHARED: Final = "runs.toml"
LARGEST_BYTES: Final = 100_000


@dataclass(frozen=True)
class Folder:
    """Claims by name, in the order in which they are told, and what they share."""

    path: Path
    shared: Shared
    claims: Mapping[str, Claim]

    @cached_property
    def plans(self) -> dict[str, Plan]:
        """Return the runs that these claims need, each with the patterns that are asked about."""
        asked: dict[str, set[str]] = {}
        for test in self._tests():
            if isinstance(test, OfRun):
                asked.setdefault(test.run, set()).update(_patterns(test))
        wanted = self.shared.runs
        return {name: _plan(wanted[name], tuple(sorted(asked[name]))) for name in wanted if name in asked}

    @cached_property
    def arms(self) -> dict[str, list[str]]:
        """Return the experiments that these claims need, and the arms of each that are asked about, in its order."""
        asked: dict[str, set[str]] = {}
        for test in self._tests():
            if isinstance(test, OfExperiment):
                asked.setdefault(test.experiment, set()).update(filter(None, (test.arm, test.over)))
        return {name: [arm for arm in experiments.load(name).ARMS if arm in arms] for name, arms in asked.items()}

    def only(self, names: Collection[str]) -> "Folder":
        return replace(self, claims={name: claim for name, claim in self.claims.items() if name in names})

    def _tests(self) -> Iterator[Test]:
        return (test for claim in self.claims.values() for test in claim.tests)


def read(path: Path) -> Folder:
    """Read a folder of claims. Raises ValueError naming file, field and remedy."""
    files = sorted(file for file in path.glob("*.toml") if file.name != SHARED)
    if not files:
        raise ValueError(f"{path}: no claim there: name a folder with a file NAME.toml for each, as {GUIDE} has")
    shared = parse_shared(_text(path / SHARED), str(path / SHARED)) if (path / SHARED).exists() else Shared()
    claims = {file.stem: parse_claim(_text(file), str(file)) for file in files}
    folder = Folder(path, shared, dict(sorted(claims.items(), key=lambda named: _place(named[1], shared))))
    for name, claim in folder.claims.items():
        for number, test in enumerate(claim.tests, start=1):
            try:
                _check_names(test, shared)
            except ValueError as wrong:
                raise ValueError(f"{path / name}.toml: test {number}: {wrong}") from None
    return folder


def steps_of(plan: Plan, test: OfRun) -> dict[float, dict[str, list[str]]]:
    """Return what a test asks of a run: step -> pattern -> names of its cells. The only step of a test without any: 0.

    Raises ValueError where the run sweeps what the test does not.
    """
    swept = [column for column in COLUMNS if len({getattr(cell, column) for cell in plan.cells()}) > 1]
    if swept != [test.along] * bool(test.along):
        raise ValueError(f"along {test.along!r}: the run {test.run} sweeps {', '.join(swept) or 'nothing'}")
    steps: dict[float, dict[str, list[str]]] = {}
    for cell in plan.cells():
        steps.setdefault(_at(cell, test.along), {}).setdefault(cell.pattern, []).append(cell.name)
    return steps


def _place(claim: Claim, shared: Shared) -> tuple[int, ...]:
    """Order claims by topic, and those of a table by its rows and columns."""
    where = ((claim.row, shared.rows), (claim.column, shared.columns))
    return (
        list(TOPICS).index(claim.topic),
        *(names.index(name) if name in names else len(names) for name, names in where),
    )


def _at(cell: PlannedCell, along: str) -> float:
    return float(getattr(cell, along)) if along else 0.0


def _plan(wanted: Wanted, asked: tuple[str, ...]) -> Plan:
    changes = {field: text for field, text in wanted.settings.items() if text is not False}
    return Plan(overridden(wanted.scenario, changes, SCENARIOS["feed"]), asked, wanted.repeats)


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise ValueError(f"{file}: {LARGEST_BYTES} bytes are the most that a claim may have")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ValueError(f"{file}: cannot be read ({problem}); write it as those in {GUIDE}") from None


def _patterns(test: Test) -> list[str]:
    return [] if isinstance(test, OfExperiment) else [name for name in (test.pattern, test.over) if name]


def _check_names(test: Test, shared: Shared) -> None:
    """Raise ValueError with the nearest name for whatever names something that is not there."""
    for pattern in _patterns(test):
        known_name(pattern, dict.fromkeys(patterns.names()), "pattern")
    if isinstance(test, OfRun):
        wanted = shared.runs[known_name(test.run, shared.runs, "run")]
        for field in wanted.settings:
            known_name(field, SETTINGS, "setting")
        steps_of(_plan(wanted, (test.pattern,)), test)
    if isinstance(test, OfExperiment):
        known_name(test.experiment, dict.fromkeys(experiments.names()), "experiment")
        for arm in filter(None, (test.arm, test.over)):
            known_name(arm, experiments.load(test.experiment).ARMS, "arm")
