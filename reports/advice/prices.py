"""PURE. What a month of a server costs, by prices that the user gives: nothing here knows any price.

currency = "EUR"          # what the others are in; all but this are numbers, and what is left out is free
core_hour = 0.02
gb_memory_hour = 0.003
gb_sent = 0.08
"""

import tomllib
from dataclasses import dataclass
from math import isfinite
from typing import Final

from reports.model.law import Estimate

HOURS: Final = 730.0
"""In a month, on average."""
FIELDS: Final = ("core_hour", "gb_memory_hour", "gb_sent")


@dataclass(frozen=True, slots=True)
class Prices:
    """Of a core for an hour, a GB of memory for an hour, and a GB sent."""

    currency: str = ""
    core_hour: float = 0.0
    gb_memory_hour: float = 0.0
    gb_sent: float = 0.0

    def month(self, cores: Estimate, memory_bytes: Estimate, sent_bytes_per_s: Estimate) -> Estimate:
        """Return what a month costs; the ends add up, as if all were dear or cheap together."""
        cores_month, memory_month = self.core_hour * HOURS, self.gb_memory_hour * HOURS / 1e9
        sent_month = self.gb_sent * HOURS * 3600 / 1e9

        def total(end: str) -> float:
            return (
                cores_month * float(getattr(cores, end))
                + memory_month * float(getattr(memory_bytes, end))
                + sent_month * float(getattr(sent_bytes_per_s, end))
            )

        return Estimate(total("value"), total("low"), total("high"))


def parse_prices(text: str, file: str) -> Prices:
    """Read prices. Raises ValueError naming file, field, value and remedy."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise ValueError(f"--price {file}: not TOML ({problem}); write lines as: core_hour = 0.02") from None
    known = ("currency", *FIELDS)
    for name, value in document.items():
        if name not in known:
            raise ValueError(f"--price {file}: {name} is none of {', '.join(known)}")
        if name == "currency":
            if not isinstance(value, str) or len(value) > 8 or not value.isprintable():
                raise ValueError(f'--price {file}: currency {value!r} is no short text: currency = "EUR"')
        elif isinstance(value, bool) or not isinstance(value, int | float) or not (isfinite(value) and value >= 0):
            raise ValueError(f"--price {file}: {name} {value!r} is no number of 0 or more: {name} = 0.02")
    if not any(document.get(name) for name in FIELDS):
        raise ValueError(f"--price {file}: no price in it: give at least one of {', '.join(FIELDS)}")
    return Prices(**document)
