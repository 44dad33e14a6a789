"""Frames as `reports.measures.per_cell` gives them, made from one list of numbers per pattern."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import pytest

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
