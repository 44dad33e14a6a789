"""Two run folders -> a comparison, or a refusal: only what was asked alike can be compared."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import structs

from loadtests.records import manifest
from loadtests.scenario.settings import schedules
from reports.ci.comparison import Comparison
from reports.ci.questions import JUDGED, compare_cells
from reports.data.load import ReportError
from reports.validity.evidence import evidence

MAY_DIFFER: Final = frozenset(
    {
        *("schema", "command", "started_at", "kind", "machine", "versions", "commit"),
        *("scenarios", "patterns", "repeats", "cells"),
        *("calibration", "advice"),
    }
)
"""Fields of run.json that two comparable runs need not share. Any other, also a future one, is a condition of the
measurement (a network delay, say), and two runs that differ in it are refused."""
SCENARIO_MAY_DIFFER: Final = frozenset({"purpose", "goals", "basis", "clients", "rtt_ms", "schedule"})
MACHINE_MAY_DIFFER: Final = frozenset({"memory_bytes", "clock_id", "open_files", "ports"})


def compare_runs(base: Path, new: Path, measures: Sequence[str] = JUDGED) -> Comparison:
    """Read, check and compare. Raises ReportError, one line, for unreadable or incomparable runs."""
    before, after = evidence(base), evidence(new)
    if refused := refusals(before.run.manifest, after.run.manifest):
        raise ReportError(f"{base} and {new} differ: {'; '.join(refused)}. Measure one again like the other.")
    rows, about_samples = compare_cells(before.cells, after.cells, measures)
    return Comparison(
        base.name,
        new.name,
        tuple(rows),
        cautions=(
            *differences(before.run.manifest, after.run.manifest),
            *about_samples,
            *_of_each(before.doubts, after.doubts),
        ),
        invalid=tuple(_of_each(before.invalid, after.invalid)),
    )


def _of_each(base: Sequence[str], new: Sequence[str]) -> list[str]:
    return [f"Base: {line}" for line in base] + [f"New: {line}" for line in new]


def refusals(base: manifest.Run, new: manifest.Run) -> list[str]:
    """Return what was asked differently of the two, one "field value in base, value in new" each."""
    scenarios = {str(scenario["name"]): scenario for scenario in base.scenarios}
    unlike = _unlike(structs.asdict(base), structs.asdict(new), MAY_DIFFER)
    for scenario in new.scenarios:
        name = str(scenario["name"])
        before = scenarios.get(name, scenario)
        found = [*_unlike_schedules(before, scenario), *_unlike(before, scenario, SCENARIO_MAY_DIFFER)]
        unlike += [f"scenario {name}: {difference}" for difference in found]
    return unlike


def _unlike_schedules(base: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    """A rate that both have must be of the same schedule: bursts are not steady, whatever they come to a second."""
    before, after = (schedules(str(scenario["schedule"])) for scenario in (base, new))
    common = [rate_per_s for rate_per_s in before if rate_per_s in after]
    return [f"schedule {before[rate]} in base, {after[rate]} in new" for rate in common if before[rate] != after[rate]]


def differences(base: manifest.Run, new: manifest.Run) -> list[str]:
    """Return cautions about what, beside the code, may explain a difference: the machine, the libraries."""
    cautions = []
    if machine := _unlike(structs.asdict(base.machine), structs.asdict(new.machine), MACHINE_MAY_DIFFER):
        cautions.append(
            f"The runs come from different machines ({'; '.join(machine)}), so the machine may cause a difference. "
            f"Measure the base again on the machine of the new one: {base.command}"
        )
    if versions := _unlike(base.versions, new.versions, frozenset({"pollbench"})):
        cautions.append(f"The runs used different libraries ({'; '.join(versions)}), so they may cause a difference.")
    return cautions


def _unlike(base: Mapping[str, object], new: Mapping[str, object], may_differ: frozenset[str]) -> list[str]:
    fields = [field for field in dict.fromkeys([*base, *new]) if field not in may_differ]
    pairs = [(field, base.get(field, "absent"), new.get(field, "absent")) for field in fields]
    return [f"{field} {before} in base, {after} in new" for field, before, after in pairs if before != after]
