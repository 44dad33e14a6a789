"""PURE. What a run may vary beside pattern and repeat: how many clients, how far away, how many messages a second.

A cell has a value of each, in a field called like the column, and so has every row, goal, table and chart. How they are
called, written and drawn stands here alone.
"""

from dataclasses import dataclass
from typing import Final

NARROW: Final = "\N{NARROW NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Dimension:
    """One of them. column: of frames and goals. short, suffix: in names of charts and files, behind a value there.

    name: what it is called; one, many: what a value counts, behind its unit; axis: title of an axis; none: where it is
    0. by_factors: its values grow by factors and not by steps, so that axes are logarithmic.
    """

    column: str
    short: str
    suffix: str
    name: str
    unit: str
    one: str
    many: str
    axis: str
    none: str = ""
    by_factors: bool = True

    def amount(self, value: float) -> str:
        """Write a value with its unit: 1,200; 40 ms."""
        return f"{value:,g}" + (f"{NARROW}{self.unit}" if self.unit else "")

    def says(self, value: float) -> str:
        """Say a value: 50 clients, 40 ms round trip, 1 message a second."""
        return f"{self.amount(value)} {self.one if value == 1 else self.many}"


CLIENTS: Final = Dimension(
    column="clients",
    short="clients",
    suffix="",
    name="client count",
    unit="",
    one="client",
    many="clients",
    axis="clients",
)
RTT: Final = Dimension(
    column="rtt_ms",
    short="rtt",
    suffix="ms",
    name="round trip",
    unit="ms",
    one="round trip",
    many="round trip",
    axis="round trip between clients and server, ms",
    none="Without a round trip",
    by_factors=False,
)
RATE: Final = Dimension(
    column="rate_per_s",
    short="rate",
    suffix="per_s",
    name="message rate",
    unit="",
    one="message a second",
    many="messages a second",
    axis="messages a second",
)
DIMENSIONS: Final = (CLIENTS, RTT, RATE)
COLUMNS: Final = [dimension.column for dimension in DIMENSIONS]
