"""A table whose columns are read or worked out when they are asked for.

Of millions of rows memory holds some columns where it would not hold all. It answers as a data frame does to what is
asked of one here: a column, several, the rows of a mask, `len`, `in` and `assign`. Nothing is kept.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, overload

import numpy as np
import pandas as pd

SLICE: Final = 1_000_000
Made = Callable[["Columns"], "pd.Series[Any]"]


class Columns:
    """names: of the columns. rows: how many each has. column: gives one by its name, index 0 to rows."""

    def __init__(self, names: Sequence[str], rows: int, column: Callable[[str], "pd.Series[Any]"]) -> None:
        self.names = tuple(names)
        self._rows = rows
        self._column = column

    def __len__(self) -> int:
        return self._rows

    def __contains__(self, name: str) -> bool:
        return name in self.names

    @overload
    def __getitem__(self, key: str) -> "pd.Series[Any]": ...
    @overload
    def __getitem__(self, key: list[str]) -> pd.DataFrame: ...
    @overload
    def __getitem__(self, key: "np.ndarray | pd.Series[Any]") -> "Columns": ...
    def __getitem__(self, key: Any) -> Any:
        """Return one column, several, or the rows that a mask chooses. Raises KeyError."""
        if isinstance(key, str):
            if key not in self.names:
                raise KeyError(key)
            return self._column(key)
        if isinstance(key, list):
            return pd.DataFrame({name: self[name] for name in key}, copy=False)
        chosen = np.asarray(key, bool)
        if chosen.all():
            return self
        return Columns(self.names, int(chosen.sum()), lambda name: pd.Series(self[name].array[chosen], copy=False))

    def assign(self, **made: Made) -> "Columns":
        """Return these columns and others, each made of these when it is asked for."""
        names = [*self.names, *(name for name in made if name not in self.names)]
        return Columns(names, self._rows, lambda name: made[name](self) if name in made else self[name])

    def frame(self) -> pd.DataFrame:
        return self[list(self.names)]


Table = pd.DataFrame | Columns


def slices(rows: int) -> Iterator[slice]:
    """Return all rows in parts, for what would else need several arrays as long as they are."""
    return (slice(begin, begin + SLICE) for begin in range(0, rows, SLICE))
