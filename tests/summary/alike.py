"""What must be the same in a report of rows and in one of their summary."""

import numpy as np
import pandas as pd

from reports.measures.summarised import UNKNOWN

WITHIN = 1e-3
NOTHING_MS = 0.002
"""A histogram tells three digits from 1 us on; what is shorter than that is about 0."""
NOT_TOLD = {*UNKNOWN, *(f"{name}_floor" for name in ("p50_ms", "p90_ms", "p99_ms", "max_ms"))}
EXACT = {"messages", "received", "negative", "polls_due", "polls_unsent", "errors", "users", "ordered_users"}


def assert_alike(rows: pd.DataFrame, kept: pd.DataFrame) -> None:
    """Hold every figure of each cell (`per_cell`) against that of its rows: within three digits, counts to the last."""
    assert {*rows} == {*kept}
    figures = [name for name in rows if pd.api.types.is_numeric_dtype(rows[name]) and name not in NOT_TOLD]
    assert len(figures) > 60
    for name in map(str, figures):
        told, true = (table[name].to_numpy(float) for table in (kept, rows))
        nothing = name.endswith("_ms") & (np.abs(told) < NOTHING_MS) & (np.abs(true) < NOTHING_MS)
        assert (nothing | np.isclose(told, true, rtol=WITHIN, atol=0, equal_nan=True)).all(), (name, told, true)
        assert name not in EXACT or (told == true).all()
