"""Frames as `reports.measures.per_cell` gives them, and run folders that pass for measured ones."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import pandas as pd
import pytest
from hypothesis import settings

from loadtests.records import manifest

# How long an example takes says how busy the machine is, nothing about the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

MakeCells = Callable[..., pd.DataFrame]


@pytest.fixture
def make_cells() -> MakeCells:
    """Return make(values, scenario=, clients=): {pattern: {measure: one value per repeat}} -> one row per cell."""

    def make(
        values: Mapping[str, Mapping[str, Sequence[float]]], scenario: str = "feed", clients: int = 50
    ) -> pd.DataFrame:
        rows = [
            {
                "cell": f"{scenario}-{clients}-{pattern}-{repeat}",
                "scenario": scenario,
                "clients": clients,
                "rtt_ms": 0.0,
                "rate_per_s": 5.0,
                "pattern": pattern,
                "repeat": repeat,
                "label": pattern.title(),
                **dict(zip(measures, numbers, strict=True)),
            }
            for pattern, measures in values.items()
            for repeat, numbers in enumerate(zip(*measures.values(), strict=True), start=1)
        ]
        return pd.DataFrame(rows)

    return make


@pytest.fixture(scope="session")
def edit_run() -> Callable[..., Path]:
    """Return edit(folder, **fields) of run.json; kind="compare" lets a made-up run pass for a measured one."""

    def edit(folder: Path, **changes: object) -> Path:
        file = folder / "run.json"
        run = msgspec.json.decode(file.read_bytes(), type=manifest.Run)
        file.write_bytes(msgspec.json.encode(msgspec.structs.replace(run, **changes)))
        return folder

    return edit
