"""What does encryption cost each pattern?"""

from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from loadtests.experiments.observations import Observation
from reports.basics.units import quantity
from reports.charts.style import Look
from reports.experiments import Effect, Effects
from reports.experiments.bars import bars
from reports.experiments.effects import said, with_doubt
from reports.experiments.whole_cells import CellMeasures, read_cases
from reports.validity.evidence import Evidence

TITLE: Final = "TLS: its cost for each pattern"
ADVICE: Final = "Encrypt everything: with connections that are kept, TLS costs next to nothing."
MECHANISM: Final = (
    "A message becomes a record: 22 bytes more (RFC 8446 section 5.2), and some microseconds to seal it, for each "
    "client again, though the text was framed once for all. A connection first needs a handshake, one more round trip "
    "and a signature, and keeps buffers and keys while it lives. Streams need one handshake, polls on their own "
    "connections one each time."
)
LIMITS: Final = (
    "TLS 1.3 without resumption, AES-GCM by the processor's own instructions, a P-256 certificate made for the run, "
    "uvloop's TLS. The TLS of another server costs more or less, and a proxy that ends TLS has the cost instead: "
    "compare ratios."
)
ARMS: Final = {"off": "cleartext", "on": "TLS"}
CASES: Final = {
    "short": "short polls",
    "new": "short polls, a connection each",
    "long": "long polls",
    "chunked": "JSON lines",
    "push": "HTTP/2 push",
    "sse": "server-sent events",
    "socket": "WebSocket",
}
"""Run folder of each case -> its label."""
UNKNOWN: Final = {("first_ms", "long"), ("memory_bytes", "new")}
"""A long poll is held until there is a message; connections that are not kept keep no memory."""
EFFECTS: Final = (
    *(
        Effect(f"{name}_{figure}", f"{label}: {meaning}", unit, "off", "on", expected="higher")
        for figure, meaning, unit in (
            ("bytes", "TCP bytes per delivery", "B"),
            ("cpu_ms", "server CPU per 1,000 deliveries", "ms"),
            ("memory_bytes", "server memory per client", "B"),
            ("first_ms", "from connecting to the first response", "ms"),
        )
        for name, label in CASES.items()
        if (figure, name) not in UNKNOWN
    ),
    Effect("missed", "messages missed, all cases", "", "off", "on", expected="same", kind="difference"),
)
COLUMNS: Final = {
    "bytes": "wire_bytes_per_delivery",
    "cpu_ms": "cpu_ms_per_1000",
    "memory_bytes": "memory_per_client_bytes",
}


def read(where: Path) -> Observation:
    return read_cases(where, CASES, figures_of)


def figures_of(run: Evidence, row: CellMeasures) -> dict[str, float]:
    own = {name: float(row[column]) for name, column in COLUMNS.items()}
    return own | {"first_ms": first_response_ms(run.run.requests)}


def first_response_ms(requests: pd.DataFrame) -> float:
    """Return how long a client's first request took, connecting included, until something came; the median."""
    first = requests.sort_values("started_ns").groupby("user").first()
    return float((first["first_byte_ns"] - first["due_ns"]).median() / 1e6)


def verdict(effects: Effects) -> str:
    cpu, memory, first, new, size = (
        effects[name, "on"] for name in ("sse_cpu_ms", "sse_memory_bytes", "sse_first_ms", "new_cpu_ms", "sse_bytes")
    )
    return with_doubt(
        f"Encrypt, and keep connections: under TLS an event costs the server {said(cpu)} CPU and {said(size)} bytes, "
        f"an open stream {quantity(memory.arm - memory.base, 'B')} more memory, and its first response comes after "
        f"{quantity(first.arm, 'ms')} instead of {quantity(first.base, 'ms')} at a round trip of 20 ms; a short "
        f"poll that opens a connection costs {said(new)} CPU.",
        cpu,
        memory,
        first,
        new,
        size,
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """Server CPU, and the time to the first response."""
    panels = {"cpu_ms": "server CPU per 1,000 deliveries, ms", "first_ms": "from connecting to the first response, ms"}
    return bars(points, look, CASES, panels, 3.6, UNKNOWN)
