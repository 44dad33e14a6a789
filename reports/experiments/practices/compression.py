"""gzip for polls and streams: what it does to random text and to repetitive JSON, and what it costs the server."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from loadtests.scenario.scenarios import Scenario
from reports.basics.units import quantity
from reports.charts.style import INK, Look, figure, y_title
from reports.experiments import Effect, Measured, Observation
from reports.experiments.effects import said, with_doubt
from reports.experiments.practices._cell import doubts, invalid, run_cell

TITLE: Final = "Compression of polls and streams"
ADVICE: Final = "Compress what you send, and flush behind every message of a stream."
MECHANISM: Final = (
    "gzip refers back to what it has sent before. A stream keeps its window of 32 kB from message to message, so JSON "
    "that repeats itself shrinks to what is new in it; random text has nothing to refer to. Each stream needs a "
    "compressor of its own, so what was framed once for all clients is now compressed for each; polls that wait for "
    "the same message share one answer, compressed once."
)
LIMITS: Final = (
    "Random letters and digits still shrink a little, as they fill only 6 of 8 bits; encrypted or compressed content "
    "would not. Level 6, no minimum size for streams. On loopback bytes cost no time; on a narrow line fewer bytes are "
    "also earlier ones (`--bandwidth`). Compressing secrets beside text that an attacker chooses leaks them (BREACH)."
)
ARMS: Final = {"off": "plain", "on": "gzip, flushed per message"}
CASES: Final = {
    "noise": ("sse", "noise", "stream of random text"),
    "json": ("sse", "json", "stream of JSON"),
    "poll": ("long_polling", "json", "polls of JSON"),
}
"""Name -> pattern, content of the messages, and what that is called."""
EFFECTS: Final = (
    Effect("noise_bytes", "random text by SSE: bytes a delivery", "B", "off", "on", expected="lower"),
    Effect("json_bytes", "JSON by SSE: bytes a delivery", "B", "off", "on", expected="lower"),
    Effect("poll_bytes", "JSON by long polls: bytes a delivery", "B", "off", "on", expected="lower"),
    Effect("noise_cpu_ms", "random text by SSE: server CPU per 1,000", "ms", "off", "on", expected="higher"),
    Effect("json_cpu_ms", "JSON by SSE: server CPU per 1,000", "ms", "off", "on", expected="higher"),
    Effect("poll_cpu_ms", "JSON by long polls: server CPU per 1,000", "ms", "off", "on"),
    Effect("json_p50_ms", "JSON by SSE: latency, median", "ms", "off", "on"),
    Effect("memory_bytes", "server memory for each stream", "B", "off", "on", expected="higher"),
    Effect("missed", "messages missed", "", "off", "on", expected="same", kind="difference"),
)


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    """Send 20 messages a second of 400 bytes to 50 clients, in each of the CASES (quick: only those of JSON)."""
    figures, points = {"missed": 0.0}, list[dict[str, float | str]]()
    doubted, worthless = list[str](), list[str]()
    for name, (pattern, content, _) in CASES.items():
        if quick and name == "noise":
            continue
        scenario = Scenario(
            name="feed",
            purpose=f"messages of {content}",
            clients=(50,),
            schedule="poisson:20",
            message_bytes=400,
            content=content,
            warmup_s=0.2,
            window_s=0.8 if quick else 3.0,
            drain_s=0.3,
            compress=arm == "on",
        )
        found = run_cell(pattern, scenario, where / name)
        row = found.evidence.cells.iloc[0]
        own = {
            "bytes": float(row["http_bytes_per_delivery"]),
            "cpu_ms": float(row["cpu_ms_per_1000"]),
            "p50_ms": float(row["p50_ms"]),
        }
        figures |= {f"{name}_{figure}": value for figure, value in own.items()}
        figures["missed"] += float(row["missed"])
        if name == "json":
            figures["memory_bytes"] = float(row["memory_per_client_bytes"])
        points.append({"case": name, **own})
        doubted += doubts(found)
        worthless += invalid(found)
    return Observation(figures, points, doubted, worthless)


def verdict(effects: Mapping[tuple[str, str], Measured]) -> str:
    noise, json, poll = (effects[f"{case}_bytes", "on"] for case in CASES)
    cpu, memory, poll_cpu = (effects[name, "on"] for name in ("json_cpu_ms", "memory_bytes", "poll_cpu_ms"))
    return with_doubt(
        f"Compress streams of repetitive JSON when bytes are dear: {said(json)} in bytes (random text {said(noise)}) "
        f"for {said(cpu)} the server CPU and {quantity(memory.arm - memory.base, 'B')} more memory a stream; polls "
        f"that share an answer: {said(poll)} in bytes, {said(poll_cpu)} in CPU.",
        noise,
        json,
        poll,
        cpu,
        memory,
        poll_cpu,
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """Bytes and server CPU of a delivery, a bar for each case and arm with every repeat on it."""
    drawn = figure(2.9)
    panels = {"bytes": "bytes a delivery, B", "cpu_ms": "server CPU per 1,000 deliveries, ms"}
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
        axes.set_xticks(range(len(CASES)), labels=[told for *_, told in CASES.values()])
        axes.grid(axis="x", visible=False)
        axes.margins(y=0.3)
        axes.set_ylim(bottom=0)
    drawn.axes[0].legend(frameon=False, loc="upper left", ncols=len(look.labels), borderaxespad=0)
    return drawn
