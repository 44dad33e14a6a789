"""Experiments, measured: common advice is followed in one arm and not in another. `reports/experiments` judges them.

The file name in practices/ is the registration, shown with `-` for `_`. Its first line says what is compared. It holds
ARMS (name -> what is set in it, the first without the practice); PROGRAMS (only where it needs some that pip cannot
bring: program -> Debian package); and measure(arm, where, quick=...): one run of one arm, into an empty folder,
everything it started stopped on return and on error. It returns an Observation, or None when it left run folders that
must be read as a report reads them.
"""

from collections.abc import Collection, Mapping
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import SimpleNamespace
from typing import Protocol, cast

from loadtests.experiments import practices
from loadtests.experiments.observations import Observation


class Practice(Protocol):
    """What a module of practices/ holds."""

    @property
    def ARMS(self) -> Mapping[str, object]: ...  # noqa: N802  (a constant of the module)

    def measure(self, arm: str, where: Path, *, quick: bool) -> Observation | None: ...


def names() -> list[str]:
    return sorted(module.name.replace("_", "-") for module in iter_modules(practices.__path__))


def load(name: str) -> Practice:
    return cast(Practice, import_module(f"{practices.__name__}.{name.replace('-', '_')}"))


def with_arms(practice: Practice, arms: Collection[str]) -> Practice:
    """Return a practice with only these of its arms."""
    kept = {name: what for name, what in practice.ARMS.items() if name in arms}
    return cast(Practice, SimpleNamespace(**vars(practice) | {"ARMS": kept}))


def digest(name: str) -> str:
    """Name the code that measures an experiment; "" for one that has no file here."""
    file = Path(practices.__path__[0]) / f"{name.replace('-', '_')}.py"
    return sha256(file.read_bytes()).hexdigest()[:12] if file.exists() else ""
