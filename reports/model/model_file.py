"""A model as a file: JSON with a version, the machine and the versions it was measured with. The one that ships is
recorded.json; a machine's own is runs/model.json, and is taken before it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from loadtests.host import environment
from loadtests.records.manifest import Machine
from reports.data.load import ReportError, Run
from reports.model.cell_figures import observations
from reports.model.model import SCHEMA_VERSION, Model, coverage, fit_all
from servers.timing.clock import wall_timestamp

RECORDED: Final = Path(__file__).with_name("recorded.json")
OWN: Final = Path("runs") / "model.json"
LARGEST_BYTES: Final = 20_000_000
AGAIN: Final = "make one with `pollbench model --measure`, or leave --model out to use the one that ships"


def of_runs(runs: Sequence[Run], tls_record_s: float | None, note: str = "") -> Model:
    """Fit a model to finished runs of one machine. Raises ValueError where they are of two, or too few."""
    first = runs[0].manifest
    for run in runs[1:]:
        for what in ("machine", "versions"):
            ours, theirs = (_essence(getattr(each, what)) for each in (first, run.manifest))
            if ours != theirs:
                raise ValueError(
                    f"{run.path}: its {what} differ from those of {runs[0].path}, and one law cannot be of both: "
                    "give runs of one machine and version"
                )
    cells = [cell for run in runs for cell in observations(run)]
    return Model(
        made_at=wall_timestamp(),
        machine=first.machine,
        versions=first.versions,
        commit=first.commit,
        runs=[run.manifest.command for run in runs],
        note=note,
        tls_record_s=tls_record_s,
        coverage=coverage(cells),
        labels={cell.pattern: cell.label for cell in cells},
        laws=fit_all(cells),
        observations=cells,
    )


def _essence(what: object) -> object:
    """A machine without what differs from one boot, or login, to the next."""
    if isinstance(what, Machine):
        return what.system, what.cpu, what.cores, what.python
    return what


def read(file: Path) -> Model:
    """Read a model file. Raises ReportError naming file, reason and remedy."""
    try:
        if not file.is_file() or file.stat().st_size > LARGEST_BYTES:
            raise ReportError(f"--model {file}: no such file, or none of a model's size; {AGAIN}")
        model = msgspec.json.decode(file.read_bytes(), type=Model)
    except (OSError, msgspec.MsgspecError, RecursionError) as problem:
        raise ReportError(f"--model {file}: no model of this version ({problem}); {AGAIN}") from None
    if model.schema != SCHEMA_VERSION:
        raise ReportError(f"--model {file}: schema {model.schema}, this version reads {SCHEMA_VERSION}; {AGAIN}")
    return model


def chosen(file: Path | None) -> tuple[Model, str]:
    """Return the model that was asked for, this machine's own, or the one that ships; and a phrase that says which.

    Raises ReportError.
    """
    own = file is None and OWN.is_file()
    model = read(file or (OWN if own else RECORDED))
    machine = model.machine
    where = f"{machine.cpu or 'an unnamed CPU'}, {machine.cores} cores, {model.made_at[:10]}"
    here = environment.machine()
    same = (here.cpu, here.cores) == (machine.cpu, machine.cores)
    if file or own:
        return model, f"{file or OWN}, measured on {'this machine' if same else 'another machine'} ({where})"
    told = "a machine like this one" if same else "another machine than this one"
    return model, f"the recorded model that ships, measured on {told} ({where})"
