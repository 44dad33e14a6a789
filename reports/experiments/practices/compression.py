"""What does gzip do to polls and streams, of random text and of repetitive JSON, and what does it cost the server?"""

from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from loadtests.experiments.observations import Observation, Points
from reports.basics.units import quantity
from reports.charts.style import INK, Look, figure, y_title
from reports.experiments import Effect, Effects
from reports.experiments.effects import said, with_doubt
from reports.experiments.whole_cells import cell, observed

TITLE: Final = "Compression of polls and streams"
ADVICE: Final = "Compress what you send, and flush after every message of a stream."
MECHANISM: Final = (
    "gzip refers back to what it has sent before. A stream keeps its window of 32 kB from message to message, so JSON "
    "that repeats itself shrinks to what is new in it; random text repeats nothing. Each stream needs a compressor of "
    "its own, so a message that was framed once for all clients is now compressed for each of them. Polls that wait "
    "for the same message share one response, which is compressed once."
)
LIMITS: Final = (
    "Random letters and digits still shrink a little, as they fill only 6 of 8 bits; encrypted or compressed content "
    "would not. Level 6, no minimum size for streams. On loopback bytes cost no time; on a narrow line fewer bytes "
    "also arrive earlier (`--bandwidth`). Compressing secrets together with text that an attacker chooses leaks them "
    "(BREACH)."
)
ARMS: Final = {"off": "plain", "on": "gzip, flushed per message"}
CASES: Final = {"noise": "stream of random text", "json": "stream of JSON", "poll": "polls of JSON"}
"""Run folder of each case -> its label."""
EFFECTS: Final = (
    Effect("noise_bytes", "random text by SSE: bytes per delivery", "B", "off", "on", expected="lower"),
    Effect("json_bytes", "JSON by SSE: bytes per delivery", "B", "off", "on", expected="lower"),
    Effect("poll_bytes", "JSON by long polls: bytes per delivery", "B", "off", "on", expected="lower"),
    Effect("noise_cpu_ms", "random text by SSE: server CPU per 1,000", "ms", "off", "on", expected="higher"),
    Effect("json_cpu_ms", "JSON by SSE: server CPU per 1,000", "ms", "off", "on", expected="higher"),
    Effect("poll_cpu_ms", "JSON by long polls: server CPU per 1,000", "ms", "off", "on"),
    Effect("json_p50_ms", "JSON by SSE: latency, median", "ms", "off", "on"),
    Effect("memory_bytes", "server memory for each stream", "B", "off", "on", expected="higher"),
    Effect("missed", "messages missed", "", "off", "on", expected="same", kind="difference"),
)
COLUMNS: Final = {"bytes": "http_bytes_per_delivery", "cpu_ms": "cpu_ms_per_1000", "p50_ms": "p50_ms"}


def read(where: Path) -> Observation:
    """Read the cases that were measured; a quick run has no noise."""
    cells = {case: cell(where / case) for case in CASES if (where / case).is_dir()}
    figures = {f"{case}_{name}": row[column] for case, (_, row) in cells.items() for name, column in COLUMNS.items()}
    figures["missed"] = sum(row["missed"] for _, row in cells.values())
    figures["memory_bytes"] = cells["json"][1]["memory_per_client_bytes"]
    points: Points = [
        {"case": case} | {name: float(row[column]) for name, column in COLUMNS.items()}
        for case, (_, row) in cells.items()
    ]
    return observed(figures, points, *(run for run, _ in cells.values()))


def verdict(effects: Effects) -> str:
    noise, json, poll = (effects[f"{case}_bytes", "on"] for case in CASES)
    cpu, memory, poll_cpu = (effects[name, "on"] for name in ("json_cpu_ms", "memory_bytes", "poll_cpu_ms"))
    return with_doubt(
        f"Compress streams of repetitive JSON when bytes are expensive: {said(json)} in bytes (random text "
        f"{said(noise)}) for {said(cpu)} the server CPU and {quantity(memory.arm - memory.base, 'B')} more memory per "
        f"stream; polls that share a response: {said(poll)} in bytes, {said(poll_cpu)} in CPU.",
        noise,
        json,
        poll,
        cpu,
        memory,
        poll_cpu,
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """Bytes and server CPU per delivery: a bar for each case and arm, a dot for each repeat."""
    drawn = figure(2.9)
    panels = {"bytes": "bytes per delivery, B", "cpu_ms": "server CPU per 1,000 deliveries, ms"}
    for axes, (column, title) in zip(drawn.subplots(1, 2), panels.items(), strict=True):
        y_title(axes, title)
        width = 0.8 / len(look.labels)
        for nth, (arm, name) in enumerate(look.labels.items()):
            for at, case in enumerate(CASES):
                values = points.loc[(points["arm"] == arm) & (points["case"] == case), column]
                middle, place = values.median(), at + (nth - 0.5) * width
                label = name if case == "noise" else None
                axes.bar(place, middle, width * 0.9, color=look.line(arm), alpha=0.75, label=label)
                axes.plot([place] * len(values), values, ".", color=INK, markersize=3, alpha=0.6)
        axes.set_xticks(range(len(CASES)), labels=CASES.values())
        axes.grid(axis="x", visible=False)
        axes.margins(y=0.3)
        axes.set_ylim(bottom=0)
    drawn.axes[0].legend(frameon=False, loc="upper left", ncols=len(look.labels), borderaxespad=0)
    return drawn
