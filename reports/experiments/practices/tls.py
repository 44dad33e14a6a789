"""Every pattern in the clear and under TLS, and polls that shake hands for each: what encryption costs each pattern."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from loadtests.scenario.scenarios import Scenario
from reports.basics.units import quantity
from reports.charts.style import INK, Look, figure
from reports.experiments import Effect, Measured, Observation
from reports.experiments.effects import said, with_doubt
from reports.experiments.practices._cell import doubts, invalid, run_cell

TITLE: Final = "TLS: what it costs each pattern"
ADVICE: Final = "Encrypt everything: with connections that are kept, TLS costs next to nothing."
MECHANISM: Final = (
    "A message becomes a record: 22 bytes more (RFC 8446 section 5.2), and some microseconds to seal it, for each "
    "client anew, though the text was framed once for all. A connection needs a handshake first, one more round trip "
    "and a signature, and keeps buffers and keys while it lives. Streams shake hands once, polls on a connection of "
    "their own each time."
)
LIMITS: Final = (
    "TLS 1.3 without resumption, AES-GCM by the processor's own instructions, a P-256 certificate made for the run, "
    "uvloop's TLS. Another server's TLS costs it something else, and a proxy that ends TLS has the cost instead: "
    "compare ratios."
)
ARMS: Final = {"off": "in the clear", "on": "TLS"}
RTT_MS: Final = 20.0
CLIENTS: Final = 40
CASES: Final = {
    "short": ("short_polling", True, "short polls"),
    "new": ("short_polling", False, "short polls, a connection each"),
    "long": ("long_polling", True, "long polls"),
    "chunked": ("chunked", True, "JSON lines"),
    "push": ("http2_push", True, "HTTP/2 push"),
    "sse": ("sse", True, "server-sent events"),
    "socket": ("websocket", True, "WebSocket"),
}
"""Name -> pattern, whether connections are kept, and what that is called."""
BRIEFLY: Final = ("new", "sse", "push")
EFFECTS: Final = (
    *(
        Effect(f"{name}_{figure}", f"{label}: {meaning}", unit, "off", "on", expected="higher")
        for figure, meaning, unit in (
            ("bytes", "TCP bytes a delivery", "B"),
            ("cpu_ms", "server CPU per 1,000 deliveries", "ms"),
            ("memory_bytes", "server memory for each client", "B"),
            ("first_ms", "from connecting to the first answer", "ms"),
        )
        for name, (_, keeps, label) in CASES.items()
        # A long poll is held until there is news; connections that are not kept keep no memory.
        if (figure != "first_ms" or name != "long") and (figure != "memory_bytes" or keeps)
    ),
    Effect("missed", "messages missed, all cases", "", "off", "on", expected="same", kind="difference"),
)


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    """Send 10 messages a second to CLIENTS at a distance of RTT_MS in each of the CASES (quick: some of them)."""
    figures, points = {"missed": 0.0}, list[dict[str, float | str]]()
    doubted, worthless = list[str](), list[str]()
    for name, (pattern, keeps, _) in CASES.items():
        if quick and name not in BRIEFLY:
            continue
        scenario = Scenario(
            name="feed",
            purpose="a feed that many follow",
            clients=(CLIENTS,),
            schedule="poisson:10",
            poll_interval_s=0.5,
            rtt_ms=(RTT_MS,),
            warmup_s=0.2,
            window_s=1.0 if quick else 4.0,
            no_keep_alive=not keeps,
            tls=arm == "on",
        )
        found = run_cell(pattern, scenario, where / name)
        row = found.evidence.cells.iloc[0]
        own = {
            "bytes": float(row["wire_bytes_per_delivery"]),
            "cpu_ms": float(row["cpu_ms_per_1000"]),
            "memory_bytes": float(row["memory_per_client_bytes"]),
            "first_ms": first_answer_ms(found.evidence.run.requests),
        }
        figures |= {f"{name}_{figure}": value for figure, value in own.items()}
        figures["missed"] += float(row["missed"])
        points.append({"case": name, **own})
        doubted += doubts(found)
        worthless += invalid(found)
    return Observation(figures, points, doubted, worthless)


def first_answer_ms(requests: pd.DataFrame) -> float:
    """Return how long a client's first request took, connecting included, until something came; the median."""
    first = requests.sort_values("started_ns").groupby("user").first()
    return float((first["first_byte_ns"] - first["due_ns"]).median() / 1e6)


def verdict(effects: Mapping[tuple[str, str], Measured]) -> str:
    cpu, memory, first, new, size = (
        effects[name, "on"] for name in ("sse_cpu_ms", "sse_memory_bytes", "sse_first_ms", "new_cpu_ms", "sse_bytes")
    )
    return with_doubt(
        f"Encrypt, and keep connections: under TLS an event costs the server {said(cpu)} CPU and {said(size)} bytes, "
        f"an open stream {quantity(memory.arm - memory.base, 'B')} more memory, and its first answer comes after "
        f"{quantity(first.arm, 'ms')} instead of {quantity(first.base, 'ms')} at {RTT_MS:g} ms round trip; a short "
        f"poll that connects anew costs {said(new)} CPU.",
        cpu,
        memory,
        first,
        new,
        size,
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """Server CPU, and the time to a first answer, a bar for each case and arm with every repeat on it."""
    drawn = figure(3.6)
    panels = {"cpu_ms": "server CPU per 1,000 deliveries, ms", "first_ms": "from connecting to the first answer, ms"}
    cases = [case for case in CASES if (points["case"] == case).any()]
    for axes, (column, title) in zip(drawn.subplots(1, 2, sharey=True), panels.items(), strict=True):
        height = 0.8 / len(look.labels)
        for nth, (arm, label) in enumerate(look.labels.items()):
            for at, case in enumerate(cases):
                if column == "first_ms" and case == "long":
                    continue
                values = points.loc[(points["arm"] == arm) & (points["case"] == case), column]
                place, told = at + (nth - 0.5) * height, label if at == 0 else None
                axes.barh(place, values.median(), height * 0.9, color=look.line(arm), alpha=0.75, label=told)
                axes.plot(values, [place] * len(values), ".", color=INK, markersize=3, alpha=0.6)
        axes.set_yticks(range(len(cases)), labels=[CASES[case][2] for case in cases])
        axes.grid(axis="y", visible=False)
        axes.set(xlabel=title, xlim=(0, None))
    drawn.axes[0].invert_yaxis()
    drawn.axes[0].legend(frameon=False, loc="lower right")
    return drawn
