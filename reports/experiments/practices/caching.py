"""Short polls that find nothing new: the whole answer again, or 304 to who says what it has (RFC 9110 section 13)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from loadtests.probes.polls import poll
from loadtests.probes.reference import reference
from loadtests.protocols.http1 import get
from reports.basics.units import quantity
from reports.charts.style import Look, figure, y_title
from reports.experiments import Effect, Measured, Observation
from reports.experiments.effects import said, with_doubt

TITLE: Final = "ETag and 304 for short polling"
ADVICE: Final = "Use ETags: a poll that finds nothing new is then answered by 304, which has no body."
MECHANISM: Final = (
    "A client that asks with If-None-Match for what it already holds gets a head and nothing else. What that saves is "
    "the body, so it depends on what an unchanged answer carries: a list that comes whole each time, or, for a client "
    "with a cursor, an empty one."
)
LIMITS: Final = (
    "Only for polls that find nothing new; one that brings a message costs the validator on top. The server must know "
    "its version without making the body, as ours does from the newest id: hashing a finished body saves bytes and no "
    "CPU. Both arms are answered from bytes rendered once; a server that renders for each poll saves more CPU."
)
ARMS: Final = {"off": "no validator", "on": "ETag, If-None-Match"}
MESSAGES: Final = (1, 5, 20, 100)
"""How many messages an unchanged answer carries, for a client without a cursor."""
MESSAGE_BYTES: Final = 200
EFFECTS: Final = (
    Effect("bytes_whole", "response, a list of 20 messages, unchanged", "B", "off", "on", expected="lower"),
    Effect("cpu_ms_whole", "server CPU per 1,000 of these polls", "ms", "off", "on", expected="lower"),
    Effect("bytes_cursor", "response to a client with a cursor, nothing new", "B", "off", "on", expected="lower"),
    Effect("cpu_ms_cursor", "server CPU per 1,000 of these polls", "ms", "off", "on", expected=""),
    Effect("request_bytes", "request", "B", "off", "on", expected="higher"),
)


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    """Poll a server whose messages do not change: with a cursor, and without one while it keeps ever more of them."""
    times = 1_000 if quick else 6_000
    figures: dict[str, float] = {}
    points: list[dict[str, float | str]] = []
    with reference(where, "short_polling", "--history", 1000) as server:
        newest = server.target.post("x" * MESSAGE_BYTES)
        for count in (0, *MESSAGES):
            while 0 < newest < count:
                newest = server.target.post("x" * MESSAGE_BYTES)
            target = f"/api/poll?last_id={0 if count else newest}"
            whole = poll(server.port, get("pollbench", target), 4)
            known = f"If-None-Match: {whole.etag}\r\n" if arm == "on" else ""
            request = get("pollbench", target, known)
            poll(server.port, request, times // 10)
            before_ns = server.cpu_ns()
            polled = poll(server.port, request, times)
            cpu_ms = (server.cpu_ns() - before_ns) / 1e6 / times * 1000
            expected = 304 if arm == "on" else 200
            if polled.statuses != {expected: times}:
                raise ValueError(f"{times} polls were answered {dict(polled.statuses)}, not all {expected}")
            bytes_in = polled.bytes_in / times
            points.append({"messages": count, "bytes": bytes_in, "cpu_ms": cpu_ms})
            if count in {0, 20}:
                name = "whole" if count else "cursor"
                figures |= {f"bytes_{name}": bytes_in, f"cpu_ms_{name}": cpu_ms}
                figures["request_bytes"] = polled.bytes_out / times
    return Observation(figures, points)


def verdict(effects: Mapping[tuple[str, str], Measured]) -> str:
    whole, cursor = effects["bytes_whole", "on"], effects["bytes_cursor", "on"]
    cpu_whole, cpu_cursor = effects["cpu_ms_whole", "on"], effects["cpu_ms_cursor", "on"]
    return with_doubt(
        f"Where polls return a whole list, use ETags: 20 unchanged messages shrink from {quantity(whole.base, 'B')} to "
        f"{quantity(whole.arm, 'B')} ({said(whole)}), server CPU {said(cpu_whole)}; with a cursor in the query "
        f"an empty answer is small already, and 304 changes it by {said(cursor)}, CPU by {said(cpu_cursor)}.",
        whole,
        cpu_whole,
        cursor,
        cpu_cursor,
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """Response bytes and CPU against what an unchanged answer carries; 0 messages: a client with a cursor."""
    drawn = figure(2.9)
    for axes, column, title in zip(
        drawn.subplots(1, 2), ("bytes", "cpu_ms"), ("response, kB", "server CPU per 1,000 polls, ms"), strict=True
    ):
        y_title(axes, title)
        for arm in look.labels:
            rows = points[points["arm"] == arm]
            scaled = rows.assign(**{column: rows[column] / (1000 if column == "bytes" else 1)})
            middle = scaled.groupby("messages")[column].median()
            axes.plot(scaled["messages"], scaled[column], ".", color=look.line(arm), alpha=0.5, markersize=4)
            axes.plot(middle.index, middle, color=look.line(arm))
            axes.annotate(
                look.labels[arm],
                (middle.index[-1], middle.iloc[-1]),
                (-4, 6),
                textcoords="offset points",
                color=look.text(arm),
                weight="bold",
                ha="right",
            )
        axes.set(xlabel="messages in an unchanged answer (0: a cursor, so nothing)")
        axes.margins(y=0.15)
        axes.set_ylim(bottom=0)
    return drawn
